//! Each opcode against a model in wide integers, on random and extreme operands. One program runs them all and prints
//! what they give, so that it is the interpreter's own path that is tested.

#![allow(clippy::neg_cmp_op_on_partial_ord)] // What `JNotLt…` is about.

mod common;

use std::collections::HashSet;
use std::fmt::Write;

use common::{run_program, status};
use proptest::prelude::*;
use scaly_interp::bytecode::Opcode;
use scaly_interp::dump::parse;
use scaly_interp::interpreter::{Ended, Options};

/// A program that prints one number a line, and what the lines must be.
struct Cases {
    body: String,
    expected: Vec<(String, u64)>,
    labels: u32,
}

/// Slots: 1 the region, 10 and 11 the operands, 12 the result, 50 up for printing.
impl Cases {
    fn new(a: i64, b: i64) -> Cases {
        let mut body = "Runtime s1, RegionEnter\n".to_string();
        writeln!(body, "Const s10, {a}\nConst s11, {b}").unwrap();
        Cases { body, expected: Vec::new(), labels: 0 }
    }

    fn line(&mut self, line: impl AsRef<str>) {
        self.body.push_str(line.as_ref());
        self.body.push('\n');
    }

    /// What slot 12 holds now.
    fn expect(&mut self, name: impl Into<String>, value: u64) {
        self.line("Move s50, s1\nMove s51, s12\nRuntime s50, UintToString\nRuntime s50, ConsolePrint");
        self.line("Text s50..52, text0\nRuntime s50, ConsolePrint");
        self.expected.push((name.into(), value));
    }

    /// An instruction that gives its result in slot 12.
    fn case(&mut self, line: impl AsRef<str>, value: i64) {
        // What the case before left could pass for the result.
        self.line("Const s12, 0x5ca1_ab1e");
        self.line(line.as_ref());
        self.expect(line.as_ref(), value as u64);
    }

    /// A branch, with `@there` where it goes.
    fn branch(&mut self, line: &str, jumps: bool) {
        self.labels += 1;
        let label = format!("l{}", self.labels);
        self.line("Const s12, 1");
        self.line(format!("{line} -> @{label}"));
        self.line("Const s12, 0");
        self.line(format!("{label}: Nop"));
        self.expect(line, u64::from(jumps));
    }

    fn check(self) -> HashSet<&'static str> {
        let listing = format!(
            "main start\nglobals 64\ntext0 \"\\n\"\nfunction start(params 0, results 1, frame 64)\n{}Const s0, 0\nReturn1 s0",
            self.body
        );
        let program = parse(&listing).unwrap_or_else(|error| panic!("{error}"));
        let names = program.code.iter().map(|ins| ins.op.name()).collect();
        let (finished, output) = run_program(program.into(), "", Options::default());
        assert_eq!(finished.ended, Ended::Status(0));
        let lines: Vec<u64> = output.lines().map(|line| line.parse().unwrap()).collect();
        assert_eq!(lines.len(), self.expected.len());
        for ((name, expected), found) in self.expected.iter().zip(lines) {
            assert_eq!(found, *expected, "{name}: {} instead of {}", found as i64, *expected as i64);
        }
        names
    }
}

/// The low bits of a wide value, sign and all.
fn low(wide: i128) -> i64 {
    wide as i64
}

