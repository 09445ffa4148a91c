//! How values of a type lie in slots and in memory.
//!
//! In slots a struct is its fields one after the other, a union its tag and the slots of its largest payload, a string or
//! array its pointer and length, a function value its routine and environment. In memory a struct has the natural C
//! layout, and a union is 8-byte words like its slots. A *run* is a part that one instruction moves between the two:
//! a scalar, or adjacent words.

use std::rc::Rc;

use super::frame::MOST_SLOTS;
use crate::check::hir::{Field, IntKind, Type, TypeId, Types};

/// How a run lies in memory.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Access {
    I8,
    U8,
    I16,
    U16,
    I32,
    U32,
    I64,
    F32,
    F64,
    /// 8-byte words: more than one, or a pointer.
    Words(u32, Pointers),
}

/// Which of some slots may be pointers: bit i of slot i, the last bit of all from there on.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Pointers(u64);

impl Pointers {
    pub const NONE: Pointers = Pointers(0);
    /// The first slot.
    pub const FIRST: Pointers = Pointers(1);
    const LAST: u32 = u64::BITS - 1;

    /// With those of a part whose first slot is this one.
    pub fn with(self, part: Pointers, slot: u32) -> Pointers {
        let shifted = u128::from(part.0) << slot.min(Self::LAST);
        let beyond = u64::from(shifted >> Self::LAST != 0) << Self::LAST;
        Pointers(self.0 | shifted as u64 | beyond)
    }

    /// As an instruction has them.
    pub fn operand(self) -> u16 {
        let beyond = u16::from(self.0 >> 15 != 0) << 15;
        self.0 as u16 | beyond
    }
}

/// A part of a value: `slot` slots from its first one, `offset` bytes from its address.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Run {
    pub slot: u32,
    pub offset: u32,
    pub access: Access,
}

/// Where a field lies, from the start of the struct or union.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FieldPlace {
    pub ty: TypeId,
    pub slot: u32,
    pub offset: u32,
    pub boxed: bool,
}

#[derive(Debug, Default)]
pub struct Layout {
    pub slots: u32,
    /// A multiple of `align`.
    pub size: u32,
    pub align: u32,
    /// Values own storage in a region.
    pub owns: bool,
    pub pointers: Pointers,
    pub runs: Box<[Run]>,
    /// Of a struct.
    pub fields: Box<[FieldPlace]>,
    /// The payload fields of a union's variants.
    pub variants: Box<[Box<[FieldPlace]>]>,
}

impl Layout {
    /// The only run, if the whole value is one scalar.
    pub fn scalar(&self) -> Option<Access> {
        match *self.runs {
            [Run { slot: 0, offset: 0, access }] if !matches!(access, Access::Words(..)) && self.slots == 1 => {
                Some(access)
            }
            _ => None,
        }
    }

    /// Bytes from one element of an array to the next.
    pub fn stride(&self) -> u32 {
        self.size.max(1)
    }

    fn scalar_of(access: Access, size: u32) -> Layout {
        Layout { slots: 1, size, align: size, runs: [Run { slot: 0, offset: 0, access }].into(), ..Layout::default() }
    }

    fn words(count: u32, owns: bool, pointers: Pointers) -> Layout {
        let access = if count == 1 { Access::I64 } else { Access::Words(count, pointers) };
        Layout {
            slots: count,
            size: count.saturating_mul(8),
            align: 8,
            owns,
            pointers,
            runs: [Run { slot: 0, offset: 0, access }].into(),
            ..Layout::default()
        }
    }
}

/// The layouts of a program's types, each computed once.
pub struct Layouts<'h> {
    types: &'h Types,
    known: Vec<Option<Rc<Layout>>>,
}

impl<'h> Layouts<'h> {
    pub fn new(types: &'h Types) -> Self {
        Layouts { types, known: vec![None; types.len()] }
    }

    pub fn get(&mut self, ty: TypeId) -> Rc<Layout> {
        if let Some(known) = &self.known[ty.0 as usize] {
            return known.clone();
        }
        let layout = Rc::new(self.compute(ty));
        self.known[ty.0 as usize] = Some(layout.clone());
        layout
    }

    fn compute(&mut self, ty: TypeId) -> Layout {
        let types = self.types;
        match types.get(ty) {
            Type::Void | Type::Never | Type::Error => Layout { align: 1, ..Layout::default() },
            Type::Bool => Layout::scalar_of(Access::U8, 1),
            Type::Char => Layout::scalar_of(Access::U32, 4),
            Type::Int(kind) => match kind {
                IntKind::I8 => Layout::scalar_of(Access::I8, 1),
                IntKind::U8 => Layout::scalar_of(Access::U8, 1),
                IntKind::I16 => Layout::scalar_of(Access::I16, 2),
                IntKind::U16 => Layout::scalar_of(Access::U16, 2),
                IntKind::I32 => Layout::scalar_of(Access::I32, 4),
                IntKind::U32 => Layout::scalar_of(Access::U32, 4),
                IntKind::I64 | IntKind::U64 => Layout::scalar_of(Access::I64, 8),
            },
            Type::F32 => Layout::scalar_of(Access::F32, 4),
            Type::F64 => Layout::scalar_of(Access::F64, 8),
            Type::String | Type::Array(_) | Type::Vector(_) => Layout::words(2, true, Pointers::FIRST),
            Type::Slice(_) => Layout::words(2, false, Pointers::FIRST),
            Type::Function { .. } => Layout::words(2, true, Pointers::NONE.with(Pointers::FIRST, 1)),
            Type::Struct(id) => self.structure(&types.structure(*id).fields),
            Type::Union(id) => {
                let mut payload = 0u32;
                let mut owns = false;
                let mut pointers = Pointers::NONE;
                let mut variants = Vec::new();
                for variant in &types.union(*id).variants {
                    let mut slot = 1u32;
                    let mut places = Vec::new();
                    for field in &variant.payload {
                        let place =
                            FieldPlace { ty: field.ty, slot, offset: slot.saturating_mul(8), boxed: field.boxed };
                        places.push(place);
                        let slots = if field.boxed {
                            owns = true;
                            pointers = pointers.with(Pointers::FIRST, slot);
                            1
                        } else {
                            let layout = self.get(field.ty);
                            owns |= layout.owns;
                            pointers = pointers.with(layout.pointers, slot);
                            layout.slots
                        };
                        slot = slot.saturating_add(slots);
                    }
                    payload = payload.max(slot - 1);
                    variants.push(places.into_boxed_slice());
                }
                let mut layout = Layout::words(payload.saturating_add(1), owns, pointers);
                layout.variants = variants.into();
                layout
            }
        }
    }

