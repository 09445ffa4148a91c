//! Random programs: no loop that is called independent has a conflict under the dependence oracle.
//!
//! A program makes a few arrays (of numbers, of arrays, a slice of another one) and runs nests of loops whose bodies mix
//! everything that the analysis distinguishes: indices from counters, constants and data; narrow arithmetic; reductions,
//! carried values, values that are set on some paths; calls that store; rows; pushes. Entry checks are evaluated for each
//! run of a loop. `SCALY_PROGRAMS=n` runs more of them, `SCALY_SEED=n` one of them, printed.

use std::fmt::Write;
use std::sync::Arc;

use scaly_interp::dump::parse;
use scaly_interp::interpreter::{Options, World};
use scaly_interp::oracle;
use scaly_interp::program::{LoopId, Program};
use scaly_tracer::explain::Judge;
use scaly_tracer::independence::{Verdict, covers};
use scaly_tracer::parameters::Parameters;
use scaly_tracer::region::Region;

struct Random(u64);

impl Random {
    fn below(&mut self, n: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % n
    }

    fn pick<T: Copy>(&mut self, items: &[T]) -> T {
        items[self.below(items.len() as u64) as usize]
    }
}

/// Slots: s0 region; arrays of i64 with 64 elements at s2 (a), s4 (b), a slice of a at s6 (v); an array of arrays at s8
/// (rows, 16 of 16); scalars s10 to s15; bounds s16 (16), s17 (a small number); counters from s20 in pairs; temporaries
/// from s30; lists to push to, empty at first, at s40 and s42; calls from s50.
struct Generator {
    random: Random,
    text: String,
    loops: u32,
    label: u32,
}

impl Generator {
    fn line(&mut self, line: impl AsRef<str>) {
        writeln!(self.text, "  {}", line.as_ref()).unwrap();
    }

    fn fresh(&mut self) -> String {
        self.label += 1;
        format!("l{}", self.label)
    }

    fn scalar(&mut self) -> String {
        format!("s{}", 10 + self.random.below(6))
    }

    fn array(&mut self) -> String {
        self.random.pick(&["s2..4", "s4..6", "s6..8"]).to_string()
    }

    /// Puts an index into a slot; most stay within 0..16.
    fn index(&mut self, counters: &[u16], to: &str) {
        let i = self.random.pick(counters);
        let outer = counters[0];
        match self.random.below(13) {
            0..=3 => self.line(format!("Move {to}, s{i}")),
            4 => self.line(format!("AddImm {to}, s{i}, 1")),
            5 => {
                let c = self.random.pick(&[2, 3, -1]);
                self.line(format!("MulImm {to}, s{i}, {c}"));
                if c < 0 {
                    self.line(format!("AddImm {to}, {to}, 15"));
                }
            }
            6 => {
                // A row and a column.
                let width = self.random.pick(&["s16", "s17"]);
                self.line(format!("Mul {to}, s{outer}, {width}"));
                self.line(format!("Add {to}, {to}, s{i}"));
            }
            7 => {
                let c = self.random.below(3);
                self.line(format!("Const {to}, {c}"));
            }
            8 => {
                let array = self.array();
                self.line(format!("LoadElemI64 {to}, {array}, s{i}, *8, +0"));
                self.line(format!("AndImm {to}, {to}, 15"));
            }
            9 => {
                let scalar = self.scalar();
                self.line(format!("AndImm {to}, {scalar}, 15"));
            }
            10 => {
                self.line(format!("Add {to}, s{i}, s17"));
                let wrap = self.random.pick(&["WrapI8", "WrapU8", "WrapI32"]);
                self.line(format!("{wrap} {to}, {to}"));
            }
            11 => {
                self.line(format!("MulImm {to}, s{i}, 64"));
                self.line(format!("WrapU8 {to}, {to}"));
                self.line(format!("ShrUImm {to}, {to}, 2"));
            }
            _ => {
                self.line(format!("ShlImm {to}, s{outer}, 2"));
                self.line(format!("Add {to}, {to}, s{i}"));
            }
        }
    }

