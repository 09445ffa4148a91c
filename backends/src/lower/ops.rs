//! What computes, loads and stores: the interpreter's machine in LLVM's words.

use std::cmp::Ordering;
use std::fmt::Write;

use scaly_interp::interpreter::{NAN_F32, NAN_F64};
use scaly_interp::machine::{FloatCompare, FloatOp, FloatUnary, IntCompare, IntKind, IntMemory, IntOp, IntUnary};
use scaly_runtime::memory::{BLOCK_HEADER, BlockHeader};
use scaly_tracer::manager::Profile;
use scaly_tracer::region::{Inst, Op, Region, Type, Value};

use super::{Lowering, line, type_name};

/// Capacity is the first field of a block's header.
const _: () = assert!(std::mem::offset_of!(BlockHeader, capacity) == 0);

/// Bits of a kind, and whether it is signed.
fn kind_bits(kind: IntKind) -> (u32, bool) {
    match kind {
        IntKind::I8 => (8, true),
        IntKind::I16 => (16, true),
        IntKind::I32 => (32, true),
        IntKind::I64 => (64, true),
        IntKind::U8 => (8, false),
        IntKind::U16 => (16, false),
        IntKind::U32 => (32, false),
        IntKind::U64 => (64, false),
    }
}

fn memory_bits(kind: IntMemory) -> (u32, bool) {
    match kind {
        IntMemory::I8 => (8, true),
        IntMemory::U8 => (8, false),
        IntMemory::I16 => (16, true),
        IntMemory::U16 => (16, false),
        IntMemory::I32 => (32, true),
        IntMemory::U32 => (32, false),
        IntMemory::I64 => (64, true),
    }
}

/// The instruction of LLVM, or its intrinsic; of what is none the first of several.
fn name(op: IntOp) -> &'static str {
    match op {
        IntOp::Add => "add",
        IntOp::Sub => "sub",
        IntOp::Mul | IntOp::MulHighU => "mul",
        IntOp::And => "and",
        IntOp::Or => "or",
        IntOp::Xor => "xor",
        IntOp::Shl => "shl",
        IntOp::ShrS => "ashr",
        IntOp::ShrU => "lshr",
        IntOp::DivS => "sdiv",
        IntOp::DivU => "udiv",
        IntOp::RemS => "srem",
        IntOp::RemU => "urem",
        IntOp::MinS => "smin",
        IntOp::MinU => "umin",
        IntOp::MaxS => "smax",
        IntOp::MaxU => "umax",
    }
}

/// By what an instruction nearly always divides, where it is not by a constant: what is known of one instruction holds for
/// all that divide by the same.
pub fn likely_divisor(region: &Region, inst: &Inst, profile: &Profile) -> Option<i64> {
    let by = divisor(inst).filter(|&by| region.constant(by).is_none())?;
    let mut same = region.insts.iter().filter(|other| divisor(other) == Some(by));
    profile.divisor(inst.pc).or_else(|| same.find_map(|other| profile.divisor(other.pc)))
}

fn divisor(inst: &Inst) -> Option<Value> {
    match inst.op {
        Op::Int(IntOp::DivS | IntOp::DivU | IntOp::RemS | IntOp::RemU) => inst.args.get(1).copied(),
        _ => None,
    }
}

fn extension(signed: bool) -> &'static str {
    if signed { "sext" } else { "zext" }
}

