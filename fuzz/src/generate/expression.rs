//! Expressions of a wanted type.

use super::{Generator, Known};
use crate::tree::*;
use crate::value::bounds;

const WORDS: &[&str] =
    &["", "a", "b", "zebra", "x y", "one,two,three", "é", "Ünï", "\"q\"", "long enough to leave any small buffer"];
const CHARS: &[char] = &['a', 'b', 'z', '0', ' ', 'é', '語'];

/// Whether an expression has its type by itself, without a context.
pub(super) fn self_typed(expr: &Expr) -> bool {
    match expr {
        Expr::Int { kind, bare, .. } => !bare || *kind == IntKind::I64,
        Expr::F32 { bare, .. } => !bare,
        Expr::None => false,
        Expr::Some(value) => self_typed(value),
        Expr::Array(items) => items.first().is_some_and(self_typed),
        Expr::If(_, a, b) => self_typed(a) && self_typed(b),
        Expr::Choose(_, arms) => arms.iter().all(|(_, value)| self_typed(value)),
        Expr::Binary(op, a, b) => match op {
            Binary::Lt | Binary::Le | Binary::Gt | Binary::Ge | Binary::Eq | Binary::Ne => true,
            _ => self_typed(a) && self_typed(b),
        },
        Expr::Unary(_, a) => self_typed(a),
        Expr::Lambda(..) => false,
        _ => true,
    }
}

/// Lets the context give a literal's type.
pub(super) fn bared(expr: Expr) -> Expr {
    match expr {
        Expr::Int { value, kind, .. } => Expr::Int { value, kind, bare: true },
        Expr::F32 { value, .. } => Expr::F32 { value, bare: true },
        other => other,
    }
}

fn both(op: Binary, a: Expr, b: Expr) -> Expr {
    Expr::Binary(op, Box::new(a), Box::new(b))
}

impl Generator {
    pub(super) fn int(&mut self, value: i64) -> Expr {
        Expr::Int { value: i128::from(value), kind: IntKind::I64, bare: true }
    }

    pub(super) fn literal(&mut self, ty: &Type) -> Expr {
        match ty {
            Type::Int(kind) => {
                let (low, high) = bounds(*kind);
                let value = match self.choices.weighted(&[(10, 0), (3, 1), (1, 2), (1, 3), (1, 4)]) {
                    0 => i128::from(self.choices.within(0, 9)),
                    1 => i128::from(self.choices.within(-20, 120)).clamp(low, high),
                    2 => low,
                    3 => high,
                    _ => crate::value::wrap(i128::from(self.choices.bits()), *kind),
                };
                Expr::Int { value, kind: *kind, bare: false }
            }
            Type::F64 => Expr::F64(self.float()),
            Type::F32 => Expr::F32 { value: self.float() as f32, bare: false },
            Type::Bool => Expr::Bool(self.choices.chance(50)),
            Type::Char => Expr::Char(*self.choices.pick(CHARS)),
            Type::Text => Expr::Text((*self.choices.pick(WORDS)).to_string()),
            _ => self.composite(ty, 9),
        }
    }

    fn float(&mut self) -> f64 {
        match self.choices.weighted(&[(10, 0), (2, 1), (1, 2), (1, 3)]) {
            0 => self.choices.within(-8, 40) as f64 / 4.0,
            1 => *self.choices.pick(&[0.1, 1.0e10, 1.0e-7, 2.123456789012345, 16777217.0, 1.0e300]),
            2 => *self.choices.pick(&[f64::NAN, f64::INFINITY, -0.0, 5.0e-324]),
            _ => self.choices.within(-1000, 1000) as f64 * 0.37,
        }
    }

    /// A value of a type with parts, made anew.
    fn composite(&mut self, ty: &Type, depth: usize) -> Expr {
        match ty {
            Type::Array(element) | Type::Slice(element) => {
                let n = if depth > 3 { self.choices.below(2) } else { self.choices.below(5) };
                Expr::Array((0..n).map(|_| self.expr(element, depth + 1)).collect())
            }
            Type::Option(value) => {
                if depth > 5 || self.choices.chance(30) {
                    Expr::None
                } else {
                    Expr::Some(Box::new(self.expr(value, depth + 1)))
                }
            }
            Type::Map(key, value) => Expr::EmptyMap((**key).clone(), (**value).clone()),
            Type::Lambda(params, result) => self.lambda(params, result, false),
            Type::Struct(number) => {
                let fields = self.program.structs[*number].fields.clone();
                Expr::Struct(*number, fields.iter().map(|f| self.arg(f, depth + 1)).collect())
            }
            Type::Union(number) => {
                let which = self.variant_of(*number, depth);
                let payload = self.program.unions[*number].variants[which].clone();
                Expr::Union(*number, which, payload.iter().map(|p| self.arg(p, depth + 1)).collect())
            }
            scalar => self.literal(scalar),
        }
    }