fn integers(c: &mut Cases, a: i64, b: i64) {
    let (wa, wb) = (i128::from(a), i128::from(b));
    let (ua, ub) = (u128::from(a as u64), u128::from(b as u64));
    let shift = (b & 63) as u32;
    let quotient = |num: i128, den: i128| if den == 0 { 0 } else { low(num / den) };
    let remainder = |num: i128, den: i128| if den == 0 { 0 } else { low(num % den) };
    let order = |x: bool| i64::from(x);
    let table = [
        ("Add", low(wa + wb)),
        ("Sub", low(wa - wb)),
        ("Mul", low(wa.wrapping_mul(wb))),
        ("DivS", quotient(wa, wb)),
        ("DivU", quotient(ua as i128, ub as i128)),
        ("RemS", remainder(wa, wb)),
        ("RemU", remainder(ua as i128, ub as i128)),
        ("And", !(!a | !b)),
        ("Or", !(!a & !b)),
        ("Xor", (a | b) - (a & b)),
        ("Shl", low(wa << shift)),
        ("ShrS", low(wa.div_euclid(1 << shift))),
        ("ShrU", (ua / (1 << shift)) as i64),
        ("MinS", low(if wb < wa { wb } else { wa })),
        ("MaxS", low(if wb > wa { wb } else { wa })),
        ("MinU", (if ub < ua { ub } else { ua }) as i64),
        ("MaxU", (if ub > ua { ub } else { ua }) as i64),
        ("MulHighU", ((ua * ub) >> 64) as i64),
        ("Eq", order(wa - wb == 0)),
        ("Ne", order(wa - wb != 0)),
        ("LtS", order(wa - wb < 0)),
        ("LeS", order(wa - wb <= 0)),
        ("LtU", order(ua < ub)),
        ("LeU", order(ua <= ub)),
    ];
    for (name, value) in table {
        if b == 0 && (name.starts_with("Div") || name.starts_with("Rem")) {
            continue;
        }
        c.case(format!("{name} s12, s10, s11"), value);
        if matches!(name, "Sub" | "MinS" | "MaxS" | "MinU" | "MaxU" | "MulHighU" | "LtU" | "LeU") {
            continue;
        }
        c.case(format!("{name}Imm s12, s10, {b}"), value);
    }
    c.case(format!("GtSImm s12, s10, {b}"), order(wa > wb));
    c.case(format!("GeSImm s12, s10, {b}"), order(wa >= wb));
    let bits = |range: std::ops::Range<u32>| range.map(move |i| a >> i & 1);
    let leading = (0..64).rev().take_while(|&i| a >> i & 1 == 0).count();
    for (name, value) in [
        ("Neg", low(-wa)),
        ("Not", low(-wa - 1)),
        ("AbsS", low(if wa < 0 { -wa } else { wa })),
        ("PopCount", bits(0..64).sum()),
        ("LeadingZeros", leading as i64),
        ("TrailingZeros", bits(0..64).take_while(|&bit| bit == 0).count() as i64),
        ("Move", a),
    ] {
        c.case(format!("{name} s12, s10"), value);
    }
    for (name, width, signed) in [
        ("I8", 8, true),
        ("I16", 16, true),
        ("I32", 32, true),
        ("U8", 8, false),
        ("U16", 16, false),
        ("U32", 32, false),
    ] {
        let size = 1i128 << width;
        let part = wa.rem_euclid(size);
        let value = if signed && part >= size / 2 { part - size } else { part };
        c.case(format!("Wrap{name} s12, s10"), low(value));
    }
    c.case(format!("NotBool s12, s{}", 10), a ^ 1);
    let short = b as i32;
    let ws = i128::from(short);
    for (name, holds) in
        [("JEq", a == b), ("JNe", a != b), ("JLtS", a < b), ("JLeS", a <= b), ("JLtU", ua < ub), ("JLeU", ua <= ub)]
    {
        c.branch(&format!("{name} s10, s11"), holds);
    }
    for (name, holds) in [
        ("JEq", wa == ws),
        ("JNe", wa != ws),
        ("JLtS", wa < ws),
        ("JLeS", wa <= ws),
        ("JGtS", wa > ws),
        ("JGeS", wa >= ws),
    ] {
        c.branch(&format!("{name}Imm s10, {short}"), holds);
    }
    c.branch("JIf s10", a != 0);
    c.branch("JIfNot s10", a == 0);
    // To an even and to an odd instruction.
    c.branch("Jump", true);
    c.line("Nop");
    c.branch("Jump", true);
}

