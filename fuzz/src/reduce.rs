//! Makes a failing tree small: takes away statements, bodies around statements, and what expressions are made of, as long
//! as the failure stays the same.

use crate::tree::*;
use crate::typing::{type_at, well_typed};
use crate::visit;

/// The smallest tree found that is still `interesting`, after at most so many tries.
pub fn reduce(tree: &Program, tries: usize, interesting: &mut dyn FnMut(&Program) -> bool) -> Program {
    let mut reducer = Reducer { best: tree.clone(), left: tries, interesting };
    while reducer.left > 0 {
        let before = reducer.best.clone();
        reducer.statements();
        reducer.routines();
        reducer.unwrap();
        reducer.expressions();
        if reducer.best == before {
            break;
        }
    }
    reducer.best
}

/// The same for a text: takes away lines, then characters, in ever smaller pieces.
pub fn reduce_text(text: &str, mut tries: usize, interesting: &mut dyn FnMut(&str) -> bool) -> String {
    let mut best: Vec<String> = text.split_inclusive('\n').map(str::to_string).collect();
    for by_character in [false, true] {
        if by_character {
            best = best.concat().chars().map(String::from).collect();
        }
        let mut length = best.len() / 2;
        while length > 0 && tries > 0 {
            let mut at = 0;
            while at < best.len() && tries > 0 {
                let mut candidate = best.clone();
                candidate.drain(at..(at + length).min(best.len()));
                tries -= 1;
                if interesting(&candidate.concat()) {
                    best = candidate;
                } else {
                    at += length;
                }
            }
            length /= 2;
        }
    }
    best.concat()
}

struct Reducer<'a> {
    best: Program,
    left: usize,
    interesting: &'a mut dyn FnMut(&Program) -> bool,
}

impl Reducer<'_> {
    fn accept(&mut self, candidate: Program) -> bool {
        if self.left == 0 || candidate == self.best || !well_typed(&candidate) {
            return false;
        }
        self.left -= 1;
        let good = (self.interesting)(&candidate);
        if good {
            self.best = candidate;
        }
        good
    }

    fn counted(&self, visit: impl Fn(&mut Program, &mut dyn FnMut())) -> usize {
        let mut count = 0;
        visit(&mut self.best.clone(), &mut || count += 1);
        count
    }

    /// Takes runs of statements out of every block, long runs first.
    fn statements(&mut self) {
        let blocks = self.counted(|p, seen| visit::blocks(p, &mut |_| seen()));
        for which in (0..blocks).rev() {
            let mut length = usize::MAX;
            loop {
                let size = self.size(which);
                length = length.min(size);
                if length == 0 || self.left == 0 {
                    break;
                }
                let mut at = size - length;
                loop {
                    let candidate = self.edited(which, |body| drop(body.drain(at..at + length)));
                    self.accept(candidate);
                    let step = length.min(at);
                    if step == 0 {
                        break;
                    }
                    at = (at - step).min(self.size(which).saturating_sub(length));
                    if self.size(which) < length {
                        break;
                    }
                }
                length /= 2;
            }
        }
    }

    fn size(&self, which: usize) -> usize {
        let (mut at, mut size) = (0, 0);
        visit::blocks(&mut self.best.clone(), &mut |body| {
            if at == which {
                size = body.len();
            }
            at += 1;
        });
        size
    }

    fn edited(&self, which: usize, edit: impl Fn(&mut Block)) -> Program {
        let mut candidate = self.best.clone();
        let mut at = 0;
        visit::blocks(&mut candidate, &mut |body| {
            if at == which {
                edit(body);
            }
            at += 1;
        });
        candidate
    }

    /// Puts what is inside a statement in its place.
    fn unwrap(&mut self) {
        let mut which = 0;
        while self.left > 0 && which < self.counted(|p, seen| visit::blocks(p, &mut |_| seen())) {
            let mut i = 0;
            while i < self.size(which) {
                let candidate = self.edited(which, |body| {
                    let inner: Vec<Statement> =
                        visit::bodies(&mut body[i]).into_iter().flat_map(|b| b.iter().cloned()).collect();
                    if !inner.is_empty() {
                        body.splice(i..=i, inner);
                    }
                });
                if !self.accept(candidate) {
                    i += 1;
                }
            }
            which += 1;
        }
    }

    /// Forgets routines and types that nothing needs; they stay in the tables without being printed.
    fn routines(&mut self) {
        for i in 0..self.best.routines.len() {
            let mut candidate = self.best.clone();
            let routine = &mut candidate.routines[i];
            *routine = Routine {
                params: Vec::new(),
                result: None,
                body: Vec::new(),
                procedure: false,
                method_of: None,
                operator: None,
            };
            self.accept(candidate);
        }
        for i in 0..self.best.structs.len() {
            let mut candidate = self.best.clone();
            candidate.structs[i].fields.clear();
            self.accept(candidate);
        }
        for i in 0..self.best.unions.len() {
            let mut candidate = self.best.clone();
            candidate.unions[i].variants.clear();
            self.accept(candidate);
        }
        while !self.best.constants.is_empty() {
            let mut candidate = self.best.clone();
            candidate.constants.pop();
            if !self.accept(candidate) {
                break;
            }
        }
    }

    fn expressions(&mut self) {
        let mut which = 0;
        while self.left > 0 && which < self.counted(|p, seen| visit::expressions(p, &mut |_| seen())) {
            let mut simpler = Vec::new();
            let ty = type_at(&self.best, which);
            let mut at = 0;
            visit::expressions(&mut self.best.clone(), &mut |expr| {
                if at == which {
                    simpler = alternatives(expr, ty.clone());
                }
                at += 1;
            });
            for expr in simpler {
                let mut candidate = self.best.clone();
                let mut at = 0;
                visit::expressions(&mut candidate, &mut |place| {
                    if at == which {
                        *place = expr.clone();
                    }
                    at += 1;
                });
                if self.accept(candidate) {
                    break;
                }
            }
            which += 1;
        }
    }
}