    /// An expression where its type is known from the outside.
    pub(super) fn arg(&mut self, ty: &Type, depth: usize) -> Expr {
        let expr = self.expr(ty, depth);
        if self.choices.chance(50) { bared(expr) } else { expr }
    }

    /// An expression of a type; deeper ones are simpler.
    pub(super) fn expr(&mut self, ty: &Type, depth: usize) -> Expr {
        if let Type::Lambda(params, result) = ty {
            let known = self.choices.chance(30).then(|| self.readable(ty)).flatten();
            return known.unwrap_or_else(|| self.lambda(params, result, true));
        }
        if self.style.hot
            && self.choices.chance(6)
            && let Some(call) = self.applied(ty, depth)
        {
            return call;
        }
        if depth > 5 || (depth > 1 && self.choices.chance(12 * depth)) {
            return match self.choices.chance(60).then(|| self.readable(ty)).flatten() {
                Some(place) => place,
                None => self.literal(ty),
            };
        }
        match self.choices.weighted(&[(3, 0), (4, 1), (8, 2), (2, 3), (1, 4), (1, 5)]) {
            0 => self.literal(ty),
            1 => self.readable(ty).unwrap_or_else(|| self.literal(ty)),
            2 => self.operation(ty, depth),
            3 => self.call(ty, depth).unwrap_or_else(|| self.operation(ty, depth)),
            4 if !matches!(ty, Type::Map(..)) => {
                let condition = self.expr(&Type::Bool, depth + 1);
                let (a, b) = (self.expr(ty, depth + 2), self.expr(ty, depth + 2));
                // `null` on both sides has no type at all.
                if self_typed(&a) || self_typed(&b) {
                    Expr::If(Box::new(condition), Box::new(a), Box::new(b))
                } else {
                    a
                }
            }
            5 if !matches!(ty, Type::Map(..) | Type::Option(_)) => {
                self.choose(ty, depth).unwrap_or_else(|| self.operation(ty, depth))
            }
            _ => self.operation(ty, depth),
        }
    }

    fn choose(&mut self, ty: &Type, depth: usize) -> Option<Expr> {
        let candidates: Vec<Known> =
            self.scope.iter().filter(|k| matches!(k.ty, Type::Option(_) | Type::Union(_))).cloned().collect();
        if candidates.is_empty() {
            return None;
        }
        let subject = self.choices.pick(&candidates).clone();
        let arms = self.patterns(&subject.ty);
        let arms = arms
            .into_iter()
            .map(|(pattern, bindings)| {
                let value = self.frozen(Some(subject.var), super::Frozen::All, |g| {
                    g.scope.extend(bindings);
                    g.expr(ty, depth + 2)
                });
                (pattern, value)
            })
            .collect::<Vec<_>>();
        if !arms.iter().all(|(_, value)| self_typed(value)) {
            return None;
        }
        Some(Expr::Choose(Box::new(Expr::Var(subject.var)), arms))
    }

    /// All variants of a type, with bindings of their payloads.
    pub(super) fn patterns(&mut self, ty: &Type) -> Vec<(Pattern, Vec<Known>)> {
        match ty {
            Type::Option(value) => {
                let mut known = self.declare((**value).clone(), false);
                known.reserved = true;
                vec![(Pattern::Some(known.var), vec![known]), (Pattern::None, Vec::new())]
            }
            Type::Union(number) => {
                let variants = self.program.unions[*number].variants.clone();
                let mut patterns = Vec::new();
                for (which, payload) in variants.iter().enumerate() {
                    let known: Vec<Known> = payload
                        .iter()
                        .map(|ty| {
                            let mut known = self.declare(ty.clone(), false);
                            known.reserved = true;
                            known
                        })
                        .collect();
                    let vars = known.iter().map(|k| k.var).collect();
                    patterns.push((Pattern::Variant(*number, which, vars), known));
                }
                patterns
            }
            _ => Vec::new(),
        }
    }