    fn value(&mut self, counters: &[u16], to: &str) {
        match self.random.below(4) {
            0 => {
                let i = self.random.pick(counters);
                self.line(format!("MulImm {to}, s{i}, 7"));
            }
            1 => {
                let scalar = self.scalar();
                self.line(format!("Move {to}, {scalar}"));
            }
            _ => {
                let array = self.array();
                self.index(counters, "s30");
                self.line(format!("LoadElemI64 {to}, {array}, s30, *8, +0"));
            }
        }
    }

    fn statement(&mut self, counters: &[u16], parent: u32, depth: u32) {
        match self.random.below(18) {
            0..=3 => {
                let array = self.array();
                self.value(counters, "s31");
                self.index(counters, "s32");
                self.line(format!("StoreElemI64 {array}, s32, s31, *8, +0"));
            }
            4 | 5 => {
                // A reduction, or nearly one.
                let scalar = self.scalar();
                self.value(counters, "s31");
                let op = self.random.pick(&["Add", "Mul", "MinS", "MaxS", "Xor", "And", "Sub", "Add"]);
                let one = if self.random.below(8) == 0 { "s30" } else { scalar.as_str() };
                self.line(format!("{op} {scalar}, {one}, s31"));
                if self.random.below(4) == 0 && !op.starts_with('M') {
                    self.line(format!("WrapI32 {scalar}, {scalar}"));
                }
            }
            6 => {
                let scalar = self.scalar();
                self.value(counters, &scalar);
            }
            7 => {
                let scalar = self.scalar();
                let by = self.random.below(3);
                self.line(format!("AddImm {scalar}, {scalar}, {by}"));
            }
            8 => {
                // The better of two, perhaps with something along.
                let (best, along) = (self.scalar(), self.scalar());
                self.value(counters, "s31");
                let skip = self.fresh();
                let test = self.random.pick(&["JLeS s31, BEST", "JLeS BEST, s31", "JLtS s31, BEST"]);
                self.line(format!("{} -> @{skip}", test.replace("BEST", &best)));
                self.line(format!("Move {best}, s31"));
                if self.random.below(2) == 0 {
                    self.line(format!("Move {along}, s{}", counters[0]));
                }
                writeln!(self.text, "{skip}: Nop").unwrap();
            }
            9 | 10 => {
                let skip = self.fresh();
                self.value(counters, "s33");
                self.line(format!("JLtSImm s33, 20 -> @{skip}"));
                self.statement(counters, parent, depth + 1);
                writeln!(self.text, "{skip}: Nop").unwrap();
            }
            11 => {
                // A row's element.
                self.index(counters, "s34");
                self.line("ElemAddr s35, s8..10, s34, *16, +0");
                self.line("LoadWords s36..38, s35, &1, +0");
                self.value(counters, "s31");
                self.index(counters, "s38");
                let store = format!("StoreElemI64 s36..38, s38, {}, *8, +0", self.random.pick(&["s31", "s34"]));
                let load = format!("LoadElemI64 {}, s36..38, s38, *8, +0", self.scalar());
                let line = if self.random.below(3) > 0 { store } else { load };
                self.line(line);
            }
            12 => {
                // A new row takes the place of an old one.
                self.index(counters, "s34");
                self.line("ElemAddr s35, s8..10, s34, *16, +0");
                self.line("LoadWords s39, s35, &1, +0");
                self.line("Move s50, s0\n  Const s51, 16\n  Const s52, 8\n  Runtime s50, ArrayNew");
                self.line("StoreWords s35, s50..52, +0");
                self.line("Move s50, s0\n  Move s51, s39\n  Runtime s50, Free");
            }
            13 => {
                // A callee that loads and stores.
                let array = self.random.pick(&["s2..4", "s4..6", "s36..38"]);
                if array == "s36..38" {
                    self.index(counters, "s34");
                    self.line("ElemAddr s35, s8..10, s34, *16, +0");
                    self.line("LoadWords s36..38, s35, &1, +0");
                }
                self.line(format!("MoveN s52..54, {array}"));
                self.index(counters, "s54");
                self.line("Call s52, touch");
                let scalar = self.scalar();
                self.line(format!("Move {scalar}, s52"));
            }
            14 => {
                // Two rows change places.
                self.index(counters, "s34");
                self.index(counters, "s38");
                self.line("ElemAddr s50, s8..10, s34, *16, +0");
                self.line("ElemAddr s51, s8..10, s38, *16, +0");
                self.line("Const s52, 16\n  Runtime s50, MemorySwap");
            }
            15 | 16 => self.push(counters),
            _ if depth < 2 => self.nest(counters, Some(parent), depth + 1),
            _ => self.line("Nop"),
        }
    }

