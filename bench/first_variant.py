#!/usr/bin/env python3
"""How soon a hot loop runs as compiled by LLVM, and for how long the program stands still on the way there.

    cargo build --release
    bench/first_variant.py [--rounds 10] [--perf] [PROGRAM ARGS…]

The times are milliseconds since the first loop or function got hot, by the trace log: until a loop's paths are known
(`region`), until its code is there (`variant`), and until the program is in it (`switched`); the least and the median of
the rounds. What traces take to compile holds the program up, so the longest one is a pause.

`--perf` looks 20,000 times a second where the program's thread is: the longest row of looks in which it was not in native
code, nor before that the first time, is the longest pause of any kind, in processor time. `perf` must be allowed to.
"""

import argparse
import json
import pathlib
import re
import statistics
import tempfile

from measure import SCALY, Failed, command, executable, succeed
from traces import header, row

PER_SECOND = 20_000


def stages(scaly, program, log):
    """Milliseconds by stage."""
    succeed([scaly, f"--trace-log=json:{log}", *program])
    events = [json.loads(line) for line in log.read_text().splitlines()]
    begun = next((e["at_us"] for e in events if e["event"] == "hot"), None)
    if begun is None:
        raise Failed("nothing got hot")
    found = {}
    for event in events:
        name = f"switched to {event['kind']}" if event["event"] == "switched" else event["event"]
        if name == "region" or name == "variant" or event["event"] == "switched":
            found.setdefault(name, (event["at_us"] - begun) / 1000)
    traces = [e["microseconds"] / 1000 for e in events if e["event"] == "compiled"]
    found["longest trace compiled"] = max(traces, default=0.0)
    return found


def pause(scaly, program, data):
    """Milliseconds of the longest row of looks outside of native code."""
    succeed(["perf", "record", "-q", "-e", "cpu-clock", "-F", str(PER_SECOND), "-o", str(data), scaly, *program])
    text = succeed(["perf", "script", "-i", str(data), "-F", "comm,ip,dso"]).output.decode(errors="replace")
    looks = [line for line in text.splitlines() if line.split()[:1] == ["scaly"]]
    native = [re.search(r"\((/tmp/perf-\d+\.map|\[JIT\].*|//anon)\)$", line) is not None for line in looks]
    if True not in native:
        raise Failed("perf found no native code")
    longest = run = 0
    for inside in native[native.index(True) : len(native) - native[::-1].index(True)]:
        run = 0 if inside else run + 1
        longest = max(longest, run)
    return longest * 1000 / PER_SECOND


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scaly", default=str(SCALY), help="the command to measure")
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--perf", action="store_true", help="look for pauses of any kind")
    parser.add_argument("program", nargs="*", default=["programs/mandelbrot.scaly", "1500", "400"])
    args = parser.parse_args()
    scaly = executable(args.scaly)
    figures = {}
    with tempfile.TemporaryDirectory() as scratch:
        scratch = pathlib.Path(scratch)
        for _ in range(args.rounds):
            found = stages(scaly, args.program, scratch / "log")
            if args.perf:
                found["longest pause"] = pause(scaly, args.program, scratch / "perf")
            for name, value in found.items():
                figures.setdefault(name, []).append(value)
    header(["", "least ms", "median ms", "of rounds"])
    for name, values in figures.items():
        row([name, f"{min(values):.2f}", f"{statistics.median(values):.2f}", f"{len(values)} of {args.rounds}"])


if __name__ == "__main__":
    command(main)
