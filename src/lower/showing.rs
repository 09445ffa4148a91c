//! What `print`, `to_string` and `format` show of values.
//!
//! Text is appended to a builder: pointer and length of a byte array in a region. For structs, unions and arrays a
//! routine is generated. Strings and characters inside of others are quoted.

use std::rc::Rc;

use scaly_interp::bytecode::Opcode;
use scaly_interp::program::LoopKind;
use scaly_interp::routine::Routine;

use super::body::Body;
use super::code::Code;
use super::copying::generated;
use super::frame::Slot;
use super::regions::{Region, Want};
use super::{Heading, Key, Lowering};
use crate::check::hir::{Align, Expr, IntKind, Radix, ShowFormat, ShowPart, Stream, Type, TypeId, Types};

impl<'h> Body<'_, 'h> {
    pub fn print(&mut self, parts: &'h [ShowPart], newline: bool, stream: Stream) {
        // The routine for errors adds the newline itself.
        let newline = newline && stream == Stream::Output;
        let routine = match stream {
            Stream::Output => Routine::ConsolePrint,
            Stream::Error => Routine::ConsoleError,
        };
        if let [ShowPart::Value(value, format)] = parts
            && value.ty == Types::STRING
            && *format == ShowFormat::default()
        {
            let text = self.code.frame.take(2);
            self.into(value, text, Want::Borrow);
            self.code.runtime(text, routine);
            if newline {
                self.text(&Rc::from("\n"), text);
                self.code.runtime(text, routine);
            }
            return;
        }
        let builder = self.code.frame.take(2);
        if parts.iter().all(|p| matches!(p, ShowPart::Literal(_))) {
            let mut text: String = parts.iter().map(|p| if let ShowPart::Literal(t) = p { t } else { "" }).collect();
            if newline {
                text.push('\n');
            }
            self.text(&Rc::from(text), builder);
            return self.code.runtime(builder, routine);
        }
        self.code.zero(builder, 2);
        let region = self.here();
        self.parts(parts, if newline { "\n" } else { "" }, builder, region);
        self.code.runtime(builder, routine);
    }

    /// A text of parts.
    pub fn show_text(&mut self, parts: &'h [ShowPart], want: Want) -> Slot {
        let region = self.target(want);
        if let [ShowPart::Value(value, format)] = parts
            && *format == ShowFormat::default()
        {
            if value.ty == Types::STRING {
                return self.any(value, want);
            }
            if let Some(routine) = self.lone(value.ty) {
                let base = self.code.frame.take(2);
                self.into(value, base.plus(1), Want::Borrow);
                let handle = self.handle(region);
                self.code.copy(base, handle, 1);
                self.code.runtime(base, routine);
                return base;
            }
        }
        let builder = self.code.frame.take(2);
        self.code.zero(builder, 2);
        self.parts(parts, "", builder, region);
        builder
    }

    /// The routine that makes a string of one value.
    fn lone(&self, ty: TypeId) -> Option<Routine> {
        Some(match self.types().get(ty) {
            Type::Int(IntKind::U64) => Routine::UintToString,
            Type::Int(_) => Routine::IntToString,
            Type::F64 => Routine::FloatToString,
            Type::F32 => Routine::SingleToString,
            Type::Bool => Routine::BoolToString,
            Type::Char => Routine::CharToString,
            _ => return None,
        })
    }

    fn parts(&mut self, parts: &'h [ShowPart], end: &str, builder: Slot, region: Region) {
        let mut literal = String::new();
        for part in parts {
            match part {
                ShowPart::Literal(text) => literal.push_str(text),
                ShowPart::Value(value, format) => {
                    self.literal(&mut literal, builder, region);
                    let mark = self.code.frame.mark();
                    let outer = self.at(value.span);
                    if *format == ShowFormat::default()
                        && let Some(routine) = self.appended_by(value.ty, false)
                    {
                        let slots = self.slots(value.ty);
                        let base = self.code.frame.take(3 + slots);
                        self.into(value, base.plus(3), Want::Borrow);
                        self.append(routine, base, builder, region);
                    } else {
                        let slot = self.any(value, Want::Borrow);
                        self.show_formatted(value, slot, *format, builder, region);
                    }
                    self.code.span = outer;
                    self.code.frame.reset(mark);
                }
            }
        }
        literal.push_str(end);
        self.literal(&mut literal, builder, region);
    }

    /// Appends a text and empties it.
    fn literal(&mut self, text: &mut String, builder: Slot, region: Region) {
        if text.is_empty() {
            return;
        }
        let mark = self.code.frame.mark();
        let base = self.code.frame.take(5);
        self.text(&Rc::from(std::mem::take(text)), base.plus(3));
        self.append(Routine::BuilderText, base, builder, region);
        self.code.frame.reset(mark);
    }

    fn show_formatted(&mut self, value: &'h Expr, slot: Slot, format: ShowFormat, builder: Slot, region: Region) {
        let number = matches!(self.types().get(value.ty), Type::Int(_) | Type::F32 | Type::F64);
        let start = self.code.frame.take(1);
        if format.width > 0 {
            self.code.copy(start, builder.plus(1), 1);
        }
        if let Some(digits) = format.precision {
            let base = self.code.frame.take(5);
            let op = match self.types().get(value.ty) {
                Type::F32 => Opcode::F32ToF64,
                Type::F64 => Opcode::Move,
                Type::Int(IntKind::U64) => Opcode::U64ToF64,
                _ => Opcode::I64ToF64,
            };
            self.code.op2(op, base.plus(3), slot);
            self.code.constant(base.plus(4), i64::from(digits));
            self.append(Routine::BuilderFixed, base, builder, region);
        } else if format.radix != Radix::Decimal {
            let base = self.code.frame.take(6);
            self.code.copy(base.plus(3), slot, 1);
            let radix = match format.radix {
                Radix::Hex | Radix::HexUpper => 16,
                Radix::Octal => 8,
                Radix::Binary => 2,
                Radix::Decimal => 10,
            };
            self.code.constant(base.plus(4), radix);
            self.code.constant(base.plus(5), i64::from(format.radix == Radix::HexUpper));
            self.append(Routine::BuilderRadix, base, builder, region);
        } else {
            self.show_slots(value.ty, slot, builder, region, false);
        }
        if format.width > 0 {
            let base = self.code.frame.take(7);
            self.code.copy(base.plus(3), start, 1);
            self.code.constant(base.plus(4), i64::from(format.width));
            let align = match format.align {
                _ if format.zero && number => 3,
                Align::Natural if number => 1,
                Align::Natural | Align::Left => 0,
                Align::Right => 1,
                Align::Center => 2,
            };
            self.code.constant(base.plus(5), align);
            self.code.constant(base.plus(6), i64::from(u32::from(format.fill.unwrap_or(' '))));
            self.append(Routine::BuilderPad, base, builder, region);
        }
    }

    /// Appends what print shows of a value.
    pub fn show_slots(&mut self, ty: TypeId, slot: Slot, builder: Slot, region: Region, quoted: bool) {
        let mark = self.code.frame.mark();
        let slots = self.slots(ty);
        if let Some(routine) = self.appended_by(ty, quoted) {
            let base = self.code.frame.take(3 + slots);
            self.code.copy(base.plus(3), slot, slots);
            self.append(routine, base, builder, region);
        } else if matches!(self.types().get(ty), Type::Function { .. }) || slots == 0 && !self.is_shown(ty) {
            let span = self.code.span;
            let name = self.types().name(ty);
            self.m.internal(span, format!("printing a `{name}`"));
        } else {
            let handle = self.handle(region);
            let base = self.call_frame(slots + 3);
            self.code.copy(base, builder, 2);
            self.code.copy(base.plus(2), slot, slots);
            self.code.copy(base.plus(2 + slots), handle, 1);
            let function = self.m.function(Key::Show(ty));
            self.code.call(base, function);
            self.code.copy(builder, base, 2);
        }
        self.code.frame.reset(mark);
    }

    fn is_shown(&self, ty: TypeId) -> bool {
        matches!(self.types().get(ty), Type::Struct(_) | Type::Union(_))
    }

    /// The routine that appends a value of the type.
    pub fn appended_by(&self, ty: TypeId, quoted: bool) -> Option<Routine> {
        Some(match self.types().get(ty) {
            Type::Int(IntKind::U64) => Routine::BuilderUint,
            Type::Int(_) => Routine::BuilderInt,
            Type::F64 => Routine::BuilderFloat,
            Type::F32 => Routine::BuilderSingle,
            Type::Bool => Routine::BuilderBool,
            Type::Char if quoted => Routine::BuilderQuotedChar,
            Type::Char => Routine::BuilderChar,
            Type::String if quoted => Routine::BuilderQuoted,
            Type::String => Routine::BuilderText,
            _ => return None,
        })
    }
}

