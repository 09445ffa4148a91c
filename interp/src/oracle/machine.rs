//! The machine that computes and notes.

use super::log::Log;
use crate::interpreter::{Native, int_bytes};
use crate::machine::{
    Fault, FloatCompare, FloatOp, FloatUnary, IntCompare, IntKind, IntMemory, IntOp, IntUnary, Machine,
};

pub(super) struct Noting<'a> {
    pub native: Native,
    pub log: &'a mut Log,
}

fn address(base: i64, offset: u32) -> u64 {
    base.wrapping_add(i64::from(offset)) as u64
}

/// What has no effect is the native machine's.
macro_rules! native {
    ($($name:ident($($arg:ident: $ty:ty),*) -> $result:ty;)*) => {
        $(fn $name(&mut self, $($arg: $ty),*) -> $result {
            self.native.$name($($arg),*)
        })*
    };
}

impl Machine for Noting<'_> {
    type Word = i64;
    type Float = f64;
    type Single = f32;
    type Cond = bool;

    fn word(&mut self, slot: u16) -> i64 {
        self.log.use_slot(slot);
        self.native.word(slot)
    }

    fn float(&mut self, slot: u16) -> f64 {
        self.log.use_slot(slot);
        self.native.float(slot)
    }

    fn single(&mut self, slot: u16) -> f32 {
        self.log.use_slot(slot);
        self.native.single(slot)
    }

    fn set_word(&mut self, slot: u16, value: i64) {
        self.log.set_slot(slot);
        self.native.set_word(slot, value);
    }

    fn set_float(&mut self, slot: u16, value: f64) {
        self.log.set_slot(slot);
        self.native.set_float(slot, value);
    }

    fn set_single(&mut self, slot: u16, value: f32) {
        self.log.set_slot(slot);
        self.native.set_single(slot, value);
    }

    fn move_slots(&mut self, to: u16, from: u16, count: u32) {
        let base = self.log.base;
        self.log.move_slots(base + to as usize, base + from as usize, count as usize);
        self.native.move_slots(to, from, count);
    }

    fn load_int(&mut self, kind: IntMemory, base: i64, offset: u32) -> i64 {
        self.log.load(address(base, offset), u64::from(int_bytes(kind)));
        self.native.load_int(kind, base, offset)
    }

    fn load_float(&mut self, base: i64, offset: u32) -> f64 {
        self.log.load(address(base, offset), 8);
        self.native.load_float(base, offset)
    }

    fn load_single(&mut self, base: i64, offset: u32) -> f32 {
        self.log.load(address(base, offset), 4);
        self.native.load_single(base, offset)
    }

    fn store_int(&mut self, kind: IntMemory, base: i64, offset: u32, value: i64) {
        self.log.store(address(base, offset), u64::from(int_bytes(kind)));
        self.native.store_int(kind, base, offset, value);
    }

    fn store_float(&mut self, base: i64, offset: u32, value: f64) {
        self.log.store(address(base, offset), 8);
        self.native.store_float(base, offset, value);
    }

    fn store_single(&mut self, base: i64, offset: u32, value: f32) {
        self.log.store(address(base, offset), 4);
        self.native.store_single(base, offset, value);
    }

    native! {
        const_word(value: i64) -> i64;
        const_float(bits: u64) -> f64;
        const_single(bits: u32) -> f32;
        text(id: u32) -> (i64, i64);
        global(offset: u32) -> i64;
        int(op: IntOp, a: i64, b: i64) -> i64;
        int_unary(op: IntUnary, a: i64) -> i64;
        compare(op: IntCompare, a: i64, b: i64) -> bool;
        float_op(op: FloatOp, a: f64, b: f64) -> f64;
        float_unary(op: FloatUnary, a: f64) -> f64;
        float_compare(op: FloatCompare, a: f64, b: f64) -> bool;
        single_op(op: FloatOp, a: f32, b: f32) -> f32;
        single_unary(op: FloatUnary, a: f32) -> f32;
        single_compare(op: FloatCompare, a: f32, b: f32) -> bool;
        cond_word(cond: bool) -> i64;
        not(cond: bool) -> bool;
        int_to_float(signed: bool, a: i64) -> f64;
        int_to_single(signed: bool, a: i64) -> f32;
        single_to_float(a: f32) -> f64;
        float_to_single(a: f64) -> f32;
        float_to_int(kind: IntKind, a: f64) -> i64;
        float_bits(a: f64) -> i64;
        single_bits(a: f32) -> i64;
        bits_float(a: i64) -> f64;
        bits_single(a: i64) -> f32;
        element(base: i64, index: i64, stride: u32, offset: u32) -> i64;
        capacity(base: i64) -> i64;
        check(cond: bool, fault: Fault) -> bool;
        decide(cond: bool) -> bool;
    }
}