    /// Appends to a list, and perhaps reads or overwrites one of its elements: its own, or another iteration's.
    fn push(&mut self, counters: &[u16]) {
        let (room, skip) = (self.fresh(), self.fresh());
        let at = self.random.pick(&[40, 40, 42]);
        let (block, length, list) = (format!("s{at}"), format!("s{}", at + 1), format!("s{at}..{}", at + 2));
        self.value(counters, "s31");
        self.line(format!("JRoom {block}, {length}, s0, *8 -> @{room}"));
        self.line(format!("Move s50, s0\n  MoveN s51..53, {list}\n  Const s53, 8\n  Const s54, 1"));
        self.line(format!("Runtime s50, ArrayGrow\n  Move {block}, s50"));
        writeln!(self.text, "{room}: ElemAddrRaw s35, {block}, {length}, *8, +0").unwrap();
        self.line(format!("StoreI64 s35, s31, +0\n  AddImm {length}, {length}, 1"));
        match self.random.below(6) {
            0 | 1 => self.line(format!("AddImm s34, {length}, -1")),
            2 => self.line(format!("ShrUImm s34, {length}, 1")),
            3 => {
                self.index(counters, "s34");
                self.line(format!("JLeS {length}, s34 -> @{skip}"));
            }
            _ => return,
        }
        if self.random.below(2) == 0 {
            self.line(format!("StoreElemI64 {list}, s34, s31, *8, +0"));
        } else {
            let scalar = self.scalar();
            self.line(format!("LoadElemI64 {scalar}, {list}, s34, *8, +0"));
        }
        writeln!(self.text, "{skip}: Nop").unwrap();
    }

    fn nest(&mut self, counters: &[u16], parent: Option<u32>, depth: u32) {
        let counter = 20 + 2 * counters.len() as u16;
        if counter > 26 {
            return;
        }
        let id = self.loops;
        self.loops += 1;
        let (top, out) = (self.fresh(), self.fresh());
        let inside = parent.map_or(String::new(), |p| format!(" in loop{p}"));
        let mut inner = counters.to_vec();
        inner.push(counter);
        let (end, c) = (counter + 2, self.random.below(2));
        let counted = self.random.below(4) > 0;
        let down = !counted && self.random.below(2) == 0;
        if !down {
            self.line(format!("Const s{counter}, {c}"));
        }
        let bounds = ["s16", "s17", "s19"];
        let limit = match counters.first() {
            Some(i) if self.random.below(6) == 0 => format!("s{i}"),
            _ => self.random.pick(&bounds).to_string(),
        };
        if counted {
            let prepare = self.random.pick(&["ForPrepS", "ForPrepS", "ForPrepU", "ForPrepInclS"]);
            self.line(format!("{prepare} s{counter}..{end}, {limit} -> @{out}"));
            self.line(format!("loop counted s{counter}..{end} @{top}..@{out}{inside}"));
            writeln!(self.text, "{top}: Nop").unwrap();
        } else {
            let mut test = format!("JLeS {limit}, s{counter}");
            if down {
                self.line(format!("AddImm s{counter}, {limit}, {}", c as i64 - 1));
                test = format!("JLtSImm s{counter}, {c}");
            }
            self.line(format!("loop open @{top}..@{out}{inside}"));
            writeln!(self.text, "{top}: {test} -> @{out}").unwrap();
        }
        for _ in 0..1 + self.random.below(3) {
            self.statement(&inner, id, depth);
        }
        if self.random.below(12) == 0 {
            let scalar = self.scalar();
            self.line(format!("JEqImm {scalar}, 3 -> @{out}"));
        }
        if counted {
            self.line(format!("ForLoop s{counter}..{end}, loop{id} -> @{top}"));
        } else {
            let step = (1 + self.random.below(2) as i64) * if down { -1 } else { 1 };
            self.line(format!("AddImm s{counter}, s{counter}, {step}"));
            self.line(format!("Loop loop{id} -> @{top}"));
        }
        writeln!(self.text, "{out}: Nop").unwrap();
    }