/// A name between quotes of JSON.
fn quoted(name: &str) -> String {
    let mut text = String::from("\"");
    for c in name.chars() {
        match c {
            '"' | '\\' => text.extend(['\\', c]),
            '\n' => text.push_str("\\n"),
            '\t' => text.push_str("\\t"),
            '\r' => text.push_str("\\r"),
            c if u32::from(c) < 0x20 => text.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => text.push(c),
        }
    }
    text.push('"');
    text
}

/// (builder, value, region) -> (builder)
pub(super) fn show_function(m: &mut Lowering<'_>, ty: TypeId) -> (Heading, Code) {
    let slots = m.layout(ty).slots;
    let name = format!("text of {}", m.hir.types.name(ty));
    generated(m, name, slots + 3, 2, |body| {
        let (builder, value) = (Slot(0), Slot(2));
        let region = Region::Param(value.plus(slots));
        let layout = body.layout(ty);
        let types = body.types();
        let mut text = String::new();
        match types.get(ty) {
            _ if body.hir.walks.contains_key(&ty) => show_walk(body, ty, builder, value, region),
            Type::Struct(id) => {
                let def = types.structure(*id);
                text = format!("{{\"_type\":{}", quoted(&def.name));
                for (field, place) in def.fields.iter().zip(&layout.fields) {
                    text.push_str(&format!(",{}:", quoted(&field.name)));
                    body.literal(&mut text, builder, region);
                    body.show_slots(field.ty, value.plus(place.slot), builder, region, true);
                }
                text.push('}');
                body.literal(&mut text, builder, region);
            }
            Type::Union(id) => {
                let def = types.union(*id);
                let head = format!("{{\"_type\":{},\"_variant\":", quoted(&def.name));
                let end = body.code.label();
                for (i, (variant, places)) in def.variants.iter().zip(&layout.variants).enumerate() {
                    let next = body.code.label();
                    if i + 1 < def.variants.len() {
                        body.code.branch(Opcode::JNeImm, value, Slot(0), next, i as u32);
                    }
                    text = format!("{head}{}", quoted(&variant.name));
                    for (field, place) in variant.payload.iter().zip(places.iter()) {
                        let name = if variant.inline { &field.name } else { "value" };
                        text.push_str(&format!(",{}:", quoted(name)));
                        body.literal(&mut text, builder, region);
                        let mark = body.code.frame.mark();
                        let slot = body.payload(value, place);
                        body.show_slots(field.ty, slot, builder, region, true);
                        body.code.frame.reset(mark);
                    }
                    text.push('}');
                    body.literal(&mut text, builder, region);
                    body.code.jump(end);
                    body.code.place(next);
                }
                body.code.place(end);
            }
            _ => {
                text.push('[');
                body.literal(&mut text, builder, region);
                if let Some(element) = types.element(ty) {
                    body.each_element(value.plus(1), |body, counter| {
                        let first = body.code.label();
                        body.code.branch(Opcode::JEqImm, counter, Slot(0), first, 0);
                        body.literal(&mut String::from(","), builder, region);
                        body.code.place(first);
                        let slot = body.element(value, counter, element);
                        body.show_slots(element, slot, builder, region, true);
                    });
                }
                text.push(']');
                body.literal(&mut text, builder, region);
            }
        }
    })
}

