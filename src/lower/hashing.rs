//! Hashes of keys: `hash_word` and `hash_pair` of the library, written out.

use scaly_interp::bytecode::Opcode;
use scaly_interp::routine::Routine;

use super::body::Body;
use super::code::Code;
use super::copying::generated;
use super::frame::Slot;
use super::regions::Want;
use super::{Heading, Key, Lowering};
use crate::check::hir::{Expr, Type, TypeId};

/// The factors of splitmix64's finalizer, as in `hash.scaly`.
const MIX_1: i64 = 0xBF58_476D_1CE4_E5B9_u64 as i64;
const MIX_2: i64 = 0x94D0_49BB_1331_11EB_u64 as i64;
const PAIR: i64 = 0x9E37_79B9_7F4A_7C15_u64 as i64;

impl<'h> Body<'_, 'h> {
    pub fn hash(&mut self, e: &'h Expr) -> Slot {
        let slot = self.any(e, Want::Borrow);
        self.hash_slots(e.ty, slot)
    }

    fn hash_slots(&mut self, ty: TypeId, slot: Slot) -> Slot {
        match self.types().get(ty) {
            Type::Bool | Type::Char | Type::Int(_) => {
                let to = self.code.frame.take(1);
                self.hash_word(slot, to);
                to
            }
            Type::String => {
                let base = self.code.frame.take(2);
                self.code.copy(base, slot, 2);
                self.code.runtime(base, Routine::StringHash);
                base
            }
            Type::Struct(_) | Type::Union(_) => {
                let slots = self.slots(ty);
                let base = self.call_frame(slots.max(1));
                self.code.copy(base, slot, slots);
                let function = self.m.function(Key::Hash(ty));
                self.code.call(base, function);
                base
            }
            _ => {
                let span = self.code.span;
                let name = self.types().name(ty);
                self.m.internal(span, format!("a hash of `{name}`"));
                slot
            }
        }
    }

    /// `hash_word` of the library.
    fn hash_word(&mut self, from: Slot, to: Slot) {
        let mark = self.code.frame.mark();
        let shifted = self.code.frame.take(1);
        let mut value = from;
        for (shift, factor) in [(30, Some(MIX_1)), (27, Some(MIX_2)), (31, None)] {
            self.code.imm(Opcode::ShrUImm, shifted, value, shift);
            self.code.op(Opcode::Xor, to, value, shifted);
            if let Some(factor) = factor {
                self.code.imm(Opcode::MulImm, to, to, factor);
            }
            value = to;
        }
        self.code.frame.reset(mark);
    }
}

/// (value) -> (hash) of a struct or union: its fields from left to right, starting with the tag or 0.
pub(super) fn hash_function(m: &mut Lowering<'_>, ty: TypeId) -> (Heading, Code) {
    let slots = m.layout(ty).slots;
    let name = format!("hash of {}", m.hir.types.name(ty));
    generated(m, name, slots, 1, |body| {
        let layout = body.layout(ty);
        let hash = body.code.frame.take(1);
        let pair = |body: &mut Body<'_, '_>, ty: TypeId, slot: Slot| {
            let mark = body.code.frame.mark();
            let part = body.hash_slots(ty, slot);
            body.code.imm(Opcode::MulImm, hash, hash, PAIR);
            body.code.op(Opcode::Add, hash, hash, part);
            body.hash_word(hash, hash);
            body.code.frame.reset(mark);
        };
        if matches!(body.types().get(ty), Type::Union(_)) {
            body.code.copy(hash, Slot(0), 1);
            let end = body.code.label();
            for (i, fields) in layout.variants.iter().enumerate() {
                if fields.is_empty() {
                    continue;
                }
                let next = body.code.label();
                body.code.branch(Opcode::JNeImm, Slot(0), Slot(0), next, i as u32);
                for field in fields.iter() {
                    let mark = body.code.frame.mark();
                    let slot = body.payload(Slot(0), field);
                    pair(body, field.ty, slot);
                    body.code.frame.reset(mark);
                }
                body.code.jump(end);
                body.code.place(next);
            }
            body.code.place(end);
        } else {
            body.code.constant(hash, 0);
            for field in &layout.fields {
                pair(body, field.ty, Slot(0).plus(field.slot));
            }
        }
        body.code.give_back(hash, 1);
    })
}
