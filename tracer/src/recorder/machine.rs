//! The recorder as a machine: real values, and beside each the instruction of the trace that computes it.

use scaly_interp::bytecode::Opcode;
use scaly_interp::machine::{
    Fault, FloatCompare, FloatOp, FloatUnary, IntCompare, IntKind, IntMemory, IntOp, IntUnary, Machine,
};
use scaly_interp::program::Pc;

use super::{Recorder, Recording};
use crate::region::{Op as Common, Type};
use crate::trace::{Const, ExitKind, Op, Ref, Slot};

impl Recording {
    pub(super) fn emit(&mut self, op: Common, a: Ref, b: Ref) -> Ref {
        self.builder.emit(Op::Common(op), a, b, self.pc)
    }

    fn slot(&self, slot: u16) -> Slot {
        self.frames.base() + Slot::from(slot)
    }

    fn read(&mut self, slot: u16, ty: Type) -> Ref {
        let slot = self.slot(slot);
        self.frames.read(&mut self.builder, slot, ty, self.pc)
    }

    /// Leaves unless the condition is `expected`; the interpreter goes on at `pc` then.
    pub(super) fn guard(&mut self, cond: Ref, expected: bool, pc: Pc) {
        if self.builder.trace.constant(cond) == Some(Const::Cond(expected)) {
            return;
        }
        if self.invariant(cond) {
            // The same all through the loop: what it takes at the entry decides which of the loop's traces runs.
            let entry = self.entry_snapshot();
            return self.builder.guard(cond, expected, self.pc, |_| entry);
        }
        self.force_exit(cond, expected);
        let kind = if self.leaves_loop(pc) { ExitKind::Leave } else { ExitKind::Resume };
        let (frames, facts, at) = (&mut self.frames, &self.facts, self.pc);
        self.builder.guard(cond, expected, at, |b| {
            let snapshot = frames.snapshot(b, facts, kind, pc);
            b.snapshot(snapshot)
        });
    }

    /// A divisor that does not change in the loop, as the constant that it is, if a guard at the entry can make it one: to
    /// divide by a constant takes a multiplication, or less. What is divided must change, or the loop does not divide.
    fn fixed(&mut self, (value, divisor): (i64, Ref), dividend: Ref) -> Ref {
        if !self.task.fix || divisor.is_constant() || !self.invariant(divisor) || self.invariant(dividend) {
            return divisor;
        }
        let constant = self.builder.constant(Const::Word(value));
        let same = self.emit(Common::Compare(IntCompare::Eq), divisor, constant);
        let entry = self.entry_snapshot();
        self.builder.guard(same, true, self.pc, |_| entry);
        self.builder.fixes = true;
        constant
    }

    /// In front of an instruction's first guard, if it is drawn, an exit without a reason.
    fn force_exit(&mut self, cond: Ref, expected: bool) {
        if self.builder.known(cond) == Some(expected) || !std::mem::take(&mut self.may_force) || !self.forced.draw() {
            return;
        }
        let here = self.state_here(ExitKind::Resume);
        self.builder.emit_with(Op::Poll, Ref::NONE, Ref::NONE, self.pc, here);
    }

    /// Where the interpreter goes on if a branch goes the other way than the one taken: behind the branch where it has
    /// no effects there, else at it.
    fn other_side(&self, taken: bool) -> Pc {
        let (next, target) = (Pc(self.pc.0 + 1), Pc(self.ins.x));
        match (self.ins.op, taken) {
            (Opcode::ForLoop, true) => next,
            (Opcode::ForLoop, false) => self.pc,
            (Opcode::ForPrepS | Opcode::ForPrepU | Opcode::ForPrepInclS | Opcode::ForPrepInclU, true) => self.pc,
            (_, true) => next,
            (_, false) => target,
        }
    }
}

