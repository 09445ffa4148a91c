//! How a trace begins and ends, and moves that happen at once.

use dynasmrt::{DynamicLabel, DynasmApi, DynasmLabelApi, dynasm};
use scaly_tracer::region::Type;
use scaly_tracer::trace::{Const, End, Op, Root};

use super::Emitter;
use super::encode::*;
use super::operands::{place, spill};
use crate::allocate::moves::{From, Step, order};
use crate::allocate::{Home, Source};
use crate::exits::constant_bits;

impl Emitter<'_> {
    /// Bytes below rbp.
    fn lower_stack(&mut self, bytes: u32) {
        if bytes != 0 {
            self.op(LEA, RSP, Rm::Memory(Address::of(RBP, -(bytes as i32))));
        }
    }

    pub fn begin(&mut self) {
        let entry = self.own_entry;
        match self.trace.root {
            Root::Loop(_) | Root::Function(_) => {
                dynasm!(self.ops; .arch x64; push rbp; mov rbp, rsp; =>entry);
                self.link_entry = self.ops.offset().0;
                self.lower_stack(self.frame_bytes);
            }
            Root::Side(_) => {
                // Another specialization of a loop begins here, and inherits nothing.
                dynasm!(self.ops; .arch x64; =>entry);
                if self.frame_bytes > self.parent_frame_bytes {
                    self.lower_stack(self.frame_bytes);
                }
                self.inherit();
            }
        }
    }

    fn inherit(&mut self) {
        let mut moves = Vec::new();
        for (i, inst) in self.trace.insts.iter().enumerate() {
            let Op::Inherit { index, .. } = inst.op else { continue };
            if let Some(home) = self.homes[i] {
                moves.push((home, self.inherited[index as usize].at));
            }
        }
        self.parallel(order(moves));
    }

    pub fn end(&mut self) {
        match self.trace.end {
            End::Loop(snapshot) => match self.loop_label {
                Some(label) => self.back_edge(label),
                None => {
                    self.write_frames(self.trace.snapshot(snapshot));
                    let entry = self.own_entry;
                    dynasm!(self.ops; .arch x64; jmp =>entry);
                }
            },
            End::Link(_, snapshot) => {
                self.write_frames(self.trace.snapshot(snapshot));
                self.jump_outside(self.link_target);
            }
            End::Leave(snapshot) => self.leave(self.trace.snapshot(snapshot), snapshot),
            End::Return => {
                dynasm!(self.ops; .arch x64; xor eax, eax);
                self.epilogue();
            }
        }
    }

    /// Where the last thing in the loop is a guard and nothing moves, the guard's jump is the back edge.
    fn back_edge(&mut self, label: DynamicLabel) {
        let moves = order(self.phi_moves());
        match self.last_guard.take() {
            Some((flags, exit)) if moves.is_empty() => {
                self.jump_if(flags, label);
                dynasm!(self.ops; .arch x64; jmp =>exit);
            }
            guard => {
                if let Some((flags, exit)) = guard {
                    self.jump_unless(flags, exit);
                }
                self.parallel(moves);
                dynasm!(self.ops; .arch x64; jmp =>label);
            }
        }
    }

    fn phi_moves(&self) -> Vec<(Home, Source)> {
        let mut moves = Vec::new();
        for phi in &self.trace.phis {
            let Some(left) = self.home(phi.left) else { continue };
            let right = match self.trace.constant(phi.right) {
                Some(constant) => Source::Constant(constant),
                None => match self.home(phi.right) {
                    Some(home) => Source::Home(home),
                    None => unreachable!("{} is read at the back edge and has no home", phi.right),
                },
            };
            moves.push((left, right));
        }
        moves
    }

    pub fn epilogue(&mut self) {
        dynasm!(self.ops; .arch x64; mov rsp, rbp; pop rbp; ret);
    }

    /// Jumps to code of another block.
    pub fn jump_outside(&mut self, target: usize) {
        self.ops.push(0xe9);
        self.outside.push((self.ops.offset().0, target));
        self.ops.push_i32(0);
    }

    fn parallel(&mut self, steps: Vec<Step>) {
        let mut aside = RAX;
        let mut aside_vector = false;
        for step in steps {
            match step {
                Step::SetAside(Home::Vector(register)) => {
                    (aside, aside_vector) = (XMM15, true);
                    self.op(MOVAPS, XMM15, Rm::Register(register));
                }
                Step::SetAside(home) => {
                    (aside, aside_vector) = (RAX, false);
                    self.op(MOV, RAX, place(home));
                }
                Step::Move { to, from: From::Aside } if aside_vector => self.move_home(to, Home::Vector(aside)),
                Step::Move { to, from: From::Aside } => self.move_home(to, Home::General(aside)),
                Step::Move { to, from: From::Source(Source::Home(from)) } => self.move_home(to, from),
                Step::Move { to, from: From::Source(Source::Constant(constant)) } => self.move_constant(to, constant),
            }
        }
    }

    fn move_home(&mut self, to: Home, from: Home) {
        match (to, from) {
            (Home::General(to), Home::General(_) | Home::Spill(_)) => self.op(MOV, to, place(from)),
            (Home::General(to), Home::Vector(from)) => self.op(MOVQ_FROM, from, Rm::Register(to)),
            (Home::Vector(to), Home::General(from)) => self.op(MOVQ_TO, to, Rm::Register(from)),
            (Home::Vector(to), Home::Vector(_)) => self.op(MOVAPS, to, place(from)),
            (Home::Vector(to), Home::Spill(_)) => self.op(MOVSD_LOAD, to, place(from)),
            (Home::Spill(to), Home::General(from)) => self.op(STORE64, from, spill(to)),
            (Home::Spill(to), Home::Vector(from)) => self.op(MOVSD_STORE, from, spill(to)),
            (Home::Spill(to), Home::Spill(_)) => {
                self.op(MOV, RCX, place(from));
                self.op(STORE64, RCX, spill(to));
            }
        }
    }

    fn move_constant(&mut self, to: Home, constant: Const) {
        let bits = constant_bits(constant);
        match to {
            Home::General(register) => self.constant(register, bits as i64),
            Home::Vector(register) if bits == 0 => self.op(XORPS, register, Rm::Register(register)),
            Home::Vector(register) => {
                let pooled = self.pooled(bits);
                self.op(if constant.ty() == Type::Single { MOVSS_LOAD } else { MOVSD_LOAD }, register, pooled);
            }
            Home::Spill(number) => match i32::try_from(bits as i64) {
                Ok(short) => self.op_imm32(MOV_IMM, 0, spill(number), short),
                Err(_) => {
                    self.constant(RCX, bits as i64);
                    self.op(STORE64, RCX, spill(number));
                }
            },
        }
    }
}
