//! Evaluates entry checks on the slots of a frame in which a loop begins.
//!
//! This is what decides which variant runs, until compiled code does it; and what the comparison with the dependence
//! oracle asks for each run of a loop.

use std::collections::BTreeSet;

use scaly_interp::machine::{IntOp, IntUnary};
use scaly_interp::oracle::Frame;
use scaly_interp::program::Program;
use scaly_interp::room::Array;

use super::check::{Bytes, EntryCheck};
use super::poly::{Atom, Poly};
use super::{Gathered, Independence};
use crate::region::{Def, Op, Region, Value};

/// Whether all checks hold. `slot` gives what is in a slot of the loop's frame when the loop is entered, a counted loop's
/// counter and remaining trips included; `capacity` for how many bytes the block at an address has room.
pub fn holds<'c>(
    region: &Region,
    checks: impl IntoIterator<Item = &'c EntryCheck>,
    slot: impl Fn(u16) -> u64,
    capacity: impl Fn(u64) -> u64,
) -> bool {
    checks.into_iter().all(|check| one(region, check, &slot, &capacity).unwrap_or(false))
}

/// Of a check that asks for room: the slot that the block's address is in, and for how many bytes; none if these are not
/// known.
pub fn wanted(region: &Region, check: &EntryCheck, slot: impl Fn(u16) -> u64) -> Option<(u16, u64)> {
    let EntryCheck::Room { base, bytes } = check else { return None };
    let Def::Param(Region::ENTRY, position) = region.values[base.index()].def else { return None };
    let bytes = u64::try_from(number(region, bytes, &slot)?).ok()?;
    Some((region.block(Region::ENTRY).params[position as usize].slot, bytes))
}

/// Whether a verdict is about the run of its loop that begins in a frame: all checks hold, when as much room was made for
/// what the loop appends as there is memory for. Whoever divides the loop makes it too.
pub fn covers(program: &Program, region: &Region, found: &Independence, frame: &mut Frame<'_>) -> bool {
    make_room(program, region, found, frame);
    holds(region, &found.checks, |slot| frame.slot(slot), |block| frame.capacity(block))
}

/// For how many bytes more there is room in an array that parts of a loop append to, each to one of its own, and for how
/// many elements at least: more than a program appends whose loops are judged. Nobody moves it then, as it is where each
/// part has its own.
const GATHERED: u64 = 1 << 16;
const GATHERED_ELEMENTS: u64 = 1 << 12;

/// Makes the room that the checks of an independent loop ask for, or that stands for arrays of its parts.
pub fn make_room(program: &Program, region: &Region, found: &Independence, frame: &mut Frame<'_>) {
    let arrays: Vec<Array> = found.rooms.iter().filter_map(|&pc| Array::at(program, pc)).collect();
    for check in &found.checks {
        if let Some((block, bytes)) = wanted(region, check, |slot| frame.slot(slot))
            && let Some(&array) = arrays.iter().find(|array| array.block == block)
        {
            frame.make_room(array, bytes);
        }
    }
    for Gathered { array, .. } in &found.gathered {
        let stride = u64::from(array.stride);
        let held = frame.slot(array.length).saturating_mul(stride);
        let more = GATHERED.max(GATHERED_ELEMENTS * stride);
        // A loop around has had it made, and its iterations do not move the array either.
        if frame.capacity(frame.slot(array.block)) < held.saturating_add(more / 2) {
            frame.make_room(*array, held.saturating_add(more));
        }
    }
}

/// None where it cannot be computed, which fails the check.
fn one(
    region: &Region,
    check: &EntryCheck,
    slot: &impl Fn(u16) -> u64,
    capacity: &impl Fn(u64) -> u64,
) -> Option<bool> {
    let number = |poly: &Poly| number(region, poly, slot);
    let range = |bytes: &Bytes| -> Option<(i128, i128)> {
        let base = i128::from(word(region, bytes.base, slot, 0)?);
        Some((base + number(&bytes.from)?, base + number(&bytes.to)?))
    };
    Some(match check {
        EntryCheck::AtLeastZero(poly) => number(poly)? >= 0,
        EntryCheck::Fits(low, high, kind) => {
            let (min, max) = kind.range();
            min <= number(low)? && number(high)? <= max
        }
        EntryCheck::Apart(a, b) => {
            let ((from_a, to_a), (from_b, to_b)) = (range(a)?, range(b)?);
            to_a <= from_b || to_b <= from_a
        }
        EntryCheck::Either(a, b) => {
            let all = |checks: &BTreeSet<EntryCheck>| {
                checks.iter().all(|check| one(region, check, slot, capacity).unwrap_or(false))
            };
            all(a) || all(b)
        }
        EntryCheck::Room { base, bytes } => number(bytes)? <= i128::from(capacity(word(region, *base, slot, 0)?)),
    })
}

/// What a polynomial over what does not change in the loop is, by the slots at its entry; none where it cannot be computed.
pub fn number(region: &Region, poly: &Poly, slot: &impl Fn(u16) -> u64) -> Option<i128> {
    let mut known = true;
    let value = poly.evaluate(|atom| {
        let found = match atom {
            Atom::Value(v) => word(region, v, slot, 0).map(|w| i128::from(w as i64)),
            Atom::Trips(v) => word(region, v, slot, 0).map(i128::from),
            Atom::Iter(_) => None,
        };
        known &= found.is_some();
        found.unwrap_or(0)
    })?;
    known.then_some(value)
}

/// A value that does not change in the loop, from the slots at its entry.
fn word(region: &Region, value: Value, slot: &impl Fn(u16) -> u64, depth: u32) -> Option<u64> {
    let inst = match region.values[value.index()].def {
        Def::Param(Region::ENTRY, position) => {
            return Some(slot(region.block(Region::ENTRY).params[position as usize].slot));
        }
        Def::Param(..) => return None,
        Def::Result(inst, _) => region.inst(inst),
    };
    if depth > 32 {
        return None;
    }
    let arg = |i: usize| word(region, inst.args[i], slot, depth + 1).map(|w| w as i64);
    Some(match inst.op {
        Op::Const(c) => c,
        Op::Int(IntOp::DivS) => arg(0)?.checked_div(arg(1)?)?,
        Op::Int(IntOp::RemS) => arg(0)?.checked_rem(arg(1)?)?,
        Op::Int(IntOp::DivU) => (arg(0)? as u64).checked_div(arg(1)? as u64)? as i64,
        Op::Int(IntOp::RemU) => (arg(0)? as u64).checked_rem(arg(1)? as u64)? as i64,
        Op::Int(op) => crate::walker::fold_int(op, arg(0)?, arg(1)?)?,
        Op::IntUnary(op @ (IntUnary::Neg | IntUnary::Not | IntUnary::Wrap(_))) => {
            crate::walker::fold_unary(op, arg(0)?)?
        }
        Op::Element { stride, offset } => {
            arg(0)?.wrapping_add(arg(1)?.wrapping_mul(stride.into())).wrapping_add(offset.into())
        }
        _ => return None,
    } as u64)
}
