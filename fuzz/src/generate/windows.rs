//! Loops whose iterations go along parts of one array, at two places that are a number of elements apart: `a[r * width +
//! k]` beside `a[r * width + shift + k]`. Whether they are independent depends on numbers that only the run tells: within
//! the width, or behind all of the others, or neither.

use super::Generator;
use super::loops::{at, both, element};
use super::sums::{range, set};
use crate::tree::*;

/// Iterations.
const ROWS: i64 = 4;

impl Generator {
    pub(super) fn windows_sample(&mut self, body: &mut Block) {
        let inner = self.choices.within(2, 5);
        let width = *self.choices.pick(&[inner, 2 * inner, inner - 1, 2 * inner - 1, 2 * inner + 1]);
        let behind = (ROWS - 1) * width + inner;
        let shift = *self.choices.pick(&[inner, behind, 0, 1, inner - 1, inner + 1, behind - 1, width]);
        let numbers = self.filled(INT, 3, body);
        for (n, number) in [inner, width, shift].into_iter().enumerate() {
            body.push(set(element(&numbers, self.int(n as i64)), self.int(number)));
        }
        let [inner, width, shift] = [0, 1, 2].map(|n| {
            let known = self.declare(INT, false);
            let value = Some(at(&numbers, self.int(n)));
            body.push(Statement::Let { var: known.var, ty: INT, mutable: false, annotated: false, value });
            known.var
        });
        let length = 2 * behind;
        let data = self.filled(INT, length as usize, body);
        let i = self.fresh();
        let value = both(Binary::Rem, both(Binary::Mul, Expr::Var(i), self.int(37)), self.int(101));
        body.push(range(i, self.int(length), vec![set(element(&data, Expr::Var(i)), value)]));
        for _ in 0..1 + self.choices.below(2) {
            let (r, k) = (self.fresh(), self.fresh());
            let base = both(Binary::Add, both(Binary::Mul, Expr::Var(r), Expr::Var(width)), Expr::Var(k));
            let shifted = both(Binary::Add, base.clone(), Expr::Var(shift));
            let mut stores = Vec::new();
            for (to, from) in [(&base, &shifted), (&shifted, &base)] {
                if self.choices.chance(60) {
                    let changed =
                        both(Binary::Add, both(Binary::Mul, at(&data, from.clone()), self.int(3)), Expr::Var(k));
                    stores.push(set(element(&data, to.clone()), both(Binary::And, changed, self.int(1023))));
                }
            }
            body.push(range(r, self.int(ROWS), vec![range(k, Expr::Var(inner), stores)]));
        }
        self.scope.extend([numbers, data]);
    }
}
