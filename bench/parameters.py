#!/usr/bin/env python3
"""What each row of the trace compiler's table of parameters is worth: programs run with other values than the default.

    cargo build --release
    bench/parameters.py [--rounds 7] [--instructions] [--programs part,part…] [NAME[=VALUE,VALUE…]…]

All values of a row and the default, twice, run each program in turn, round by round. A line a value: the geometric mean
over the programs of the ratio to the default, and the programs where it is best and worst. The line `again` is the
default against itself: what is not further from 1 than that is noise. The time is user and system time together, the
least of the rounds; the sizes are such that a run takes some ten milliseconds, where compiling weighs as much as what
comes of it. `--instructions` counts instructions under valgrind instead: slow, the same on any machine however busy, and
blind to what instructions cost.

The rows about what is compiled whole are measured on programs that take some hundred milliseconds; those about running it
on all cores by wall-clock time.

The rows of the static analysis change no run: `cargo run --release -p scaly-bench --bin verdicts` has those.
"""

import argparse
import os
import pathlib
import re
import tempfile
from concurrent.futures import ThreadPoolExecutor

from measure import ROOT, SCALY, Failed, command, executable, geometric_mean, run
from traces import EXAMPLES, IMAGE

# Other values than the default.
VALUES = {
    "hot": [10, 20, 40, 80, 110, 200, 500],
    "hot_function": [20, 40, 80, 160, 300, 1000],
    "hot_exit": [2, 4, 7, 15, 25, 50, 100],
    "warmup": [0, 1000, 2000, 4000],
    "stride": [1, 64, 4096],
    "effort": [3, 5, 7, 14, 25, 50],
    "hot_backoff": [4, 8, 16],
    "attempts": [2, 3, 12, 30],
    "blacklist": [4, 16, 256, 4096],
    "max_trace": [250, 500, 1000, 2000, 8000, 20000],
    "max_exits": [50, 100, 200, 1000, 4000],
    "max_side_traces": [5, 20, 50, 200, 1000],
    "inline_depth": [1, 2, 4, 8, 20, 40],
    "inline_size": [20, 60, 150, 300, 1200, 4000],
    "callees": [0, 1, 2, 8, 16, 100],
    "side_branches": [0, 3, 6, 1000000],
    "specializations": [0, 1, 2, 8, 20],
    "fixed_divisors": [0, 1, 5],
    "spills": [8, 32, 64, 1024],
    "record_anew": [0, 1, 10],
    "unroll": [0, 2, 4, 15, 30, 60],
    "unroll_size": [0, 250, 500, 2000, 4000],
    "hoist": [0],
    "stable": [100, 10000],
    "code_memory": [64, 256, 1024, 4096, 262144],
    "count": [1],
}

# Other values of what is about compiling loops and functions whole.
WHOLE = {
    "sample": [500, 1000, 4000, 10000],
    "quiet": [4, 64],
    "rarest": [1, 8, 256],
    "undecided": [16, 1024],
    "sampled": [1, 2, 6, 12],
    "few_samples": [1, 4, 8],
    "bouncing": [0, 5000, 80000],
    "short_entry": [0, 30, 100, 250, 1000],
    "foresight": [4, 64, 1000000],
    "turning": [1, 2, 6, 24],
    "sample_depth": [1, 4, 64],
    "long_inside": [0, 200, 20000],
    "repay": [0, 2, 10, 20],
    "llvm_loading": [0, 12000, 36000],
    "llvm_region": [0, 3000, 12000],
    "llvm_line": [0, 15, 60],
    "entries": [32, 2048],
    "short_run": [0, 1000, 4000, 20000],
    "recursion_depth": [0, 1, 3],
    "recursion_size": [0, 15, 60, 120],
    "restart_depth": [0, 1, 2, 4],
    "module_functions": [0, 1, 4, 128],
    "module_instructions": [250, 1000, 32000],
}

# And about running it on all cores.
PARALLEL = {
    "repay_parallel": [0, 2, 5, 20],
    "pilot": [0, 2500, 40000, 160000],
    "divided": [0, 10000, 160000],
    "short_runs": [2, 128],
    "doubtful": [1, 16],
    "stretch": [1000, 1_000_000_000],
    "alone": [64, 16384],
    "chunk_time": [2000, 5000, 100000, 1000000],
    "chunk_growth": [2, 16],
    "split_awake": [0, 5000],
    "split_asleep": [0, 5000, 100000],
    "fork_depth": [2, 5, 16],
    "fork_least": [500, 50000],
    "fork_most": [10000, 400000],
    "dear": [0, 20, 100],
    "term": [0, 8000],
    "byte": [0, 1600],
    "terms": [4096, 32768, 1048576],
}

