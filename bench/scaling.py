#!/usr/bin/env python3
"""Compares whole processes on one core and on two: scaly against the same algorithm in C, and in C with OpenMP.

    cargo build --release
    bench/scaling.py [--rounds 5] [--quick] [--threads 2] [--names mandelbrot,heat]

The C programs are bench/peers/*.c, the same algorithm line by line, compiled here by `gcc -O3 -march=native
-ffp-contract=off`, which gives the digits that Scaly gives; with OpenMP their pragmas count too, which were put in by hand
where a loop can be divided. The column `contracted` is C on one core with `-ffp-contract=fast`, which is what gcc does
unless told: a product that is added to is not rounded. Nothing marks a loop in the Scaly programs. All run each program
in turn, round by round, so that a busy machine disturbs them alike; the figures are the least wall-clock time in seconds,
start of the process and compiling included. Outputs must agree, but for those of contracted programs.

What several cores are worth to a program is for the machine to say: they share caches, memory, power. `--at-once` adds as
many processes of one thread as there are threads, at once, and `most`, how much more they do in the same time than one
alone. A program that is divided gains more only where a part fits a cache that the whole does not.
"""

import argparse
import os
import pathlib
import tempfile
from concurrent.futures import ThreadPoolExecutor

from measure import SCALY, Failed, agree, command, executable, geometric_mean, succeed
from traces import Program, header, row

FLAGS = ["-O3", "-march=native"]
ROUNDED, CONTRACTED = "-ffp-contract=off", "-ffp-contract=fast"

# Some four seconds for C on one core, two with OpenMP on two.
PROGRAMS = [
    Program("mandelbrot", "4200 400", "300 100"),
    Program("raytracer", "4800 3600", "160 120"),
    Program("heat", "1000 7000", "200 100"),
    Program("convolution", "1000 1000", "200 20"),
    Program("life", "1000 4500", "200 100"),
    Program("matmul", "1400", "150"),
    Program("black_scholes", "500000 600", "20000 5"),
    Program("spectral_norm", "8000", "300"),
    Program("nbody", "50000000", "100000"),
    Program("sum", "20000000 400", "1000000 10"),
    Program("collatz", "18000000", "100000"),
    Program("histogram", "70000000", "200000"),
    Program("sieve", "20000000 36", "1000000 2"),
    Program("integral", "160000000", "100000"),
    Program("blocks", "16 60000000", "4 1000000"),
    Program("fib", "46", "30"),
    Program("queens", "15", "8"),
]


def compiled(gcc, scratch, name, flags):
    """The path of a peer, compiled."""
    path = scratch / "-".join([name, *(flag.strip("-") for flag in flags)])
    succeed([gcc, *FLAGS, *flags, f"peers/{name}.c", "-o", str(path), "-lm"])
    return str(path)


AT_ONCE = "at once"


def at_once(command, args):
    """The wall-clock seconds of as many processes as there are threads, begun at once."""
    with ThreadPoolExecutor(args.threads) as pool:
        runs = pool.map(lambda _: succeed(command, limit=args.timeout), range(args.threads))
        return max(run.wall for run in runs)


def least(program, commands, args):
    """The least wall-clock seconds of each command, by its name."""
    times = {side: [] for side in [*commands, *([AT_ONCE] if args.at_once else [])]}
    for _ in range(args.rounds):
        if args.at_once:
            times[AT_ONCE].append(at_once(commands["scaly"], args))
        runs = {side: succeed(command, limit=args.timeout) for side, command in commands.items()}
        for side in commands:
            if side != "contracted":
                agree(program.name, runs["scaly"], runs[side], side)
            times[side].append(runs[side].wall)
    return {side: min(each) for side, each in times.items()}


def compare(args, scratch):
    """Prints the table; returns what went wrong, a line each."""
    wanted = [name for name in args.names.split(",") if name]
    unknown = set(wanted) - {p.name for p in PROGRAMS}
    if unknown:
        there = ", ".join(p.name for p in PROGRAMS)
        raise Failed(f"no such program: {', '.join(sorted(unknown))}; there are {there}")
    scaly, gcc = executable(args.scaly), executable(args.gcc)
    # What OpenMP's threads take from the environment, unless told.
    os.environ.setdefault("OMP_NUM_THREADS", str(args.threads))
    many = f"scaly {args.threads}"
    openmp = f"OpenMP {args.threads}"
    ratios = {
        "scaly / C": ("scaly", "C"),
        "scaly / contracted": ("scaly", "contracted"),
        f"{many} / OpenMP": (many, openmp),
        f"scaly / {many}": ("scaly", many),
        f"C / {openmp}": ("C", openmp),
        "traces / scaly": ("traces", "scaly"),
    }
    sides = ["scaly", many, "traces", "C", "contracted", openmp]
    if args.at_once:
        sides.append(AT_ONCE)
        ratios["most"] = ("alone", AT_ONCE)
    header(["program", *sides, *ratios])
    found, problems = [], []
    for program in PROGRAMS:
        if wanted and program.name not in wanted:
            continue
        arguments = (program.quick if args.quick else program.arguments).split()
        file = f"programs/{program.name}.scaly"
        try:
            commands = {
                "scaly": [scaly, "--threads", "1", file, *arguments],
                many: [scaly, "--threads", str(args.threads), file, *arguments],
                "traces": [scaly, "--jit", "llvm=0", file, *arguments],
                "C": [compiled(gcc, scratch, program.name, [ROUNDED]), *arguments],
                "contracted": [compiled(gcc, scratch, program.name, [CONTRACTED]), *arguments],
                openmp: [compiled(gcc, scratch, program.name, [ROUNDED, "-fopenmp"]), *arguments],
            }
            times = least(program, commands, args)
            if args.at_once:
                times["alone"] = times["scaly"] * args.threads
        except Failed as failed:
            problems.append(str(failed))
            row([program.name, "failed", *[""] * (len(ratios) + len(sides) - 1)])
            continue
        found.append([times[a] / times[b] for a, b in ratios.values()])
        seconds = [f"{times[side]:.3f}" for side in sides]
        row([" ".join([program.name, *arguments]), *seconds, *(f"{ratio:.2f}" for ratio in found[-1])])
    if found:
        means = [geometric_mean(column) for column in zip(*found)]
        row(["geometric mean", *[""] * len(sides), *(f"{mean:.2f}" for mean in means)])
    return problems


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scaly", default=str(SCALY), help="the command to measure")
    parser.add_argument("--gcc", default="gcc")
    parser.add_argument("--rounds", type=int, default=5, help="runs of each command")
    parser.add_argument("--threads", type=int, default=2, help="of the columns that use several")
    parser.add_argument("--at-once", action="store_true", help="also as many processes at once as there are threads")
    parser.add_argument("--quick", action="store_true", help="small sizes: start and compiling weigh more")
    parser.add_argument("--timeout", type=float, default=120, help="seconds after which a run has failed")
    parser.add_argument("--names", default="", help="programs, commas between them; all if none are named")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        return compare(args, pathlib.Path(scratch))


if __name__ == "__main__":
    command(main)