/// Truncation towards zero in wide integers, by the number's own bits.
fn truncated(value: f64) -> i128 {
    if value.is_nan() {
        return 0;
    }
    if value.abs() >= 1e30 {
        return if value < 0.0 { i128::MIN } else { i128::MAX };
    }
    let bits = value.to_bits();
    let exponent = (bits >> 52 & 0x7ff) as i32 - 1075;
    let mantissa = i128::from(bits & ((1 << 52) - 1) | if bits >> 52 & 0x7ff == 0 { 0 } else { 1 << 52 });
    let size = if exponent >= 0 { mantissa << exponent } else { mantissa >> (-exponent).min(100) };
    if value < 0.0 { -size } else { size }
}

/// What a program sees of the bits.
fn seen(value: f64) -> i64 {
    (if value.is_nan() { 0x7ff8_0000_0000_0000 } else { value.to_bits() }) as i64
}

fn seen_single(value: f32) -> i64 {
    i64::from(if value.is_nan() { 0x7fc0_0000 } else { value.to_bits() })
}

/// The operands' bits as f64.
fn floats(c: &mut Cases, a: i64, b: i64) {
    let (x, y) = (f64::from_bits(a as u64), f64::from_bits(b as u64));
    c.case("FromBitsF64 s12, s10\nBitsF64 s12, s12", seen(x));
    for (name, value) in [
        ("Add", x + y),
        ("Sub", x - y),
        ("Mul", x * y),
        ("Div", x / y),
        ("Min", if y < x { y } else { x }),
        ("Max", if x < y { y } else { x }),
    ] {
        c.case(format!("{name}F64 s12, s10, s11\nBitsF64 s12, s12"), seen(value));
    }
    for (name, value) in [
        ("Neg", -x),
        ("Abs", x.abs()),
        ("Sqrt", x.sqrt()),
        ("Floor", x.floor()),
        ("Ceil", x.ceil()),
        ("Trunc", x.trunc()),
        ("Round", x.round()),
    ] {
        c.case(format!("{name}F64 s12, s10\nBitsF64 s12, s12"), seen(value));
    }
    for (name, holds) in [("Eq", x == y), ("Ne", x != y), ("Lt", x < y), ("Le", x <= y)] {
        c.case(format!("{name}F64 s12, s10, s11"), i64::from(holds));
        c.branch(&format!("J{name}F64 s10, s11"), holds);
    }
    c.branch("JNotLtF64 s10, s11", !(x < y));
    c.branch("JNotLeF64 s10, s11", !(x <= y));
    for (kind, lowest, highest) in [
        ("i8", -128, 127),
        ("i16", -32768, 32767),
        ("i32", -(1i128 << 31), (1 << 31) - 1),
        ("i64", -(1 << 63), (1 << 63) - 1),
        ("u8", 0, 255),
        ("u16", 0, 65535),
        ("u32", 0, (1 << 32) - 1),
        ("u64", 0, (1 << 64) - 1),
    ] {
        c.case(format!("F64ToInt s12, s10, {kind}"), low(truncated(x).clamp(lowest, highest)));
    }
    c.case("F64ToF32 s12, s10\nBitsF32 s12, s12", seen_single(x as f32));
    c.case(format!("ConstF64 s12, {:#x}\nBitsF64 s12, s12", a as u64), seen(x));
    c.case("I64ToF64 s12, s10\nBitsF64 s12, s12", (a as f64).to_bits() as i64);
    c.case("U64ToF64 s12, s10\nBitsF64 s12, s12", (a as u64 as f64).to_bits() as i64);
    c.case("I64ToF32 s12, s10\nBitsF32 s12, s12", i64::from((a as f32).to_bits()));
    c.case("U64ToF32 s12, s10\nBitsF32 s12, s12", i64::from((a as u64 as f32).to_bits()));
}

