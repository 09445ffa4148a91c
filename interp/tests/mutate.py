#!/usr/bin/env python3
"""Changes the meaning of one opcode at a time and expects a test to fail.

usage: interp/tests/mutate.py [--only NAME…]

Works on a copy of the committed tree. For each row of the table in `step.rs` up to two changes are made, chosen by the
rules below: another operator, the other signedness, a bound off by one, the wrong operand. All are built into one test
program, in which the environment chooses one. Prints the changes that no test noticed; the exit status is 1 if there
is one.
"""

import os
import pathlib
import re
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
STEP = "interp/src/step.rs"
TESTS = ["--test", "opcodes", "--test", "faults"]

OTHER = {
    "IntOp": "Add:Sub Sub:Add Mul:Add DivS:DivU DivU:DivS RemS:RemU RemU:RemS And:Or Or:Xor Xor:Or Shl:ShrU ShrS:ShrU"
    " ShrU:ShrS MinS:MinU MaxS:MaxU MinU:MinS MaxU:MaxS MulHighU:Mul",
    "IntUnary": "Neg:Not Not:Neg AbsS:Neg PopCount:LeadingZeros LeadingZeros:TrailingZeros TrailingZeros:LeadingZeros",
    "IntKind": "I8:U8 I16:U16 I32:U32 U8:I8 U16:I16 U32:I32 I64:U64",
    "IntMemory": "I8:U8 U8:I8 I16:U16 U16:I16 I32:U32 U32:I32 I64:I32",
    "IntCompare": "Eq:Ne Ne:Eq LtS:LeS LeS:LtS LtU:LeU LeU:LtU",
    "FloatOp": "Add:Sub Sub:Add Mul:Div Div:Mul Min:Max Max:Min",
    "FloatUnary": "Neg:Abs Abs:Neg Sqrt:Abs Floor:Trunc Ceil:Round Trunc:Round Round:Floor",
    "FloatCompare": "Eq:Ne Ne:Eq Lt:Le Le:Lt",
    "Next": "Seq:Return{from:0,count:0}",
}
# Applied where the above gives fewer than two changes: (pattern, replacement).
MORE = [
    (r"Next::Return \{ from: 0, count: 0 \}", "Next::Seq"),
    (r"\bIntCompare::Eq\b", "IntCompare::LeS"),
    (r"\bIntCompare::Ne\b", "IntCompare::LtS"), (r"\bFloatCompare::Eq\b", "FloatCompare::Le"),
    (r"\bFloatCompare::Ne\b", "FloatCompare::Lt"),
    (r"\bLtS\b", "LtU"), (r"\bLeS\b", "LeU"), (r"\bLtU\b", "LtS"), (r"\bLeU\b", "LeS"),
    (r"\btrue\b", "false"), (r"\bfalse\b", "true"),
    (r"\bins\.x\b", "(ins.x ^ 1)"), (r"\bins\.y\b", "(ins.y ^ 1)"),
    (r"\bins\.c\b", "ins.b"), (r"\bins\.b\b", "ins.c"), (r"\bins\.a\b", "(ins.a ^ 1)"),
    (r"store_elem_int\(m, ins, IntMemory::(\w+)\)", None), (r"store_int\(m, ins, IntMemory::(\w+)\)", None),
    (r"\b(int|int_imm|divide|compare|compare_imm|float|single|branch_int|branch_f64|branch_f32)\(m, ins", r"\1(m, flip(ins)"),
]
# A store of a narrow integer has no sign: the width changes instead.
STORES = {"I8": "I16", "I16": "I8", "I32": "I16", "I64": "I32"}


def rows(text):
    """(name, start, end) of each row of the table."""
    start = text.index("semantics! {")
    found = [m for m in re.finditer(r"^    (\w+) => ", text[start:], re.M)]
    ends = [m.start() for m in found[1:]] + [text[start:].rindex("\n}")]
    return [(m[1], start + m.start(), start + end) for m, end in zip(found, ends)]


def changes(row):
    """Different texts for a row."""
    made = []

    def add(new):
        if new != row and new not in made:
            made.append(new)

    store = re.search(r"(store_elem_int|store_int)\(m, ins, IntMemory::(\w+)\)", row)
    if store:
        add(row.replace("IntMemory::" + store[2], "IntMemory::" + STORES[store[2]]))
    else:
        for kind, pairs in OTHER.items():
            for pair in pairs.split():
                old, new = pair.split(":", 1)
                # Not the default for numbers that the verifier refuses.
                pattern = rf"(?<!unwrap_or\()\b{kind}::{old}\b(?! \{{)"
                if re.search(pattern, row):
                    add(re.sub(pattern, f"{kind}::{new}", row, count=1))
    for pattern, new in MORE:
        if new and len(made) < 2 and re.search(pattern, row):
            # In the body only: the opcode's own name stays.
            head, body = row.split("=>", 1)
            add(head + "=>" + re.sub(pattern, new, body, count=1))
    return made[:2]


