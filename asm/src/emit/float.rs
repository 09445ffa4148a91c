//! Arithmetic on doubles and singles.

use dynasmrt::{DynasmApi, DynasmLabelApi, dynasm};
use scaly_interp::machine::{FloatOp, FloatUnary};
use scaly_tracer::trace::Ref;

use super::Emitter;
use super::encode::*;
use super::operands::context;
use crate::context as at;

/// What differs between doubles and singles.
struct Width {
    /// Numbers from here on have no fraction.
    whole: u64,
    one: u64,
    half: u64,
    sign: i32,
    magnitude: i32,
    nearly_half: i32,
    compare: Form,
    round: Form,
    to_int: Form,
    from_int: Form,
}

const DOUBLE: Width = Width {
    whole: 0x4330_0000_0000_0000,
    one: 0x3ff0_0000_0000_0000,
    half: 0x3fe0_0000_0000_0000,
    sign: at::SIGN_F64,
    magnitude: at::MAGNITUDE_F64,
    nearly_half: at::NEARLY_HALF_F64,
    compare: UCOMISD,
    round: ROUNDSD,
    to_int: CVTTSD2SI,
    from_int: CVTSI2SD,
};

const SINGLE: Width = Width {
    whole: 0x4b00_0000,
    one: 0x3f80_0000,
    half: 0x3f00_0000,
    sign: at::SIGN_F32,
    magnitude: at::MAGNITUDE_F32,
    nearly_half: at::NEARLY_HALF_F32,
    compare: UCOMISS,
    round: ROUNDSS,
    to_int: CVTTSS2SI,
    from_int: CVTSI2SS,
};

impl Emitter<'_> {
    pub fn float(&mut self, i: usize, op: FloatOp, a: Ref, b: Ref) {
        let single = self.is_single(a);
        let width = |form: Form| if single { form.single() } else { form };
        match op {
            FloatOp::Add => self.binary_float(i, width(ADDF), a, b, true),
            FloatOp::Sub => self.binary_float(i, width(SUBF), a, b, false),
            FloatOp::Mul => self.binary_float(i, width(MULF), a, b, true),
            FloatOp::Div => self.binary_float(i, width(DIVF), a, b, false),
            // The instruction gives its second operand unless the first is less: b < a ? b : a.
            FloatOp::Min => self.binary_float(i, width(MINF), b, a, false),
            FloatOp::Max => self.binary_float(i, width(MAXF), b, a, false),
        }
    }

    fn binary_float(&mut self, i: usize, form: Form, a: Ref, b: Ref, commutes: bool) {
        let at_home = self.home(b).is_some() && self.home(b) == self.homes[i];
        let (a, b) = if commutes && (a.is_constant() || at_home) { (b, a) } else { (a, b) };
        let work = self.float_work(i, &[b]);
        self.load_float(work, a);
        let b = self.float_rm(b);
        self.op(form, work, b);
        self.float_done(i, work);
    }

    pub fn float_unary(&mut self, i: usize, op: FloatUnary, a: Ref) {
        let single = self.is_single(a);
        let width = if single { &SINGLE } else { &DOUBLE };
        let work = self.float_work(i, &[]);
        self.load_float(work, a);
        match op {
            FloatUnary::Neg => self.op(XORPS, work, context(width.sign)),
            FloatUnary::Abs => self.op(ANDPS, work, context(width.magnitude)),
            FloatUnary::Sqrt => self.op(if single { SQRT.single() } else { SQRT }, work, Rm::Register(work)),
            _ if self.target.features.sse41() => self.round(op, work, width),
            _ => self.round_by_int(op, work, single, width),
        }
        self.float_done(i, work);
    }

    fn round(&mut self, op: FloatUnary, work: u8, width: &Width) {
        if op == FloatUnary::Round {
            // Half away from zero: what is nearly half more, toward zero. Half itself would take 0.49999999999999994
            // to 1.
            self.op(MOVAPS, XMM14, context(width.sign));
            self.op(ANDPS, XMM14, Rm::Register(work));
            self.op(ORPS, XMM14, context(width.nearly_half));
            self.op(if width.round == ROUNDSS { ADDF.single() } else { ADDF }, work, Rm::Register(XMM14));
        }
        // Without the precision exception.
        let mode = 8 | match op {
            FloatUnary::Floor => 1,
            FloatUnary::Ceil => 2,
            _ => 3,
        };
        self.op_imm8(width.round, work, Rm::Register(work), mode);
    }

    /// Through an integer, as the interpreter does it, for processors without SSE 4.1.
    fn round_by_int(&mut self, op: FloatUnary, work: u8, single: bool, width: &Width) {
        let of = |form: Form| if single { form.single() } else { form };
        let whole = self.pooled(width.whole);
        let one = self.pooled(width.one);
        let done = self.ops.new_dynamic_label();
        self.op(MOVAPS, XMM14, Rm::Register(work));
        self.op(ANDPS, XMM14, context(width.magnitude));
        self.op(width.compare, XMM14, whole);
        self.jump_code(Code::AboveEqual, done);
        self.jump_code(Code::Parity, done);
        // ecx: the sign, xmm14: the integral part, work: the fraction.
        self.op(if single { MOVMSK_SINGLE } else { MOVMSK }, RCX, Rm::Register(work));
        self.op(width.to_int, RAX, Rm::Register(work));
        self.op(XORPS, XMM14, Rm::Register(XMM14));
        self.op(width.from_int, XMM14, Rm::Register(RAX));
        self.op(of(SUBF), work, Rm::Register(XMM14));
        let zero = self.pooled(0);
        let keep = self.ops.new_dynamic_label();
        match op {
            FloatUnary::Floor => {
                self.op(width.compare, work, zero);
                self.jump_code(Code::AboveEqual, keep);
                self.op(of(SUBF), XMM14, one);
            }
            FloatUnary::Ceil => {
                self.op(width.compare, work, zero);
                self.jump_code(Code::BelowEqual, keep);
                self.op(of(ADDF), XMM14, one);
            }
            FloatUnary::Round => {
                let half = self.pooled(width.half);
                self.op(ANDPS, work, context(width.magnitude));
                self.op(width.compare, work, half);
                self.jump_code(Code::Below, keep);
                self.op(ANDPS, XMM14, context(width.magnitude));
                self.op(of(ADDF), XMM14, one);
            }
            _ => {}
        }
        // The sign is that of the number, of zeros too.
        dynasm!(self.ops; .arch x64; =>keep);
        self.op(ANDPS, XMM14, context(width.magnitude));
        dynasm!(self.ops; .arch x64; test cl, BYTE 1; jz >positive);
        self.op(ORPS, XMM14, context(width.sign));
        dynasm!(self.ops; .arch x64; positive:);
        self.op(MOVAPS, work, Rm::Register(XMM14));
        dynasm!(self.ops; .arch x64; =>done);
    }
}
