//! Keys of hash maps and sets: which types have a hash, and that it agrees with their equality.
//!
//! A type is checked where a program writes it as a key, for in the library it would be too late. The fields of types
//! that are not finished yet are unknown: keys among them are checked when all are ([`Checker::check_keys`]).

use super::Checker;
use super::declarations::TypeDeclId;
use super::hir::{Expr, ExprKind, Type, TypeId, Types};
use crate::diagnostic::Diagnostic;
use crate::source::Span;
use crate::syntax::ast;

/// Why a part of a type keeps it from being a key.
enum Unfit {
    Unhashed,
    OwnEquality,
}

impl<'a> Checker<'a> {
    /// `hash(x)`.
    pub fn hash(&mut self, args: &'a [ast::Arg], span: Span) -> Expr {
        let [arg] = args else {
            self.report(Diagnostic::error(span, "`hash` takes one argument").label("expected `hash(x)`"));
            return self.failed(span);
        };
        let value = self.value(&arg.value, None);
        if value.ty == Types::ERROR {
            return value;
        }
        // In the library the key's type has been reported where the program has it.
        let known = self.sources.file(span.file).library && self.keys.get(&value.ty) == Some(&false);
        if known || self.reports_unfit(value.ty, value.span) {
            return self.failed(span);
        }
        let routine = self.intrinsic("hash", [value.ty], Types::U64, span);
        Expr::new(ExprKind::Call { routine, arguments: vec![value] }, Types::U64, span)
    }

    /// Whether a library type with these arguments has keys that cannot be some; it is reported once for each key type.
    pub fn unfit_key(&mut self, decl: TypeDeclId, args: &[TypeId], span: Span) -> bool {
        let declared = self.decls.ty(decl);
        let keyed = declared.library && (declared.name == self.known.hash_map || declared.name == self.known.hash_set);
        let (true, Some(&key)) = (keyed && !self.sources.file(span.file).library, args.first()) else { return false };
        if self.finishing {
            self.unchecked_keys.push((key, span));
            return false;
        }
        self.check_key(key, span)
    }

    /// Checks the keys of the types that have just been finished.
    pub fn check_keys(&mut self) {
        while let Some((key, span)) = self.unchecked_keys.pop() {
            self.check_key(key, span);
        }
    }

    fn check_key(&mut self, key: TypeId, span: Span) -> bool {
        if let Some(fits) = self.keys.get(&key) {
            return !fits;
        }
        // The signature of an `operator =` may name the type that is being checked.
        self.keys.insert(key, true);
        let unfit = self.reports_unfit(key, span);
        self.keys.insert(key, !unfit);
        unfit
    }

    fn reports_unfit(&mut self, ty: TypeId, span: Span) -> bool {
        let Some((part, why)) = self.unfit_part(ty) else { return false };
        let (name, part_name) = (self.type_name(ty), self.type_name(part));
        let what = if part == ty { "it".to_string() } else { format!("the `{part_name}` in it") };
        let begin = format!("a `{name}` cannot be a key: {what}");
        self.report(match why {
            Unfit::Unhashed => Diagnostic::error(span, format!("{begin} cannot be hashed"))
                .label("keys are integers, bool, char, String, and structs and unions of these"),
            Unfit::OwnEquality => Diagnostic::error(span, format!("{begin} has an `operator =` of its own"))
                .label("keys are found by their content")
                .help("use what it compares as the key, an integer or a String"),
        });
        true
    }

    /// The part of a type that keeps it from being a key.
    fn unfit_part(&mut self, ty: TypeId) -> Option<(TypeId, Unfit)> {
        for part in self.out.types.parts(ty) {
            match self.out.types.get(part) {
                Type::Bool | Type::Char | Type::Int(_) | Type::String | Type::Error => {}
                Type::Struct(_) | Type::Union(_) => {
                    if self.own_equality(part).is_some() {
                        return Some((part, Unfit::OwnEquality));
                    }
                }
                _ => return Some((part, Unfit::Unhashed)),
            }
        }
        None
    }
}
