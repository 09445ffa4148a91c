#!/usr/bin/env python3
"""Speed of the front end: lines a second through checking and lowering, and the start of a program of many functions.

    cargo build --release
    bench/front_end.py [--scaly target/release/scaly] [--lines 100000] [--functions 10000] [--rounds 5] [--keep FOLDER]

The lines are those of ordinary programs: structs with methods, unions, loops, strings, maps, comments, blank lines;
every definition has its own names. `scaly check` compiles a program without running it; what it needs for an empty
program is subtracted.
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
LINES_A_SECOND = 300_000
START = 0.5

PART = """
; Part @: accounts, shapes and a small parser, as programs have them.
define Account@(name: String, balance: int, history: Array[int]) {
    procedure deposit(this, amount: int) {
        if amount <= 0
            return
        balance += amount
        history.push(amount)
    }

    ; The largest single movement.
    function largest() returns int {
        var best = 0
        for amount in history {
            if amount > best
                set best: amount
        }
        best
    }
}

define Shape@ union(
    Circle@: f64
    Box@ { width: f64, height: f64 }
    Nothing@
)

function area@(shape: Shape@) returns f64 {
    choose shape {
        when Circle@(radius): 3.14159 * radius * radius
        when Box@(width, height): width * height
        when Nothing@: 0.0
    }
}

define V@(x: f64, y: f64, z: f64) {
    operator +(o: V@) returns V@: V@(x + o.x, y + o.y, z + o.z)
    operator *(s: f64) returns V@: V@(x * s, y * s, z * s)
    function dot(o: V@) returns f64: x * o.x + y * o.y + z * o.z
    function length() returns f64: sqrt(this.dot(this))
}

; Moves everything one step.
procedure move@(places: Array[V@], speeds: Slice[V@], step: f64) {
    for i in 0..places.length() {
        places[i] = places[i] + speeds[i] * step
        if places[i].length() > 100.0
            set places[i]: V@(0.0, 0.0, 0.0)
    }
}

function count@(text: String) returns HashMap[String, int] {
    var counts: HashMap[String, int]
    for word in text.split(" ") {
        let clean = word.trim()
        if clean.length() = 0
            continue
        if counts.contains(clean)
            counts[clean] += 1
        else
            counts.set(clean, 1)
    }
    counts
}

function digits@(n: int) returns int {
    var rest = abs(n)
    var sum = 0
    while rest > 0 {
        sum += rest % 10
        set rest: rest / 10
    }
    return sum
}

function collatz@(start: int) returns int {
    var n = start
    var steps = 0
    while n <> 1 and steps < 1000 {
        set n: if (n & 1) = 0: n / 2 else 3 * n + 1
        steps += 1
    }
    steps
}

procedure report@(accounts: Array[Account@]) returns String {
    var text = StringBuilder()
    var total = 0
    for account in accounts {
        text.append_line(format("{:<10} {:>8}", account.name, account.balance))
        total += account.balance + account.largest()
    }
    text.append(format("total {}", total))
    text.to_string()
}
"""

FUNCTION = """function f@(a: int, b: int) returns int {
    let sum = a * @ + b
    if sum > 1000: sum - 1000 else f%(sum, a)
}
"""


def ordinary(lines):
    parts = []
    number = count = 0
    while count < lines:
        part = PART.replace("@", str(number))
        parts.append(part)
        count += part.count("\n")
        number += 1
    calls = []
    for i in range(number):
        calls.append(
            f"""let accounts{i} = [Account{i}("a", 1, [1])]
println(report{i}(accounts{i}), digits{i}({i}), collatz{i}(27), area{i}(Circle{i}(1.0)), count{i}("a b a").length())
var places{i} = [V{i}(0.0, 0.0, 0.0)]
move{i}(places{i}, [V{i}(1.0, 1.0, 1.0)], 0.1)
"""
        )
        count += 4
    return "".join(parts + calls), count


def functions(n):
    parts = ["function f0(a: int, b: int) returns int: a + b\n"]
    parts += [FUNCTION.replace("@", str(i)).replace("%", str(i - 1)) for i in range(1, n)]
    return "".join(parts) + f"println(f{n - 1}(1, 2))\n"


def run(command):
    """Wall-clock seconds, user CPU seconds and peak KiB of a command."""
    start = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        sys.exit(f"{' '.join(command)}: status {process.returncode}")
    return wall, usage.ru_utime, usage.ru_maxrss


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scaly", default=str(HERE.parent / "target/release/scaly"))
    parser.add_argument("--lines", type=int, default=100_000)
    parser.add_argument("--functions", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--keep", help="where to write the generated programs")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(args.keep or folder)
        folder.mkdir(parents=True, exist_ok=True)
        text, lines = ordinary(args.lines)
        big, many, empty = (folder / name for name in ("ordinary.scaly", "functions.scaly", "one.scaly"))
        big.write_text(text)
        many.write_text(functions(args.functions))
        empty.write_text("print 1\n")
        rows = {"big": [], "empty": [], "many": []}
        for _ in range(args.rounds):
            rows["big"].append(run([args.scaly, "check", str(big)]))
            rows["empty"].append(run([args.scaly, "check", str(empty)]))
            rows["many"].append(run([args.scaly, str(many)]))
        cpu = {name: statistics.median(row[1] for row in each) for name, each in rows.items()}
        wall = {name: statistics.median(row[0] for row in each) for name, each in rows.items()}
    speed = lines / (cpu["big"] - cpu["empty"])
    print(f"{lines:,} lines: {cpu['big']:.3f} s, empty {cpu['empty']:.3f} s, peak {rows['big'][0][2] / 1024:.0f} MiB")
    print(f"{speed:,.0f} lines a second (goal {LINES_A_SECOND:,})")
    print(f"{args.functions:,} functions start and run in {wall['many']:.3f} s (goal {START})")
    sys.exit(speed < LINES_A_SECOND or wall["many"] > START)


if __name__ == "__main__":
    main()
