#!/usr/bin/env python3
"""What --live costs: the raytracer without it, with it and nobody there, and with a page that asks.

    cargo build --release
    bench/live.py [--scaly target/release/scaly] [--rounds 11] [--size 2400x1600]

The three run in turn, so that a busy machine disturbs them alike; the ratios are medians of those of each round, of
processor time, which neighbours disturb less than the clock. The page is a script: a browser has time of its own.
"""

import argparse
import json
import os
import pathlib
import statistics
import subprocess
import tempfile
import threading
import time
import urllib.request

HERE = pathlib.Path(__file__).resolve().parent


def ask(url):
    """As the page does: the state and the lines that changed, ten times a second."""
    version, begun = 0, time.perf_counter()
    while True:
        with urllib.request.urlopen(f"{url}state?page=1") as answer:
            state = json.load(answer)
        if state["picture"] and state["picture"]["version"] != version:
            with urllib.request.urlopen(f"{url}picture?id={state['picture']['id']}&after={version}") as answer:
                answer.read()
            version = state["picture"]["version"]
        if state["ended"]:
            urllib.request.urlopen(f"{url}seen?page=1").close()
            return
        begun += 0.1
        time.sleep(max(0, begun - time.perf_counter()))


def run(command, page):
    """Processor seconds of a command."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    if page:
        asking = threading.Thread(target=ask, args=[process.stderr.readline().split()[1]])
        asking.start()
        asking.join()
    process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0, command
    return usage.ru_utime + usage.ru_stime


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scaly", default=str(HERE.parent / "target/release/scaly"))
    parser.add_argument("--rounds", type=int, default=11)
    parser.add_argument("--size", default="2400x1600")
    args = parser.parse_args()
    alone, page = [], []
    with tempfile.TemporaryDirectory() as folder:
        program = [str(HERE.parent / "examples/raytracer.scaly"), *args.size.split("x"), f"{folder}/picture.png"]
        for _ in range(args.rounds):
            plain = run([args.scaly, *program], False)
            alone.append(run([args.scaly, "--live", *program], False) / plain)
            page.append(run([args.scaly, "--live", *program], True) / plain)
    for name, ratios in [("nobody there", alone), ("with a page", page)]:
        quarters = statistics.quantiles(ratios, n=4)
        print(f"{name}: {quarters[1]:.2f} ({quarters[0]:.2f} to {quarters[2]:.2f}) times the time without")


if __name__ == "__main__":
    main()
