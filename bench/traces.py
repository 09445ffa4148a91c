#!/usr/bin/env python3
"""Compares whole processes, `scaly PROGRAM` and `luajit PROGRAM.lua`, both with their compilers: one markdown table.

    cargo build --release
    bench/traces.py [--rounds 5] [--quick] [--interpreter] [--cpu] [--limit 1.2] [names...]
    bench/traces.py --user [--rounds 7] [--repeats 40] [parts of paths...]

The peers are what a Lua programmer would write: plain tables, no FFI. Both run each program in turn, round by round, so
that a busy machine disturbs both alike; the figures are the minimum and the median of the wall-clock time in seconds,
start of the process included (`--cpu`: of user and system time, for a machine that others use as well). Outputs must
agree. `--interpreter` adds `scaly --jit off`, run in the same rounds.

`--user` asks whether compiling ever costs more than it gives: every program of examples and tests/lang runs by default
and with `--jit off`, in turn, and those are listed whose CPU time by default is larger, beyond doubt. The time is user
and system time together: these runs take a few milliseconds, and the kernel tells the two apart by ticks of 4 ms.
"""

import argparse
import math
import pathlib
import re
import statistics
import sys
import tempfile
from typing import NamedTuple

from measure import HERE, ROOT, SCALY, Failed, agree, command, executable, geometric_mean, run, succeed

WITHOUT_COMPILER = ["--jit", "off"]


class Program(NamedTuple):
    name: str
    arguments: str
    quick: str


# The programs that the goal is about, and others of different shape that nothing was tuned for.
NAMED = [
    Program("fib", "35", "25"),
    Program("mandelbrot", "1000 200", "150 100"),
    Program("nbody", "2000000", "20000"),
    Program("spectral_norm", "1000", "100"),
    Program("matmul", "512", "64"),
    Program("sieve", "5000000 5", "200000 2"),
    Program("raytracer", "640 480", "60 40"),
    Program("sum", "20000000 10", "200000 10"),
    Program("wordcount", "1000000", "20000"),
]
FURTHER = [
    Program("black_scholes", "100000 20", "5000 4"),
    Program("collatz", "1000000", "10000"),
    Program("convolution", "500 20", "60 4"),
    Program("expressions", "5000", "200"),
    Program("heat", "500 500", "60 60"),
    Program("histogram", "2000000", "30000"),
    Program("levenshtein", "4000", "300"),
    Program("machine", "2000000", "20000"),
    Program("noise", "400 5", "20 3"),
    Program("nqueens", "12", "8"),
    Program("particles", "10000 1000", "500 50"),
    Program("strings", "1000000", "50000"),
    Program("sum_float", "20000000 10", "200000 10"),
    Program("trees", "16", "8"),
]

# Sizes at which the examples take a few milliseconds; IMAGE becomes a file that is thrown away.
IMAGE = "IMAGE"
EXAMPLES = {
    "mandelbrot": ["40", "100", IMAGE],
    "matmul": ["40"],
    "nbody": ["2000"],
    "nqueens": ["7"],
    "raytracer": ["40", "30", IMAGE],
    "sieve": ["50000"],
    "spectral_norm": ["50"],
}

# How unlikely by chance a row of pairs must be for a program to be looked at longer, and to count as slower.
DOUBT = 0.2
CHANCE = 0.001


def knows_no_compiler(scaly):
    """Whether this scaly refuses the option that switches its compiler off: it has none."""
    probe = run([scaly, *WITHOUT_COMPILER, "-e", "1"])
    return probe.status == 2 and b"unknown option" in probe.errors


def row(cells):
    print("| " + " | ".join(cells) + " |", flush=True)


def header(columns):
    """The first two lines of a table. The first column is of names, the others of figures."""
    row(columns)
    print("|---|" + "---:|" * (len(columns) - 1), flush=True)


