//! Division: without its traps, and by constants without dividing.

use dynasmrt::{DynasmApi, DynasmLabelApi, dynasm};
use scaly_tracer::trace::Ref;

use super::Emitter;
use super::encode::*;
use super::magic::{self, Unsigned};

impl Emitter<'_> {
    /// Division traps for 0, which gives 0 here, and for the most negative number by -1, which wraps.
    pub fn divide_signed(&mut self, i: usize, remainder: bool, a: Ref, b: Ref) {
        let result = if remainder { RDX } else { RAX };
        match self.trace.word(b) {
            Some(0) => self.constant(result, 0),
            Some(1 | -1) if remainder => self.constant(result, 0),
            Some(divisor @ (1 | -1)) => {
                self.load_word(RAX, a);
                if divisor == -1 {
                    self.op(GROUP3, 3, Rm::Register(RAX));
                }
            }
            Some(divisor) if divisor.unsigned_abs().is_power_of_two() => {
                return self.divide_signed_power(i, remainder, a, divisor);
            }
            Some(divisor) => return self.divide_signed_constant(i, remainder, a, divisor),
            None => self.divide_checked(a, b, remainder),
        }
        self.word_done(i, result);
    }

    /// Rounds toward zero: what is negative is made larger by nearly the divisor first.
    fn divide_signed_power(&mut self, i: usize, remainder: bool, a: Ref, divisor: i64) {
        let power = divisor.unsigned_abs().trailing_zeros() as u8;
        self.load_word(RAX, a);
        dynasm!(self.ops; .arch x64; cqo);
        self.shift_by(5, RDX, 64 - power);
        dynasm!(self.ops; .arch x64; add rax, rdx);
        if remainder {
            let mask = (divisor.unsigned_abs() - 1) as i64;
            match i32::try_from(mask) {
                Ok(mask) => self.alu_imm(AND, Rm::Register(RAX), mask),
                Err(_) => {
                    self.constant(RCX, mask);
                    self.op(AND, RAX, Rm::Register(RCX));
                }
            }
            dynasm!(self.ops; .arch x64; sub rax, rdx);
        } else {
            self.shift_by(7, RAX, power);
            if divisor < 0 {
                self.op(GROUP3, 3, Rm::Register(RAX));
            }
        }
        self.word_done(i, RAX);
    }

    fn divide_signed_constant(&mut self, i: usize, remainder: bool, a: Ref, divisor: i64) {
        let by = magic::signed(divisor);
        let number = self.word_reg(a, RCX);
        self.constant(RAX, by.factor);
        self.op(GROUP3, 5, Rm::Register(number));
        match by.add {
            1 => self.op(ADD, RDX, Rm::Register(number)),
            -1 => self.op(SUB, RDX, Rm::Register(number)),
            _ => {}
        }
        self.shift_by(7, RDX, by.shift);
        if divisor > 0 {
            // The quotient is negative where the number is, which is known sooner.
            self.op(MOV, RAX, Rm::Register(number));
            dynasm!(self.ops; .arch x64; sar rax, BYTE 63; sub rdx, rax);
        } else {
            dynasm!(self.ops; .arch x64; mov rax, rdx; shr rax, BYTE 63; add rdx, rax);
        }
        self.quotient_done(i, remainder, number, divisor);
    }

    /// From the quotient in rdx to the result.
    fn quotient_done(&mut self, i: usize, remainder: bool, number: u8, divisor: i64) {
        if !remainder {
            return self.word_done(i, RDX);
        }
        match i32::try_from(divisor) {
            Ok(divisor) => self.op_imm32(IMUL_IMM, RDX, Rm::Register(RDX), divisor),
            Err(_) => {
                self.constant(RAX, divisor);
                self.op(IMUL, RDX, Rm::Register(RAX));
            }
        }
        let work = self.work(i, &[]);
        if work != number {
            self.op(MOV, work, Rm::Register(number));
        }
        self.op(SUB, work, Rm::Register(RDX));
        self.word_done(i, work);
    }

    fn divide_checked(&mut self, a: Ref, b: Ref, remainder: bool) {
        self.load_word(RCX, b);
        self.load_word(RAX, a);
        // 0 and -1 become 1 and 0.
        dynasm!(self.ops
            ; .arch x64
            ; lea rdx, [rcx + 1]
            ; cmp rdx, BYTE 1
            ; jbe >special
            ; cqo
            ; idiv rcx
            ; jmp >done
            ; special:
        );
        if remainder {
            dynasm!(self.ops; .arch x64; xor edx, edx);
        } else {
            // a * b: 0 for 0, -a for -1.
            dynasm!(self.ops; .arch x64; imul rax, rcx);
        }
        dynasm!(self.ops; .arch x64; done:);
    }

    pub fn divide_unsigned(&mut self, i: usize, remainder: bool, a: Ref, b: Ref) {
        let result = if remainder { RDX } else { RAX };
        match self.trace.word(b) {
            Some(0) => self.constant(result, 0),
            Some(divisor) if divisor & divisor.wrapping_sub(1) == 0 => {
                return self.divide_by_power(i, remainder, a, divisor);
            }
            Some(divisor) => match magic::unsigned(divisor as u64) {
                Some(by) => return self.divide_unsigned_constant(i, remainder, a, divisor, by),
                None => {
                    self.load_word(RAX, a);
                    self.constant(RCX, divisor);
                    dynasm!(self.ops; .arch x64; xor edx, edx; div rcx);
                }
            },
            None => {
                self.load_word(RCX, b);
                self.load_word(RAX, a);
                dynasm!(self.ops
                    ; .arch x64
                    ; xor edx, edx
                    ; test rcx, rcx
                    ; jz >zero
                    ; div rcx
                    ; jmp >done
                    ; zero:
                    ; xor eax, eax
                    ; done:
                );
            }
        }
        self.word_done(i, result);
    }

    fn divide_unsigned_constant(&mut self, i: usize, remainder: bool, a: Ref, divisor: i64, by: Unsigned) {
        let number = self.word_reg(a, RCX);
        match by {
            Unsigned::Shift { before: 0, factor, after } => {
                self.constant(RAX, factor as i64);
                self.op(GROUP3, 4, Rm::Register(number));
                self.shift_by(5, RDX, after);
            }
            Unsigned::Shift { before, factor, after } => {
                self.op(MOV, RAX, Rm::Register(number));
                self.shift_by(5, RAX, before);
                self.constant(RDX, factor as i64);
                self.op(GROUP3, 4, Rm::Register(RDX));
                self.shift_by(5, RDX, after);
            }
            Unsigned::Add { factor, after } => {
                self.constant(RAX, factor as i64);
                self.op(GROUP3, 4, Rm::Register(number));
                self.op(MOV, RAX, Rm::Register(number));
                dynasm!(self.ops; .arch x64; sub rax, rdx; shr rax, BYTE 1; add rdx, rax);
                self.shift_by(5, RDX, after);
            }
        }
        self.quotient_done(i, remainder, number, divisor);
    }

    fn divide_by_power(&mut self, i: usize, remainder: bool, a: Ref, divisor: i64) {
        let work = self.work(i, &[]);
        if !remainder {
            self.load_word(work, a);
            self.shift_by(5, work, divisor.trailing_zeros() as u8);
        } else {
            let mask = divisor.wrapping_sub(1);
            if i32::try_from(mask).is_err() {
                self.constant(RCX, mask);
            }
            self.load_word(work, a);
            match i32::try_from(mask) {
                Ok(mask) => self.alu_imm(AND, Rm::Register(work), mask),
                Err(_) => self.op(AND, work, Rm::Register(RCX)),
            }
        }
        self.word_done(i, work);
    }
}