    fn structure(&mut self, fields: &[Field]) -> Layout {
        let (mut slot, mut end, mut align, mut owns) = (0u32, 0u32, 1u32, false);
        let mut pointers = Pointers::NONE;
        let mut places = Vec::with_capacity(fields.len());
        let mut runs: Vec<Run> = Vec::new();
        for field in fields {
            let layout = self.get(field.ty);
            let offset = end.checked_next_multiple_of(layout.align).unwrap_or(u32::MAX);
            places.push(FieldPlace { ty: field.ty, slot, offset, boxed: false });
            // Nothing moves a value that fits in no frame.
            let fits = slot.saturating_add(layout.slots) <= MOST_SLOTS;
            if !fits {
                runs.clear();
            }
            for run in layout.runs.iter().filter(|_| fits) {
                let run =
                    Run { slot: slot.saturating_add(run.slot), offset: offset.saturating_add(run.offset), ..*run };
                match runs.last_mut().and_then(|last| joined(*last, run).map(|j| (last, j))) {
                    Some((last, both)) => *last = both,
                    None => runs.push(run),
                }
            }
            pointers = pointers.with(layout.pointers, slot);
            slot = slot.saturating_add(layout.slots);
            end = offset.saturating_add(layout.size);
            align = align.max(layout.align);
            owns |= layout.owns;
        }
        let size = end.checked_next_multiple_of(align).unwrap_or(u32::MAX);
        let (runs, fields) = (runs.into(), places.into());
        Layout { slots: slot, size, align, owns, pointers, runs, fields, variants: Box::default() }
    }
}

/// Two runs of whole words that follow one another, as one.
fn joined(a: Run, b: Run) -> Option<Run> {
    let words = |run: Run| match run.access {
        Access::I64 | Access::F64 => Some((1, Pointers::NONE)),
        Access::Words(n, pointers) => Some((n, pointers)),
        _ => None,
    };
    let ((m, first), (n, second)) = (words(a)?, words(b)?);
    let all = m.checked_add(n)?;
    let adjacent = a.slot.checked_add(m) == Some(b.slot)
        && m.checked_mul(8).and_then(|bytes| a.offset.checked_add(bytes)) == Some(b.offset);
    adjacent.then_some(Run { access: Access::Words(all, first.with(second, m)), ..a })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::hir::Struct;
    use crate::source::Span;

    fn structure(types: &mut Types, fields: &[TypeId]) -> TypeId {
        let field = |&ty: &TypeId| Field { name: "f".into(), ty, private: false, boxed: false, span: Span::default() };
        let fields = fields.iter().map(field).collect();
        types.add_struct(Struct { name: "S".into(), arguments: vec![], fields, span: Span::default() }).1
    }

    #[test]
    fn words_join_and_narrow_fields_follow_c() {
        let mut types = Types::default();
        let v = structure(&mut types, &[Types::F64, Types::F64, Types::I64]);
        let mixed = structure(&mut types, &[Types::U8, v, Types::F32, Types::STRING]);
        let mut layouts = Layouts::new(&types);
        assert_eq!(*layouts.get(v).runs, [Run { slot: 0, offset: 0, access: Access::Words(3, Pointers::NONE) }]);
        let mixed = layouts.get(mixed);
        assert_eq!((mixed.slots, mixed.size, mixed.align, mixed.owns), (7, 56, 8, true));
        let places: Vec<_> = mixed.runs.iter().map(|r| (r.slot, r.offset, r.access)).collect();
        let words = |n, pointers| Access::Words(n, pointers);
        let (numbers, text) = (words(3, Pointers::NONE), words(2, Pointers::FIRST));
        assert_eq!(places, [(0, 0, Access::U8), (1, 8, numbers), (4, 32, Access::F32), (5, 40, text)]);
        assert_eq!(mixed.pointers.operand(), 1 << 5);
    }

    #[test]
    fn slots_that_may_be_pointers_are_known_up_to_the_last_bits() {
        let third = Pointers::FIRST.with(Pointers::FIRST, 3);
        assert_eq!(third.operand(), 0b1001);
        assert_eq!(third.with(third, 10).operand(), 0b10_0100_0000_1001);
        assert_eq!(Pointers::NONE.with(third, 13).operand(), 1 << 13 | 1 << 15);
        let far = Pointers::NONE.with(third, 62);
        assert_eq!((far, far.operand()), (Pointers(3 << 62), 1 << 15));
        assert_eq!(Pointers::NONE.with(far, 1_000_000), Pointers(1 << 63));
    }
}