    /// Two operands of a type, of which one may be a literal that takes the other's type.
    fn pair(&mut self, ty: &Type, depth: usize) -> (Expr, Expr) {
        let (a, b) = (self.expr(ty, depth + 1), self.expr(ty, depth + 1));
        match (self_typed(&a), self_typed(&b)) {
            (true, true) if self.choices.chance(50) => {
                if !matches!(a, Expr::Int { .. } | Expr::F32 { .. }) {
                    (a, bared(b))
                } else if !matches!(b, Expr::Int { .. } | Expr::F32 { .. }) {
                    (bared(a), b)
                } else {
                    (a, b)
                }
            }
            _ => (a, b),
        }
    }

    fn operation(&mut self, ty: &Type, depth: usize) -> Expr {
        match ty {
            Type::Int(kind) => self.integer(*kind, depth),
            Type::F64 | Type::F32 => self.floating(ty, depth),
            Type::Bool => self.condition(depth),
            Type::Text => self.text(depth),
            Type::Array(element) => self.array(element, depth),
            _ => self.composite(ty, depth + 1),
        }
    }

    fn integer(&mut self, kind: IntKind, depth: usize) -> Expr {
        use Binary::*;
        let ty = Type::Int(kind);
        match self.choices.weighted(&[(12, 0), (3, 1), (2, 2), (3, 3), (3, 4), (2, 5), (1, 6)]) {
            0 => {
                let op = *self.choices.pick(&[Add, Sub, Mul, And, Or, Xor, Add, Sub, Mul, Min, Max]);
                let (a, b) = match op {
                    // Generic routines take their type from either argument.
                    Min | Max => (self.expr(&ty, depth + 1), self.expr(&ty, depth + 1)),
                    _ => self.pair(&ty, depth),
                };
                both(op, a, b)
            }
            1 => {
                let op = *self.choices.pick(&[Div, Rem]);
                let (a, b) = (self.expr(&ty, depth + 1), self.expr(&ty, depth + 1));
                if self.style.faults && self.choices.chance(10) {
                    return both(op, a, b);
                }
                // Odd is not zero.
                let one = Expr::Int { value: 1, kind, bare: self_typed(&b) };
                both(op, a, both(Or, b, one))
            }
            2 => {
                let op = *self.choices.pick(&[Shl, Shr]);
                let (a, b) = (self.expr(&ty, depth + 1), self.expr(&ty, depth + 1));
                both(op, a, b)
            }
            3 => {
                let op = *self.choices.pick(&[Unary::Neg, Unary::Complement, Unary::Abs]);
                let signed = bounds(kind).0 < 0;
                let op = if signed { op } else { Unary::Complement };
                Expr::Unary(op, Box::new(self.expr(&ty, depth + 1)))
            }
            4 => {
                let from = match self.choices.below(4) {
                    0 => Type::F64,
                    1 => Type::F32,
                    2 => Type::Int(self.int_kind()),
                    _ => Type::Int(IntKind::I64),
                };
                Expr::Cast(Box::new(self.expr(&from, depth + 1)), ty)
            }
            5 if kind == IntKind::I64 => self.counting(depth),
            6 if kind == IntKind::U64 => Expr::Unary(Unary::Bits, Box::new(self.expr(&Type::F64, depth + 1))),
            6 if kind == IntKind::U32 => {
                if self.choices.chance(50) {
                    Expr::Cast(Box::new(self.expr(&Type::Char, depth + 1)), ty)
                } else {
                    Expr::Unary(Unary::Bits, Box::new(self.expr(&Type::F32, depth + 1)))
                }
            }
            _ => {
                let (a, b) = self.pair(&ty, depth);
                both(Add, a, b)
            }
        }
    }

