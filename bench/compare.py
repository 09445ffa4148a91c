#!/usr/bin/env python3
"""Compares Scaly with `luajit -joff` on the programs of bench/programs and bench/peers.

    cargo build --release
    bench/compare.py [--scaly target/release/scaly] [--rounds 9] [--option=--jit=off] [--limit 0.8] [names...]

Both run each program in turn, round by round, so that a busy machine disturbs both alike; the figure is the median of
the CPU time spent in user mode, start of the process included. Outputs must agree.
"""

import argparse
import statistics
import sys

from measure import SCALY, agree, command, executable, geometric_mean, succeed

NAMES = ["fib", "mandelbrot", "nbody", "spectral_norm", "matmul", "sieve", "nqueens", "raytracer", "wordcount"]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scaly", default=str(SCALY), help="the command to measure")
    parser.add_argument("--luajit", default="luajit")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--option", action="append", default=[], help="an option for scaly, before the file")
    parser.add_argument("--limit", type=float, help="fail if the geometric mean is above this")
    parser.add_argument("names", nargs="*", default=NAMES, metavar="name", help="programs; all if none are named")
    args = parser.parse_args()
    unknown = set(args.names) - set(NAMES)
    if unknown:
        parser.error(f"no such program: {', '.join(sorted(unknown))}; there are {', '.join(NAMES)}")
    scaly, luajit = executable(args.scaly), executable(args.luajit)

    print(f"{'program':<14} {'scaly s':>9} {'luajit -joff s':>15} {'ratio':>7}")
    ratios = []
    for name in args.names:
        ours, theirs = [], []
        for _ in range(args.rounds):
            ours.append(succeed([scaly, *args.option, f"programs/{name}.scaly"]))
            theirs.append(succeed([luajit, "-joff", f"peers/{name}.lua"]))
            agree(name, ours[-1], theirs[-1])
        our_time, their_time = (statistics.median(run.user for run in side) for side in (ours, theirs))
        ratios.append(our_time / their_time)
        print(f"{name:<14} {our_time:9.4f} {their_time:15.4f} {ratios[-1]:7.2f}", flush=True)
    mean = geometric_mean(ratios)
    print(f"{'geometric mean':<14} {'':>9} {'':>15} {mean:7.2f}   worst {max(ratios):.2f}")
    if args.limit is not None and mean > args.limit:
        sys.exit(f"the geometric mean {mean:.2f} is above {args.limit}")


if __name__ == "__main__":
    command(main)
