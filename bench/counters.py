#!/usr/bin/env python3
"""What a run pays for counting back edges and calls: the default against `--jit off`, which counts nothing.

    cargo build --release
    bench/counters.py [--rounds 7] [--instructions] [--limit 1.01] [--jit SETTINGS] [--uncounted SCALY] [names...]

The default has thresholds here that no counter reaches: nothing is ever compiled, and all that counting costs is there.
`--jit` sets other parameters as well: with `stride=1` everything is counted. Both run in turn, round by round. The time is
user and system time together, the least of the rounds. `--instructions` counts them too, at small sizes under valgrind: no
noise there, but no time either.

`--uncounted` takes another build for the side that counts nothing, one in which nothing ever does:

    cargo build --release --features scaly-interp/uncounted --target-dir target/uncounted

But two builds differ by more than what was changed. Where the compiler puts the code of each opcode is worth up to a fifth
of a program's time, and 3 % of all, to and fro, with nothing counted on either side.
"""

import argparse
import re
import sys
import tempfile

from measure import SCALY, agree, command, executable, geometric_mean, run, succeed
from traces import FURTHER, NAMED, WITHOUT_COMPILER

# Sizes at which the interpreter takes some tenths of a second.
SIZES = {
    "fib": "34",
    "mandelbrot": "600 100",
    "nbody": "200000",
    "spectral_norm": "500",
    "matmul": "240",
    "sieve": "4000000 3",
    "raytracer": "240 180",
    "sum": "5000000 10",
    "wordcount": "300000",
    "black_scholes": "60000 5",
    "collatz": "250000",
    "convolution": "160 10",
    "expressions": "2000",
    "heat": "200 200",
    "histogram": "800000",
    "levenshtein": "2000",
    "machine": "400000",
    "noise": "100 5",
    "nqueens": "12",
    "particles": "4000 1000",
    "strings": "4000000",
    "sum_float": "4000000 10",
    "trees": "15",
}


def never_hot(scaly, settings):
    """The default, but for thresholds that are out of reach; giving them would end the warm-up."""
    table = run([scaly, "--jit", "help"]).output.decode()
    keep = {row: re.search(rf"^  {row} +(\d+)", table, re.MULTILINE)[1] for row in ("warmup", "effort")}
    chosen = {"hot": 10**9, "hot_function": 10**9, **keep, **dict(word.split("=") for word in settings)}
    return ["--jit", ",".join(f"{name}={value}" for name, value in chosen.items())]


def instructions(command):
    with tempfile.NamedTemporaryFile() as out:
        valgrind = ["valgrind", "--tool=callgrind", f"--callgrind-out-file={out.name}"]
        text = succeed([*valgrind, *command]).errors.decode(errors="replace")
    return int(re.search(r"Collected : (\d+)", text)[1])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scaly", default=str(SCALY), help="the command to measure")
    parser.add_argument("--uncounted", help="another build for the side that does not count")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--instructions", action="store_true", help="count them too")
    parser.add_argument("--jit", default="", metavar="SETTINGS", help="other parameters, as for scaly --jit")
    parser.add_argument("--limit", type=float, help="fail if the geometric mean is above this")
    parser.add_argument("names", nargs="*", metavar="name", help="programs; all if none are named")
    args = parser.parse_args()
    there = {p.name: p for p in NAMED + FURTHER}
    unknown = set(args.names) - set(there)
    if unknown:
        parser.error(f"no such program: {', '.join(sorted(unknown))}; there are {', '.join(there)}")
    counting, not_counting = executable(args.scaly), executable(args.uncounted or args.scaly)

    options = never_hot(counting, [word for word in args.jit.split(",") if word])
    sides = ([counting, *options], [not_counting, *WITHOUT_COMPILER])
    columns = ["program", "counting s", "not counting s", "ratio"] + ["ratio of instructions"] * args.instructions
    print("| " + " | ".join(columns) + " |\n|---|" + "---:|" * (len(columns) - 1))
    ratios, instruction_ratios = [], []
    for name in args.names or there:
        path = f"programs/{name}.scaly"
        times = ([], [])
        for _ in range(args.rounds):
            runs = [succeed([*side, path, *SIZES[name].split()]) for side in sides]
            agree(name, *runs, "not counting")
            for side, run in zip(times, runs):
                side.append(run.cpu)
        least = [min(side) for side in times]
        ratios.append(least[0] / least[1])
        row = [name, *(f"{t:.4f}" for t in least), f"{ratios[-1]:.3f}"]
        if args.instructions:
            ours, theirs = (instructions([*side, path, *there[name].quick.split()]) for side in sides)
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
