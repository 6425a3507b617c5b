#!/usr/bin/env python3
"""Drives all three official clients through the same scenario, and fails when one of them sees or leaves anything else.

    compare.py BASE_ENV_JSON

Needs the packages of requirements.txt. BASE_ENV_JSON is the line that `reconcile simulate --clock manual` prints, or `-` to read it from standard input.
"""

import difflib
import json
import sys

from scenario import run_scenario

CLIENTS = ["tea-v3", "tea-v1", "core"]


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    text = sys.stdin.read() if sys.argv[1] == "-" else sys.argv[1]
    outcomes = {}
    for kind in CLIENTS:
        outcome = run_scenario(json.loads(text), kind)
        outcomes[kind] = json.dumps(outcome, indent=1, sort_keys=True, ensure_ascii=False).splitlines()
        print(f"{kind}: {len(outcome['actions'])} actions, {len(outcome['steps'])} steps")
    first = CLIENTS[0]
    for kind in CLIENTS[1:]:
        difference = list(difflib.unified_diff(outcomes[first], outcomes[kind], first, kind, lineterm=""))
        if difference:
            sys.exit("\n".join(difference))
    print(f"{len(CLIENTS)} clients, the same end state")


if __name__ == "__main__":
    main()