    fn program(seed: u64) -> String {
        let mut g =
            Generator { random: Random(seed * 2 + 0x9e37_79b9_7f4a_7c15), text: String::new(), loops: 0, label: 0 };
        g.text.push_str("main run\nfunction run(params 0, results 1, frame 80)\n  Runtime s0, RegionEnter\n");
        for array in [2, 4] {
            g.line(format!(
                "Move s50, s0\n  Const s51, 64\n  Const s52, 8\n  Runtime s50, ArrayNew\n  MoveN s{array}..{}, s50..52",
                array + 2
            ));
        }
        // The slice begins in the middle, behind the end of what the loops reach, or is the whole.
        let from = g.random.pick(&[0, 8, 32]);
        g.line(format!("Const s30, {from}\n  ElemAddrRaw s6, s2, s30, *8, +0\n  Const s7, {}", 64 - from));
        g.line("Move s50, s0\n  Const s51, 16\n  Const s52, 16\n  Runtime s50, ArrayNew\n  MoveN s8..10, s50..52");
        g.line("Const s40, 0\n  Const s41, 0\n  Const s42, 0\n  Const s43, 0");
        let small = g.random.below(6);
        g.line(format!("Const s16, 16\n  Const s17, {small}\n  Const s19, 9"));
        // Fill: a[i] = i * 5, and the rows.
        g.line("Const s20, 0\n  Const s30, 64\n  ForPrepS s20..22, s30 -> @filled");
        g.line("loop counted s20..22 @fill..@filled");
        g.text.push_str("fill: MulImm s31, s20, 5\n  StoreElemI64 s2..4, s20, s31, *8, +0\n  ForLoop s20..22, loop0 -> @fill\nfilled: Nop\n");
        g.line("Const s20, 0\n  ForPrepS s20..22, s16 -> @made");
        g.line("loop counted s20..22 @make..@made");
        g.text.push_str("make: Move s50, s0\n  Const s51, 16\n  Const s52, 8\n  Runtime s50, ArrayNew\n  ElemAddr s35, s8..10, s20, *16, +0\n  StoreWords s35, s50..52, +0\n  ForLoop s20..22, loop1 -> @make\nmade: Nop\n");
        g.loops = 2;
        for _ in 0..1 + g.random.below(3) {
            g.nest(&[], None, 0);
        }
        // Everything is read at the end: the oracle does not know what is dead.
        g.line("Add s30, s41, s43");
        for scalar in 10..16 {
            g.line(format!("Add s30, s30, s{scalar}"));
        }
        g.line("AndImm s30, s30, 63\n  Return1 s30");
        // Recursive in part of the programs, so that it stays a call.
        let again = g.random.below(2) == 0;
        let store = g.random.pick(&["StoreElemI64 s0..2, s2, s2, *8, +0", "Nop"]);
        let call = if again {
            "JLtSImm s2, 64 -> @done\n  MoveN s6..8, s0..2\n  Const s8, 0\n  Call s6, touch"
        } else {
            "Nop"
        };
        write!(g.text, "function touch(params 3, results 1, frame 20)\n  param p s0..2 view\n  LoadElemI64 s3, s0..2, s2, *8, +0\n  {store}\n  {call}\ndone: Return1 s3\n").unwrap();
        g.text
    }
}