macro_rules! computes {
    ($($name:ident($($extra:ident: $et:ty,)* ; $($arg:ident: $ty:ty),*) -> $result:ty = $op:expr;)*) => {
        $(fn $name(&mut self, $($extra: $et,)* $($arg: $ty),*) -> $result {
            let value = self.native.$name($($extra,)* $($arg.0),*);
            let refs = [$($arg.1),*];
            let r = self.on.emit($op, refs[0], refs.get(1).copied().unwrap_or(Ref::NONE));
            (value, r)
        })*
    };
}

impl Machine for Recorder<'_> {
    type Word = (i64, Ref);
    type Float = (f64, Ref);
    type Single = (f32, Ref);
    type Cond = (bool, Ref);

    fn word(&mut self, slot: u16) -> (i64, Ref) {
        (self.native.word(slot), self.on.read(slot, Type::Word))
    }

    fn float(&mut self, slot: u16) -> (f64, Ref) {
        (self.native.float(slot), self.on.read(slot, Type::Float))
    }

    fn single(&mut self, slot: u16) -> (f32, Ref) {
        (self.native.single(slot), self.on.read(slot, Type::Single))
    }

    fn set_word(&mut self, slot: u16, value: (i64, Ref)) {
        self.native.set_word(slot, value.0);
        let slot = self.on.slot(slot);
        self.on.frames.write(slot, value.1);
    }

    fn set_float(&mut self, slot: u16, value: (f64, Ref)) {
        self.native.set_float(slot, value.0);
        let slot = self.on.slot(slot);
        self.on.frames.write(slot, value.1);
    }

    fn set_single(&mut self, slot: u16, value: (f32, Ref)) {
        self.native.set_single(slot, value.0);
        let slot = self.on.slot(slot);
        self.on.frames.write(slot, value.1);
    }

    fn move_slots(&mut self, to: u16, from: u16, count: u32) {
        self.native.move_slots(to, from, count);
        let (to, from, pc) = (self.on.slot(to), self.on.slot(from), self.on.pc);
        self.on.frames.copy(&mut self.on.builder, to, from, count, pc);
    }

    fn const_word(&mut self, value: i64) -> (i64, Ref) {
        (value, self.on.builder.constant(Const::Word(value)))
    }

    fn const_float(&mut self, bits: u64) -> (f64, Ref) {
        (f64::from_bits(bits), self.on.builder.constant(Const::Float(bits)))
    }

    fn const_single(&mut self, bits: u32) -> (f32, Ref) {
        (f32::from_bits(bits), self.on.builder.constant(Const::Single(bits)))
    }

    fn text(&mut self, id: u32) -> ((i64, Ref), (i64, Ref)) {
        let (address, length) = self.native.text(id);
        (self.const_word(address), self.const_word(length))
    }

    fn global(&mut self, offset: u32) -> (i64, Ref) {
        let address = self.native.global(offset);
        self.const_word(address)
    }

    fn int(&mut self, op: IntOp, a: (i64, Ref), b: (i64, Ref)) -> (i64, Ref) {
        let value = self.native.int(op, a.0, b.0);
        let divides = matches!(op, IntOp::DivS | IntOp::DivU | IntOp::RemS | IntOp::RemU);
        let divisor = if divides { self.on.fixed(b, a.1) } else { b.1 };
        (value, self.on.emit(Common::Int(op), a.1, divisor))
    }

    computes! {
        int_unary(op: IntUnary,; a: (i64, Ref)) -> (i64, Ref) = Common::IntUnary(op);
        compare(op: IntCompare,; a: (i64, Ref), b: (i64, Ref)) -> (bool, Ref) = Common::Compare(op);
        float_op(op: FloatOp,; a: (f64, Ref), b: (f64, Ref)) -> (f64, Ref) = Common::Float(op);
        float_unary(op: FloatUnary,; a: (f64, Ref)) -> (f64, Ref) = Common::FloatUnary(op);
        float_compare(op: FloatCompare,; a: (f64, Ref), b: (f64, Ref)) -> (bool, Ref) = Common::FloatCompare(op);
        single_op(op: FloatOp,; a: (f32, Ref), b: (f32, Ref)) -> (f32, Ref) = Common::Single(op);
        single_unary(op: FloatUnary,; a: (f32, Ref)) -> (f32, Ref) = Common::SingleUnary(op);
        single_compare(op: FloatCompare,; a: (f32, Ref), b: (f32, Ref)) -> (bool, Ref) = Common::SingleCompare(op);
        cond_word(; cond: (bool, Ref)) -> (i64, Ref) = Common::CondWord;
        not(; cond: (bool, Ref)) -> (bool, Ref) = Common::Not;
        int_to_float(signed: bool,; a: (i64, Ref)) -> (f64, Ref) = Common::IntToFloat(signed);
        int_to_single(signed: bool,; a: (i64, Ref)) -> (f32, Ref) = Common::IntToSingle(signed);
        single_to_float(; a: (f32, Ref)) -> (f64, Ref) = Common::SingleToFloat;
        float_to_single(; a: (f64, Ref)) -> (f32, Ref) = Common::FloatToSingle;
        float_to_int(kind: IntKind,; a: (f64, Ref)) -> (i64, Ref) = Common::FloatToInt(kind);
        float_bits(; a: (f64, Ref)) -> (i64, Ref) = Common::FloatBits;
        single_bits(; a: (f32, Ref)) -> (i64, Ref) = Common::SingleBits;
        bits_float(; a: (i64, Ref)) -> (f64, Ref) = Common::BitsFloat;
        bits_single(; a: (i64, Ref)) -> (f32, Ref) = Common::BitsSingle;
        capacity(; base: (i64, Ref)) -> (i64, Ref) = Common::Capacity;
    }

    fn element(&mut self, base: (i64, Ref), index: (i64, Ref), stride: u32, offset: u32) -> (i64, Ref) {
        let value = self.native.element(base.0, index.0, stride, offset);
        (value, self.on.emit(Common::Element { stride, offset }, base.1, index.1))
    }

    fn load_int(&mut self, kind: IntMemory, address: (i64, Ref), offset: u32) -> (i64, Ref) {
        let value = self.native.load_int(kind, address.0, offset);
        (value, self.on.emit(Common::LoadInt(kind, offset), address.1, Ref::NONE))
    }

    fn load_float(&mut self, address: (i64, Ref), offset: u32) -> (f64, Ref) {
        let value = self.native.load_float(address.0, offset);
        (value, self.on.emit(Common::LoadFloat(offset), address.1, Ref::NONE))
    }

    fn load_single(&mut self, address: (i64, Ref), offset: u32) -> (f32, Ref) {
        let value = self.native.load_single(address.0, offset);
        (value, self.on.emit(Common::LoadSingle(offset), address.1, Ref::NONE))
    }

    fn store_int(&mut self, kind: IntMemory, address: (i64, Ref), offset: u32, value: (i64, Ref)) {
        self.native.store_int(kind, address.0, offset, value.0);
        self.on.emit(Common::StoreInt(kind, offset), address.1, value.1);
    }

    fn store_float(&mut self, address: (i64, Ref), offset: u32, value: (f64, Ref)) {
        self.native.store_float(address.0, offset, value.0);
        self.on.emit(Common::StoreFloat(offset), address.1, value.1);
    }

    fn store_single(&mut self, address: (i64, Ref), offset: u32, value: (f32, Ref)) {
        self.native.store_single(address.0, offset, value.0);
        self.on.emit(Common::StoreSingle(offset), address.1, value.1);
    }

    fn check(&mut self, cond: (bool, Ref), _: Fault) -> bool {
        if cond.0 {
            // The interpreter checks again, and reports.
            self.on.guard(cond.1, true, self.on.pc);
        }
        cond.0
    }

    fn decide(&mut self, cond: (bool, Ref)) -> bool {
        let other = self.on.other_side(cond.0);
        self.on.guard(cond.1, cond.0, other);
        cond.0
    }
}
