#!/usr/bin/env python3
"""What LLVM takes for a module, by the lines that it is given: `llvm_region` and `llvm_line` of `scaly --jit help`.

    cargo build --release
    bench/llvm_costs.py [--rounds 3]

The programs of bench/scaling.py run for some seconds, with all that gets hot compiled by default settings; the log tells of
each module. Printed are the modules, the least of the rounds, and the line through them with the smallest sum
of distances, which does not follow single modules that vectors make dear.
"""

import argparse
import json
import statistics
import tempfile

from measure import ROOT, SCALY, executable, run
from scaling import PROGRAMS


def modules(program, arguments):
    """Lines and milliseconds of each module of a run, by where it begins. The first one of a run loads LLVM."""
    with tempfile.NamedTemporaryFile() as log:
        path = f"bench/programs/{program}.scaly"
        command = [str(SCALY), "--threads", "1", f"--trace-log=json:{log.name}", path, *arguments]
        run(command, cwd=ROOT, limit=600)
        events = [json.loads(line) for line in log]
    variants = [event for event in events if event["event"] == "variant"]
    return {(program, event["start"]["line"]): (event["lines"], event["microseconds"] / 1000) for event in variants}


def through(points):
    """Start and slope of the line with the least sum of absolute distances: it goes through two of the points."""
    best = None
    for x1, y1 in points:
        for x2, y2 in points:
            if x1 < x2:
                slope = (y2 - y1) / (x2 - x1)
                start = y1 - slope * x1
                distance = sum(abs(start + slope * x - y) for x, y in points)
                best = min(best or (distance, start, slope), (distance, start, slope))
    return best[1:]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    executable(SCALY)
    least = {}
    for _ in range(args.rounds):
        for program in PROGRAMS:
            for place, (lines, took) in modules(program.name, program.arguments.split()).items():
                least[place] = (lines, min(took, least.get(place, (0, took))[1]))
    print("| module | lines | ms | µs a line |\n|---|---:|---:|---:|")
    for (program, line), (lines, took) in sorted(least.items(), key=lambda item: item[1]):
        print(f"| {program}:{line} | {lines} | {took:.1f} | {1000 * took / lines:.0f} |")
    points = list(least.values())
    start, slope = through(points)
    off = statistics.median(abs(start + slope * lines - took) / took for lines, took in points)
    print(f"\n{start:.1f} ms and {1000 * slope:.0f} µs a line; half of the modules are within {100 * off:.0f} % of that")


if __name__ == "__main__":
    main()