/// What is walked by positions prints as its elements.
fn show_walk(body: &mut Body<'_, '_>, ty: TypeId, builder: Slot, value: Slot, region: Region) {
    let Some(walk) = body.hir.walks.get(&ty) else { return };
    body.literal(&mut String::from("["), builder, region);
    let position = body.code.frame.take(1);
    let first = body.call_slots(walk.begin, &[value], region);
    body.code.copy(position, first, 1);
    let separate = body.code.frame.take(1);
    body.code.constant(separate, 0);
    let scope = body.open_scope();
    let end = body.code.label();
    let span = body.code.span;
    let (draft, header) = body.code.begin_loop(LoopKind::Open, span);
    body.code.branch(Opcode::JLtSImm, position, Slot(0), end, 0);
    let mark = body.code.frame.mark();
    let without = body.code.label();
    body.code.branch(Opcode::JIfNot, separate, Slot(0), without, 0);
    body.literal(&mut String::from(","), builder, region);
    body.code.place(without);
    body.code.constant(separate, 1);
    let here = body.here();
    let element = body.call_slots(walk.element, &[value, position], here);
    body.show_slots(walk.item, element, builder, region, true);
    body.code.frame.reset(mark);
    let next = body.call_slots(walk.advance, &[value, position], region);
    body.code.copy(position, next, 1);
    body.code.frame.reset(mark);
    body.reset_scope(scope);
    body.code.end_loop(draft, header, None);
    body.code.place(end);
    body.close_scope(scope);
    body.literal(&mut String::from("]"), builder, region);
}
