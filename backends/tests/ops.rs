//! Each operation against the interpreter's machine, on edge values: as a loop over arrays, which LLVM makes vector code
//! of, and once on slots; operands loaded, constant, and twice the same; without passes, with the quick ones, with all.

mod common;
#[path = "../../asm/tests/common/operations.rs"]
mod operations;

use common::*;
use operations::{WORDS, evaluated as expected, operations, same};
use scaly_backends::lower::{Addresses, Context, lower};
use scaly_backends::{Compiler, Level};
use scaly_interp::interpreter::State;
use scaly_interp::machine::{IntMemory, IntOp};
use scaly_interp::tier::Position;
use scaly_tracer::manager::Profile;
use scaly_tracer::region::{Op, Type};

/// Numbers that look random and are the same in each run.
fn random(count: usize) -> impl Iterator<Item = u64> {
    let mut x = 0x9e37_79b9_7f4a_7c15_u64;
    std::iter::repeat_with(move || {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        x
    })
    .take(count)
}

/// Of a size that conversions and rounding care for, beside the edges.
fn values(ty: Type) -> Vec<u64> {
    let mut all = operations::values(ty);
    match ty {
        Type::Word => all.extend(random(24)),
        Type::Float => all.extend(random(24).map(|r| ((r as i64 >> (r % 50)) as f64 * 0.25).to_bits())),
        Type::Single => all.extend(random(24).map(|r| u64::from(((r as i32 >> (r % 27)) as f32 * 0.25).to_bits()))),
        Type::Cond => {}
    }
    all
}

fn memory(ty: Type) -> &'static str {
    match ty {
        Type::Float => "f64",
        Type::Single => "f32",
        _ => "i64",
    }
}

fn constant(ty: Type, bits: u64) -> String {
    match ty {
        Type::Float => format!("f64.const {bits:#x}"),
        Type::Single => format!("f32.const {bits:#x}"),
        _ => format!("const {}", bits as i64),
    }
}

/// The operation on v100 and v101 as text, its result in v102; conditions become words.
fn operation(op: Op, [a, b]: [&str; 2]) -> String {
    let (types, result) = op.shape().unwrap();
    let result = result.unwrap();
    let operands = match op {
        Op::Element { stride, offset } => format!("{a}, {b} * {stride} + {offset}"),
        _ if types.len() == 2 => format!("{a}, {b}"),
        _ => a.to_string(),
    };
    match result {
        Type::Cond => format!(
            "  C: bool = {} {operands} @1\n  N: bool = not C @1\n  M: bool = not N @1\n  R: i64 = word M @1\n",
            op.name()
        ),
        ty => format!("  R: {} = {} {operands} @1\n", ty.name(), op.name()),
    }
}

/// Numbers the names of values in the order of their definitions.
fn numbered(text: &str) -> String {
    let mut names: Vec<String> = Vec::new();
    let is_name = |w: &str| w.chars().next().is_some_and(|c| c.is_ascii_uppercase()) && w.len() <= 2;
    let split = |text: &str| -> Vec<String> {
        let mut words = vec![String::new()];
        for c in text.chars() {
            if c.is_ascii_alphanumeric() || c == '_' || c == '.' {
                words.last_mut().unwrap().push(c);
            } else {
                words.extend([c.to_string(), String::new()]);
            }
        }
        words
    };
    for line in text.lines() {
        // A definition has a colon behind its name.
        let words = split(line);
        for (i, word) in words.iter().enumerate() {
            if is_name(word) && words.get(i + 1).is_some_and(|c| c == ":") {
                names.push(word.clone());
            }
        }
    }
    let number = |word: String| match names.iter().position(|n| *n == word) {
        Some(at) if is_name(&word) => format!("v{at}"),
        _ => word,
    };
    split(text).into_iter().map(number).collect()
}

#[derive(Clone, Copy)]
enum Operand {
    Loaded,
    Constant(u64),
    /// The first one again.
    Again,
}