/// The operands' low bits as f32. Each operation in f64, rounded once more, gives the f32 result.
fn singles(c: &mut Cases, a: i64, b: i64) {
    let (x, y) = (f32::from_bits(a as u32), f32::from_bits(b as u32));
    let (wx, wy) = (f64::from(x), f64::from(y));
    c.line("FromBitsF32 s20, s10\nFromBitsF32 s21, s11");
    c.case("BitsF32 s12, s20", seen_single(x));
    for (name, value) in [
        ("Add", (wx + wy) as f32),
        ("Sub", (wx - wy) as f32),
        ("Mul", (wx * wy) as f32),
        ("Div", (wx / wy) as f32),
        ("Min", if y < x { y } else { x }),
        ("Max", if x < y { y } else { x }),
    ] {
        c.case(format!("{name}F32 s12, s20, s21\nBitsF32 s12, s12"), seen_single(value));
    }
    for (name, value) in [("Neg", -x), ("Abs", x.abs()), ("Sqrt", wx.sqrt() as f32)] {
        c.case(format!("{name}F32 s12, s20\nBitsF32 s12, s12"), seen_single(value));
    }
    for (name, holds) in [("Eq", wx == wy), ("Ne", wx != wy), ("Lt", wx < wy), ("Le", wx <= wy)] {
        c.case(format!("{name}F32 s12, s20, s21"), i64::from(holds));
        c.branch(&format!("J{name}F32 s20, s21"), holds);
    }
    c.branch("JNotLtF32 s20, s21", !(wx < wy));
    c.branch("JNotLeF32 s20, s21", !(wx <= wy));
    c.case("F32ToF64 s12, s20\nBitsF64 s12, s12", seen(wx));
    c.case(format!("ConstF32 s12, {:#x}\nBitsF32 s12, s12", a as u32), seen_single(x));
}

