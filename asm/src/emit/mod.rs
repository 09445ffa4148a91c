//! x86-64 code for one trace.
//!
//! Registers:
//!
//! | register | holds |
//! |---|---|
//! | rbx | the frame of the tree's root: address of its slot 0 |
//! | r15 | the [`Context`](crate::context::Context) |
//! | rbp, rsp | the native frame |
//! | rax, rcx, rdx, xmm14, xmm15 | scratch, within an instruction |
//! | all others | values |
//!
//! ```text
//! root:       push rbp; mov rbp, rsp     side trace:  (jumped to from the exit, in the root's native frame)
//! link entry: lea rsp, [rbp - frame]                  lea rsp, [rbp - frame] if larger; inherited values go home
//!             …                                       …
//!             cold parts of calls and polls
//!             stubs of exits
//!             constants
//! ```
//!
//! Instructions are emitted in order, each reads its operands where they live and leaves its result at home; the
//! allocator has seen to it that most of that are no moves. Code is independent of its position but for jumps to other
//! blocks, which are filled in when the block has its place.

mod calls;
mod compare;
mod convert;
mod divide;
pub mod encode;
mod ends;
mod exits;
mod float;
mod integer;
mod magic;
mod memory;
mod operands;
mod regions;

use dynasmrt::{DynamicLabel, DynasmApi, DynasmLabelApi, dynasm};
use rustc_hash::FxHashMap;
use scaly_interp::machine::IntMemory;
use scaly_interp::program::Program;
use scaly_tracer::region;
use scaly_tracer::trace::{ExitId, Inst, Op, SnapshotId, Trace};

use crate::allocate::{Allocation, Handling, Home, Left};
use crate::context::Shared;
use crate::features::Features;
use crate::inline::inlined;
use crate::memory::GRAIN;
use calls::Cold;
use compare::Flags;
use encode::{Assembler, PoolUse};

/// What code is emitted for.
pub struct Target<'a> {
    pub program: &'a Program,
    pub shared: &'a Shared,
    pub features: Features,
    pub forced_exits: bool,
    /// Where exits go that have no code of their own.
    pub common_exit: usize,
    /// Where routines are called with all registers kept.
    pub careful_routine: usize,
}

/// What surrounds a trace.
pub struct Place<'a> {
    pub first_exit: u32,
    /// By snapshot, what leaving by it gives.
    pub returns: &'a [ExitId],
    pub inherited: &'a [Left],
    /// The native frame in which a side trace begins.
    pub parent_frame_bytes: u32,
    /// The link entry of the root that the trace ends at.
    pub link_target: usize,
}

/// A stub that was written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Stub {
    pub snapshot: SnapshotId,
    /// Of the jump to a side trace.
    pub field: usize,
    /// Where it leads without one.
    pub default: usize,
}

/// Machine code that has no place yet. Offsets are from its beginning.
pub struct Code {
    pub bytes: Vec<u8>,
    pub stubs: Vec<Stub>,
    /// Fields of jumps to addresses.
    pub outside: Vec<(usize, usize)>,
    pub link_entry: usize,
    pub frame_bytes: u32,
    /// Where the constants behind the code begin.
    pub data: usize,
    /// Where the code of an instruction begins, by its index.
    pub marks: Vec<(u32, u32)>,
}

pub struct Emitter<'a> {
    ops: Assembler,
    trace: &'a Trace,
    target: &'a Target<'a>,
    handling: &'a [Handling],
    homes: &'a [Option<Home>],
    inherited: &'a [Left],
    first_exit: u32,
    returns: &'a [ExitId],
    frame_bytes: u32,
    parent_frame_bytes: u32,
    link_target: usize,
    link_entry: usize,
    own_entry: DynamicLabel,
    loop_label: Option<DynamicLabel>,
    /// The guard that ends the loop: when it holds, and where it leaves.
    last_guard: Option<(Flags, DynamicLabel)>,
    abandon: Option<DynamicLabel>,
    /// By snapshot.
    stubs: Vec<Option<DynamicLabel>>,
    written: Vec<Stub>,
    cold: Vec<Cold>,
    pool: Vec<u64>,
    pool_index: FxHashMap<u64, u32>,
    pool_uses: Vec<PoolUse>,
    outside: Vec<(usize, usize)>,
    marks: Vec<(u32, u32)>,
}

