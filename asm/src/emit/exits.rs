//! Polls, guards, and where they leave.
//!
//! Each snapshot that is used has one stub behind the trace: a jump whose field can be patched in one store, to a side
//! trace, and what it falls through to without one. The ways out that a tree takes all the time, the ends of its loop,
//! write the frames themselves; all others go through one routine that reads a table.

use dynasmrt::{DynamicLabel, DynasmApi, DynasmLabelApi, dynasm};
use scaly_tracer::trace::{End, ExitKind, Inst, Snapshot, SnapshotId};

use super::encode::*;
use super::operands::context;
use super::{Emitter, Stub};
use crate::context as at;

/// `cmp` in group 1.
const CMP_NUMBER: u8 = 7;

/// Forced exits are taken after 1 to this many, a power of two.
const MOST_FORCED: i32 = 64;

impl Emitter<'_> {
    /// Where an instruction leaves.
    pub fn stub(&mut self, inst: &Inst) -> DynamicLabel {
        match inst.snapshot {
            Some(snapshot) => self.stub_of(snapshot),
            None => unreachable!("{:?} leaves and has no snapshot", inst.op),
        }
    }

    pub fn stub_of(&mut self, snapshot: SnapshotId) -> DynamicLabel {
        let ops = &mut self.ops;
        *self.stubs[snapshot.index()].get_or_insert_with(|| ops.new_dynamic_label())
    }

    pub fn guard(&mut self, i: usize, inst: &Inst, expected: bool) {
        let exit = self.stub(inst);
        if self.trace.repeats(inst) {
            self.force_at(exit);
        }
        let flags = self.flags(inst.a);
        let holds = if expected { flags } else { flags.negated() };
        if i + 1 == self.trace.insts.len() && matches!(self.trace.end, End::Loop(_)) && self.loop_label.is_some() {
            self.last_guard = Some((holds, exit));
        } else {
            self.jump_unless(holds, exit);
        }
    }

    pub fn poll(&mut self, inst: &Inst) {
        let exit = self.stub(inst);
        self.poll_at(exit);
    }

    /// Leaves through an exit where that is asked for.
    pub fn poll_at(&mut self, exit: DynamicLabel) {
        self.force_at(exit);
        self.op_imm8(GROUP1_IMM8.narrow(), CMP_NUMBER, context(at::POLL), 0);
        dynasm!(self.ops; .arch x64; jne =>exit);
    }

    /// Leaves through an exit now and then without a reason, if that is asked for.
    fn force_at(&mut self, exit: DynamicLabel) {
        if self.target.forced_exits {
            let from = self.ops.new_dynamic_label();
            self.op(GROUP5.narrow(), 1, context(at::COUNTDOWN));
            dynasm!(self.ops; .arch x64; jz =>from);
            self.cold.push(super::calls::Cold::Rearm { from, exit });
        }
    }

    /// Draws how many polls and guards go by until the next forced exit.
    pub fn rearm(&mut self, from: DynamicLabel, exit: DynamicLabel) {
        dynasm!(self.ops
            ; .arch x64
            ; =>from
            ; imul eax, [r15 + at::RANDOM], DWORD 1_664_525
            ; add eax, DWORD 1_013_904_223
            ; mov [r15 + at::RANDOM], eax
            ; shr eax, BYTE 16
            ; and eax, DWORD MOST_FORCED - 1
            ; add eax, BYTE 1
            ; mov [r15 + at::COUNTDOWN], eax
            ; jmp =>exit
        );
    }

    pub fn write_stubs(&mut self) {
        for index in 0..self.stubs.len() {
            if let Some(label) = self.stubs[index] {
                self.write_stub(SnapshotId(index as u32), label);
            }
        }
    }

    fn write_stub(&mut self, id: SnapshotId, label: DynamicLabel) {
        // Its field is behind one byte of opcode.
        while self.ops.offset().0 % 4 != 3 {
            self.ops.push(0xcc);
        }
        dynasm!(self.ops; .arch x64; =>label);
        let field = self.ops.offset().0 + 1;
        dynasm!(self.ops; .arch x64; jmp >default; default:);
        let default = self.ops.offset().0;
        self.written.push(Stub { snapshot: id, field, default });
        let snapshot = self.trace.snapshot(id);
        match snapshot.kind {
            ExitKind::Leave => self.leave(snapshot, id),
            ExitKind::PassOn(_) => self.pass_on(snapshot, id),
            ExitKind::Resume | ExitKind::Outcome => {
                self.constant(RAX, self.exit_number(id));
                self.jump_outside(self.target.common_exit);
            }
        }
    }

    pub fn exit_number(&self, id: SnapshotId) -> i64 {
        i64::from(self.first_exit + id.0)
    }

    /// Writes the frames and returns.
    pub fn leave(&mut self, snapshot: &Snapshot, id: SnapshotId) {
        self.write_frames(snapshot);
        self.op(STORE64, RBX, context(at::EXIT_ROOT));
        self.op_imm32(STORE32_IMM, 0, context(at::VIA), 0);
        let returned = self.returns.get(id.index()).map_or(self.exit_number(id), |exit| i64::from(exit.0));
        self.constant(RAX, returned);
        self.epilogue();
    }

    /// The frames are written, by the tree that left inside of this one.
    fn pass_on(&mut self, snapshot: &Snapshot, id: SnapshotId) {
        let ExitKind::PassOn(value) = snapshot.kind else { unreachable!() };
        self.load_word(RAX, value);
        self.op_imm8(GROUP1_IMM8.narrow(), CMP_NUMBER, context(at::VIA), 0);
        dynasm!(self.ops; .arch x64; jne >known);
        self.op_imm32(STORE32_IMM, 0, context(at::VIA), self.exit_number(id) as i32);
        dynasm!(self.ops; .arch x64; known:);
        self.epilogue();
    }

    pub fn count_loop(&mut self, number: u32) {
        let at = context(self.target.shared.count_offset(number));
        self.op(GROUP5, 0, at);
    }
}