/// Stores and loads of all kinds in an array of three elements of 24 bytes, against bytes.
fn memory(c: &mut Cases, a: i64, b: i64) {
    let index = (b & 1) + 1;
    let mut bytes = [0u8; 72];
    c.line("Move s20, s1\nConst s21, 3\nConst s22, 24\nRuntime s20, ArrayNew");
    c.line(format!("Const s23, {index}"));
    let at = |offset: usize| index as usize * 24 + offset;
    let load = |bytes: &[u8; 72], offset: usize, count: usize, signed: bool| {
        let mut wide = 0i128;
        for k in (0..count).rev() {
            wide = wide << 8 | i128::from(bytes[at(offset) + k]);
        }
        if signed && wide >> (count * 8 - 1) & 1 == 1 {
            wide -= 1 << (count * 8);
        }
        low(wide)
    };
    for (kind, count, offset) in [("I64", 8, 0), ("I32", 4, 8), ("I16", 2, 12), ("I8", 1, 14)] {
        c.line(format!("StoreElem{kind} s20..22, s23, s10, *24, +{offset}"));
        bytes[at(offset)..][..count].copy_from_slice(&a.to_le_bytes()[..count]);
        for other in [0, 8, 12, 14] {
            let value = load(&bytes, other, 8, true);
            c.case(format!("LoadElemI64 s12, s20..22, s23, *24, +{other}"), value);
        }
    }
    c.line("ElemAddr s24, s20..22, s23, *24, +0");
    c.case(format!("ElemAddrRaw s25, s20, s23, *24, +{}\nSub s12, s25, s20", 5), index * 24 + 5);
    for (kind, count, offset) in [("I64", 8, 16), ("I32", 4, 3), ("I16", 2, 9), ("I8", 1, 12)] {
        c.line(format!("Store{kind} s24, s11, +{offset}"));
        bytes[at(offset)..][..count].copy_from_slice(&b.to_le_bytes()[..count]);
    }
    let kinds = [
        ("I8", 1, true),
        ("U8", 1, false),
        ("I16", 2, true),
        ("U16", 2, false),
        ("I32", 4, true),
        ("U32", 4, false),
        ("I64", 8, true),
    ];
    for (kind, count, signed) in kinds {
        for offset in [0, 3, 9, 16] {
            let value = load(&bytes, offset, count, signed);
            c.case(format!("LoadElem{kind} s12, s20..22, s23, *24, +{offset}"), value);
            c.case(format!("Load{kind} s12, s24, +{offset}"), value);
        }
    }
    c.case("StoreElemF64 s20..22, s23, s10, *24, +8\nLoadElemF64 s12, s20..22, s23, *24, +8", a);
    c.case("StoreF64 s24, s11, +16\nLoadF64 s12, s24, +16", b);
    c.case(
        "FromBitsF32 s26, s10\nStoreElemF32 s20..22, s23, s26, *24, +4\nLoadElemF32 s12, s20..22, s23, *24, +4",
        a & 0xffff_ffff,
    );
    c.case("FromBitsF32 s26, s11\nStoreF32 s24, s26, +4\nLoadF32 s12, s24, +4", b & 0xffff_ffff);
    c.case("LoadI64 s12, s24, +16", b);
    c.case("Move s30, s11\nMove s31, s10\nStoreWords s24, s30..32, +8\nLoadI64 s12, s24, +8", b);
    c.case("LoadI64 s12, s24, +16\nStoreI64 s24, s11, +16", a);
    // Two words, not three.
    c.case("Const s32, 99\nMoveN s30..32, s10..12\nStoreWords s24, s30..32, +0\nLoadI64 s12, s24, +16", b);
    c.line("MoveN s30..32, s10..12\nStoreWords s24, s30..32, +8\nLoadWords s33..35, s24, &1, +8");
    c.case("Move s12, s33", a);
    c.case("Move s12, s34", b);
    for pair in ["LoadPair s33..35, s24, +8", "LoadElemPair s33..35, s20..22, s23, *24, +8"] {
        c.line("Zero s33..35");
        c.line(pair);
        c.case("Move s12, s33", a);
        c.case("Move s12, s34", b);
    }
    c.case("Move s35, s24\nLoadPair s35..37, s35, +8\nMove s12, s36", b);
    // Array and index as well.
    c.case(
        "Move s32, s23\nMove s33, s20\nMove s34, s21\nLoadElemPair s33..35, s33..35, s32, *24, +8\nMove s12, s33",
        a,
    );
    c.case(
        "Move s33, s20\nMove s34, s21\nMove s35, s23\nLoadElemPair s35..37, s33..35, s35, *24, +8\nMove s12, s36",
        b,
    );
    // The address may be overwritten by what is loaded.
    c.case("Move s35, s24\nLoadWords s35..37, s35, &1, +8\nMove s12, s36", b);
    c.line("Const s32, 32\nConst s33, 33\nConst s34, 34\nConst s35, 35\nZero s33..35");
    c.case("Or s12, s33, s34", 0);
    c.case("Move s12, s32", 32);
    c.case("Move s12, s35", 35);
    c.case("Global s24, +17\nGlobal s25, +16\nSub s12, s24, s25", 1);
    for count in [4u16, 7] {
        for (to, from) in [(30u16, 28u16), (28, 30)] {
            c.line("Const s28, 28\nConst s29, 29\nConst s30, 30\nConst s31, 31\nConst s32, 32\nConst s33, 33");
            c.line("Const s34, 34\nConst s35, 35\nConst s36, 36");
            c.line(format!("MoveN s{to}..{}, s{from}..{}", to + count, from + count));
            for k in 0..count {
                c.case(format!("Move s12, s{}", to + k), i64::from(from + k));
            }
        }
    }
    c.case("Global s24, +16\nStoreI64 s24, s10, +8\nGlobal s24, +24\nLoadI64 s12, s24, +0", a);
    c.case("CheckIndex s23, s21\nMove s12, s23", index);
    // 72 bytes stand in a block of some more: room for a fourth element as its capacity says.
    c.line("LoadI64 s27, s20, +0\nConst s29, 2");
    c.branch("JRoom s20, s29, s0, *24", true);
    c.line("Const s29, 1000");
    c.branch("JRoom s20, s29, s0, *24", false);
    c.line("Const s28, 0\nConst s29, 0");
    c.branch("JRoom s28, s29, s0, *24", false);
    // The last word that the capacity before the block has room for, and the one behind it.
    c.line("AddImm s24, s20, -16\nLoadI64 s29, s24, +0\nShrUImm s29, s29, 3");
    c.branch("JRoom s20, s29, s0, *8", false);
    c.line("AddImm s29, s29, -1");
    c.branch("JRoom s20, s29, s0, *8", true);
    c.line("Const s29, -2");
    c.branch("JRoom s20, s29, s0, *8", false);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn opcodes_do_what_the_model_does(a in word(), b in word()) {
        let mut cases = Cases::new(a, b);
        integers(&mut cases, a, b);
        floats(&mut cases, a, b);
        singles(&mut cases, a, b);
        memory(&mut cases, a, b);
        cases.check();
    }

    #[test]
    fn floats_of_ordinary_size(a in -1e6f64..1e6, b in -8i32..8) {
        let (a, b) = ((a.to_bits()) as i64, (f64::from(b) / 2.0).to_bits() as i64);
        let mut cases = Cases::new(a, b);
        floats(&mut cases, a, b);
        floats(&mut cases, a, b);
        cases.check();
        let mut cases = Cases::new(b, a);
        floats(&mut cases, b, a);
        cases.check();
    }
}