def compare(args):
    """Scaly against luajit; returns what went wrong, a line each."""
    everything = NAMED + FURTHER
    unknown = set(args.names) - {p.name for p in everything}
    if unknown:
        there = ", ".join(p.name for p in everything)
        raise Failed(f"no such program: {', '.join(sorted(unknown))}; there are {there}")
    scaly, luajit = executable(args.scaly), executable(args.luajit)
    interpreter = args.interpreter
    if interpreter and knows_no_compiler(scaly):
        print(f"{scaly} knows no {' '.join(WITHOUT_COMPILER)}: it is the interpreter itself", file=sys.stderr)
        interpreter = False

    sides = ["scaly", "luajit"] + ["interpreter"] * interpreter
    columns = [f"{side} {figure}" for side in sides for figure in ("min", "median")]
    header(["program", *columns, "ratio of min", "of median", *["interpreter/scaly"] * interpreter])
    groups = {"named": NAMED, "further": FURTHER}
    ratios = {group: [] for group in groups}
    problems = []
    for group, programs in groups.items():
        for program in programs:
            if args.names and program.name not in args.names:
                continue
            arguments = (program.quick if args.quick else program.arguments).split()
            title = " ".join([program.name, *arguments])
            commands = {
                "scaly": [scaly, f"programs/{program.name}.scaly", *arguments],
                "luajit": [luajit, f"peers/{program.name}.lua", *arguments],
                "interpreter": [scaly, *WITHOUT_COMPILER, f"programs/{program.name}.scaly", *arguments],
            }
            times = {side: [] for side in sides}
            try:
                for _ in range(args.rounds):
                    runs = {side: succeed(commands[side], limit=args.timeout) for side in sides}
                    for side in sides[1:]:
                        agree(program.name, runs["scaly"], runs[side], side)
                    for side in sides:
                        times[side].append(runs[side].cpu if args.cpu else runs[side].wall)
            except Failed as failed:
                problems.append(str(failed))
                row([title, "failed"] + [""] * (len(columns) + interpreter))
                continue
            least = {side: min(times[side]) for side in sides}
            middle = {side: statistics.median(times[side]) for side in sides}
            ratio = (least["scaly"] / least["luajit"], middle["scaly"] / middle["luajit"])
            ratios[group].append(ratio)
            figures = [f"{figure[side]:.4f}" for side in sides for figure in (least, middle)]
            speedup = [f"{middle['interpreter'] / middle['scaly']:.2f}"] if interpreter else []
            row([title, *figures, *(f"{r:.2f}" for r in ratio), *speedup])

    rows = {f"geometric mean, {group}": each for group, each in ratios.items()}
    rows["geometric mean, all"] = ratios["named"] + ratios["further"]
    for title, each in rows.items():
        if each:
            means = [geometric_mean(column) for column in zip(*each)]
            row([title, *[""] * len(columns), *(f"{m:.2f}" for m in means), *[""] * interpreter])
            if title.endswith("named") and args.limit is not None and means[1] > args.limit:
                problems.append(f"the {title}, is {means[1]:.2f}, above {args.limit}")
    return problems


class Case(NamedTuple):
    """A program of the repository and what it is run with."""

    path: str
    arguments: list
    stdin: bytes


def cases(scratch):
    """The examples, and the language tests that get as far as running."""
    for path in sorted((ROOT / "examples").glob("*.scaly")):
        arguments = [str(scratch / "image.png") if a == IMAGE else a for a in EXAMPLES.get(path.stem, [])]
        yield Case(str(path.relative_to(ROOT)), arguments, b"")
    for path in sorted((ROOT / "tests/lang").rglob("*.scaly")):
        fields = {"args": [], "stdin": [], "error": []}
        for line in path.read_text().splitlines():
            if not line.startswith(";"):
                break
            word, colon, value = line[1:].lstrip().partition(":")
            if colon and word in fields:
                fields[word].append(value.removeprefix(" "))
        if fields["error"]:
            continue
        # Words split at blanks; double quotes hold a word together, as in the tests' own reader.
        words = [w.replace('"', "") for w in re.findall(r'(?:"[^"]*"|[^" ])+', " ".join(fields["args"]))]
        yield Case(str(path.relative_to(ROOT)), words, "".join(f"{line}\n" for line in fields["stdin"]).encode())