/// `for i: out[i] = a[i] op b[i]`
fn loop_text(op: Op, operands: [Operand; 2]) -> String {
    let (types, result) = op.shape().unwrap();
    let result = if result == Some(Type::Cond) { Type::Word } else { result.unwrap() };
    let mut constants = String::new();
    let mut loads = String::new();
    let mut names = ["X", "Y"];
    for (i, &ty) in types.iter().enumerate() {
        match operands[i] {
            Operand::Constant(bits) => {
                constants += &format!("  {}: {} = {} @1\n", names[i], ty.name(), constant(ty, bits))
            }
            Operand::Again => names[i] = names[0],
            Operand::Loaded => {
                let array = ["A", "B"][i];
                loads += &format!("  {array}P: i64 = element {array}, I * 8 + 0 @1\n");
                loads += &format!("  {}: {} = load.{} {array}P + 0 @1\n", names[i], ty.name(), memory(ty));
            }
        }
    }
    numbered(&format!(
        "chain0 = function0
cycle0 = loop0 chain0 block1 counted 3
exit0 = done @4 ()
block0 chain0 @1 (A: i64 = 0, B: i64 = 1, O: i64 = 2, F: i64 = 3, T: i64 = 4):
  Z: i64 = const 0 @1
  E: i64 = const 1 @1
{constants}  jump block1(F, T) @1
block1 chain0 @1 cycle0 (I: i64 = 3, L: i64 = 4):
{loads}{}  OP: i64 = element O, I * 8 + 0 @1
  store.{} OP + 0, R @1
  K: bool = ne L, Z @1
  branch K, block2(), block3() @1
block2 chain0 @1 cycle0 ():
  NL: i64 = sub L, E @1
  NI: i64 = add I, E @1
  jump block1(NI, NL) @1
block3 chain0 @4 ():
  exit exit0 () @1
",
        operation(op, names),
        memory(result),
    ))
}

/// Once, from slots 0 and 1 to slot 2.
fn once_text(op: Op) -> String {
    let (types, _) = op.shape().unwrap();
    let params: Vec<String> =
        types.iter().enumerate().map(|(i, ty)| format!("{}: {} = {i}", ["X", "Y"][i], ty.name())).collect();
    numbered(&format!(
        "chain0 = function0
cycle0 = loop0 chain0 block1 open
exit0 = leave @4 (2)
block0 chain0 @1 ({}):
  jump block1() @1
block1 chain0 @1 cycle0 ():
{}  exit exit0 (R) @1
",
        params.join(", "),
        operation(op, ["X", "Y"]),
    ))
}

struct Run<'a> {
    compiler: &'a Compiler,
    state: &'a mut State,
    at: Position,
}

impl Run<'_> {
    /// All pairs at once.
    fn check_loop(&mut self, op: Op, operands: [Operand; 2]) {
        let (types, result) = op.shape().unwrap();
        let result = result.unwrap();
        let of = |i: usize| match (types.get(i), operands[i]) {
            (Some(_), Operand::Constant(bits)) => vec![bits],
            (Some(&ty), Operand::Loaded) => values(ty),
            _ => vec![0],
        };
        let (first, second) = (of(0), of(1));
        let pairs: Vec<(u64, u64)> = first.iter().flat_map(|&a| second.iter().map(move |&b| (a, b))).collect();
        let (a, b): (Vec<u64>, Vec<u64>) = pairs.into_iter().unzip();
        let mut out = vec![0u64; a.len()];
        let native = compile(self.compiler, &loop_text(op, operands));
        let slots = [a.as_ptr() as u64, b.as_ptr() as u64, out.as_mut_ptr() as u64, 0, a.len() as u64 - 1];
        frame(self.at)[..5].copy_from_slice(&slots);
        enter(&native, self.state, self.at, 4);
        for ((&a, &b), &found) in a.iter().zip(&b).zip(&out) {
            let b = if matches!(operands[1], Operand::Again) { a } else { b };
            let expected = expected(op, a, b);
            assert!(same(result, found, expected), "{op:?} of {a:#x}, {b:#x}: {found:#x}, not {expected:#x}");
        }
    }

    fn check_once(&mut self, op: Op) {
        let (types, result) = op.shape().unwrap();
        let native = compile(self.compiler, &once_text(op));
        for &a in &values(types[0]) {
            for &b in &types.get(1).map_or(vec![0], |&ty| values(ty)) {
                frame(self.at)[..3].copy_from_slice(&[a, b, 0x5ca1_ab1e_0000_dead]);
                enter(&native, self.state, self.at, 4);
                let (found, expected) = (frame(self.at)[2], expected(op, a, b));
                assert!(
                    same(result.unwrap(), found, expected),
                    "{op:?} of {a:#x}, {b:#x}: {found:#x}, not {expected:#x}"
                );
            }
        }
    }
}