fn word() -> impl Strategy<Value = i64> {
    let edges = [
        0,
        1,
        -1,
        2,
        63,
        64,
        127,
        128,
        255,
        256,
        i64::from(i32::MAX),
        i64::from(i32::MIN),
        i64::MAX,
        i64::MIN,
        0x3ff0_0000_0000_0000,
        0x7ff0_0000_0000_0000,
        0x7ff8_0000_0000_0001,
        -0x8_0000_0000_0000,
        0x41e0_0000_0020_0000,
        0x4330_0000_0000_0001,
        0x3f80_0000,
        0x7fc0_0001,
    ];
    prop_oneof![any::<i64>(), -300i64..300, proptest::sample::select(edges.to_vec())]
}

/// Pairs that random ones meet too seldom: equal, just above, opposite signs, bounds.
#[test]
fn opcodes_at_the_edges() {
    let float = |value: f64| value.to_bits() as i64;
    let single = |value: f32| i64::from(value.to_bits());
    let integers_of = [0, 1, -1, 7, 64, i64::MIN, i64::MAX];
    let floats_of = [0.0, -0.0, 0.5, -0.5, 2.5, -2.5, 3.7, -3.2, 1e300, f64::INFINITY, f64::NAN].map(float);
    let singles_of = [0.0, -0.0, 1.5, -1.5, 3.0e38, f32::NEG_INFINITY, f32::NAN].map(single);
    for &a in &integers_of {
        for &b in &integers_of {
            let mut cases = Cases::new(a, b);
            integers(&mut cases, a, b);
            memory(&mut cases, a, b);
            cases.check();
        }
    }
    for &a in &floats_of {
        for &b in &floats_of {
            let mut cases = Cases::new(a, b);
            floats(&mut cases, a, b);
            cases.check();
        }
    }
    for &a in &singles_of {
        for &b in &singles_of {
            let mut cases = Cases::new(a, b);
            singles(&mut cases, a, b);
            cases.check();
        }
    }
}

/// Which opcodes the tests of this file run; the rest is control, and is run by the tests named here.
#[test]
fn no_opcode_is_forgotten() {
    let mut cases = Cases::new(7, 3);
    integers(&mut cases, 7, 3);
    floats(&mut cases, 7, 3);
    singles(&mut cases, 7, 3);
    memory(&mut cases, 7, 3);
    let run = cases.check();
    let control = [
        // open_loops_go_back_to_their_header
        "Loop",
        // counted_loops_run_as_often_as_their_range_says
        "ForPrepS",
        "ForPrepU",
        "ForPrepInclS",
        "ForPrepInclU",
        "ForLoop", // calls_pass_arguments_and_results
        "Call",
        "CallIndirect",
        "Return",
        "ReturnN",
        "FunctionId", // listings.rs, faults.rs
        "Fault",
    ];
    for op in Opcode::ALL {
        assert!(run.contains(op.name()) || control.contains(&op.name()), "{} is not tested", op.name());
    }
}