    /// Lengths, bits and sums.
    fn counting(&mut self, depth: usize) -> Expr {
        let arrays: Vec<Known> = self
            .scope
            .iter()
            .filter(|k| matches!(k.ty, Type::Array(_) | Type::Slice(_) | Type::Text | Type::Map(..)))
            .cloned()
            .collect();
        if !arrays.is_empty() && self.choices.chance(70) {
            let known = self.choices.pick(&arrays).clone();
            let receiver = Expr::Var(known.var);
            return match &known.ty {
                Type::Array(element) | Type::Slice(element) if **element == INT => match self.choices.below(3) {
                    0 => Expr::Library(Library::Length, vec![receiver]),
                    1 if known.length.is_some_and(|n| n > 0) => Expr::Library(Library::Sum, vec![receiver]),
                    _ => {
                        let (index, other) = (self.expr(&INT, depth + 2), self.expr(&INT, depth + 2));
                        Expr::Library(Library::GetOr, vec![receiver, index, other])
                    }
                },
                _ => Expr::Library(Library::Length, vec![receiver]),
            };
        }
        let wide = Type::Int(IntKind::U64);
        let op = *self.choices.pick(&[Unary::PopCount, Unary::LeadingZeros]);
        Expr::Unary(op, Box::new(self.expr(&wide, depth + 1)))
    }

    fn floating(&mut self, ty: &Type, depth: usize) -> Expr {
        use Binary::*;
        match self.choices.weighted(&[(10, 0), (3, 1), (3, 2)]) {
            0 => {
                let op = *self.choices.pick(&[Add, Sub, Mul, Div, Min, Max]);
                let (a, b) = match op {
                    Min | Max => (self.expr(ty, depth + 1), self.expr(ty, depth + 1)),
                    _ => self.pair(ty, depth),
                };
                both(op, a, b)
            }
            1 => {
                let op = *self.choices.pick(&[
                    Unary::Neg,
                    Unary::Abs,
                    Unary::Sqrt,
                    Unary::Floor,
                    Unary::Ceil,
                    Unary::Trunc,
                    Unary::Round,
                ]);
                Expr::Unary(op, Box::new(self.expr(ty, depth + 1)))
            }
            _ => {
                let from = match self.choices.below(3) {
                    0 => Type::Int(self.int_kind()),
                    1 if *ty == Type::F64 => Type::F32,
                    1 => Type::F64,
                    _ => INT,
                };
                Expr::Cast(Box::new(self.expr(&from, depth + 1)), ty.clone())
            }
        }
    }

    fn condition(&mut self, depth: usize) -> Expr {
        use Binary::*;
        match self.choices.weighted(&[(10, 0), (4, 1), (2, 2), (2, 3), (1, 4)]) {
            0 => {
                let ty = match self.choices.below(3) {
                    0 => INT,
                    1 => self.scalar_type(),
                    _ => Type::Int(self.int_kind()),
                };
                let op = if ty == Type::Bool {
                    *self.choices.pick(&[Eq, Ne])
                } else {
                    *self.choices.pick(&[Lt, Le, Gt, Ge, Eq, Ne])
                };
                let (a, b) = self.pair(&ty, depth);
                both(op, a, b)
            }
            1 => {
                let op = *self.choices.pick(&[Both, Either, And, Or, Xor]);
                both(op, self.expr(&Type::Bool, depth + 1), self.expr(&Type::Bool, depth + 1))
            }
            2 => Expr::Unary(Unary::Not, Box::new(self.expr(&Type::Bool, depth + 1))),
            3 => {
                let ty = self.value_type(1);
                let (a, b) = (self.expr(&ty, depth + 2), self.expr(&ty, depth + 2));
                // Without a type of their own on one side two values cannot be compared.
                if self_typed(&a) && self_typed(&b) {
                    both(*self.choices.pick(&[Eq, Ne]), a, b)
                } else {
                    Expr::Bool(true)
                }
            }
            _ => {
                let subjects: Vec<Known> = self
                    .scope
                    .iter()
                    .filter(|k| matches!(k.ty, Type::Option(_) | Type::Union(_) | Type::Map(..) | Type::Text))
                    .cloned()
                    .collect();
                if subjects.is_empty() {
                    return Expr::Bool(false);
                }
                let known = self.choices.pick(&subjects).clone();
                let subject = Expr::Var(known.var);
                match &known.ty {
                    Type::Map(key, _) => {
                        let key = self.expr(key, depth + 2);
                        Expr::Library(Library::Contains, vec![subject, key])
                    }
                    Type::Text => {
                        let part = self.expr(&Type::Text, depth + 3);
                        let which = *self.choices.pick(&[Library::StartsWith, Library::Contains]);
                        Expr::Library(which, vec![subject, part])
                    }
                    ty => {
                        let patterns = self.patterns(ty);
                        let pattern = self.choices.pick(&patterns).0.clone();
                        Expr::Is(Box::new(subject), pattern)
                    }
                }
            }
        }
    }

