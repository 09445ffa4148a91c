#!/usr/bin/env python3
"""Checks that programs run in constant memory: peak memory after many iterations against few.

    bench/memory.py [--scaly target/release/scaly] [--iterations 100000000] [names...]

Needs GNU time.
"""

import argparse
import pathlib
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
# What may differ between two runs of one program: pages touched by chance.
SLACK_KIB = 512


def peak(command):
    """Peak resident memory of a command in KiB, and its user CPU time. Between a fork and its exec the child counts with
    the memory of its parent, so a small program, GNU time, has to be that."""
    with tempfile.NamedTemporaryFile("r") as figures:
        run = subprocess.run(["time", "-f", "%M %U", "-o", figures.name, *command], stdout=subprocess.DEVNULL)
        if run.returncode != 0:
            sys.exit(f"{' '.join(command)}: status {run.returncode}")
        kib, seconds = figures.read().split()
        return int(kib), float(seconds)


def main():
    names = sorted(path.stem for path in (HERE / "memory").glob("*.scaly"))
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scaly", default=str(HERE.parent / "target/release/scaly"))
    parser.add_argument("--iterations", type=int, default=100_000_000)
    parser.add_argument("names", nargs="*", default=names)
    args = parser.parse_args()
    failed = False
    print(f"{'program':<18} {'1,000 KiB':>10} {f'{args.iterations:,} KiB':>18} {'s':>8}")
    for name in args.names:
        file = str(HERE / "memory" / f"{name}.scaly")
        few, _ = peak([args.scaly, file, "1000"])
        many, seconds = peak([args.scaly, file, str(args.iterations)])
        grown = many > few + SLACK_KIB
        failed |= grown
        print(f"{name:<18} {few:>10} {many:>18} {seconds:>8.2f}{'  grows' if grown else ''}", flush=True)
    sys.exit(failed)


if __name__ == "__main__":
    main()