/// Verdicts of a program's loops, with the regions of the closed ones.
fn judged(program: &Program) -> Vec<(Option<Region>, Verdict)> {
    let mut judge = Judge::new(program, Parameters::default());
    (0..program.loops.len() as u32)
        .map(|id| {
            let (region, verdict) = judge.judge(LoopId(id));
            (region.ok(), verdict)
        })
        .collect()
}

#[derive(Default, Debug)]
struct Tally {
    loops: u32,
    free: u32,
    independent: u32,
    /// Independent, and every run passed the entry checks.
    passed: u32,
    /// Independent, and it appends; it had the room.
    appending: u32,
    free_but_serial: std::collections::BTreeMap<&'static str, u32>,
}

fn run(seed: u64, tally: &mut Tally) {
    let text = Generator::program(seed);
    let program = parse(&text).unwrap_or_else(|error| panic!("seed {seed}: {error}\n{text}"));
    scaly_interp::verify::verify(&program).unwrap_or_else(|error| panic!("seed {seed}: {error:?}\n{text}"));
    let program = Arc::new(program);
    let verdicts = judged(&program);
    for region in verdicts.iter().filter_map(|(region, _)| region.as_ref()) {
        region.verify().unwrap_or_else(|error| panic!("seed {seed}: {error}\n{region}"));
        assert_eq!(region.to_string().parse::<Region>().as_ref(), Ok(region), "seed {seed}");
    }
    let report = oracle::run(program.clone(), World::standard(Vec::new()), Options::default(), |id, frame| {
        match &verdicts[id.0 as usize] {
            (Some(region), Verdict::Independent(found)) => covers(&program, region, found, frame),
            _ => true,
        }
    });
    let report = report.unwrap_or_else(|error| panic!("seed {seed}: {error:?}\n{text}"));
    for (id, (seen, (_, verdict))) in report.loops.iter().zip(&verdicts).enumerate() {
        let long = seen.longest.max(report.refused[id].longest) >= 3;
        match verdict {
            Verdict::Independent(found) => {
                let known: Vec<u16> = found.known_slots().collect();
                if let Some(obstacle) = seen.obstacle(|slot| known.contains(&slot)) {
                    panic!("seed {seed}: loop{id} is called independent: {found:?}\n{obstacle:?}\n{text}");
                }
                tally.independent += u32::from(long);
                tally.passed += u32::from(long && report.refused[id].runs == 0);
                tally.appending += u32::from(seen.longest >= 3 && !found.rooms.is_empty());
                tally.free += u32::from(long);
            }
            Verdict::Serial(refusals) => {
                if long && seen.free() && seen.left_early == 0 {
                    tally.free += 1;
                    *tally.free_but_serial.entry(refusals[0].name()).or_default() += 1;
                }
            }
        }
        tally.loops += u32::from(long);
    }
}

fn setting(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

#[test]
fn no_independent_loop_conflicts() {
    let mut tally = Tally::default();
    if let Some(seed) = setting("SCALY_SEED") {
        println!("{}", Generator::program(seed));
        run(seed, &mut tally);
        return;
    }
    for seed in 0..setting("SCALY_PROGRAMS").unwrap_or(200) {
        run(seed, &mut tally);
    }
    println!("{tally:#?}");
    assert!(tally.independent > tally.loops / 10, "{tally:?}");
    assert!(tally.appending > tally.loops / 100, "{tally:?}");
}
