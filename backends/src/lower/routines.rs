//! Calls of routines, and the short ways of those for regions and blocks: what `scaly_runtime::memory` does where there is
//! room and nothing to give back. Where a short way is not open, the routine is called in a cold block.

use std::fmt::Write;

use scaly_interp::routine::{Effect, Routine};
use scaly_interp::tier;
use scaly_runtime::memory::{BLOCK_HEADER, MAX_INLINED, Region, RegionStack, SizeClass};
use scaly_tracer::region::{ChainId, Inst, Value};

use super::{Leave, Lowering, Needs, Refusal, line};
use crate::run::{REGIONS, STATE};

/// (bytes, count) -> hash, of a text.
pub const HASH: &str = "scaly_hash";
/// (bytes, count, bytes, count) -> order, of texts.
pub const COMPARE: &str = "scaly_compare";

/// The name of a routine's entry.
pub fn symbol(routine: Routine) -> String {
    format!("scaly_{}", routine.name())
}

/// As what a module declares that it calls this routine.
pub fn declaration(routine: Routine) -> String {
    let reads = "nounwind willreturn memory(argmem: read)";
    match routine {
        Routine::StringEqual => format!("declare i32 @bcmp(ptr, ptr, i64) {reads}\n"),
        Routine::StringHash => format!("declare i64 @{HASH}(ptr, i64) {reads}\n"),
        Routine::StringCompare => format!("declare i64 @{COMPARE}(ptr, i64, ptr, i64) {reads}\n"),
        _ => format!("declare i8 @{}(ptr, ptr) #0\n", symbol(routine)),
    }
}

/// A short way that has been written, up to where it meets the other.
enum Short {
    /// With a result, if the routine has one.
    Open(Option<String>),
    /// There is none.
    None,
}

/// Of a call: where it is, and where its slots begin.
#[derive(Clone, Copy)]
struct Call<'a> {
    chain: ChainId,
    inst: &'a Inst,
    routine: Routine,
    frame: u32,
}

