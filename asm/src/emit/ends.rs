//! How a trace begins and ends, and moves that happen at once.

use dynasmrt::{DynamicLabel, DynasmApi, DynasmLabelApi, dynasm};
use scaly_tracer::region::Type;
use scaly_tracer::trace::{Const, End, Op, Ref, Root, Slot, Snapshot};

use super::Emitter;
use super::encode::*;
use super::operands::{place, slot, spill};
use crate::allocate::moves::{From, Step, order};
use crate::allocate::{Home, Source};
use crate::exits::{constant_bits, headers};

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
            match self.homes[i] {
                None | Some(Home::Slot(_)) => {}
                Some(home) => moves.push((home, self.inherited[index as usize].at)),
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
        self.outside(0xe9, target);
    }

    pub fn call_outside(&mut self, target: usize) {
        self.outside(0xe8, target);
    }

    fn outside(&mut self, opcode: u8, target: usize) {
        self.ops.push(opcode);
        self.outside.push((self.ops.offset().0, target));
        self.ops.push_i32(0);
    }

    fn parallel(&mut self, steps: Vec<Step>) {
        let mut aside = Home::General(RAX);
        for step in steps {
            match step {
                Step::SetAside(home) => {
                    aside = if matches!(home, Home::Vector(_)) { Home::Vector(XMM15) } else { Home::General(RAX) };
                    self.move_home(aside, home);
                }
                Step::Move { to, from: From::Aside } => self.move_home(to, aside),
                Step::Move { to, from: From::Source(Source::Home(from)) } => self.move_home(to, from),
                Step::Move { to, from: From::Source(Source::Constant(constant)) } => self.move_constant(to, constant),
            }
        }
    }

    fn move_home(&mut self, to: Home, from: Home) {
        match (to, from) {
            (Home::General(to), _) => self.load_home(to, from),
            (Home::Vector(to), Home::Vector(from)) => self.op(MOVAPS, to, Rm::Register(from)),
            (Home::Vector(to), Home::General(from)) => self.op(MOVQ_TO, to, Rm::Register(from)),
            (Home::Vector(to), _) => match place(from) {
                Some(memory) => self.op(MOVSD_LOAD, to, memory),
                None => unreachable!("an address is no float"),
            },
            (Home::Spill(to), Home::General(from)) => self.op(STORE64, from, spill(to)),
            (Home::Spill(to), Home::Vector(from)) => self.op(MOVSD_STORE, from, spill(to)),
            (Home::Spill(to), _) => {
                self.load_home(RCX, from);
                self.op(STORE64, RCX, spill(to));
            }
            (Home::Slot(_) | Home::SlotAddress(_) | Home::StackLimit, _) => unreachable!("{to:?} is there already"),
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
            Home::Spill(number) => self.store_bits(spill(number), bits),
            Home::Slot(_) | Home::SlotAddress(_) | Home::StackLimit => unreachable!("{to:?} is there already"),
        }
    }

    /// Slots and the headers of inlined frames, as a snapshot has them.
    pub fn write_frames(&mut self, snapshot: &Snapshot) {
        let in_slot = |&(_, value): &(Slot, Ref)| matches!(self.home(value), Some(Home::Slot(_)));
        if snapshot.slots.iter().any(in_slot) {
            self.exchange_slots(&snapshot.slots);
        } else {
            for &(to, value) in &snapshot.slots {
                self.store_slot(to, value);
            }
        }
        for (frame, caller, back) in headers(snapshot) {
            self.store_home(frame - 2, Home::SlotAddress(caller), None);
            self.op_imm32(MOV_IMM, 0, slot(frame - 1), back as i32);
        }
    }

    /// Writes slots with values of which some are in slots.
    fn exchange_slots(&mut self, slots: &[(Slot, Ref)]) {
        let moves = slots.iter().map(|&(to, value)| {
            let from = match self.trace.constant(value) {
                Some(constant) => Source::Constant(constant),
                None => Source::Home(self.home_of(value)),
            };
            (Home::Slot(to), from)
        });
        for step in order(moves.collect::<Vec<_>>()) {
            match step {
                Step::SetAside(home) => self.load_home(RAX, home),
                Step::Move { to: Home::Slot(to), from } => {
                    let ty = slots.iter().find(|&&(slot, _)| slot == to).and_then(|&(_, value)| self.trace.ty(value));
                    match from {
                        From::Source(Source::Constant(constant)) => self.store_bits(slot(to), constant_bits(constant)),
                        From::Source(Source::Home(from)) => self.store_home(to, from, ty),
                        From::Aside => {
                            if ty == Some(Type::Single) {
                                self.op(MOV32, RAX, Rm::Register(RAX));
                            }
                            self.op(STORE64, RAX, slot(to));
                        }
                    }
                }
                Step::Move { to, .. } => unreachable!("{to:?} is no slot"),
            }
        }
    }
}
