//! Loops whose iterations have a slice each of one array, of their own or nearly: what is stored in it by indices that
//! depend on data is nobody else's if slices are no longer than the step.
//!
//! Slices begin at the counter times a step and end a step further, an element earlier or later; a routine goes to
//! elements that its own elements tell, calls itself for a part of the slice, reads another array; what follows prints
//! all.

use super::Generator;
use super::loops::{at, both, element};
use super::sums::{range, set};
use crate::tree::*;

/// Iterations, and what a slice begins further than the one before.
const ROWS: i64 = 8;
const STEPS: [i64; 3] = [6, 9, 4];

impl Generator {
    pub(super) fn slices_sample(&mut self, body: &mut Block) {
        let step = *self.choices.pick(&STEPS);
        // So that a slice may end behind the last step.
        let data = self.filled(INT, (ROWS * step + 2) as usize, body);
        let table = self.filled(INT, (ROWS * step + 2) as usize, body);
        let i = self.fresh();
        let by = self.choices.within(1, 40);
        let value = both(Binary::Rem, both(Binary::Mul, Expr::Var(i), self.int(by)), self.int(17));
        let fill = |array| set(element(array, Expr::Var(i)), value.clone());
        body.push(range(i, self.int(ROWS * step + 2), vec![fill(&data), fill(&table)]));
        let scatter = self.scatter();
        for _ in 0..1 + self.choices.below(2) {
            let r = self.fresh();
            let first = both(Binary::Mul, Expr::Var(r), self.int(step));
            let first = match self.choices.weighted(&[(6, 0), (2, 1)]) {
                0 => first,
                offset => both(Binary::Add, first, self.int(offset)),
            };
            let longer = self.choices.weighted(&[(6, 0), (2, -1), (3, 1)]);
            let last = both(Binary::Add, first.clone(), self.int(step + longer));
            let slice =
                |of: Var, first: Expr, last: Expr| Expr::Library(Library::View, vec![Expr::Var(of), first, last]);
            let given = slice(data.var, first.clone(), last.clone());
            let read = if self.choices.chance(30) { data.var } else { table.var };
            let read = match self.choices.chance(50) {
                true => slice(read, first, last),
                false => Expr::Var(table.var),
            };
            let call = Statement::Call(Expr::Call(scatter, vec![given, read, Expr::Var(r)]));
            body.push(range(r, self.int(ROWS), vec![call]));
        }
        self.scope.extend([data, table]);
    }

    /// A routine that stores in a slice where data says: its elements, those of another one, a number.
    fn scatter(&mut self) -> usize {
        let outer = std::mem::take(&mut self.scope);
        let slice = Type::Slice(Box::new(INT));
        let (a, b, n) = (self.declare(slice.clone(), true), self.declare(slice, false), self.declare(INT, false));
        let number = self.program.routines.len();
        let length = |of: Var| Expr::Library(Library::Length, vec![Expr::Var(of)]);
        let modulo = |e: Expr, by: Expr| {
            both(Binary::Rem, both(Binary::And, e, Expr::Int { value: 1023, kind: IntKind::I64, bare: true }), by)
        };
        let k = self.fresh();
        let here = || Expr::Var(k);
        let of_b = || at(&b, modulo(here(), length(b.var)));
        let told = match self.choices.below(3) {
            0 => both(Binary::Mul, here(), at(&a, here())),
            1 => both(Binary::Add, of_b(), Expr::Var(n.var)),
            _ => both(Binary::Xor, both(Binary::Mul, here(), self.int(5)), at(&a, here())),
        };
        let to = element(&a, modulo(told, length(a.var)));
        let value =
            both(Binary::And, both(Binary::Add, both(Binary::Mul, at(&a, here()), self.int(3)), of_b()), self.int(255));
        let store = match self.choices.chance(50) {
            true => Statement::Update { place: to, op: Binary::Add, value },
            false => set(to, value),
        };
        let mut inner = vec![range(k, length(a.var), vec![store])];
        let recursive = self.choices.chance(40);
        if recursive {
            let part = Expr::Library(Library::View, vec![Expr::Var(a.var), self.int(1), length(a.var)]);
            let again = Statement::Call(Expr::Call(number, vec![part, Expr::Var(b.var), Expr::Var(n.var)]));
            inner.push(Statement::If(both(Binary::Gt, length(a.var), self.int(2)), vec![again], Vec::new()));
        }
        self.scope = outer;
        let params = [(a, Passing::WrittenView), (b, Passing::View), (n, Passing::Value)];
        let params = params.map(|(known, passing)| Param { var: known.var, ty: known.ty, passing }).to_vec();
        self.add_routine(Routine::free(params, None, inner, true), recursive)
    }
}