    fn text(&mut self, depth: usize) -> Expr {
        match self.choices.weighted(&[(5, 0), (4, 1), (2, 2), (1, 3), (2, 4)]) {
            0 => both(Binary::Add, self.expr(&Type::Text, depth + 1), self.expr(&Type::Text, depth + 2)),
            1 => {
                let ty = self.scalar_type();
                let value = self.readable(&ty).unwrap_or_else(|| self.literal(&ty));
                // A literal has no methods before its type is known.
                Expr::Library(Library::ToString, vec![value])
            }
            2 => {
                let parts = (0..1 + self.choices.below(3))
                    .map(|_| {
                        let ty = self.value_type(1);
                        let before = (*self.choices.pick(&["", " ", "x=", ", "])).to_string();
                        let value = self.expr(&ty, depth + 2);
                        if self_typed(&value) { (before, value) } else { (before, Expr::Bool(true)) }
                    })
                    .collect();
                Expr::Format(parts, (*self.choices.pick(&["", "!", "."])).to_string())
            }
            3 => {
                let count = self.choices.within(0, 4);
                let count = self.int(count);
                Expr::Library(Library::Repeat, vec![self.expr(&Type::Text, depth + 2), count])
            }
            _ => {
                let lists: Vec<Var> = self
                    .scope
                    .iter()
                    .filter(|k| matches!(&k.ty, Type::Array(e) if !matches!(**e, Type::Map(..))))
                    .map(|k| k.var)
                    .collect();
                if lists.is_empty() {
                    return self.literal(&Type::Text);
                }
                let list = Expr::Var(*self.choices.pick(&lists));
                Expr::Library(Library::Join, vec![list, Expr::Text("/".to_string())])
            }
        }
    }

    fn array(&mut self, element: &Type, depth: usize) -> Expr {
        let ty = Type::array(element.clone());
        match self.choices.weighted(&[(3, 0), (3, 1), (3, 2), (2, 3), (1, 4)]) {
            0 => self.composite(&ty, depth + 1),
            1 => {
                let n = self.choices.within(0, 8);
                let n = self.int(n);
                Expr::Filled(element.clone(), Box::new(n), Box::new(self.arg(element, depth + 2)))
            }
            2 => {
                // map or filter of an array in scope
                let lists: Vec<Known> = self.scope.iter().filter(|k| matches!(k.ty, Type::Array(_))).cloned().collect();
                if lists.is_empty() {
                    return self.composite(&ty, depth + 1);
                }
                let list = self.choices.pick(&lists).clone();
                let Some(from) = list.ty.element().cloned() else { return self.composite(&ty, depth + 1) };
                let same = from == *element;
                let mut item = self.declare(from, false);
                item.reserved = true;
                let (var, of) = (item.var, Box::new(Expr::Var(list.var)));
                let made = self.scoped(|g| {
                    g.scope.push(item);
                    if same && g.choices.chance(50) {
                        return Some(Expr::Filter(of, var, Box::new(g.expr(&Type::Bool, depth + 2))));
                    }
                    let body = g.expr(element, depth + 2);
                    self_typed(&body).then(|| Expr::Map(of, var, Box::new(body)))
                });
                made.unwrap_or_else(|| self.composite(&ty, depth + 1))
            }
            3 if *element == Type::Text => {
                let text = self.expr(&Type::Text, depth + 2);
                Expr::Library(Library::Split, vec![text, Expr::Text(",".to_string())])
            }
            4 => {
                let maps: Vec<Known> = self.scope.iter().filter(|k| matches!(k.ty, Type::Map(..))).cloned().collect();
                for known in maps {
                    if let Type::Map(key, value) = &known.ty {
                        if **key == *element {
                            return Expr::Library(Library::Keys, vec![Expr::Var(known.var)]);
                        }
                        if **value == *element {
                            return Expr::Library(Library::Values, vec![Expr::Var(known.var)]);
                        }
                    }
                }
                self.composite(&ty, depth + 1)
            }
            _ => self.readable(&ty).unwrap_or_else(|| self.composite(&ty, depth + 1)),
        }
    }
}