pub fn emit(trace: &Trace, allocation: &Allocation, target: &Target<'_>, place: &Place<'_>) -> Code {
    let mut ops = Assembler::new(0);
    let own_entry = ops.new_dynamic_label();
    let own_frame = (8 * allocation.spills).next_multiple_of(16);
    let emitter = Emitter {
        ops,
        trace,
        target,
        handling: &allocation.handling,
        homes: &allocation.homes,
        inherited: place.inherited,
        first_exit: place.first_exit,
        returns: place.returns,
        frame_bytes: own_frame.max(place.parent_frame_bytes),
        parent_frame_bytes: place.parent_frame_bytes,
        link_target: place.link_target,
        link_entry: 0,
        own_entry,
        loop_label: None,
        last_guard: None,
        abandon: None,
        stubs: vec![None; trace.snapshots.len()],
        written: Vec::new(),
        cold: Vec::new(),
        pool: Vec::new(),
        pool_index: FxHashMap::default(),
        pool_uses: Vec::new(),
        outside: Vec::new(),
        marks: Vec::new(),
    };
    emitter.run()
}

impl Emitter<'_> {
    fn run(mut self) -> Code {
        self.begin();
        for (i, inst) in self.trace.insts.iter().enumerate() {
            if self.handling[i] == Handling::Emitted || inst.op == Op::Loop {
                self.marks.push((self.ops.offset().0 as u32, i as u32));
                self.inst(i, inst);
            }
        }
        self.end();
        self.write_cold();
        self.write_stubs();
        self.finish()
    }

    fn inst(&mut self, i: usize, inst: &Inst) {
        match inst.op {
            Op::Common(op) => self.common(i, inst, op),
            Op::Slot { slot, ty, .. } => self.load_slot(i, slot, ty),
            Op::StoreSlot(slot) => self.store_slot(slot, inst.a),
            // At hand, unless they change in a loop.
            Op::SlotAddress(slot) => self.keep_at_hand(i, Home::SlotAddress(slot)),
            Op::StackLimit => self.keep_at_hand(i, Home::StackLimit),
            Op::Inherit { .. } => {}
            Op::Guard { expected } => self.guard(i, inst, expected),
            Op::Routine { routine, slot } => match inlined(self.trace, i) {
                Some(inlined) => self.inlined_routine(inst, routine, slot, inlined),
                None => self.routine(inst, routine, slot),
            },
            Op::CallTree { tree, slot } => self.call_tree(i, tree, slot),
            Op::CallFunction { function, slot } => self.call_function(inst, function, slot),
            Op::CallValue { class, slot } => self.call_value(inst, class, slot),
            Op::Poll => self.poll(inst),
            Op::Count(id) => self.count_loop(id.0),
            Op::Loop => self.loop_head(),
        }
    }

    fn keep_at_hand(&mut self, i: usize, home: Home) {
        let work = self.work(i, &[]);
        self.load_home(work, home);
        self.word_done(i, work);
    }

    fn common(&mut self, i: usize, inst: &Inst, op: region::Op) {
        use region::Op as Common;
        let (a, b) = (inst.a, inst.b);
        match op {
            Common::Int(op) => self.int(i, op, a, b),
            Common::IntUnary(op) => self.int_unary(i, op, a),
            Common::Float(op) | Common::Single(op) => self.float(i, op, a, b),
            Common::FloatUnary(op) | Common::SingleUnary(op) => self.float_unary(i, op, a),
            Common::CondWord => self.cond_word(i, a),
            Common::IntToFloat(signed) => self.int_to_float(i, signed, false, a),
            Common::IntToSingle(signed) => self.int_to_float(i, signed, true, a),
            Common::SingleToFloat => self.convert_float(i, encode::CVTSS2SD, a),
            Common::FloatToSingle => self.convert_float(i, encode::CVTSD2SS, a),
            Common::FloatToInt(kind) => self.float_to_int(i, kind, a),
            Common::FloatBits => self.float_bits(i, a),
            Common::SingleBits => self.single_bits(i, a),
            Common::BitsFloat => self.bits_float(i, a, false),
            Common::BitsSingle => self.bits_float(i, a, true),
            Common::Reread(ty) => self.reread(i, ty, a),
            Common::Element { stride, offset } => self.element(i, a, b, stride, offset),
            Common::LoadInt(kind, offset) => self.load_int(i, kind, a, offset),
            Common::LoadPointer(offset) => self.load_int(i, IntMemory::I64, a, offset),
            Common::LoadFloat(offset) => self.load_float_at(i, false, a, offset),
            Common::LoadSingle(offset) => self.load_float_at(i, true, a, offset),
            Common::StoreInt(kind, offset) => self.store_int(kind, a, offset, b),
            Common::StoreFloat(offset) => self.store_float(false, a, offset, b),
            Common::StoreSingle(offset) => self.store_float(true, a, offset, b),
            Common::Capacity => self.capacity(i, a),
            Common::Compare(_) | Common::FloatCompare(_) | Common::SingleCompare(_) | Common::Not => {
                self.keep_condition(i, inst);
            }
            Common::Const(_)
            | Common::ConstF64(_)
            | Common::ConstF32(_)
            | Common::Text(_)
            | Common::Global(_)
            | Common::Guard(_)
            | Common::Runtime(_)
            | Common::Call(_)
            | Common::CallAny(_) => unreachable!("a trace has its own forms of {op:?}"),
        }
    }

    fn loop_head(&mut self) {
        while !self.ops.offset().0.is_multiple_of(GRAIN) {
            let missing = GRAIN - self.ops.offset().0 % GRAIN;
            self.ops.extend(NOPS[missing.min(NOPS.len()) - 1]);
        }
        let label = self.ops.new_dynamic_label();
        dynasm!(self.ops; .arch x64; =>label);
        self.loop_label = Some(label);
    }

    fn write_cold(&mut self) {
        for cold in std::mem::take(&mut self.cold) {
            match cold {
                Cold::Finish { function, slot, from, back } => self.finish_call(function, slot, from, back),
                Cold::Routine { routine, slot, from, back, exit } => {
                    self.careful_routine(routine, slot, from, back);
                    dynasm!(self.ops; .arch x64; jmp =>exit);
                }
                Cold::Rearm { from, exit } => self.rearm(from, exit),
            }
        }
        if let Some(abandon) = self.abandon {
            dynasm!(self.ops; .arch x64; =>abandon);
            self.epilogue();
        }
    }

    fn finish(mut self) -> Code {
        if !self.pool.is_empty() {
            self.ops.align(8, 0xcc);
        }
        let pool = self.ops.offset().0;
        for bits in &self.pool {
            self.ops.push_u64(*bits);
        }
        let mut bytes = match self.ops.finalize() {
            Ok(bytes) => bytes,
            Err(error) => unreachable!("labels are all defined and near: {error}"),
        };
        for used in &self.pool_uses {
            let distance = (pool + 8 * used.number as usize) as i32 - used.end as i32;
            bytes[used.field..used.field + 4].copy_from_slice(&distance.to_le_bytes());
        }
        Code {
            bytes,
            stubs: self.written,
            outside: self.outside,
            link_entry: self.link_entry,
            frame_bytes: self.frame_bytes,
            data: pool,
            marks: self.marks,
        }
    }
}

/// What does nothing, in 1 to 9 bytes, as both vendors recommend it.
const NOPS: [&[u8]; 9] = [
    &[0x90],
    &[0x66, 0x90],
    &[0x0f, 0x1f, 0x00],
    &[0x0f, 0x1f, 0x40, 0x00],
    &[0x0f, 0x1f, 0x44, 0x00, 0x00],
    &[0x66, 0x0f, 0x1f, 0x44, 0x00, 0x00],
    &[0x0f, 0x1f, 0x80, 0x00, 0x00, 0x00, 0x00],
    &[0x0f, 0x1f, 0x84, 0x00, 0x00, 0x00, 0x00, 0x00],
    &[0x66, 0x0f, 0x1f, 0x84, 0x00, 0x00, 0x00, 0x00, 0x00],
];
