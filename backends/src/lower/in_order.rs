//! Sums whose order matters: each term is kept where the run says, beside being added.
//!
//! Where all iterations are run one after the other the sum is what the code computes, and nobody wants the terms; where
//! they are run in parts, the terms are added up behind them, and the sums that the parts compute mean nothing. Keeping them
//! always makes one code of both.

use std::fmt::Write;

use scaly_tracer::region::{ChainId, Inst, Op, Type, Value};

use super::{Lowering, line};
use crate::run::TERMS;
use crate::terms::{AT, END, STRIDE};

/// What code calls where there is no room for another term.
pub const MORE: &str = "scaly_more_terms";

impl Lowering<'_> {
    /// The number of the sum that an instruction accumulates, the term, and whether that counts with the other sign.
    pub(super) fn term(&self, chain: ChainId, inst: &Inst) -> Option<(usize, Value, bool)> {
        let (Op::Float(op) | Op::Single(op)) = inst.op else { return None };
        if chain != ChainId(0) || self.sums.is_empty() {
            return None;
        }
        self.sums.iter().enumerate().find_map(|(sum, updates)| {
            let update = updates.iter().find(|update| update.pc == inst.pc && update.op == op)?;
            Some((sum, inst.args[update.term], update.is_negated(updates)))
        })
    }

    pub(super) fn keep_term(&mut self, sum: usize, term: Value, negated: bool) {
        let ty = if self.region.ty(term) == Type::Single { "float" } else { "double" };
        let mut term = self.operand(term);
        if negated {
            let other = self.temporary();
            line!(self, "{other} = fneg {ty} {term}");
            term = other;
        }
        let [place, kept, at, next, end_place, end, full] = std::array::from_fn(|_| self.temporary());
        line!(self, "{place} = getelementptr i8, ptr %run, i64 {TERMS}");
        line!(self, "{kept} = load ptr, ptr {place}");
        line!(self, "{place}.at = getelementptr i8, ptr {kept}, i64 {}", sum * STRIDE + AT);
        line!(self, "{at} = load ptr, ptr {place}.at");
        line!(self, "store {ty} {term}, ptr {at}");
        line!(self, "{next} = getelementptr i8, ptr {at}, i64 8");
        line!(self, "store ptr {next}, ptr {place}.at");
        line!(self, "{end_place} = getelementptr i8, ptr {kept}, i64 {}", sum * STRIDE + END);
        line!(self, "{end} = load ptr, ptr {end_place}");
        line!(self, "{full} = icmp eq ptr {next}, {end}");
        let (on, filled) = self.fork();
        line!(self, "br i1 {full}, label %{filled}, label %{on}, !prof !1");
        self.cold_block(&filled, |lowering| {
            line!(lowering, "{kept}.full = getelementptr i8, ptr {kept}, i64 {}", sum * STRIDE);
            line!(lowering, "call void @{MORE}(ptr {kept}.full)");
            line!(lowering, "br label %{on}");
        });
        self.begin(on);
    }
}
