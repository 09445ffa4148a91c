//! Which types a program uses, and what they can do.

use super::Generator;
use crate::tree::*;

impl Generator {
    pub(super) fn int_kind(&mut self) -> IntKind {
        self.choices.weighted(&[
            (8, IntKind::I64),
            (2, IntKind::I32),
            (1, IntKind::U8),
            (1, IntKind::I8),
            (1, IntKind::U16),
            (1, IntKind::I16),
            (1, IntKind::U32),
            (2, IntKind::U64),
        ])
    }

    /// Numbers, bool, char.
    pub(super) fn scalar_type(&mut self) -> Type {
        match self.choices.weighted(&[(12, 0), (5, 1), (2, 2), (3, 3), (1, 4)]) {
            0 => Type::Int(self.int_kind()),
            1 => Type::F64,
            2 => Type::F32,
            3 => Type::Bool,
            _ => Type::Char,
        }
    }

    /// Of fields, payloads and elements: anything that prints.
    pub(super) fn member_type(&mut self) -> Type {
        self.value_type(1)
    }

    pub(super) fn value_type(&mut self, depth: usize) -> Type {
        if depth > 2 {
            return self.scalar_type();
        }
        match self.choices.weighted(&[(10, 0), (3, 1), (3, 2), (3, 3), (2, 4), (1, 5)]) {
            0 => self.scalar_type(),
            1 => Type::Text,
            2 => Type::array(self.value_type(depth + 1)),
            3 if !self.program.structs.is_empty() => Type::Struct(self.choices.below(self.program.structs.len())),
            4 if !self.program.unions.is_empty() => Type::Union(self.choices.below(self.program.unions.len())),
            5 => Type::Option(Box::new(match self.value_type(depth + 1) {
                // `null` of an optional optional is ambiguous to readers, too.
                Type::Option(inner) => *inner,
                other => other,
            })),
            _ => self.scalar_type(),
        }
    }

    /// Of variables and parameters.
    pub(super) fn variable_type(&mut self) -> Type {
        if self.choices.chance(8) {
            let key = self.key_type();
            let value = self.value_type(1);
            return Type::Map(Box::new(key), Box::new(value));
        }
        self.value_type(0)
    }

    fn key_type(&mut self) -> Type {
        match self.choices.weighted(&[(4, 0), (3, 1), (1, 2), (1, 3)]) {
            0 => Type::Int(self.int_kind()),
            1 => Type::Text,
            2 => Type::Bool,
            _ => Type::Char,
        }
    }

    /// One variant of the newest union holds another value of it: once, so that assigning a variable to itself in a loop
    /// makes it longer, not twice as large.
    pub(super) fn make_recursive(&mut self) {
        let number = self.program.unions.len() - 1;
        let which = self.choices.below(self.program.unions[number].variants.len());
        self.program.unions[number].variants[which].push(Type::Union(number));
    }

    /// A variant for a value; deep down one that ends.
    pub(super) fn variant_of(&mut self, number: usize, depth: usize) -> usize {
        let variants = &self.program.unions[number].variants;
        let ends = |which: &usize| depth < 4 || !variants[*which].contains(&Type::Union(number));
        let possible: Vec<usize> = (0..variants.len()).filter(ends).collect();
        *self.choices.pick(&possible)
    }

    /// Nothing in it is owned: numbers and structs of them.
    pub(super) fn plain(&self, ty: &Type) -> bool {
        match ty {
            Type::Int(_) | Type::F64 | Type::F32 | Type::Bool | Type::Char => true,
            Type::Struct(number) => self.program.structs[*number].fields.iter().all(|f| self.plain(f)),
            _ => false,
        }
    }

    /// May be declared without a value.
    pub(super) fn has_zero(&self, ty: &Type) -> bool {
        match ty {
            Type::Char | Type::Union(_) | Type::Slice(_) | Type::Lambda(..) => false,
            Type::Struct(number) => self.program.structs[*number].fields.iter().all(|f| self.has_zero(f)),
            _ => true,
        }
    }
}
