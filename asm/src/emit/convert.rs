//! Between integers, doubles, singles and their bits.

use dynasmrt::{DynasmApi, DynasmLabelApi, dynasm};
use scaly_interp::interpreter::{NAN_F32, NAN_F64};
use scaly_interp::machine::IntKind;
use scaly_tracer::region::Type;
use scaly_tracer::trace::Ref;

use super::Emitter;
use super::encode::*;

/// 2 to the 63rd.
const TWO_63: u64 = 0x43e0_0000_0000_0000;

impl Emitter<'_> {
    pub fn int_to_float(&mut self, i: usize, signed: bool, single: bool, a: Ref) {
        let form = if single { CVTSI2SS } else { CVTSI2SD };
        let work = self.float_work(i, &[]);
        if signed {
            let from = self.word_rm(a, RAX);
            // Else it waits for what the register held.
            self.op(XORPS, work, Rm::Register(work));
            self.op(form, work, from);
            return self.float_done(i, work);
        }
        self.load_word(RAX, a);
        self.op(XORPS, work, Rm::Register(work));
        dynasm!(self.ops; .arch x64; test rax, rax; js >large);
        self.op(form, work, Rm::Register(RAX));
        dynasm!(self.ops
            ; .arch x64
            ; jmp >done
            ; large:
            // Half of it, with the bit that is lost kept as a sticky one for rounding, then twice that.
            ; mov ecx, eax
            ; and ecx, BYTE 1
            ; shr rax, BYTE 1
            ; or rax, rcx
        );
        self.op(form, work, Rm::Register(RAX));
        self.op(if single { ADDF.single() } else { ADDF }, work, Rm::Register(work));
        dynasm!(self.ops; .arch x64; done:);
        self.float_done(i, work);
    }

    pub fn convert_float(&mut self, i: usize, form: Form, a: Ref) {
        let work = self.float_work(i, &[]);
        self.load_float(work, a);
        self.op(form, work, Rm::Register(work));
        self.float_done(i, work);
    }

    /// Truncates, saturates; 0 for NaN.
    pub fn float_to_int(&mut self, i: usize, kind: IntKind, a: Ref) {
        let from = self.float_reg(a, XMM15);
        match kind {
            IntKind::U64 => self.float_to_u64(from),
            _ => {
                self.float_to_i64(from);
                self.clamp(kind);
            }
        }
        self.word_done(i, RAX);
    }

    /// In rax. What does not fit comes out as the most negative number.
    fn float_to_i64(&mut self, from: u8) {
        self.op(CVTTSD2SI, RAX, Rm::Register(from));
        dynasm!(self.ops
            ; .arch x64
            ; cmp rax, BYTE 1
            ; jno >done
            ; xorps xmm14, xmm14
        );
        self.op(UCOMISD, from, Rm::Register(XMM14));
        dynasm!(self.ops
            ; .arch x64
            ; jp >nan
            ; jb >done
            ; mov rax, QWORD i64::MAX
            ; jmp >done
            ; nan:
            ; xor eax, eax
            ; done:
        );
    }

    fn clamp(&mut self, kind: IntKind) {
        let (low, high) = match kind {
            IntKind::I8 => (i64::from(i8::MIN), i64::from(i8::MAX)),
            IntKind::I16 => (i64::from(i16::MIN), i64::from(i16::MAX)),
            IntKind::I32 => (i64::from(i32::MIN), i64::from(i32::MAX)),
            IntKind::U8 => (0, i64::from(u8::MAX)),
            IntKind::U16 => (0, i64::from(u16::MAX)),
            IntKind::U32 => (0, i64::from(u32::MAX)),
            IntKind::I64 | IntKind::U64 => return,
        };
        for (bound, code) in [(low, Code::Less), (high, Code::Greater)] {
            self.constant(RCX, bound);
            self.op(CMP, RAX, Rm::Register(RCX));
            self.op(CMOV.plus(code as u8), RAX, Rm::Register(RCX));
        }
    }

    fn float_to_u64(&mut self, from: u8) {
        let two_63 = self.pooled(TWO_63);
        self.op(UCOMISD, from, two_63);
        dynasm!(self.ops; .arch x64; jae >large);
        self.op(CVTTSD2SI, RAX, Rm::Register(from));
        dynasm!(self.ops
            ; .arch x64
            // Negative, or NaN.
            ; xor ecx, ecx
            ; test rax, rax
            ; cmovs rax, rcx
            ; jmp >done
            ; large:
        );
        self.op(MOVAPS, XMM14, Rm::Register(from));
        self.op(SUBF, XMM14, two_63);
        dynasm!(self.ops
            ; .arch x64
            ; cvttsd2si rax, xmm14
            ; mov rcx, rax
            // All ones if that did not fit either.
            ; sar rcx, BYTE 63
            ; btc rax, BYTE 63
            ; or rax, rcx
            ; done:
        );
    }

    /// A NaN has one pattern where a program sees it.
    pub fn float_bits(&mut self, i: usize, a: Ref) {
        let from = self.float_reg(a, XMM15);
        self.op(MOVQ_FROM, from, Rm::Register(RAX));
        self.constant(RCX, NAN_F64 as i64);
        self.op(UCOMISD, from, Rm::Register(from));
        self.op(CMOV.plus(Code::Parity as u8), RAX, Rm::Register(RCX));
        self.word_done(i, RAX);
    }

    pub fn single_bits(&mut self, i: usize, a: Ref) {
        let from = self.float_reg(a, XMM15);
        self.op(MOVD_FROM, from, Rm::Register(RAX));
        self.constant(RCX, i64::from(NAN_F32));
        self.op(UCOMISS, from, Rm::Register(from));
        self.op(CMOV.plus(Code::Parity as u8), RAX, Rm::Register(RCX));
        self.word_done(i, RAX);
    }

    pub fn bits_float(&mut self, i: usize, a: Ref, single: bool) {
        let work = self.float_work(i, &[]);
        let from = self.word_rm(a, RAX);
        self.op(if single { MOVD_TO } else { MOVQ_TO }, work, from);
        self.float_done(i, work);
    }

    /// The 64 bits that a slot with this value holds, as another type.
    pub fn reread(&mut self, i: usize, to: Type, a: Ref) {
        match (self.trace.ty(a), to) {
            (Some(Type::Word), Type::Word) => {
                let from = self.word_rm(a, RAX);
                self.copy_word(i, from);
            }
            (Some(Type::Word), _) => self.bits_float(i, a, to == Type::Single),
            (Some(from), _) => {
                let register = self.float_reg(a, XMM15);
                // The upper half of a single's slot is 0.
                let form = if from == Type::Single { MOVD_FROM } else { MOVQ_FROM };
                self.op(form, register, Rm::Register(RAX));
                if to == Type::Word {
                    return self.word_done(i, RAX);
                }
                let work = self.float_work(i, &[]);
                self.op(if to == Type::Single { MOVD_TO } else { MOVQ_TO }, work, Rm::Register(RAX));
                self.float_done(i, work);
            }
            (None, _) => unreachable!("{a} has no value"),
        }
    }
}
