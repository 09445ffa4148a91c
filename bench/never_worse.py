#!/usr/bin/env python3
"""Whether compiling loops whole and dividing them ever costs more than it gives: short runs with and without.

    cargo build --release
    bench/never_worse.py [--rounds 30] [--limit 1.05] [--names heat,sieve]

Every program of bench/programs, at a size at which it takes some 50 ms: too short for LLVM to repay, long enough for it
to be tried. Default settings run against traces only (`--jit llvm=0`); against them again where only one core is allowed
(`taskset`); and, while as many processes as there are cores keep the machine busy, against `--threads 1`. A figure is the
median over pairs of the quotient of their times, so that a disturbance that lasts longer than a pair cancels; who goes
first alternates. The time is wall-clock time, and user and system time together: the kernel tells these two apart by
ticks of 4 ms. What is over the limit is listed, with how unlikely that is by chance.
"""

import argparse
import os
import statistics
import subprocess
import sys
from contextlib import contextmanager

from measure import SCALY, Failed, agree, command, executable, geometric_mean, succeed
from traces import chance, header, row

TRACES = ["--jit", "llvm=0"]

SIZES = {
    "black_scholes": "30000 32",
    "collatz": "240000",
    "convolution": "430 22",
    "expressions": "1700",
    "fib": "35",
    "heat": "380 340",
    "histogram": "1000000",
    "levenshtein": "4200",
    "machine": "1500000",
    "mandelbrot": "780 160",
    "matmul": "420",
    "nbody": "720000",
    "noise": "380 7",
    "nqueens": "12",
    "particles": "3200 4000",
    "raytracer": "380 285",
    "sieve": "2200000 10",
    "spectral_norm": "1000",
    "strings": "3600000",
    "sum": "12000000 7",
    "sum_float": "11000000 5",
    "trees": "16",
    "wordcount": "420000",
}


@contextmanager
def neighbours(count):
    """So many processes that use all the time they get."""
    busy = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(count)]
    try:
        yield
    finally:
        for process in busy:
            process.kill()
            process.wait()


def pairs(name, ours, theirs, rounds, limit):
    """Wall-clock and processor seconds of both sides, pair by pair."""
    wall, cpu = [], []
    for i in range(rounds):
        sides = [ours, theirs]
        runs = [succeed(side, limit=limit) for side in (sides if i % 2 == 0 else sides[::-1])]
        first, second = runs if i % 2 == 0 else runs[::-1]
        agree(name, first, second, "the other")
        wall.append((first.wall, second.wall))
        cpu.append((first.cpu, second.cpu))
    return wall, cpu


def compare(args):
    """Prints the table; returns what is over the limit, and what went wrong, a line each."""
    wanted = [name for name in args.names.split(",") if name] or list(SIZES)
    unknown = set(wanted) - set(SIZES)
    if unknown:
        raise Failed(f"no such program: {', '.join(sorted(unknown))}; there are {', '.join(SIZES)}")
    scaly = executable(args.scaly)
    cores = sorted(os.sched_getaffinity(0))
    pinned = [executable("taskset"), "-c", str(cores[0])]
    # Names, what is put before both sides, the options of the other side, busy processes.
    ways = {
        "traces": ([], TRACES, 0),
        "traces, one core": (pinned, TRACES, 0),
        "one thread, busy": ([], ["--threads", "1"], len(cores)),
    }
    ways = {title: way for title, way in ways.items() if not args.ways or any(w in title for w in args.ways.split(","))}
    header(["program", "ms", *(f"{time} / {title}" for title in ways for time in ("wall", "cpu"))])
    columns, problems = [], []
    for name in wanted:
        program = [f"programs/{name}.scaly", *SIZES[name].split()]
        cells, figures = [], []
        try:
            for title, (before, options, busy) in ways.items():
                with neighbours(busy):
                    ours, theirs = [*before, scaly, *program], [*before, scaly, *options, *program]
                    found = pairs(name, ours, theirs, args.rounds, args.timeout)
                for what, times in zip(("wall", "cpu"), found):
                    ratio = statistics.median(a / b for a, b in times)
                    figures.append(ratio)
                    if ratio > args.limit:
                        problems.append(f"{name}: {what} {ratio:.3f} of {title}, chance {chance(times):.4f}")
                if not cells:
                    cells.append(f"{statistics.median(b for _, b in found[0]) * 1000:.0f}")
        except Failed as failed:
            problems.append(str(failed))
            row([name, "failed", *[""] * (2 * len(ways))])
            continue
        columns.append(figures)
        row([" ".join([name, SIZES[name]]), *cells, *(f"{ratio:.3f}" for ratio in figures)])
    if columns:
        row(["geometric mean", "", *(f"{geometric_mean(column):.3f}" for column in zip(*columns))])
    return problems


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scaly", default=str(SCALY), help="the command to measure")
    parser.add_argument("--rounds", type=int, default=30, help="pairs of runs")
    parser.add_argument("--limit", type=float, default=1.05, help="what is listed")
    parser.add_argument("--timeout", type=float, default=60, help="seconds after which a run has failed")
    parser.add_argument("--names", default="", help="programs, commas between them; all if none are named")
    parser.add_argument("--ways", default="", help="parts of the names of columns; all if none are named")
    args = parser.parse_args()
    return compare(args)


if __name__ == "__main__":
    command(main)
