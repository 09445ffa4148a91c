#!/usr/bin/env python3
"""What becomes of hot loops: how many close, how many are proven independent, and why the others are not.

    cargo build --release
    bench/shares.py [--hot 56] [parts of paths...]

Runs every program of bench/programs, examples and tests/lang by `scaly explain --json`, at small sizes. A loop of the
program's own text counts if it came round as often as makes a loop hot; one of the source that is several, in instances
of a generic routine, counts as several. Serial loops are counted by the first reason, whatever the variable.
"""

import argparse
import collections
import json
import pathlib
import re
import tempfile

from measure import ROOT, SCALY, Failed, command, executable, run
from traces import FURTHER, NAMED, Case, cases, header, row


def programs(scratch):
    for program in NAMED + FURTHER:
        yield Case(f"bench/programs/{program.name}.scaly", program.quick.split(), b"")
    yield from cases(scratch)


def loops(scaly, case, scratch):
    """The explained loops of a run; none if it ends before it has any."""
    stdin = scratch / "stdin"
    stdin.write_bytes(case.stdin)
    with open(stdin, "rb") as input:
        ran = run([scaly, "explain", "--json", case.path, *case.arguments], cwd=ROOT, stdin=input, limit=60)
    try:
        return json.loads(ran.errors.decode(errors="replace").splitlines()[-1])["loops"]
    except (IndexError, ValueError, KeyError, TypeError):
        return []


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scaly", default=str(SCALY), help="the command to ask")
    parser.add_argument("--hot", type=int, default=56, help="iterations that make a loop hot")
    parser.add_argument("parts", nargs="*", help="of paths; all programs if none are given")
    args = parser.parse_args()
    scaly = executable(args.scaly)
    hot = closed = independent = count = 0
    reasons = collections.Counter()
    with tempfile.TemporaryDirectory() as scratch:
        scratch = pathlib.Path(scratch)
        for case in programs(scratch):
            if args.parts and not any(part in case.path for part in args.parts):
                continue
            count += 1
            for loop in loops(scaly, case, scratch):
                if loop["iterations"] < args.hot or loop["file"] != case.path:
                    continue
                hot += 1
                closed += loop["closed"]
                independent += loop["independent"]
                why = [each["reason"] for each in loop["because"] if each["not"] == "parallel"]
                if not loop["independent"]:
                    reasons[re.sub("`[^`]*`", "X", why[0]) if why else "not said"] += 1
    if not hot:
        raise Failed("no loop is hot")
    header([f"hot loops of {count} programs", "loops", "percent"])
    lines = [("all", hot), ("closed", closed), ("proven independent", independent)]
    for title, number in lines + [(f"serial: {reason}", n) for reason, n in reasons.most_common()]:
        row([title, str(number), f"{100 * number / hot:.1f}"])


if __name__ == "__main__":
    command(main)