/// Two loops, whose headers are an even and an odd instruction: each instruction of them counts.
#[test]
fn open_loops_go_back_to_their_header() {
    let body = "loop open @one..@between
loop open @two..@behind
Const s5, 0
Const s6, 0
one: AddImm s5, s5, 1
AddImm s5, s5, 10
JGeSImm s5, 44 -> @between
Loop loop0 -> @one
between: Nop
two: AddImm s6, s6, 100
AddImm s6, s6, 1000
JGeSImm s6, 3300 -> @behind
Loop loop1 -> @two
behind: Add s0, s5, s6
Return1 s0";
    let (finished, _) = common::run_listing(&common::main_of(body));
    assert_eq!((finished.ended, finished.loops), (Ended::Status(3344), vec![3, 2]));
}

#[test]
fn counted_loops_run_as_often_as_their_range_says() {
    let (min, max) = (i64::MIN, i64::MAX);
    for (op, first, end, trips, last) in [
        ("ForPrepS", 0, 0, 0, 0),
        ("ForPrepS", 3, 1, 0, 0),
        ("ForPrepS", 0, 5, 5, 4),
        ("ForPrepS", -3, 2, 5, 1),
        ("ForPrepS", max - 2, max, 2, max - 1),
        ("ForPrepU", 0, 5, 5, 4),
        ("ForPrepU", -3, -1, 2, -2),
        ("ForPrepU", -3, 2, 0, 0),
        ("ForPrepU", 7, 7, 0, 0),
        ("ForPrepInclS", -3, 2, 6, 2),
        ("ForPrepInclU", 9, 9, 1, 9),
        ("ForPrepInclS", 0, 0, 1, 0),
        ("ForPrepInclS", 1, 0, 0, 0),
        ("ForPrepInclS", max - 2, max, 3, max),
        ("ForPrepInclS", min, min + 3, 4, min + 3),
        ("ForPrepInclU", -3, -1, 3, -1),
        ("ForPrepInclU", 0, -1, 300, 299),
        ("ForPrepInclU", 5, 4, 0, 0),
    ] {
        // Leaves after 300 trips.
        let body = format!(
            "loop counted s1..3 @top..@out
Const s5, 0
Const s6, 0
Const s1, {first}
Const s3, {end}
{op} s1..3, s3 -> @out
top:
Move s6, s1
AddImm s5, s5, 1
JGeSImm s5, 300 -> @out
ForLoop s1..3, loop0 -> @top
out:
Const s7, {last}
Ne s7, s6, s7
MulImm s7, s7, 1000
Add s0, s5, s7
Return1 s0"
        );
        assert_eq!(status(&body), trips, "{op} {first} {end}");
    }
}

#[test]
fn calls_pass_arguments_and_results() {
    let listing = "
main start
function none(params 0, results 0, frame 1)
  Return
  Fault AssertionFailed
function turn(params 3, results 3, frame 6)
  MoveN s3..5, s0..2
  Move s1, s4
  Move s5, s3
  Move s3, s2
  Move s4, s1
  ReturnN s3..6
function scaled(params 2, results 1, frame 3)
  LoadI64 s2, s0, +0
  Mul s1, s1, s2
  Return1 s1
function start(params 0, results 1, frame 40)
  Const s10, 1
  Const s11, 20
  Const s12, 300
  Call s10, turn
  Call s20, none
  FunctionId s20, scaled
  Global s21, +8
  Const s22, 5
  StoreI64 s21, s22, +0
  Const s31, 1000
  CallIndirect s30, s20..22, class65538
  Add s0, s10, s11
  Sub s0, s0, s12
  Add s0, s0, s30
  Return1 s0
";
    let program = parse(&listing.replacen("main start", "main start\nglobals 16", 1)).unwrap();
    let (finished, _) = run_program(program.into(), "", Options::default());
    // 300 + 20 - 1 + 5 * 1000
    assert_eq!(finished.ended, Ended::Status(5319));
}
