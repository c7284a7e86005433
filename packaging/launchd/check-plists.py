#!/usr/bin/env python3
"""Check that the launch agents in this folder are valid: property lists of keys that launchd knows, for the program in the bundle.

Takes no arguments. Standard library of Python 3.9 only. The keys and their types are those of `man 5 launchd.plist`
that a launch agent for Baleen may need. A test in src/service/login_item/file.rs compares the agent for the app with the one
that the app itself writes.
"""
import plistlib
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
TOP = HERE.parents[1]

KEYS = {
    "Label": str,
    "ProgramArguments": list,
    "RunAtLoad": bool,
    "KeepAlive": dict,
    "ThrottleInterval": int,
    "LimitLoadToSessionType": str,
    "ProcessType": str,
    "EnvironmentVariables": dict,
}
NEEDED = ["Label", "ProgramArguments", "RunAtLoad", "LimitLoadToSessionType"]
VALUES = {
    "LimitLoadToSessionType": ["Aqua", "Background", "LoginWindow", "StandardIO"],
    "ProcessType": ["Standard", "Background", "Adaptive", "Interactive"],
}
KEEP_ALIVE = {"SuccessfulExit": bool, "Crashed": bool}


def problems(agent, stem, info):
    """One sentence for each thing that is wrong with the agent of a file STEM.plist."""
    for key, value in agent.items():
        if key not in KEYS:
            yield f"{key} is not a key that launchd has, or not one of those that check-plists.py knows"
        elif type(value) is not KEYS[key]:
            yield f"{key} should be {KEYS[key].__name__}, and is {type(value).__name__}"
        elif value not in VALUES.get(key, [value]):
            yield f"{key} is {value!r}, and can be one of {VALUES[key]}"
    for key in NEEDED:
        if key not in agent:
            yield f"{key} is missing"
    if agent.get("Label") != stem:
        yield f"Label is {agent.get('Label')!r}, and the file is called {stem}.plist"
    identifier = info["CFBundleIdentifier"]
    command = {identifier: "app", f"{identifier}.watch": "watch"}.get(stem)
    program = f"/Applications/{info['CFBundleName']}.app/Contents/MacOS/{info['CFBundleExecutable']}"
    if agent.get("ProgramArguments") != [program, command]:
        yield f"ProgramArguments is {agent.get('ProgramArguments')!r}, expected {[program, command]!r}"
    keep_alive = agent.get("KeepAlive", {})
    if isinstance(keep_alive, dict):
        for key, value in keep_alive.items():
            if type(value) is not KEEP_ALIVE.get(key):
                yield f"KeepAlive has {key}: {value!r}, which is none of {sorted(KEEP_ALIVE)} with a boolean"
    # launchd starts a job at most once in ten seconds; a job that keeps failing should wait longer.
    throttle = agent.get("ThrottleInterval", 10)
    if keep_alive and isinstance(throttle, int) and throttle < 30:
        yield "an agent that is started again needs a ThrottleInterval of half a minute at least"


def main():
    info = plistlib.loads((TOP / "Info.plist").read_bytes())
    files = sorted(HERE.glob("*.plist"))
    failed = len(files) != 2
    if failed:
        print(f"{HERE}: two launch agents are expected here, found {len(files)}", file=sys.stderr)
    for file in files:
        try:
            found = list(problems(plistlib.loads(file.read_bytes()), file.stem, info))
        except Exception as error:  # plistlib lets several kinds through, from the XML parser too
            found = [f"not a property list: {error}"]
        # launchd ignores a file that others than its owner may write to.
        if file.stat().st_mode & 0o022:
            found.append(f"its mode is {file.stat().st_mode & 0o777:04o}, and launchd loads no file that others may write to")
        for problem in found:
            print(f"{file.name}: {problem}", file=sys.stderr)
        failed = failed or bool(found)
    if not failed:
        print(f"{len(files)} launch agents, sound")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
