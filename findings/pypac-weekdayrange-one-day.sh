#!/usr/bin/env bash
# What: PyPAC's weekdayRange("FRI") is false on Fridays, as is each form with a single day.
# Version: pypac 0.19.0 (PyPI). Seen: 2026-11-28.
# Surprising: one day is the first form that Netscape's description of PAC files gives, browsers read it, and the range
# from a day to itself is true. A script that sends one day's traffic another way never does so for Python programs.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
python3 -m venv "$tmp/venv"
"$tmp/venv/bin/pip" install -q --disable-pip-version-check pypac==0.19.0 > /dev/null
cat > "$tmp/try.py" <<'PY'
import datetime
from pypac.parser_functions import weekdayRange
days = ["MON", "TUE", "WED", "THU", "FRI", "SAT", "SUN"]
today = days[datetime.datetime.now().weekday()]
print("one day:", weekdayRange(today))
print("that day to itself:", weekdayRange(today, today))
print("all days one by one:", any(weekdayRange(day) for day in days))
PY
seen=$("$tmp/venv/bin/python" "$tmp/try.py")
expected='one day: False
that day to itself: True
all days one by one: False'
printf '%s\n' "$seen"
[ "$seen" = "$expected" ] || { echo "changed; it was:"; printf '%s\n' "$expected"; exit 1; } >&2
