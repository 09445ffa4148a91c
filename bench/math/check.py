#!/usr/bin/env python3
"""Checks the library's elementary functions against correctly rounded results (MPFR): at most 1 ulp apart.

    pip install gmpy2
    bench/math/check.py [--scaly target/release/scaly] [--count 20000] [--seed 1] [functions...]

Arguments are special values, random bit patterns, and the ranges where each function is hard: multiples of pi/2, values
near 1, the edges of overflow and of the subnormals.
"""

import argparse
import math
import pathlib
import random
import struct
import subprocess
import sys

import gmpy2
from gmpy2 import mpfr

HERE = pathlib.Path(__file__).resolve().parent

SPECIAL = [
    0.0, -0.0, 1.0, -1.0, 0.5, -0.5, 2.0, -2.0, 3.0, -3.0, math.inf, -math.inf, math.nan, 5e-324, -5e-324,
    2.2250738585072014e-308, 2.225073858507201e-308, 1.7976931348623157e308, -1.7976931348623157e308, 1e-300, 1e300,
    math.pi, math.pi / 2, math.pi / 4, 6381956970095103 * 2.0**797, 1e22, 2.0**53, 2.0**53 + 2.0, 0.9999999999999999,
    1.0000000000000002, 709.782712893384, 709.7827128933841, -745.1332191019411, -745.1332191019412, -708.4, 0.4375,
    0.6875, 1.1875, 2.4375, 0.975, 1647099.0, 1647098.9999999998, 1024.0, -1074.0, -1075.0, 0.7853981633974483,
    0.6744, 1e15, 1e16, 33.0, -33.0, 1 / 3,
]


def to_bits(x):
    return struct.unpack("<q", struct.pack("<d", x))[0]


def from_bits(u):
    return struct.unpack("<d", struct.pack("<q", u))[0]


def distance(a, b):
    """How many floats lie between two results; a wrong sign of zero or NaN counts as very far."""
    if a != a or b != b:
        return 0 if a != a and b != b else 10**9
    if a == b:
        return 0 if math.copysign(1, a) == math.copysign(1, b) else 10**9
    order = lambda x: to_bits(x) if to_bits(x) >= 0 else -(to_bits(x) & 0x7FFFFFFFFFFFFFFF)
    return abs(order(a) - order(b))


def generators(r):
    """For each function, one or two generators of arguments for each hard range."""
    def anything():
        while True:
            x = from_bits(r.getrandbits(64) - 2**63)
            if x == x:
                return x

    def within(low, high):
        return lambda: r.uniform(low, high)

    def powers(low, high):
        return lambda: math.copysign(2.0 ** r.uniform(low, high), r.random() - 0.5)

    def near_half_pi():
        k = r.getrandbits(r.randrange(1, 52))
        return float(k * gmpy2.const_pi(120) / 2) * r.choice([1, -1])

    def subnormal():
        return from_bits(r.getrandbits(52))

    def whole(n):
        return lambda: float(r.randrange(-n, n))

    angles = [anything, within(-4, 4), powers(-30, 30), near_half_pi, within(-1e6, 1e6)]
    planes = [(anything, anything), (within(-3, 3), within(-3, 3)), (powers(-40, 40), powers(-40, 40)),
              (subnormal, subnormal), (powers(1000, 1023.9), powers(1000, 1023.9))]
    one = {
        "exp": [within(-745, 710), within(-1, 1), powers(-60, 10), within(-746, -708)],
        "log": [lambda: abs(anything()), within(0, 3), within(0.5, 1.5), within(0.99, 1.01)],
        "sin": angles, "cos": angles, "tan": angles,
        "asin": [within(-1, 1), powers(-60, 0), within(0.9, 1)],
        "acos": [within(-1, 1), powers(-60, 0), within(0.9, 1), within(-1, -0.9)],
        "atan": [within(-5, 5), anything, powers(-30, 70)],
        "cbrt": [anything, within(-10, 10), subnormal],
    }
    two = {
        "atan2": planes, "hypot": planes,
        "pow": [(lambda: abs(anything()), within(-2, 2)), (within(0, 10), within(-300, 300)),
                (within(0.5, 1.5), within(-1500, 1500)), (within(0.999, 1.001), within(-1e6, 1e6)),
                (lambda: 1 + r.uniform(-1, 1) * 2 ** -r.uniform(20, 52), powers(20, 62)), (whole(50), whole(60)),
                (anything, anything)],
    }
    return one, two


def reference(name, a, b):
    if name == "pow":
        return float(mpfr(a) ** mpfr(b))
    if name in ("atan2", "hypot"):
        return float(getattr(gmpy2, name)(mpfr(a), mpfr(b)))
    return float(getattr(gmpy2, name)(mpfr(a)))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scaly", default=str(HERE.parent.parent / "target/release/scaly"))
    parser.add_argument("--count", type=int, default=20000, help="random arguments for each function")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("functions", nargs="*")
    args = parser.parse_args()
    context = gmpy2.get_context()
    context.precision, context.emin, context.emax, context.subnormalize = 53, -1073, 1024, True
    one, two = generators(random.Random(args.seed))

    failed = False
    for name in args.functions or [*one, *two]:
        if name in one:
            pairs = [(a, 0.0) for a in SPECIAL]
            pairs += [(g(), 0.0) for g in one[name] for _ in range(args.count // len(one[name]))]
        else:
            pairs = [(a, b) for a in SPECIAL for b in SPECIAL]
            pairs += [(f(), g()) for f, g in two[name] for _ in range(args.count // len(two[name]))]
        lines = "".join(f"{name} {to_bits(a)} {to_bits(b)}\n" for a, b in pairs)
        run = subprocess.run([args.scaly, str(HERE / "evaluate.scaly")], input=lines, capture_output=True, text=True)
        if run.returncode != 0:
            sys.exit(run.stderr)
        results = [from_bits(int(line)) for line in run.stdout.split()]
        assert len(results) == len(pairs), f"{len(results)} results for {len(pairs)} arguments"
        distances = [distance(got, reference(name, a, b)) for (a, b), got in zip(pairs, results)]
        worst = max(range(len(pairs)), key=distances.__getitem__)
        exact = 100 * distances.count(0) / len(pairs)
        print(f"{name:6} {len(pairs):8} arguments, {exact:6.2f} % correctly rounded, at most {distances[worst]} ulp")
        if distances[worst] > 1:
            failed = True
            print(f"       {name}{pairs[worst]} = {results[worst]!r}, not {reference(name, *pairs[worst])!r}")
    sys.exit(failed)


if __name__ == "__main__":
    main()
