#!/usr/bin/env python3
"""What the interpreter pays for counting back edges and calls: itself against a build that counts nothing.

    cargo build --release
    cargo build --release --features scaly-interp/uncounted --target-dir target/uncounted
    bench/counters.py [--rounds 11] [--instructions] [--limit 1.01] [names...]

Both run without the trace compiler, in turn, round by round. The time is user and system time together, the least of the
rounds. `--instructions` counts them too, at small sizes under valgrind: no noise there, but no time either. Two builds
differ by more than what was changed: where the compiler puts the code of each opcode is worth some per cent to and fro.
"""

import argparse
import re
import sys
import tempfile

from measure import ROOT, SCALY, agree, command, executable, geometric_mean, succeed
from traces import FURTHER, NAMED, WITHOUT_COMPILER

UNCOUNTED = ROOT / "target/uncounted/release/scaly"


def instructions(command):
    with tempfile.NamedTemporaryFile() as out:
        valgrind = ["valgrind", "--tool=callgrind", f"--callgrind-out-file={out.name}"]
        text = succeed([*valgrind, *command]).errors.decode(errors="replace")
    return int(re.search(r"Collected : (\d+)", text)[1])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scaly", default=str(SCALY), help="the command to measure")
    parser.add_argument("--uncounted", default=str(UNCOUNTED), help="the one that does not count")
    parser.add_argument("--rounds", type=int, default=11)
    parser.add_argument("--instructions", action="store_true", help="count them too")
    parser.add_argument("--limit", type=float, help="fail if the geometric mean is above this")
    parser.add_argument("names", nargs="*", metavar="name", help="programs; all if none are named")
    args = parser.parse_args()
    there = {p.name: p for p in NAMED + FURTHER}
    unknown = set(args.names) - set(there)
    if unknown:
        parser.error(f"no such program: {', '.join(sorted(unknown))}; there are {', '.join(there)}")
    counting, not_counting = executable(args.scaly), executable(args.uncounted)

    columns = ["program", "counting s", "not counting s", "ratio"] + ["ratio of instructions"] * args.instructions
    print("| " + " | ".join(columns) + " |\n|---|" + "---:|" * (len(columns) - 1))
    ratios, instruction_ratios = [], []
    for name in args.names or there:
        base = [*WITHOUT_COMPILER, f"programs/{name}.scaly"]
        # The program's own size, of some tenths of a second in the interpreter.
        times = ([], [])
        for _ in range(args.rounds):
            runs = [succeed([scaly, *base]) for scaly in (counting, not_counting)]
            agree(name, *runs, "not counting")
            for side, run in zip(times, runs):
                side.append(run.cpu)
        least = [min(side) for side in times]
        ratios.append(least[0] / least[1])
        row = [name, *(f"{t:.4f}" for t in least), f"{ratios[-1]:.3f}"]
        if args.instructions:
            small = [*base, *there[name].quick.split()]
            ours, theirs = (instructions([scaly, *small]) for scaly in (counting, not_counting))
            instruction_ratios.append(ours / theirs)
            row.append(f"{instruction_ratios[-1]:.3f}")
        print("| " + " | ".join(row) + " |", flush=True)
    mean = geometric_mean(ratios)
    row = ["geometric mean", "", "", f"{mean:.3f}"]
    if args.instructions:
        row.append(f"{geometric_mean(instruction_ratios):.3f}")
    print("| " + " | ".join(row) + " |")
    if args.limit is not None and mean > args.limit:
        sys.exit(f"the geometric mean {mean:.3f} is above {args.limit}")


if __name__ == "__main__":
    command(main)
