//! Which blocks are different ones because each value owns its memory alone.
//!
//! The elements of an array lie in a block of their own, which belongs to the cell that its address was loaded from: the
//! array's base in a field, an element, a global. So
//!
//! - it is not the block that the cell lies in, nor the one that this one belongs to, and so on;
//! - it is not the block of an array that belongs to another cell;
//! - it is not the block of an array whose elements are larger or smaller: their types are others.
//!
//! Without this a store to an element might change where the array is, and `grid[i][j] = …` would load and check its row
//! for each j.
//!
//! That an address is an array's is known when the word behind it in memory has been a limit of an index: references to
//! objects, which may lead anywhere, have no length. Slices are not stored anywhere; what lambdas capture is only read.
//! Contents that move from cell to cell do so by loads and stores, through which the address remains what it was, or by
//! calls, and no view of an array outlives its move: so two addresses that are in use are of one time.

use rustc_hash::{FxHashMap, FxHashSet};
use scaly_interp::machine::{IntMemory, IntOp};

use super::Builder;
use super::linear::Linear;
use super::memory::Place;
use crate::region::Op;
use crate::trace::{self, Ref, Trace};

/// Containers that are followed outward.
const DEPTH: u32 = 8;

/// Where an array's address was loaded from.
#[derive(Debug)]
struct Cell {
    address: Linear,
    /// The address of the block that the cell lies in.
    block: Ref,
}

#[derive(Debug, Default)]
pub struct Owners {
    /// By address of a block of elements.
    cells: FxHashMap<Ref, Cell>,
    /// Words that an index has been found to be below.
    limits: FxHashSet<Ref>,
    /// By address of a block of elements: from one to the next.
    strides: FxHashMap<Ref, u32>,
}

/// The address that another is an element or a field of.
pub fn block(trace: &Trace, address: Ref) -> Ref {
    whole(trace, address).0
}

/// The same, and the stride of the index that leads from there, if one does.
fn whole(trace: &Trace, mut address: Ref) -> (Ref, Option<u32>) {
    let mut stride = None;
    while !address.is_constant() {
        match *trace.inst(address) {
            trace::Inst { op: trace::Op::Common(Op::Element { stride: s, .. }), a, .. } => {
                (address, stride) = (a, Some(s));
            }
            trace::Inst { op: trace::Op::Common(Op::Int(IntOp::Add)), a, b, .. } if b.is_constant() => address = a,
            _ => break,
        }
    }
    (address, stride)
}

impl Owners {
    /// An index was below this.
    pub fn add_limit(&mut self, length: Ref) {
        self.limits.insert(length);
    }

    /// Whether two addresses are known to be of different blocks.
    pub fn apart(&self, a: Ref, b: Ref) -> bool {
        self.apart_within(a, b, DEPTH)
    }

    fn apart_within(&self, a: Ref, b: Ref, depth: u32) -> bool {
        if a == b || depth == 0 {
            return false;
        }
        let other_type = matches!((self.strides.get(&a), self.strides.get(&b)), (Some(a), Some(b)) if a != b);
        if other_type || self.lies_below(a, b) || self.lies_below(b, a) {
            return true;
        }
        let (Some(x), Some(y)) = (self.cells.get(&a), self.cells.get(&b)) else { return false };
        let other_cell = x.address.parts == y.address.parts && {
            let distance = y.address.constant.wrapping_sub(x.address.constant) as u64;
            distance >= 8 && distance.wrapping_neg() >= 8
        };
        other_cell || self.apart_within(x.block, y.block, depth - 1)
    }

    /// Whether a block belongs to what is in another, at any depth.
    fn lies_below(&self, mut inner: Ref, outer: Ref) -> bool {
        for _ in 0..DEPTH {
            let Some(cell) = self.cells.get(&inner) else { return false };
            if cell.block == outer {
                return true;
            }
            inner = cell.block;
        }
        false
    }
}

