#!/usr/bin/env python3
"""Whether compiling ever costs a short run more than it gives: programs that take some milliseconds, by default and with
`--jit off`, in turn.

    cargo build --release
    bench/short.py [--rounds 21] [--limit 1.05] [--names heat,sieve] [milliseconds...]

Every program of bench/programs, at sizes at which it takes some 5, 10 or 20 ms without the compiler, start and front end
included. A figure is the median over pairs of the quotient of their user and system time together, which the kernel tells
apart by ticks of 4 ms only; who goes first alternates. `bench/traces.py --user` asks the same of examples and tests.
"""

import argparse
import statistics

from measure import HERE, SCALY, Failed, agree, command, executable, geometric_mean, succeed
from traces import WITHOUT_COMPILER, header, row

SIZES = {
    "black_scholes": ["3000 3", "4000 6", "5000 10"],
    "collatz": ["6500", "16000", "33000"],
    "convolution": ["48 6", "60 12", "80 16"],
    "expressions": ["55", "105", "210"],
    "fib": ["27", "29", "30"],
    "heat": ["55 55", "80 80", "100 110"],
    "histogram": ["15000", "38000", "80000"],
    "levenshtein": ["400", "620", "900"],
    "machine": ["9500", "25000", "52000"],
    "mandelbrot": ["110 90", "180 90", "250 100"],
    "matmul": ["70", "110", "140"],
    "nbody": ["5000", "12500", "25000"],
    "noise": ["60 5", "80 6", "110 6"],
    "nqueens": ["9", "10", "11"],
    "particles": ["500 200", "900 300", "1100 500"],
    "raytracer": ["40 30", "66 50", "95 70"],
    "sieve": ["150000 2", "200000 4", "400000 4"],
    "spectral_norm": ["85", "135", "195"],
    "strings": ["130000", "300000", "600000"],
    "sum": ["100000 9", "200000 12", "200000 26"],
    "sum_float": ["100000 8", "200000 10", "200000 20"],
    "trees": ["11", "12", "13"],
    "wordcount": ["10000", "23000", "50000"],
}
TIMES = [5, 10, 20]


def compare(args):
    """Default against no compiler; returns what went wrong, a line each."""
    scaly = executable(args.scaly)
    names = args.names.split(",") if args.names else list(SIZES)
    if unknown := [name for name in names if name not in SIZES]:
        raise Failed(f"no such program: {', '.join(unknown)}; there are {', '.join(SIZES)}")
    header(["program", *(word for ms in args.times for word in (f"size {ms} ms", "without ms", "ratio"))])
    found, over = {ms: [] for ms in args.times}, []
    for name in names:
        cells = []
        for ms in args.times:
            size = SIZES[name][TIMES.index(ms)]
            program = [str(HERE / "programs" / f"{name}.scaly"), *size.split()]
            pairs = []
            for i in range(args.rounds):
                runs = {}
                for side in ([], WITHOUT_COMPILER) if i % 2 else (WITHOUT_COMPILER, []):
                    runs[len(side)] = succeed([scaly, *side, *program], limit=args.timeout)
                default, off = runs[0], runs[len(WITHOUT_COMPILER)]
                agree(name, default, off, "without the compiler")
                pairs.append((default.cpu, off.cpu))
            ratio = statistics.median(default / off for default, off in pairs)
            found[ms].append(ratio)
            if ratio > args.limit:
                over.append(f"{name} {size}: {ratio:.3f}")
            cells += [size, f"{statistics.median(off for _, off in pairs) * 1000:.1f}", f"{ratio:.3f}"]
        row([name, *cells])
    row(["geometric mean", *(word for ms in args.times for word in ("", "", f"{geometric_mean(found[ms]):.3f}"))])
    row(["most", *(word for ms in args.times for word in ("", "", f"{max(found[ms]):.3f}"))])
    return [f"over {args.limit}: {', '.join(over)}"] if over else []


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scaly", default=str(SCALY), help="the command to measure")
    parser.add_argument("--rounds", type=int, default=21, help="pairs of runs")
    parser.add_argument("--limit", type=float, default=1.05, help="what is listed")
    parser.add_argument("--timeout", type=float, default=60, help="seconds after which a run has failed")
    parser.add_argument("--names", default="", help="programs, commas between them; all if none are named")
    parser.add_argument("times", nargs="*", type=int, metavar="milliseconds", help="5, 10, 20; all by default")
    args = parser.parse_args()
    args.times = args.times or TIMES
    if not set(args.times) <= set(TIMES):
        parser.error("the times are 5, 10 and 20")
    return compare(args)


if __name__ == "__main__":
    command(main)