/// Simpler expressions in place of one of this type; those with other types are not well typed, and found out.
fn alternatives(expr: &mut Expr, ty: Option<Type>) -> Vec<Expr> {
    let ints = |kind: IntKind| {
        let bare = kind == IntKind::I64;
        [0, 1].map(|value| Expr::Int { value, kind, bare }).to_vec()
    };
    let simple = match (&expr, ty) {
        (Expr::Int { value: 0 | 1, .. } | Expr::Bool(false) | Expr::Var(_) | Expr::None, _) => return Vec::new(),
        (Expr::F64(x), _) if *x == 0.0 => return Vec::new(),
        (Expr::F32 { value, .. }, _) if *value == 0.0 => return Vec::new(),
        (Expr::Text(text), _) if text.is_empty() => return Vec::new(),
        (Expr::Array(items), _) if items.is_empty() => return Vec::new(),
        (_, Some(Type::Int(kind))) => ints(kind),
        (_, Some(Type::F64)) => vec![Expr::F64(0.0), Expr::F64(1.5)],
        (_, Some(Type::F32)) => vec![Expr::F32 { value: 0.0, bare: false }],
        (_, Some(Type::Bool)) => vec![Expr::Bool(false), Expr::Bool(true)],
        (_, Some(Type::Text)) => vec![Expr::Text(String::new()), Expr::Text("a".to_string())],
        (_, Some(Type::Array(_))) => vec![Expr::Array(Vec::new())],
        _ => Vec::new(),
    };
    let mut all = simple;
    all.extend(visit::children(expr).into_iter().map(|child| child.clone()));
    if let Expr::Array(items) = expr {
        for i in 0..items.len() {
            let mut fewer = items.clone();
            fewer.remove(i);
            all.push(Expr::Array(fewer));
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::choice::Choices;
    use crate::generate::{Style, program};
    use crate::print::print;

    #[test]
    fn finds_the_one_statement_that_matters() {
        let tree = program(Choices::seeded(3), Style::default());
        let mut tree = tree;
        tree.main.insert(1, Statement::Print(vec![Expr::Text("here".to_string())]));
        let small = reduce(&tree, 5000, &mut |tree| print(tree).contains("here"));
        assert_eq!(print(&small), "println(\"here\")\n");
    }
}
