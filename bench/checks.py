#!/usr/bin/env python3
"""What checks in code that LLVM makes cost on one core, one by one: runs with each of them taken out.

    cargo build --release
    bench/checks.py [--rounds 11]

A call of a compiled function tests whether its frame fits on the program's stack (`slots`), and, before its first own call,
whether native frames do (`native`). They are taken out of the modules on their way to LLVM (bench/checks/without.c). The
figures are user and system time together: the least of the rounds with all checks in seconds, and what part of it is
saved. Loops have no polls in such code. What is checked at a loop's start: `cargo run --release -p scaly-bench --bin
entry_checks`.
"""

import argparse
import os
import pathlib
import tempfile

from measure import HERE, SCALY, agree, command, executable, succeed
from traces import header, row

PROGRAMS = {"fib": "38", "nqueens": "12", "raytracer": "640 480", "trees": "18", "mandelbrot": "1000 200"}
WITHOUT = ["", "slots", "native", "slots native"]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scaly", default=str(SCALY), help="the command to measure")
    parser.add_argument("--rounds", type=int, default=11)
    args = parser.parse_args()
    scaly = executable(args.scaly)
    header(["program", "seconds", *(f"without {what}" for what in WITHOUT[1:])])
    with tempfile.TemporaryDirectory() as scratch:
        library = pathlib.Path(scratch) / "without.so"
        succeed(["cc", "-shared", "-fPIC", "-O1", "-o", str(library), str(HERE / "checks/without.c"), "-ldl"])
        os.environ["SCALY_BENCH_LLVM"] = str(pathlib.Path(scaly).parent / "libscaly_llvm.so")
        os.environ["SCALY_LLVM"] = str(library)
        for name, arguments in PROGRAMS.items():
            command = [scaly, "--threads", "1", f"programs/{name}.scaly", *arguments.split()]
            times = {what: [] for what in WITHOUT}
            for _ in range(args.rounds):
                runs = {}
                for what in WITHOUT:
                    os.environ["SCALY_BENCH_WITHOUT"] = what
                    runs[what] = succeed(command, limit=120)
                    agree(name, runs[""], runs[what], what)
                    times[what].append(runs[what].cpu)
            least = {what: min(each) for what, each in times.items()}
            saved = [f"{1 - least[what] / least['']:.3f}" for what in WITHOUT[1:]]
            row([" ".join([name, arguments]), f"{least['']:.3f}", *saved])


if __name__ == "__main__":
    command(main)
