"""What the benchmarks share that set one command against another: running it, and figures of many runs."""

import math
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import threading
import time
from typing import NamedTuple

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent
SCALY = ROOT / "target/release/scaly"


class Run(NamedTuple):
    """What a process printed, how it ended, and the seconds it took. `user` and `system` are the kernel's estimate,
    which for runs of a few milliseconds goes by where the clock's tick happened to find the process; only their sum is
    exact then."""

    output: bytes
    errors: bytes
    status: int
    wall: float
    user: float
    system: float

    @property
    def cpu(self):
        return self.user + self.system


class Failed(Exception):
    """A command that did not do its work; the text says which and why."""


def run(command, cwd=HERE, stdin=subprocess.DEVNULL, limit=None):
    """Runs a command to its end, whatever its status; raises `Failed` when it takes more than `limit` seconds."""
    start = time.perf_counter()
    with subprocess.Popen(command, stdin=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=cwd) as process:
        late = threading.Timer(limit, os.kill, (process.pid, signal.SIGKILL)) if limit else None
        if late:
            late.start()
        # Read beside standard output, for either pipe may fill.
        errors = []
        reader = threading.Thread(target=lambda: errors.append(process.stderr.read()))
        reader.start()
        output = process.stdout.read()
        reader.join()
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        if late:
            late.cancel()
    if late and process.returncode == -signal.SIGKILL and wall >= limit:
        raise Failed(f"{' '.join(command)}: still running after {limit} s")
    return Run(output, errors[0], process.returncode, wall, usage.ru_utime, usage.ru_stime)


def succeed(command, **options):
    """Runs a command; raises `Failed` unless its status is 0."""
    result = run(command, **options)
    if result.status != 0:
        raise Failed(f"{' '.join(command)}: status {result.status}\n{result.errors.decode(errors='replace')}")
    return result


def agree(name, ours, theirs, who="luajit"):
    """Raises `Failed` unless two runs printed the same."""
    if ours.output != theirs.output:
        outputs = (side.output.decode(errors="replace") for side in (ours, theirs))
        raise Failed("{}: outputs differ\nscaly:\n{}{}:\n{}".format(name, next(outputs), who, next(outputs)))


def command(main):
    """Ends the process as a script's `main` does: with the problems that it returns, or with what `Failed` says."""
    try:
        problems = main()
    except Failed as failed:
        sys.exit(str(failed))
    if problems:
        sys.exit("\n".join(["", *problems]))


def geometric_mean(ratios):
    return math.exp(sum(math.log(max(r, 1e-6)) for r in ratios) / len(ratios))


def executable(command):
    """A command that can be run from any folder."""
    found = shutil.which(command)
    if found is None:
        raise Failed(f"{command}: no such program")
    return os.path.abspath(found)