# Sizes at which compiled programs take some ten milliseconds.
SIZES = {
    "fib": "27",
    "mandelbrot": "200 100",
    "nbody": "60000",
    "spectral_norm": "150",
    "matmul": "120",
    "sieve": "500000 3",
    "raytracer": "100 75",
    "sum": "1000000 10",
    "wordcount": "60000",
    "black_scholes": "10000 5",
    "collatz": "30000",
    "convolution": "60 4",
    "expressions": "300",
    "handlers": "150",
    "heat": "100 100",
    "histogram": "150000",
    "levenshtein": "500",
    "machine": "200000",
    "noise": "60 5",
    "nqueens": "9",
    "particles": "1000 200",
    "strings": "100000",
    "sum_float": "1000000 10",
    "trees": "11",
    "ways": "1000000",
}

# Sizes at which they take some hundred. Long loops, short ones within others, recursion, calls of many functions.
LARGE = {
    "mandelbrot": "1200 200",
    "raytracer": "800 600",
    "heat": "400 300",
    "convolution": "500 40",
    "spectral_norm": "1200",
    "nbody": "800000",
    "particles": "2000 10000",
    "histogram": "3000000",
    "black_scholes": "100000 20",
    "levenshtein": "4000",
    "fib": "39",
    "noise": "200 5",
    "nqueens": "12",
    "trees": "16",
    "expressions": "3000",
    "machine": "3000000",
    "handlers": "1000",
    "integral": "4000000",
    "primes": "4000000",
}


def programs(scratch, parts):
    """Names and what to run."""
    image = str(scratch / "image.png")
    found = {name: [f"bench/programs/{name}.scaly", *size.split()] for name, size in SIZES.items()}
    for path in sorted((ROOT / "examples").glob("*.scaly")):
        arguments = [image if a == IMAGE else a for a in EXAMPLES.get(path.stem, [])]
        found[f"examples/{path.stem}"] = [f"examples/{path.name}", *arguments]
    return named(found, parts)


def large(parts):
    return named({name: [f"bench/programs/{name}.scaly", *size.split()] for name, size in LARGE.items()}, parts)


def named(found, parts):
    return {name: words for name, words in found.items() if not parts or any(part in name for part in parts)}


def seconds(command, parallel):
    ran = run(command, cwd=ROOT, limit=600)
    return ran.wall if parallel else ran.cpu


def instructions(command):
    # Code that changes lies in mappings of a file, too.
    with tempfile.NamedTemporaryFile() as out:
        valgrind = ["valgrind", "--smc-check=all", "--tool=callgrind", f"--callgrind-out-file={out.name}"]
        ran = run([*valgrind, *command], cwd=ROOT, limit=600)
    counted = re.search(rb"Collected : (\d+)", ran.errors)
    if counted is None:
        raise Failed(f"{' '.join(command)}: {ran.errors.decode(errors='replace')}")
    return int(counted[1])


def pace(scaly, name):
    """Settings that keep the pace of recording where it is: giving a threshold switches that off."""
    if name not in ("hot", "hot_function", "hot_exit"):
        return ""
    table = run([scaly, "--jit", "help"]).output.decode()
    default = {row: re.search(rf"^  {row} +(\d+)", table, re.MULTILINE)[1] for row in ("warmup", "effort")}
    return "".join(f",{row}={value}" for row, value in default.items())


def sweep(scaly, name, values, chosen, args):
    also = pace(scaly, name)
    settings = [[], []] + [["--jit", f"{name}={value}{also}"] for value in values]
    ratios = [{} for _ in settings]
    for program, words in chosen.items():
        commands = [[scaly, *setting, *words] for setting in settings]
        if args.instructions:
            with ThreadPoolExecutor(os.cpu_count()) as pool:
                least = list(pool.map(instructions, commands))
        else:
            rounds = [[seconds(command, name in PARALLEL) for command in commands] for _ in range(args.rounds)]
            least = [min(column) for column in zip(*rounds)]
        for each, figure in zip(ratios, least):
            each[program] = figure / least[0]
    print(f"\n| {name} | mean | best | | worst | |\n|---:|---:|---:|---|---:|---|")
    for title, each in zip(["again", *values], ratios[1:]):
        best, worst = (choose(each, key=each.get) for choose in (min, max))
        cells = [title, f"{geometric_mean(each.values()):.3f}", f"{each[best]:.2f}", best, f"{each[worst]:.2f}", worst]
        print("| " + " | ".join(map(str, cells)) + " |", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scaly", default=str(SCALY), help="the command to measure")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--instructions", action="store_true", help="instructions instead of time")
    parser.add_argument("--programs", default="", help="parts of names, with commas between; all by default")
    parser.add_argument("rows", nargs="*", metavar="NAME[=VALUE,…]", help="all that have values here by default")
    args = parser.parse_args()
    scaly = executable(args.scaly)
    with tempfile.TemporaryDirectory() as scratch:
        parts = [part for part in args.programs.split(",") if part]
        every, short, long = VALUES | WHOLE | PARALLEL, programs(pathlib.Path(scratch), parts), large(parts)
        for row in args.rows or every:
            name, given, values = row.partition("=")
            if not given and name not in every:
                parser.error(f"no values for {name}; there are some for {', '.join(every)}")
            sweep(scaly, name, values.split(",") if given else every[name], short if name in VALUES else long, args)


if __name__ == "__main__":
    command(main)
