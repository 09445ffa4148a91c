#!/usr/bin/env python3
"""From which size on of its terms a sum of floats is worth being added up behind iterations on all cores, and of its
elements an array that is appended to being put together there.

    cargo build --release
    bench/in_order.py [--rounds 5] [--seconds 0.5] [STEPS…]

A line for each number of steps, multiplications and additions, that a term takes: the instructions of an iteration, what one
takes when the sum is made in the loop, and against that, in the same rounds, one thread that keeps the terms beside it, and
two; wall-clock time, the least of the rounds. Then two threads by how many terms are kept at the same time. Then the same
numbers, appended to an array instead of added, all but a few and one in a hundred: two threads against one. The outputs are
compared. Rows of `scaly --jit help` that this is about: `dear`, `term`, `terms`, `byte`.
"""

import argparse
import pathlib
import re
import tempfile

from measure import SCALY, command, executable, succeed
from traces import header, row

STEPS = [4, 8, 12, 16, 24, 32, 48, 64, 128]
TERMS = [1024, 8192, 32768, 131072, 524288, 4194304]
# A step of a term takes some 0.3 ns.
NANOSECONDS = 0.3


SUM = ["var sum = 0.0", "    sum = sum + x * y", "print(sum)"]


def array(condition):
    return ["var all: Array[f64]", f"    if {condition}: all.push(x * y)", "print(all.length(), all[all.length() / 2])"]


def program(steps, iterations, made=SUM):
    """A polynomial in each of two variables, so that the steps of a term do not all wait for one another."""
    before, behind, result = made
    body = ["x = x * 0.75 + 0.125", "y = y * 0.5 + 0.25"]
    lines = [f"    {body[i % 2]}" for i in range(steps // 2)]
    return "\n".join([
        before,
        f"for i in {iterations} {{",
        "    var x = i as f64",
        "    var y = x * 0.001",
        *lines,
        behind,
        "}",
        result,
        "",
    ])


def least(scaly, path, settings, rounds):
    """Wall-clock seconds by setting, after the same output of all."""
    times = [[] for _ in settings]
    outputs = set()
    for _ in range(rounds):
        for each, setting in zip(times, settings):
            ran = succeed([scaly, *setting, str(path)])
            outputs.add(ran.output)
            each.append(ran.wall)
    if len(outputs) != 1:
        raise SystemExit(f"{path.name}: outputs differ")
    return [min(each) for each in times]


def setting(threads, **jit):
    jit = {"dear": 0, "term": 0, "byte": 0, **jit}
    return ["--threads", str(threads), "--jit", ",".join(f"{name}={value}" for name, value in jit.items())]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scaly", default=str(SCALY), help="the command to measure")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=0.5, help="what a run takes, about")
    parser.add_argument("steps", nargs="*", type=int, metavar="STEPS")
    args = parser.parse_args()
    scaly = executable(args.scaly)
    steps = args.steps or STEPS
    with tempfile.TemporaryDirectory() as scratch:
        path = pathlib.Path(scratch) / "terms.scaly"
        header(["steps", "instructions", "ns", "kept, one thread", "two threads"])
        for count in steps:
            iterations = int(args.seconds * 1e9 / (NANOSECONDS * count + 1))
            path.write_text(program(count, iterations))
            told = succeed([scaly, "explain", "--static", str(path)]).output.decode()
            instructions = int(re.search(r"(\d+) instructions", told)[1])
            # One thread that keeps terms: there are two, and what terms are taken to cost keeps it from being divided.
            settings = [setting(1), setting(2, term=10**9), setting(2)]
            alone, kept, both = least(scaly, path, settings, args.rounds)
            nanoseconds = alone * 1e9 / iterations
            row([f"{count}", f"{instructions}", f"{nanoseconds:.1f}", f"{kept / alone:.2f}", f"{both / alone:.2f}"])
        print()
        header(["steps", *(f"{terms} terms" for terms in TERMS)])
        for count in steps:
            path.write_text(program(count, int(args.seconds * 1e9 / (NANOSECONDS * count + 1))))
            settings = [setting(1), *(setting(2, terms=terms) for terms in TERMS)]
            alone, *both = least(scaly, path, settings, args.rounds)
            row([f"{count}", *(f"{each / alone:.2f}" for each in both)])
        print()
        header(["steps", "ns", "nearly all appended", "ns", "one in a hundred"])
        for count in steps:
            cells = []
            for condition in ["i % 1000 > 0", "i % 100 = 0"]:
                iterations = int(args.seconds * 1e9 / (NANOSECONDS * count + 3))
                path.write_text(program(count, iterations, array(condition)))
                alone, both = least(scaly, path, [setting(1), setting(2)], args.rounds)
                cells += [f"{alone * 1e9 / iterations:.1f}", f"{both / alone:.2f}"]
            row([f"{count}", *cells])


if __name__ == "__main__":
    command(main)