def pairs(scaly, case, options, count, scratch):
    """CPU seconds by default and with the options, of as many pairs of runs; who goes first alternates."""
    stdin = scratch / "stdin"
    stdin.write_bytes(case.stdin)
    found = []
    for i in range(count):
        runs = {}
        for side in (False, True) if i % 2 == 0 else (True, False):
            command = [scaly, *(options if side else []), case.path, *case.arguments]
            with open(stdin, "rb") as input:
                runs[side] = run(command, cwd=ROOT, stdin=input, limit=60)
        if runs[False].status != runs[True].status:
            raise Failed(f"{case.path}: status {runs[False].status}, with {' '.join(options)} {runs[True].status}")
        agree(case.path, runs[False], runs[True], " ".join(options) or "again")
        found.append((runs[False].cpu, runs[True].cpu))
    return found


def chance(found):
    """How likely it is that the default is slower in so many pairs if neither is: the sign test."""
    slower = sum(default > off for default, off in found)
    return sum(math.comb(len(found), k) for k in range(slower, len(found) + 1)) / 2 ** len(found)


def quotient(found):
    """The median over pairs: a disturbance that lasts longer than a pair cancels."""
    return statistics.median(default / off for default, off in found)


def user(args):
    """Default against no compiler on small programs; returns what went wrong, a line each."""
    scaly = executable(args.scaly)
    options = WITHOUT_COMPILER
    if knows_no_compiler(scaly):
        print(f"{scaly} knows no {' '.join(options)}: compared with itself, which shows the noise", file=sys.stderr)
        options = []
    problems, suspects, quotients = [], [], []
    with tempfile.TemporaryDirectory() as scratch:
        scratch = pathlib.Path(scratch)
        chosen = [c for c in cases(scratch) if not args.names or any(part in c.path for part in args.names)]
        for case in chosen:
            try:
                found = pairs(scaly, case, options, args.rounds, scratch)
            except Failed as failed:
                problems.append(str(failed))
                continue
            quotients.append(quotient(found))
            if quotients[-1] > 1:
                suspects.append(case)
        # Those rounds picked what chance was against, too: fresh pairs decide, and four times as many where
        # a few don't acquit.
        slower = []
        for case in suspects:
            try:
                if chance(pairs(scaly, case, options, args.repeats, scratch)) > DOUBT:
                    continue
                found = pairs(scaly, case, options, 4 * args.repeats, scratch)
            except Failed as failed:
                problems.append(str(failed))
                continue
            if chance(found) <= CHANCE and quotient(found) > 1 + args.tolerance:
                slower.append((quotient(found), case, found))
    slower.sort(key=lambda each: -each[0])
    header(["program", "default ms", "without compiler ms", "ratio", "slower in"])
    for ratio, case, found in slower:
        default, off = (statistics.median(side) * 1000 for side in zip(*found))
        times = sum(a > b for a, b in found)
        row([case.path, f"{default:.2f}", f"{off:.2f}", f"{ratio:.3f}", f"{times} of {len(found)}"])
    if slower:
        problems.append(f"slower by default: {', '.join(case.path for _, case, _ in slower)}")
    if quotients:
        title = f"{len(quotients)} programs, {len(suspects)} looked at again, {len(slower)} slower"
        row([title, "", "", f"{geometric_mean(quotients):.3f}", ""])
    return problems


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scaly", default=str(SCALY), help="the command to measure")
    parser.add_argument("--luajit", default="luajit")
    parser.add_argument("--rounds", type=int, help="runs of each command: 5, with --user 7")
    parser.add_argument("--quick", action="store_true", help="small sizes: start and compiling weigh more")
    parser.add_argument("--cpu", action="store_true", help="user and system time instead of wall-clock time")
    parser.add_argument("--interpreter", action="store_true", help="a column for scaly without its compiler")
    parser.add_argument("--limit", type=float, help="fail if the geometric mean of the medians, named, is above this")
    parser.add_argument("--timeout", type=float, default=120, help="seconds after which a run has failed")
    parser.add_argument("--user", action="store_true", help="small programs with and without the compiler")
    parser.add_argument("--repeats", type=int, default=40, help="fresh pairs of what seems slower (--user)")
    parser.add_argument("--tolerance", type=float, default=0.01, help="what part slower does not count (--user)")
    parser.add_argument("names", nargs="*", metavar="name", help="programs; all if none are named")
    args = parser.parse_args()
    args.rounds = args.rounds or (7 if args.user else 5)
    return user(args) if args.user else compare(args)


if __name__ == "__main__":
    command(main)