impl Builder {
    /// An address is accessed: if it is an array's, it is from now on known whose.
    pub(super) fn learn_owner(&mut self, address: Ref) {
        let (base, Some(stride)) = whole(&self.trace, address) else { return };
        if base.is_constant() {
            return;
        }
        self.owners.strides.insert(base, stride);
        if self.owners.cells.contains_key(&base) {
            return;
        }
        let trace::Inst { op: trace::Op::Common(op @ Op::LoadInt(IntMemory::I64, _)), a, .. } = *self.trace.inst(base)
        else {
            return;
        };
        let Some(cell) = Place::of(&self.trace, op, a) else { return };
        let length = self.memory.word_behind(&cell);
        if length.is_some_and(|length| self.owners.limits.contains(&length)) {
            let block = block(&self.trace, a);
            self.owners.cells.insert(base, Cell { address: cell.address, block });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::*;
    use super::*;

    /// Stores to element `v1` of the array whose address and length lie at 0 and 8 from slot 0, and loads twice: once
    /// before, once behind the store. How many of the second loads are left.
    fn loads_behind(before: &str, check: &str, loads: &str) -> usize {
        let again = loads.replace("v2", "v3");
        let text = format!(
            "loop0 root
            k0: i64 = 2
            v0: i64 = slot 0 @1
            v1: i64 = slot 1 @1
            v10: i64 = load.i64 v0 + 0 @1
            v11: i64 = load.i64 v0 + 8 @1
            v12: bool = {check}
            guard v12 true -> snap0 @1
            v14: i64 = element v10, v1 * 8 + 0 @1
            {before}
            {loads}
            store.i64 v14 + 0, v1 @2
            {again}
            v40: i64 = sub v29, v39 @1
            end leave snap1
            snap0 resume @1 ()
            snap1 resume @1 (9 = v40)
            "
        );
        let trace = optimized(&text);
        let store = trace.insts.iter().position(|inst| inst.pc.0 == 2).unwrap();
        let load = |inst: &&trace::Inst| inst.op.effects() == trace::Effects::Load;
        trace.insts[store..].iter().filter(load).count()
    }

    const CHECK: &str = "lt_u v1, v11";

    #[test]
    fn elements_are_not_where_their_array_is() {
        assert_eq!(loads_behind("", CHECK, "v29: i64 = load.i64 v0 + 0"), 0);
        assert_eq!(loads_behind("", CHECK, "v20: i64 = element v0, v1 * 16 + 0\nv29: i64 = load.i64 v20 + 8"), 0);
    }

    #[test]
    fn a_reference_may_lead_anywhere() {
        assert_eq!(loads_behind("", "lt_s v1, v11", "v29: i64 = load.i64 v0 + 0"), 1);
        assert_eq!(loads_behind("", CHECK, "v20: i64 = load.i64 v0 + 24\nv29: i64 = load.i64 v20 + 0"), 1);
    }

    /// Without an index it may be an object's field.
    #[test]
    fn a_field_may_be_of_what_holds_the_reference() {
        let text = "
            loop0 root
            v0: i64 = slot 0 @1
            v1: i64 = slot 1 @1
            v2: i64 = load.i64 v0 + 0 @1
            v3: i64 = load.i64 v0 + 8 @1
            v4: bool = lt_u v1, v3 @1
            guard v4 true -> snap0 @1
            store.i64 v2 + 16, v1 @2
            v7: i64 = load.i64 v0 + 8 @3
            end leave snap1
            snap0 resume @1 ()
            snap1 resume @1 (9 = v7)
        ";
        assert!(optimized(text).insts.iter().any(|inst| inst.pc.0 == 3));
    }

    /// The array is loaded again behind something that may have changed everything.
    #[test]
    fn arrays_of_one_cell_may_be_one() {
        let text = "
            loop0 root
            v0: i64 = slot 0 @1
            v1: i64 = slot 1 @1
            v2: i64 = load.i64 v0 + 0 @1
            v3: i64 = load.i64 v0 + 8 @1
            v4: bool = lt_u v1, v3 @1
            guard v4 true -> snap0 @1
            v6: i64 = element v2, v1 * 8 + 0 @1
            store.i64 v6 + 0, v0 @1
            routine MemoryZero 20 @1
            v9: i64 = load.i64 v0 + 0 @1
            v10: i64 = load.i64 v0 + 8 @1
            v11: bool = lt_u v0, v10 @1
            guard v11 true -> snap0 @1
            v13: i64 = element v9, v0 * 8 + 0 @1
            v14: i64 = load.i64 v13 + 0 @1
            store.i64 v6 + 0, v1 @2
            v16: i64 = load.i64 v13 + 0 @3
            v17: i64 = sub v14, v16 @3
            end leave snap1
            snap0 resume @1 ()
            snap1 resume @1 (9 = v17)
        ";
        let loads = |inst: &&trace::Inst| inst.pc.0 == 3 && inst.op.effects() == trace::Effects::Load;
        assert_eq!(optimized(text).insts.iter().filter(loads).count(), 1);
    }

    const OTHER: &str = "v15: i64 = load.i64 v0 + 16
        v16: i64 = load.i64 v0 + 24
        v17: bool = lt_u v1, v16
        guard v17 true -> snap0";

    #[test]
    fn arrays_of_two_fields_are_two() {
        assert_eq!(loads_behind(OTHER, CHECK, "v20: i64 = element v15, v1 * 8 + 0\nv29: i64 = load.i64 v20 + 0"), 0);
        let unchecked = OTHER.replace("lt_u", "lt_s");
        let loads = "v20: i64 = element v15, v1 * 8 + 0\nv29: i64 = load.i64 v20 + 0";
        assert_eq!(loads_behind(&unchecked, CHECK, loads), 1);
    }

    #[test]
    fn arrays_of_two_elements_are_two_only_if_these_are() {
        let other = |index: &str| {
            format!(
                "v13: i64 = {index}
                v18: i64 = element v0, v13 * 16 + 0
                v15: i64 = load.i64 v18 + 0
                v16: i64 = load.i64 v18 + 8
                v17: bool = lt_u v1, v16
                guard v17 true -> snap0"
            )
        };
        let loads = "v20: i64 = element v15, v1 * 8 + 0\nv29: i64 = load.i64 v20 + 0";
        // The array that is stored to is that of element 0.
        assert_eq!(loads_behind(&other("add v1, k0"), CHECK, loads), 1);
        assert_eq!(loads_behind(&other("add k0, k0"), CHECK, loads), 0);
    }

    /// The loop of `for x in n: store grid[y][x] somewhere`, behind its first iteration: loads of words, and guards.
    fn left_in_a_row(store: &str) -> (usize, usize) {
        let text = format!(
            "
            loop0 root
            k0: i64 = 0
            k1: i64 = 1
            v0: i64 = slot 12 @1
            v1: i64 = slot 3 @1
            v2: i64 = element v1, v0 * 16 + 0 @1
            v3: i64 = load.i64 v2 + 0 @1
            v4: i64 = load.i64 v2 + 8 @1
            v5: i64 = slot 15 @1
            v6: bool = lt_u v5, v4 @1
            guard v6 true -> snap0 @1
            v8: i64 = element v3, v5 * 8 + 0 @1
            v9: f64 = load.f64 v8 + 0 @1
            {store}
            v13: i64 = slot 16 @1
            v14: bool = ne v13, k0 @1
            guard v14 true -> snap0 @1
            v16: i64 = sub v13, k1 @1
            v17: i64 = add v5, k1 @1
            carried 15 = v17, 16 = v16
            end loop snap1
            snap0 resume @1 ()
            snap1 resume @1 (15 = v17, 16 = v16)
        "
        );
        let found = finished(&text, &AllLive, true).trace.to_string();
        let behind = &found[found.find("\nloop @").unwrap()..];
        (behind.matches("load.i64").count(), behind.matches("guard").count())
    }

    /// `next[x] = grid[y][x]`, with elements of this size in `next`.
    fn loads_of_a_row(stride: u32) -> usize {
        let store = format!(
            "v10: i64 = slot 5 @1
            v11: i64 = element v10, v5 * {stride} + 0 @1
            store.f64 v11 + 0, v9 @1"
        );
        left_in_a_row(&store).0
    }

    #[test]
    fn elements_of_another_size_are_of_another_array() {
        assert_eq!(loads_of_a_row(8), 0);
        assert_eq!(loads_of_a_row(24), 0);
        // Rows may move from this array to another of their kind.
        assert_eq!(loads_of_a_row(16), 2);
    }

    /// `a[2 * i]` before and behind a store to `b[i]`: both may be one array.
    #[test]
    fn a_factor_of_an_index_is_no_size_of_elements() {
        let text = "
            loop0 root
            k0: i64 = 2
            v0: i64 = slot 0 @1
            v1: i64 = slot 2 @1
            v2: i64 = slot 4 @1
            v3: i64 = mul v2, k0 @1
            v4: i64 = element v0, v3 * 8 + 0 @1
            v5: i64 = load.i64 v4 + 0 @1
            v6: i64 = element v1, v2 * 8 + 0 @1
            store.i64 v6 + 0, v2 @1
            v8: i64 = load.i64 v4 + 0 @1
            v9: i64 = sub v5, v8 @1
            end leave snap0
            snap0 resume @1 (9 = v9)
        ";
        let loads = |inst: &&trace::Inst| inst.op.effects() == trace::Effects::Load;
        assert_eq!(optimized(text).insts.iter().filter(loads).count(), 2);
    }

    /// `grid[y][x] = …` for all x: the row is loaded and checked once.
    #[test]
    fn a_row_stays_where_it_is() {
        let store = "v10: f64 = f64.mul v9, v9 @1
            store.f64 v8 + 0, v10 @1";
        assert_eq!(left_in_a_row(store), (0, 1));
    }
}