def source(original, mutants):
    """`step.rs` in which the environment chooses one mutant by its number."""
    text, shift = original, 0
    for name, start, end in rows(original):
        own = [(number, row) for number, (of, row) in mutants.items() if of == name]
        if not own:
            continue
        head, body = original[start:end].split("=>", 1)
        body = uncommented(body).strip().rstrip(",")
        # One line a mutant, so that the compiler's errors name it.
        arms = "".join(
            f"\n{number} => {{ " + " ".join(uncommented(row).split("=>", 1)[1].strip().rstrip(",").split()) + " }"
            for number, row in own
        )
        new = f"{head}=> match mutant() {{{arms}\n_ => {{ {body} }}\n}},"
        text = text[: start + shift] + new + text[end + shift :]
        shift += len(new) - (end - start)
    return text + HELPERS


def uncommented(row):
    return re.sub(r"//.*", "", row)


HELPERS = """
#[allow(dead_code)]
fn flip(ins: Instruction) -> Instruction {
    Instruction { a: ins.b, b: ins.a, c: ins.c, ..ins }
}

fn mutant() -> u32 {
    static CHOSEN: std::sync::LazyLock<u32> =
        std::sync::LazyLock::new(|| std::env::var("MUTANT").ok().and_then(|n| n.parse().ok()).unwrap_or(0));
    *CHOSEN
}
"""


def build(folder, original, mutants):
    """The test programs; mutants that do not compile are taken out."""
    # Unoptimized code compiles faster, and the loop stands in for the threaded functions.
    command = ["cargo", "test", "-p", "scaly-interp", "--config", "profile.dev.package.scaly-interp.opt-level=0"]
    while True:
        text = source(original, mutants)
        pathlib.Path(folder, STEP).write_text(text)
        run = subprocess.run(command + ["--no-run", *TESTS], cwd=folder, capture_output=True, text=True)
        if run.returncode == 0:
            paths = re.findall(r"Executable .*?\((.*?)\)", run.stderr)
            # The likelier to notice first.
            return [str(pathlib.Path(folder, path)) for path in sorted(paths, key=lambda path: "opcodes" not in path)]
        lines = text.split("\n")
        bad = set()
        for number in re.findall(rf"{re.escape(STEP)}:(\d+):|--> src/step.rs:(\d+):", run.stderr):
            arm = re.match(r"(\d+) => ", lines[int(number[0] or number[1]) - 1])
            if arm:
                bad.add(int(arm[1]))
        if not bad:
            sys.exit(run.stderr)
        for number in bad:
            print("does not compile:", " ".join(mutants.pop(number)[1].split())[:110])


def noticed(folder, programs, number):
    # A failing case is enough; the smallest one takes minutes to find.
    environment = {**os.environ, "MUTANT": str(number), "PROPTEST_MAX_SHRINK_ITERS": "0", "RUST_BACKTRACE": "0"}
    for program in programs:
        try:
            run = subprocess.run([program], cwd=folder, env=environment, capture_output=True, timeout=30)
            if run.returncode:
                return True
        except subprocess.TimeoutExpired:
            return True
    return False


def main():
    only = sys.argv[2:] if sys.argv[1:2] == ["--only"] else None
    with tempfile.TemporaryDirectory() as folder:
        tree = subprocess.run(["git", "-C", ROOT, "archive", "HEAD"], check=True, capture_output=True).stdout
        subprocess.run(["tar", "-x", "-C", folder], input=tree, check=True)
        original = pathlib.Path(folder, STEP).read_text()
        mutants = {}
        for name, start, end in rows(original):
            if only and name not in only:
                continue
            made = changes(original[start:end])
            if not made:
                print("no change known for", name)
            for row in made:
                mutants[len(mutants) + 1] = (name, row)
        programs = build(folder, original, mutants)
        if noticed(folder, programs, 0):
            sys.exit("the tests fail without any change")
        unnoticed = 0
        for number, (_, row) in mutants.items():
            if not noticed(folder, programs, number):
                unnoticed += 1
                print("unnoticed:", " ".join(row.split())[:110], flush=True)
        opcodes = len({name for name, _ in mutants.values()})
        print(f"{len(mutants)} changes to {opcodes} opcodes, {unnoticed} unnoticed")
        sys.exit(1 if unnoticed else 0)


if __name__ == "__main__":
    main()