impl Lowering<'_> {
    /// Arguments and results lie in the slots of the instruction.
    pub fn runtime(&mut self, chain: ChainId, inst: &Inst, routine: Routine) -> Result<(), Refusal> {
        let frame = self.call_frame(chain, inst)?;
        let signature = routine.signature();
        if signature.effects.contains(&Effect::Blocks) {
            return self.leave_before(chain, inst, frame);
        }
        if self.of_texts(inst, routine) {
            return Ok(());
        }
        self.needs(if signature.external() { Needs::Program(inst.pc) } else { Needs::Routines });
        let call = Call { chain, inst, routine, frame };
        let (then, slow) = self.fork();
        match self.short_way(call, &then, &slow) {
            Short::None => {
                self.call_routine(call);
                self.load_results(frame, inst);
            }
            Short::Open(result) => self.meet(call, result, then, slow),
        }
        Ok(())
    }

    /// Writes the other way, and goes on behind both.
    fn meet(&mut self, call: Call<'_>, result: Option<String>, then: String, slow: String) {
        line!(self, "br label %{then}");
        let (short, body) = (self.label.clone(), std::mem::take(&mut self.body));
        self.begin(slow);
        self.call_routine(call);
        let other = result.is_some().then(|| {
            let (place, other) = (self.frame_address(call.frame), self.temporary());
            line!(self, "{other} = load i64, ptr {place}, align 8");
            other
        });
        line!(self, "br label %{then}");
        let long = self.label.clone();
        let cold = std::mem::replace(&mut self.body, body);
        self.cold.push_str(&cold);
        self.begin(then);
        if let (Some(result), Some(other), Some(value)) = (result, other, call.inst.results.first()) {
            line!(self, "%{value} = phi i64 [ {result}, %{short} ], [ {other}, %{long} ]");
        }
        // The length of an array is what was asked for.
        if let (Some(length), Some(&asked)) = (call.inst.results.get(1), call.inst.args.get(1)) {
            line!(self, "%{length} = add i64 0, {}", self.operand(asked));
        }
    }

    fn call_routine(&mut self, Call { chain, inst, routine, frame }: Call<'_>) {
        for (i, &arg) in inst.args.iter().enumerate() {
            self.store_slot(frame, i as u16, arg);
        }
        let first = self.frame_address(frame);
        let state = self.of_run(STATE);
        let (outcome, done) = (self.temporary(), self.temporary());
        line!(self, "{outcome} = call i8 @{}(ptr {state}, ptr {first})", symbol(routine));
        self.calls(routine);
        line!(self, "{done} = icmp eq i8 {outcome}, {}", tier::ROUTINE_DONE);
        let (then, cold) = self.fork();
        line!(self, "br i1 {done}, label %{then}, label %{cold}, !prof !0");
        self.cold_block(&cold, |lowering| {
            lowering.store_headers(chain);
            lowering.ret(Leave::Routine { pc: inst.pc, base: lowering.base(chain) });
        });
        self.begin(then);
    }

    /// What only reads texts needs no frame and no state, and is done once where nothing is stored between.
    fn of_texts(&mut self, inst: &Inst, routine: Routine) -> bool {
        let bytes = |lowering: &mut Self, at: usize| {
            let (pointer, count) = (inst.args[at], inst.args[at + 1]);
            (lowering.pointer(pointer), lowering.operand(count))
        };
        let Some(&result) = inst.results.first() else { return false };
        match routine {
            Routine::StringHash => {
                let (text, count) = bytes(self, 0);
                line!(self, "%{result} = call i64 @{HASH}(ptr {text}, i64 {count})");
            }
            Routine::StringCompare => {
                let ((a, count), (b, other)) = (bytes(self, 0), bytes(self, 2));
                line!(self, "%{result} = call i64 @{COMPARE}(ptr {a}, i64 {count}, ptr {b}, i64 {other})");
            }
            Routine::StringEqual => {
                let ((a, count), (b, other)) = (bytes(self, 0), bytes(self, 2));
                let [long, order, equal] = [(); 3].map(|()| self.temporary());
                let ((same, then), before) = (self.fork(), self.label.clone());
                line!(self, "{long} = icmp eq i64 {count}, {other}");
                line!(self, "br i1 {long}, label %{same}, label %{then}");
                self.begin(same.clone());
                line!(self, "{order} = call i32 @bcmp(ptr {a}, ptr {b}, i64 {count})");
                line!(self, "{equal} = icmp eq i32 {order}, 0");
                line!(self, "br label %{then}");
                self.begin(then);
                let found = self.temporary();
                line!(self, "{found} = phi i1 [ false, %{before} ], [ {equal}, %{same} ]");
                line!(self, "%{result} = zext i1 {found} to i64");
            }
            _ => return false,
        }
        self.calls(routine);
        true
    }

    fn calls(&mut self, routine: Routine) {
        if !self.routines.contains(&routine) {
            self.routines.push(routine);
        }
    }

    /// Writes the way that needs no call.
    fn short_way(&mut self, call: Call<'_>, then: &str, slow: &str) -> Short {
        let arg = |n: usize| call.inst.args.get(n).copied().unwrap_or(Value(0));
        let constant = |n: usize| u64::try_from(self.region.constant(arg(n))?).ok();
        let small = |bytes: u64| (1..=MAX_INLINED).contains(&bytes).then_some(bytes);
        match call.routine {
            Routine::RegionEnter => self.enter_region(slow),
            Routine::RegionReset => self.reset_region(arg(0), slow),
            Routine::RegionExit => self.exit_region(arg(0), slow),
            Routine::Free => self.free_newest(arg(0), arg(1), then, slow),
            Routine::Alloc => match constant(1).and_then(small) {
                Some(bytes) => self.alloc(arg(0), bytes, slow),
                None => Short::None,
            },
            Routine::ArrayNew => {
                let bytes = constant(1).zip(constant(2)).and_then(|(length, stride)| length.checked_mul(stride));
                match bytes.and_then(small) {
                    Some(bytes) => self.alloc(arg(0), bytes, slow),
                    None => Short::None,
                }
            }
            _ => Short::None,
        }
    }

    fn enter_region(&mut self, slow: &str) -> Short {
        let stack = self.of_run(REGIONS);
        let (top, next) = (self.field("ptr", &stack, RegionStack::TOP), self.temporary());
        let place = self.behind(&top, Region::NEXT);
        line!(self, "{next} = load ptr, ptr {place}, align 8");
        self.open_if(&format!("ne ptr {next}, null"), slow);
        self.set_field("ptr", &next, &stack, RegionStack::TOP);
        Short::Open(Some(self.word(&next)))
    }

    fn reset_region(&mut self, region: Value, slow: &str) -> Short {
        let region = self.pointer(region);
        let (start, bump) = (self.field("i64", &region, Region::START), self.field("i64", &region, Region::BUMP));
        self.open_if(&format!("eq i64 {start}, {bump}"), slow);
        Short::Open(None)
    }

    /// The innermost one, which holds no memory.
    fn exit_region(&mut self, region: Value, slow: &str) -> Short {
        let (stack, region) = (self.of_run(REGIONS), self.pointer(region));
        let top = self.field("ptr", &stack, RegionStack::TOP);
        self.open_if(&format!("eq ptr {top}, {region}"), slow);
        let end = self.field("i64", &region, Region::END);
        self.open_if(&format!("eq i64 {end}, 0"), slow);
        let previous = self.field("ptr", &region, Region::PREVIOUS);
        self.set_field("ptr", &previous, &stack, RegionStack::TOP);
        Short::Open(None)
    }

    /// The newest free block of the class, else one cut from the chunk; zeroed.
    fn alloc(&mut self, region: Value, bytes: u64, slow: &str) -> Short {
        let class = SizeClass::of(bytes);
        let region = self.pointer(region);
        let [listed, found, cut, fits, made] = ["listed", "found", "cut", "fits", "made"].map(|name| {
            self.temporaries += 1;
            format!("{name}{}", self.temporaries)
        });
        let lists = self.field("ptr", &region, Region::LISTS);
        self.fork_if(&format!("ne ptr {lists}, null"), &listed, &cut);
        let head = 8 * class.index();
        let block = self.field("ptr", &lists, head);
        self.fork_if(&format!("ne ptr {block}, null"), &found, &cut);
        let next = self.field("ptr", &block, 0);
        self.set_field("ptr", &next, &lists, head);
        line!(self, "br label %{made}");
        self.begin(cut);
        let bump = self.field("ptr", &region, Region::BUMP);
        let behind = self.behind(&bump, (class.capacity() + BLOCK_HEADER) as usize);
        let end = self.field("ptr", &region, Region::END);
        self.open_as(&format!("ule ptr {behind}, {end}"), &fits, slow);
        self.set_field("ptr", &behind, &region, Region::BUMP);
        self.set_field("i64", &class.capacity().to_string(), &bump, 0);
        self.set_field("i64", "0", &bump, 8);
        let fresh = self.behind(&bump, BLOCK_HEADER as usize);
        line!(self, "br label %{made}");
        self.begin(made);
        let base = self.temporary();
        line!(self, "{base} = phi ptr [ {block}, %{found} ], [ {fresh}, %{fits} ]");
        line!(self, "call void @llvm.memset.p0.i64(ptr {base}, i8 0, i64 {bytes}, i1 false)");
        Short::Open(Some(self.word(&base)))
    }

    /// The newest block of the chunk is taken back.
    fn free_newest(&mut self, region: Value, block: Value, then: &str, slow: &str) -> Short {
        let (region, word) = (self.pointer(region), self.operand(block));
        let [some, owned, newest] = ["some", "owned", "newest"].map(|name| {
            self.temporaries += 1;
            format!("{name}{}", self.temporaries)
        });
        self.fork_if(&format!("ne i64 {word}, 0"), &some, then);
        let (header, capacity) = (self.temporary(), self.temporary());
        let (behind, place) = (self.temporary(), self.temporary());
        line!(self, "{header} = sub i64 {word}, {BLOCK_HEADER}");
        line!(self, "{place} = inttoptr i64 {header} to ptr");
        line!(self, "{capacity} = load i64, ptr {place}, align 8");
        // A constant belongs to nobody.
        self.fork_if(&format!("ne i64 {capacity}, 0"), &owned, then);
        line!(self, "{behind} = add i64 {word}, {capacity}");
        let bump = self.field("i64", &region, Region::BUMP);
        self.open_as(&format!("eq i64 {behind}, {bump}"), &newest, slow);
        self.set_field("i64", &header, &region, Region::BUMP);
        Short::Open(None)
    }

    /// A word of the run.
    pub fn of_run(&mut self, offset: usize) -> String {
        self.field("ptr", "%run", offset)
    }

    fn behind(&mut self, pointer: &str, bytes: usize) -> String {
        let place = self.temporary();
        line!(self, "{place} = getelementptr i8, ptr {pointer}, i64 {bytes}");
        place
    }

    fn field(&mut self, ty: &str, pointer: &str, offset: usize) -> String {
        let (place, loaded) = (self.behind(pointer, offset), self.temporary());
        line!(self, "{loaded} = load {ty}, ptr {place}, align 8");
        loaded
    }

    fn set_field(&mut self, ty: &str, value: &str, pointer: &str, offset: usize) {
        let place = self.behind(pointer, offset);
        line!(self, "store {ty} {value}, ptr {place}, align 8");
    }

    fn word(&mut self, pointer: &str) -> String {
        let word = self.temporary();
        line!(self, "{word} = ptrtoint ptr {pointer} to i64");
        word
    }

    /// The short way goes on if this holds.
    fn open_if(&mut self, condition: &str, slow: &str) {
        let (open, _) = self.fork();
        self.open_as(condition, &open, slow);
    }

    fn open_as(&mut self, condition: &str, open: &str, slow: &str) {
        let holds = self.temporary();
        line!(self, "{holds} = icmp {condition}");
        line!(self, "br i1 {holds}, label %{open}, label %{slow}, !prof !0");
        self.begin(open.into());
    }

    fn fork_if(&mut self, condition: &str, yes: &str, no: &str) {
        let holds = self.temporary();
        line!(self, "{holds} = icmp {condition}");
        line!(self, "br i1 {holds}, label %{yes}, label %{no}");
        self.begin(yes.into());
    }
}
