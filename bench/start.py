#!/usr/bin/env python3
"""Time to start `scaly -e 1` against an empty Rust program, and peak memory of hello.

    cargo build --release
    bench/start.py [--scaly target/release/scaly] [--rounds 200]

Both run in turn, so that a busy machine disturbs both alike. Needs rustc for the empty program, and GNU time.
"""

import argparse
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
# The goals: see the issue of the first landing.
RATIO = 3.0
HELLO_KIB = 10 * 1024


def measure(command):
    """Wall-clock and CPU seconds of a command."""
    start = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        sys.exit(f"{' '.join(command)}: status {process.returncode}")
    return wall, usage.ru_utime + usage.ru_stime


def peak(command):
    """Peak resident memory of a command in KiB. Between a fork and its exec the child counts with the memory of its
    parent, so a small program, GNU time, has to be that."""
    with tempfile.NamedTemporaryFile("r") as figure:
        subprocess.run(["time", "-f", "%M", "-o", figure.name, *command], check=True, stdout=subprocess.DEVNULL)
        return int(figure.read())


def empty_program(folder):
    source = pathlib.Path(folder) / "empty.rs"
    source.write_text("fn main() {}\n")
    binary = str(pathlib.Path(folder) / "empty")
    subprocess.run(["rustc", "-O", str(source), "-o", binary], check=True)
    return binary


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scaly", default=str(HERE.parent / "target/release/scaly"))
    parser.add_argument("--rounds", type=int, default=200)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        commands = {"empty Rust program": [empty_program(folder)], "scaly -e 1": [args.scaly, "-e", "1"]}
        for command in commands.values():
            measure(command)
        figures = {name: [] for name in commands}
        for _ in range(args.rounds):
            for name, command in commands.items():
                figures[name].append(measure(command))
        medians = {}
        for name, rows in figures.items():
            wall, cpu = (statistics.median(row[i] for row in rows) for i in (0, 1))
            medians[name] = wall
            print(f"{name:<20} {wall * 1000:7.2f} ms  cpu {cpu * 1000:7.2f} ms  peak {peak(commands[name])} KiB")
        base, ours = medians.values()
        hello = peak([args.scaly, "-e", 'println("hello")'])
    print(f"ratio {ours / base:.2f} (goal {RATIO:.0f}); hello's peak memory {hello / 1024:.1f} MiB (goal {HELLO_KIB / 1024:.0f})")
    sys.exit(ours / base > RATIO or hello > HELLO_KIB)


if __name__ == "__main__":
    main()