impl Lowering<'_> {
    /// An instruction without control.
    pub fn compute(&mut self, inst: &Inst) {
        let arg = |n: usize| inst.args.get(n).copied().unwrap_or(Value(0));
        let Some(&result) = inst.results.first() else {
            return self.store(inst, arg(0), arg(1));
        };
        let (mut a, mut b) = match inst.args.len() {
            0 => (String::new(), String::new()),
            1 => (self.operand(arg(0)), String::new()),
            _ => (self.operand(arg(0)), self.operand(arg(1))),
        };
        let r = format!("%{result}");
        match inst.op {
            // Stand where they are used.
            Op::Const(_) | Op::ConstF64(_) | Op::ConstF32(_) | Op::Text(_) | Op::Global(_) => {}
            Op::Int(op) if self.narrow.computes(inst) => {
                let b = self.low(arg(1));
                self.int_narrow(result, op, &self.low(arg(0)), &b);
            }
            Op::IntUnary(op) if self.narrow.computes(inst) => self.unary_narrow(result, op, &self.low(arg(0))),
            Op::Int(op) => match likely_divisor(self.region, inst, self.context.profile) {
                Some(likely) => self.divide_by(&r, op, (&a, &b), likely),
                None => self.int(&r, op, &a, &b, self.region.constant(arg(1))),
            },
            Op::IntUnary(op) => self.int_unary(&r, op, &a),
            Op::Compare(op) => {
                let op = match op {
                    IntCompare::Eq => "eq",
                    IntCompare::Ne => "ne",
                    IntCompare::LtS => "slt",
                    IntCompare::LeS => "sle",
                    IntCompare::LtU => "ult",
                    IntCompare::LeU => "ule",
                };
                if let Some(limit) = self.limit.as_ref().filter(|limit| limit.compared == result) {
                    let (nearer, operand) = (limit.nearer(), if limit.operand == 0 { &mut a } else { &mut b });
                    let end = format!("{r}.end");
                    let _ = writeln!(self.body, "  {end} = call i64 @{nearer}(i64 {operand}, i64 %limit)");
                    *operand = end;
                }
                if self.narrow.reads(inst) {
                    line!(self, "{r} = icmp {op} i32 {}, {}", self.low(arg(0)), self.low(arg(1)));
                    return;
                }
                line!(self, "{r} = icmp {op} i64 {a}, {b}");
            }
            Op::Float(op) => self.float(&r, "double", op, &a, &b),
            Op::Single(op) => self.float(&r, "float", op, &a, &b),
            Op::FloatUnary(op) => self.float_unary(&r, "double", op, &a),
            Op::SingleUnary(op) => self.float_unary(&r, "float", op, &a),
            Op::FloatCompare(op) => self.float_compare(&r, "double", op, &a, &b),
            Op::SingleCompare(op) => self.float_compare(&r, "float", op, &a, &b),
            Op::CondWord => {
                line!(self, "{r} = zext i1 {a} to i64");
            }
            Op::Not => {
                line!(self, "{r} = xor i1 {a}, true");
            }
            Op::IntToFloat(true) | Op::IntToSingle(true) if self.narrow.reads(inst) => {
                let to = type_name(self.region.ty(result));
                line!(self, "{r} = sitofp i32 {} to {to}", self.low(arg(0)));
            }
            Op::IntToFloat(signed) => {
                line!(self, "{r} = {} i64 {a} to double", if signed { "sitofp" } else { "uitofp" });
            }
            Op::IntToSingle(signed) => {
                line!(self, "{r} = {} i64 {a} to float", if signed { "sitofp" } else { "uitofp" });
            }
            Op::SingleToFloat => {
                line!(self, "{r} = fpext float {a} to double");
            }
            Op::FloatToSingle => {
                line!(self, "{r} = fptrunc double {a} to float");
            }
            Op::FloatToInt(kind) => self.float_to_int(&r, kind, &a),
            Op::FloatBits => self.float_bits(&r, &a),
            Op::SingleBits => self.single_bits(&r, &a),
            Op::BitsFloat => {
                line!(self, "{r} = bitcast i64 {a} to double");
            }
            Op::BitsSingle => self.low_single(&r, &a),
            Op::Reread(ty) => self.reread(&r, arg(0), ty),
            Op::Element { stride, offset } => self.element(result, arg(0), arg(1), (stride, offset)),
            Op::LoadInt(kind, offset) => {
                let place = self.place(arg(0), offset);
                let (bits, signed) = memory_bits(kind);
                if bits == 64 {
                    line!(self, "{r} = load i64, ptr {place}, align 1");
                } else {
                    let loaded = self.temporary();
                    line!(self, "{loaded} = load i{bits}, ptr {place}, align 1");
                    let (narrow, wide) = self.narrow.uses(result);
                    if narrow {
                        self.resize(&format!("{r}.n"), &loaded, bits, 32, signed);
                    }
                    if wide {
                        self.resize(&r, &loaded, bits, 64, signed);
                    }
                    return;
                }
            }
            Op::LoadPointer(offset) => {
                let place = self.place(arg(0), offset);
                line!(self, "{r} = load i64, ptr {place}, align 1");
            }
            Op::LoadFloat(offset) => {
                let place = self.place(arg(0), offset);
                line!(self, "{r} = load double, ptr {place}, align 1");
            }
            Op::LoadSingle(offset) => {
                let place = self.place(arg(0), offset);
                line!(self, "{r} = load float, ptr {place}, align 1");
            }
            Op::Capacity => self.capacity(&r, &a),
            Op::StoreInt(..)
            | Op::StoreFloat(_)
            | Op::StoreSingle(_)
            | Op::Guard(_)
            | Op::Runtime(_)
            | Op::Call(_)
            | Op::CallAny(_) => {}
        }
        if !self.narrow.computes(inst) {
            self.narrowed(result);
        }
    }

    /// A number of 32 bits as an operand.
    fn low(&self, value: Value) -> String {
        match self.region.constant(value) {
            Some(constant) => constant.to_string(),
            None => format!("%{value}.n"),
        }
    }

    /// Makes 32 bits of a value of 64 where they are used.
    pub fn narrowed(&mut self, value: Value) {
        if self.narrow.uses(value).0 && self.region.constant(value).is_none() {
            line!(self, "%{value}.n = trunc i64 %{value} to i32");
        }
    }

    /// Makes 64 bits of a value of 32 where they are used.
    fn widened(&mut self, value: Value) {
        if self.narrow.uses(value).1 {
            let extension = extension(!self.narrow.natural(value));
            line!(self, "%{value} = {extension} i32 %{value}.n to i64");
        }
    }

    /// A number of so many bits in others.
    fn resize(&mut self, r: &str, a: &str, from: u32, to: u32, signed: bool) {
        let _ = match from.cmp(&to) {
            Ordering::Less => writeln!(self.body, "  {r} = {} i{from} {a} to i{to}", extension(signed)),
            Ordering::Equal => writeln!(self.body, "  {r} = add i{from} {a}, 0"),
            Ordering::Greater => writeln!(self.body, "  {r} = trunc i{from} {a} to i{to}"),
        };
    }

    /// Shift counts and divisors are constants that do no harm.
    fn int_narrow(&mut self, result: Value, op: IntOp, a: &str, b: &str) {
        let r = format!("%{result}.n");
        match op {
            IntOp::MinS | IntOp::MaxS => self.binary_intrinsic(&r, name(op), a, b, 32),
            _ => {
                line!(self, "{r} = {} i32 {a}, {b}", name(op));
            }
        }
        self.widened(result);
    }

    fn unary_narrow(&mut self, result: Value, op: IntUnary, a: &str) {
        let r = format!("%{result}.n");
        match op {
            IntUnary::Neg => {
                line!(self, "{r} = sub i32 0, {a}");
            }
            IntUnary::Wrap(kind) => {
                let (bits, signed) = kind_bits(kind);
                if bits < 32 {
                    let low = self.temporary();
                    self.resize(&low, a, 32, bits, signed);
                    self.resize(&r, &low, bits, 32, signed);
                } else {
                    // It fits as it is.
                    self.resize(&r, a, 32, 32, signed);
                }
            }
            _ => {
                line!(self, "{r} = call i32 @llvm.abs.i32(i32 {a}, i1 false)");
            }
        }
        self.widened(result);
    }

    fn store(&mut self, inst: &Inst, address: Value, value: Value) {
        let stored = self.operand(value);
        match inst.op {
            Op::StoreInt(kind, offset) if self.narrow.reads(inst) => {
                let (place, low) = (self.place(address, offset), self.temporary());
                let (bits, signed) = memory_bits(kind);
                self.resize(&low, &self.low(value), 32, bits, signed);
                line!(self, "store i{bits} {low}, ptr {place}, align 1");
            }
            Op::StoreInt(kind, offset) => {
                let place = self.place(address, offset);
                let (bits, _) = memory_bits(kind);
                if bits == 64 {
                    line!(self, "store i64 {stored}, ptr {place}, align 1");
                } else {
                    let low = self.temporary();
                    line!(self, "{low} = trunc i64 {stored} to i{bits}");
                    line!(self, "store i{bits} {low}, ptr {place}, align 1");
                }
            }
            Op::StoreFloat(offset) => {
                let place = self.place(address, offset);
                line!(self, "store double {stored}, ptr {place}, align 1");
            }
            Op::StoreSingle(offset) => {
                let place = self.place(address, offset);
                line!(self, "store float {stored}, ptr {place}, align 1");
            }
            _ => {}
        }
    }

    /// Shift counts are taken modulo 64. Division has been checked for zero, but LLVM does not know, and what it may
    /// move before the check must not be undefined.
    fn int(&mut self, r: &str, op: IntOp, a: &str, b: &str, constant: Option<i64>) {
        let simple = name(op);
        match op {
            IntOp::Add | IntOp::Sub | IntOp::Mul | IntOp::And | IntOp::Or | IntOp::Xor => {
                line!(self, "{r} = {simple} i64 {a}, {b}");
            }
            IntOp::Shl | IntOp::ShrS | IntOp::ShrU => self.shift(r, simple, a, b),
            IntOp::MinS | IntOp::MaxS | IntOp::MinU | IntOp::MaxU => self.binary_intrinsic(r, simple, a, b, 64),
            IntOp::DivS | IntOp::RemS => self.divide_signed(r, simple, a, b, constant),
            IntOp::DivU | IntOp::RemU => self.divide_unsigned(r, simple, a, b, constant),
            IntOp::MulHighU => {
                let (wide_a, wide_b, product, high) =
                    (self.temporary(), self.temporary(), self.temporary(), self.temporary());
                line!(self, "{wide_a} = zext i64 {a} to i128");
                line!(self, "{wide_b} = zext i64 {b} to i128");
                line!(self, "{product} = mul i128 {wide_a}, {wide_b}");
                line!(self, "{high} = lshr i128 {product}, 64");
                line!(self, "{r} = trunc i128 {high} to i64");
            }
        }
    }

    fn shift(&mut self, r: &str, op: &str, a: &str, b: &str) {
        let count = self.temporary();
        line!(self, "{count} = and i64 {b}, 63");
        line!(self, "{r} = {op} i64 {a}, {count}");
    }

    fn binary_intrinsic(&mut self, r: &str, name: &str, a: &str, b: &str, bits: u32) {
        line!(self, "{r} = call i{bits} @llvm.{name}.i{bits}(i{bits} {a}, i{bits} {b})");
    }

    /// By what is a constant nearly always, if not for ever: it takes a multiplication.
    fn divide_by(&mut self, r: &str, op: IntOp, (a, b): (&str, &str), likely: i64) {
        let ((fixed, other), (behind, _)) = (self.fork(), self.fork());
        let (same, short, long) = (self.temporary(), self.temporary(), self.temporary());
        line!(self, "{same} = icmp eq i64 {b}, {likely}");
        line!(self, "br i1 {same}, label %{fixed}, label %{other}, !prof !0");
        self.begin(other.clone());
        self.int(&long, op, a, b, None);
        line!(self, "br label %{behind}");
        self.begin(fixed.clone());
        self.int(&short, op, a, &likely.to_string(), Some(likely));
        line!(self, "br label %{behind}");
        self.begin(behind);
        line!(self, "{r} = phi i64 [ {short}, %{fixed} ], [ {long}, %{other} ]");
    }

    /// By 0 it gives 0, by -1 it wraps.
    fn divide_signed(&mut self, r: &str, op: &str, a: &str, b: &str, constant: Option<i64>) {
        if constant.is_some_and(|c| c != 0 && c != -1) {
            line!(self, "{r} = {op} i64 {a}, {b}");
            return;
        }
        let (above, special, divisor, divided) =
            (self.temporary(), self.temporary(), self.temporary(), self.temporary());
        line!(self, "{above} = add i64 {b}, 1");
        line!(self, "{special} = icmp ult i64 {above}, 2");
        line!(self, "{divisor} = select i1 {special}, i64 1, i64 {b}");
        line!(self, "{divided} = {op} i64 {a}, {divisor}");
        if op == "srem" {
            line!(self, "{r} = select i1 {special}, i64 0, i64 {divided}");
            return;
        }
        // a * b: 0 for 0, -a for -1.
        let product = self.temporary();
        line!(self, "{product} = mul i64 {a}, {b}");
        line!(self, "{r} = select i1 {special}, i64 {product}, i64 {divided}");
    }

    fn divide_unsigned(&mut self, r: &str, op: &str, a: &str, b: &str, constant: Option<i64>) {
        if constant.is_some_and(|c| c != 0) {
            line!(self, "{r} = {op} i64 {a}, {b}");
            return;
        }
        let (zero, divisor, divided) = (self.temporary(), self.temporary(), self.temporary());
        line!(self, "{zero} = icmp eq i64 {b}, 0");
        line!(self, "{divisor} = select i1 {zero}, i64 1, i64 {b}");
        line!(self, "{divided} = {op} i64 {a}, {divisor}");
        line!(self, "{r} = select i1 {zero}, i64 0, i64 {divided}");
    }

    fn int_unary(&mut self, r: &str, op: IntUnary, a: &str) {
        let _ = match op {
            IntUnary::Neg => writeln!(self.body, "  {r} = sub i64 0, {a}"),
            IntUnary::Not => writeln!(self.body, "  {r} = xor i64 {a}, -1"),
            IntUnary::AbsS => writeln!(self.body, "  {r} = call i64 @llvm.abs.i64(i64 {a}, i1 false)"),
            IntUnary::PopCount => writeln!(self.body, "  {r} = call i64 @llvm.ctpop.i64(i64 {a})"),
            IntUnary::LeadingZeros => writeln!(self.body, "  {r} = call i64 @llvm.ctlz.i64(i64 {a}, i1 false)"),
            IntUnary::TrailingZeros => writeln!(self.body, "  {r} = call i64 @llvm.cttz.i64(i64 {a}, i1 false)"),
            IntUnary::Wrap(kind) => match kind_bits(kind) {
                (64, _) => writeln!(self.body, "  {r} = add i64 {a}, 0"),
                (bits, signed) => {
                    let low = self.temporary();
                    line!(self, "{low} = trunc i64 {a} to i{bits}");
                    writeln!(self.body, "  {r} = {} i{bits} {low} to i64", extension(signed))
                }
            },
        };
    }

    /// Minimum and maximum as the interpreter decides them, NaNs and zeros of both signs included.
    fn float(&mut self, r: &str, ty: &str, op: FloatOp, a: &str, b: &str) {
        let simple = match op {
            FloatOp::Add => "fadd",
            FloatOp::Sub => "fsub",
            FloatOp::Mul => "fmul",
            FloatOp::Div => "fdiv",
            FloatOp::Min | FloatOp::Max => {
                let takes = self.temporary();
                let (less, than) = if op == FloatOp::Min { (b, a) } else { (a, b) };
                line!(self, "{takes} = fcmp olt {ty} {less}, {than}");
                line!(self, "{r} = select i1 {takes}, {ty} {b}, {ty} {a}");
                return;
            }
        };
        line!(self, "{r} = {simple} {ty} {a}, {b}");
    }

    fn float_unary(&mut self, r: &str, ty: &str, op: FloatUnary, a: &str) {
        let name = match op {
            FloatUnary::Neg => {
                line!(self, "{r} = fneg {ty} {a}");
                return;
            }
            FloatUnary::Abs => "fabs",
            FloatUnary::Sqrt => "sqrt",
            FloatUnary::Floor => "floor",
            FloatUnary::Ceil => "ceil",
            FloatUnary::Trunc => "trunc",
            // A half away from zero.
            FloatUnary::Round => "round",
        };
        let suffix = if ty == "double" { "f64" } else { "f32" };
        line!(self, "{r} = call {ty} @llvm.{name}.{suffix}({ty} {a})");
    }

    fn float_compare(&mut self, r: &str, ty: &str, op: FloatCompare, a: &str, b: &str) {
        let op = match op {
            FloatCompare::Eq => "oeq",
            FloatCompare::Ne => "une",
            FloatCompare::Lt => "olt",
            FloatCompare::Le => "ole",
        };
        line!(self, "{r} = fcmp {op} {ty} {a}, {b}");
    }

    /// Saturates; NaN gives 0.
    fn float_to_int(&mut self, r: &str, kind: IntKind, a: &str) {
        let (bits, signed) = kind_bits(kind);
        let name = if signed { "fptosi" } else { "fptoui" };
        if bits == 64 {
            line!(self, "{r} = call i64 @llvm.{name}.sat.i64.f64(double {a})");
            return;
        }
        let narrow = self.temporary();
        line!(self, "{narrow} = call i{bits} @llvm.{name}.sat.i{bits}.f64(double {a})");
        line!(self, "{r} = {} i{bits} {narrow} to i64", extension(signed));
    }

    /// A program sees one NaN.
    fn float_bits(&mut self, r: &str, a: &str) {
        let (nan, bits) = (self.temporary(), self.temporary());
        line!(self, "{nan} = fcmp uno double {a}, {a}");
        line!(self, "{bits} = bitcast double {a} to i64");
        line!(self, "{r} = select i1 {nan}, i64 {}, i64 {bits}", NAN_F64 as i64);
    }

    fn single_bits(&mut self, r: &str, a: &str) {
        let (nan, bits, chosen) = (self.temporary(), self.temporary(), self.temporary());
        line!(self, "{nan} = fcmp uno float {a}, {a}");
        line!(self, "{bits} = bitcast float {a} to i32");
        line!(self, "{chosen} = select i1 {nan}, i32 {}, i32 {bits}", NAN_F32 as i32);
        line!(self, "{r} = zext i32 {chosen} to i64");
    }

    /// The f32 in the low half of a word.
    pub fn low_single(&mut self, r: &str, a: &str) {
        let low = self.temporary();
        line!(self, "{low} = trunc i64 {a} to i32");
        line!(self, "{r} = bitcast i32 {low} to float");
    }

    fn reread(&mut self, r: &str, value: Value, to: Type) {
        let from = self.region.ty(value);
        let a = self.operand(value);
        let word = match from {
            Type::Float => {
                let bits = self.temporary();
                line!(self, "{bits} = bitcast double {a} to i64");
                bits
            }
            Type::Single => self.image(value),
            Type::Word | Type::Cond => a,
        };
        match to {
            Type::Float => {
                line!(self, "{r} = bitcast i64 {word} to double");
            }
            Type::Single => {
                line!(self, "{r}.s = add i64 {word}, 0");
                self.low_single(r, &word);
            }
            Type::Word | Type::Cond => {
                line!(self, "{r} = add {} {word}, 0", type_name(to));
            }
        }
    }

    /// base + index * stride + offset, as a word and, where something is loaded or stored there, as a pointer into what
    /// the base points to.
    fn element(&mut self, result: Value, base: Value, index: Value, (stride, offset): (u32, u32)) {
        let (a, b) = (self.operand(base), self.operand(index));
        let (scaled, distance) = (self.temporary(), self.temporary());
        line!(self, "{scaled} = mul i64 {b}, {stride}");
        line!(self, "{distance} = add i64 {scaled}, {offset}");
        line!(self, "%{result} = add i64 {a}, {distance}");
        if self.pointers[result.index()] {
            let pointer = self.pointer(base);
            line!(self, "%{result}.p = getelementptr i8, ptr {pointer}, i64 {distance}");
        }
    }

    /// What is loaded or stored at an address.
    fn place(&mut self, address: Value, offset: u32) -> String {
        let pointer = self.pointer(address);
        if offset == 0 {
            return pointer;
        }
        let place = self.temporary();
        line!(self, "{place} = getelementptr i8, ptr {pointer}, i64 {offset}");
        place
    }

    /// 0 at address 0, else the header's word.
    fn capacity(&mut self, r: &str, a: &str) {
        let (none, some, header) = (self.temporary(), self.temporary(), self.temporary());
        let (there, behind) = self.fork();
        let from = self.label.clone();
        line!(self, "{none} = icmp eq i64 {a}, 0");
        line!(self, "br i1 {none}, label %{behind}, label %{there}");
        self.begin(there.clone());
        line!(self, "{some} = inttoptr i64 {a} to ptr");
        line!(self, "{header} = getelementptr i8, ptr {some}, i64 -{BLOCK_HEADER}");
        let loaded = self.temporary();
        line!(self, "{loaded} = load i64, ptr {header}, align 1");
        line!(self, "br label %{behind}");
        self.begin(behind);
        line!(self, "{r} = phi i64 [ 0, %{from} ], [ {loaded}, %{there} ]");
    }
}