fn with_run(level: Level, body: impl FnOnce(&mut Run<'_>)) {
    let compiler = compiler(level);
    with_frame(|state, at| body(&mut Run { compiler: &compiler, state, at }));
}

#[test]
fn on_slots_without_passes() {
    with_run(Level::None, |run| operations().into_iter().for_each(|op| run.check_once(op)));
}

#[test]
fn on_arrays() {
    for level in [Level::Quick, Level::Best] {
        with_run(level, |run| {
            for op in operations() {
                run.check_loop(op, [Operand::Loaded; 2]);
                if matches!(op.shape().unwrap().0, [a, b] if a == b) {
                    run.check_loop(op, [Operand::Loaded, Operand::Again]);
                }
            }
        });
    }
}

/// What LLVM folds must be what the interpreter computes.
#[test]
fn with_constants() {
    with_run(Level::Quick, |run| {
        for op in operations() {
            // An element's stride and offset are the constants that matter.
            if matches!(op, Op::Element { .. }) {
                continue;
            }
            let types = op.shape().unwrap().0;
            for (i, &ty) in types.iter().enumerate() {
                // Every eighth, and all in turn over the operations.
                let all = values(ty);
                let start = op.name().len() % 8;
                for &bits in all.iter().take(64).skip(start).step_by(8) {
                    let mut operands = [Operand::Loaded; 2];
                    operands[i] = Operand::Constant(bits);
                    run.check_loop(op, operands);
                }
            }
        }
        for op in [IntOp::DivS, IntOp::DivU, IntOp::RemS, IntOp::RemU, IntOp::Shl, IntOp::ShrS, IntOp::ShrU] {
            for divisor in WORDS {
                run.check_loop(Op::Int(op), [Operand::Loaded, Operand::Constant(divisor as u64)]);
            }
        }
    });
}

/// LLVM is told nothing that is not so for any program; a promise is seldom seen to be broken.
#[test]
fn nothing_is_promised() {
    let program = program();
    let addresses = Addresses::default();
    let context = Context {
        program: &program,
        addresses: &addresses,
        waits: &[false],
        parameters: scaly_tracer::parameters::Parameters::default(),
        profile: &Profile::default(),
    };
    for op in operations() {
        let module = lower(&region(&loop_text(op, [Operand::Loaded; 2])), context, "f").unwrap().module;
        let promises = [
            "nsw",
            "nuw",
            "nusw",
            "inbounds",
            "noalias",
            "exact",
            "disjoint",
            "fast",
            "nnan",
            "ninf",
            "nsz",
            "arcp",
            "contract",
            "afn",
            "reassoc",
            "range",
            "dereferenceable",
            "nonnull",
            "noundef",
            "invariant",
            "assume",
            "willreturn",
            "mustprogress",
            "readonly",
            "readnone",
            "nofree",
            "nosync",
            "memory",
        ];
        let words = module.split(|c: char| !c.is_ascii_alphanumeric());
        let found: Vec<_> = words.filter(|word| promises.contains(word)).collect();
        assert!(found.is_empty(), "{op:?}: {found:?}\n{module}");
    }
}

/// Every kind of load and store, at odd addresses and offsets; bytes beside them stay.
#[test]
fn loads_and_stores() {
    let kinds = [
        (IntMemory::I8, 1),
        (IntMemory::U8, 1),
        (IntMemory::I16, 2),
        (IntMemory::U16, 2),
        (IntMemory::I32, 4),
        (IntMemory::U32, 4),
        (IntMemory::I64, 8),
    ];
    for level in [Level::None, Level::Quick] {
        let compiler = compiler(level);
        for (kind, width) in kinds {
            let (load, store) = (Op::LoadInt(kind, 3).name(), Op::StoreInt(kind, 3).name());
            let text = numbered(&format!(
                "chain0 = function0
cycle0 = loop0 chain0 block1 open
exit0 = leave @4 (2)
block0 chain0 @1 (A: i64 = 0, V: i64 = 1):
  jump block1() @1
block1 chain0 @1 cycle0 ():
  R: i64 = {load} A + 3 @1
  {store} A + 20, V @1
  exit exit0 (R) @1
"
            ));
            let native = compile(&compiler, &text);
            with_frame(|state, at| {
                for value in values(Type::Word) {
                    let mut bytes = [0x5au8; 40];
                    bytes[4..12].copy_from_slice(&value.to_le_bytes());
                    let mut expected = bytes;
                    expected[21..21 + width].copy_from_slice(&value.to_le_bytes()[..width]);
                    frame(at)[..2].copy_from_slice(&[bytes.as_mut_ptr() as u64 + 1, value]);
                    enter(&native, state, at, 4);
                    assert_eq!(std::hint::black_box(bytes), expected, "{store} of {value:#x}");
                    let loaded = match kind {
                        IntMemory::I8 => i64::from(value as i8),
                        IntMemory::U8 => i64::from(value as u8),
                        IntMemory::I16 => i64::from(value as i16),
                        IntMemory::U16 => i64::from(value as u16),
                        IntMemory::I32 => i64::from(value as i32),
                        IntMemory::U32 => i64::from(value as u32),
                        IntMemory::I64 => value as i64,
                    };
                    assert_eq!(frame(at)[2] as i64, loaded, "{load} of {value:#x}");
                }
            });
        }
    }
}

#[test]
fn floats_in_memory_keep_their_bits() {
    let compiler = compiler(Level::Quick);
    let text = numbered(
        "chain0 = function0
cycle0 = loop0 chain0 block1 open
exit0 = leave @4 (2, 3)
block0 chain0 @1 (A: i64 = 0):
  jump block1() @1
block1 chain0 @1 cycle0 ():
  F: f64 = load.f64 A + 0 @1
  S: f32 = load.f32 A + 8 @1
  store.f64 A + 17, F @1
  store.f32 A + 29, S @1
  exit exit0 (F, S) @1
",
    );
    let native = compile(&compiler, &text);
    with_frame(|state, at| {
        for (&float, &single) in values(Type::Float).iter().zip(values(Type::Single).iter().cycle()) {
            let mut bytes = [0x5au8; 40];
            bytes[..8].copy_from_slice(&float.to_le_bytes());
            bytes[8..12].copy_from_slice(&(single as u32).to_le_bytes());
            let mut expected = bytes;
            expected[17..25].copy_from_slice(&float.to_le_bytes());
            expected[29..33].copy_from_slice(&(single as u32).to_le_bytes());
            frame(at)[0] = bytes.as_mut_ptr() as u64;
            enter(&native, state, at, 4);
            assert_eq!(std::hint::black_box(bytes), expected);
            assert_eq!(frame(at)[2..4], [float, single]);
        }
    });
}

#[test]
fn rereading_keeps_the_bits() {
    let compiler = compiler(Level::Quick);
    for from in [Type::Word, Type::Float, Type::Single] {
        for to in [Type::Word, Type::Float, Type::Single] {
            let text = numbered(&format!(
                "chain0 = function0
cycle0 = loop0 chain0 block1 open
exit0 = leave @4 (2)
block0 chain0 @1 (X: {} = 0):
  jump block1() @1
block1 chain0 @1 cycle0 ():
  R: {} = reread.{} X @1
  exit exit0 (R) @1
",
                from.name(),
                to.name(),
                to.name()
            ));
            let native = compile(&compiler, &text);
            with_frame(|state, at| {
                for bits in [Type::Word, Type::Float, Type::Single].into_iter().flat_map(values) {
                    frame(at)[0] = bits;
                    enter(&native, state, at, 4);
                    // A slot that is read as f32 and only moved keeps all 64 bits, as in the interpreter.
                    assert_eq!(frame(at)[2], bits, "{from:?} as {to:?}");
                }
            });
        }
    }
}

#[test]
fn capacity_is_in_the_header() {
    let text = numbered(
        "chain0 = function0
cycle0 = loop0 chain0 block1 open
exit0 = leave @4 (2)
block0 chain0 @1 (A: i64 = 0):
  jump block1() @1
block1 chain0 @1 cycle0 ():
  R: i64 = capacity A @1
  exit exit0 (R) @1
",
    );
    for level in [Level::None, Level::Quick] {
        let native = compile(&compiler(level), &text);
        let block = [48u64, 7, 11];
        with_frame(|state, at| {
            for (address, expected) in [(0, 0), (&raw const block[2] as u64, 48)] {
                frame(at)[0] = address;
                enter(&native, state, at, 4);
                assert_eq!(frame(at)[2], expected);
            }
        });
    }
}

/// The slot of a union, which is an f32 on one path and 64 bits on another.
#[test]
fn a_slot_that_is_read_as_f32_keeps_its_other_half() {
    let text = numbered(
        "chain0 = function0
cycle0 = loop0 chain0 block1 open
exit0 = leave @4 (0, 1)
block0 chain0 @1 (X: f32 = 0, Y: i64 = 1, T: i64 = 3):
  Z: i64 = const 0 @1
  E: i64 = const 1 @1
  G: f32 = f32.const 0x40490fdb @1
  jump block1(X, Y, T) @1
block1 chain0 @1 cycle0 (A: f32 = 0, B: i64 = 1, L: i64 = 3):
  D: bool = eq L, Z @1
  branch D, block2(), block3() @1
block2 chain0 @4 ():
  exit exit0 (A, B) @1
block3 chain0 @1 cycle0 ():
  LN: i64 = sub L, E @1
  RX: f32 = reread.f32 B @1
  BN: i64 = reread.i64 A @1
  C: bool = eq LN, E @1
  branch C, block4(G), block4(RX) @1
block4 chain0 @1 cycle0 (M: f32 = 0):
  jump block1(M, BN, LN) @1
",
    );
    for level in [Level::None, Level::Quick, Level::Best] {
        let native = compile(&compiler(level), &text);
        with_frame(|state, at| {
            let (a, b) = (0x0123_4567_89ab_cdef, 0xfedc_ba98_7654_3210);
            for trips in 0..4u64 {
                let mut expected = [a, b];
                for left in (0..trips).rev() {
                    let other = if left == 1 { 0x4049_0fdb } else { expected[1] };
                    expected = [other, expected[0]];
                }
                frame(at)[..4].copy_from_slice(&[a, b, 0, trips]);
                enter(&native, state, at, 4);
                let found = [frame(at)[0], frame(at)[1]];
                assert_eq!(found, expected, "{trips} trips, {level:?}");
            }
        });
    }
}

/// Both sides of a branch lead to one block with different values; a header's parameters are exchanged at once.
#[test]
fn values_meet_and_change_places() {
    let text = numbered(
        "chain0 = function0
cycle0 = loop0 chain0 block1 open
exit0 = leave @4 (0, 1, 2)
block0 chain0 @1 (X: i64 = 0, Y: i64 = 1, T: i64 = 3):
  Z: i64 = const 0 @1
  E: i64 = const 1 @1
  jump block1(X, Y, Z, T) @1
block1 chain0 @1 cycle0 (A: i64 = 0, B: i64 = 1, S: i64 = 2, L: i64 = 3):
  C: bool = lt_s A, B @1
  branch C, block2(A), block2(B) @1
block2 chain0 @1 cycle0 (M: i64 = 4):
  SN: i64 = add S, M @1
  D: bool = eq L, Z @1
  branch D, block3(), block4() @1
block3 chain0 @4 ():
  exit exit0 (A, B, SN) @1
block4 chain0 @1 cycle0 ():
  LN: i64 = sub L, E @1
  jump block1(B, A, SN, LN) @1
",
    );
    for level in [Level::None, Level::Quick, Level::Best] {
        let native = compile(&compiler(level), &text);
        with_frame(|state, at| {
            frame(at)[..4].copy_from_slice(&[10, 3, 99, 4]);
            enter(&native, state, at, 4);
            assert_eq!(frame(at)[..3], [10, 3, 15], "{level:?}");
            frame(at)[..4].copy_from_slice(&[10, 3, 99, 3]);
            enter(&native, state, at, 4);
            assert_eq!(frame(at)[..3], [3, 10, 12], "{level:?}");
        });
    }
}
