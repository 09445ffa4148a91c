//! Terms that code keeps of sums whose order matters, for whoever adds them up behind the iterations.
//!
//! Code writes a word at [`Kept::at`] each time and calls [`more`] where that has come to [`Kept::end`]. Where it adds them
//! up itself nobody wants them: they go to a few words, round and round.
#![allow(unsafe_code)]

use std::marker::PhantomData;
use std::mem::{MaybeUninit, offset_of};
use std::ops::Range;
use std::ptr;

/// Where code keeps the terms of one sum.
#[derive(Debug)]
#[repr(C)]
pub struct Kept {
    /// Of the next one.
    at: *mut u64,
    end: *mut u64,
    /// Where `at` begins again; null if all are wanted.
    again: *mut u64,
    all: *mut Vec<u64>,
}

pub const AT: usize = offset_of!(Kept, at);
pub const END: usize = offset_of!(Kept, end);
/// From one sum's to the next.
pub const STRIDE: usize = size_of::<Kept>();

/// Words for terms that nobody wants.
pub type Scratch = [MaybeUninit<u64>; 64];

pub const SCRATCH: Scratch = [MaybeUninit::uninit(); 64];

/// What a list that is full has room for at least.
const LEAST: usize = 256;

/// Where code keeps the terms of its sums.
pub struct Terms<'a> {
    kept: Vec<Kept>,
    _lists: PhantomData<&'a mut [Vec<u64>]>,
}

impl<'a> Terms<'a> {
    /// Of so many sums that the code adds up itself.
    pub fn unwanted(sums: usize, scratch: &'a mut Scratch) -> Terms<'a> {
        let Range { start, end } = scratch.as_mut_ptr_range();
        let (start, end) = (start.cast::<u64>(), end.cast::<u64>());
        // More than one may write there: nobody reads it.
        let kept = |_| Kept { at: start, end, again: start, all: ptr::null_mut() };
        Terms { kept: (0..sums).map(kept).collect(), _lists: PhantomData }
    }

    /// Behind what is in these lists.
    pub fn behind(lists: &'a mut [Vec<u64>]) -> Terms<'a> {
        let kept = |list: &mut Vec<u64>| {
            if list.len() == list.capacity() {
                list.reserve(LEAST);
            }
            let space = list.spare_capacity_mut().as_mut_ptr_range();
            Kept { at: space.start.cast(), end: space.end.cast(), again: ptr::null_mut(), all: list }
        };
        Terms { kept: lists.iter_mut().map(kept).collect(), _lists: PhantomData }
    }

    /// For a run; null if there is none.
    pub fn place(&mut self) -> *mut Kept {
        if self.kept.is_empty() { ptr::null_mut() } else { self.kept.as_mut_ptr() }
    }

    /// Puts into the lists what the code has kept.
    pub fn keep(self) {
        for kept in &self.kept {
            // SAFETY: the list is borrowed by this; the code has written all words up to this one, and no other.
            if let Some(list) = unsafe { kept.all.as_mut() } {
                unsafe { list.set_len(kept.at.offset_from_unsigned(list.as_ptr())) };
            }
        }
    }
}

/// Called by code that has filled the space.
///
/// # Safety
/// It is that of a run which the code is in.
pub unsafe extern "C" fn more(kept: *mut Kept) {
    // SAFETY: by the caller's promise; its list is borrowed for the run, and written up to its capacity.
    unsafe {
        let kept = &mut *kept;
        if !kept.again.is_null() {
            kept.at = kept.again;
            return;
        }
        let list = &mut *kept.all;
        list.set_len(list.capacity());
        list.reserve(LEAST);
        let space = list.spare_capacity_mut().as_mut_ptr_range();
        (kept.at, kept.end) = (space.start.cast(), space.end.cast());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What code does.
    fn write(terms: &mut Terms<'_>, sum: usize, word: u64) {
        // SAFETY: there are so many sums.
        unsafe {
            let kept = terms.place().add(sum);
            (*kept).at.write(word);
            (*kept).at = (*kept).at.add(1);
            if (*kept).at == (*kept).end {
                more(kept);
            }
        }
    }

    #[test]
    fn all_terms_are_kept_in_their_order() {
        let mut lists = vec![vec![7], Vec::new()];
        for part in [0..3, 3..5_000] {
            let mut terms = Terms::behind(&mut lists);
            for i in part {
                write(&mut terms, 0, i);
                write(&mut terms, 1, 2 * i);
            }
            terms.keep();
        }
        assert_eq!(lists[0], std::iter::once(7).chain(0..5_000).collect::<Vec<_>>());
        assert_eq!(lists[1], (0..5_000).map(|i| 2 * i).collect::<Vec<_>>());
    }

    #[test]
    fn unwanted_terms_take_no_room() {
        let mut scratch = SCRATCH;
        let mut terms = Terms::unwanted(2, &mut scratch);
        (0..5_000).for_each(|i| write(&mut terms, (i % 2) as usize, i));
        terms.keep();
        assert_eq!(Terms::unwanted(0, &mut scratch).place(), ptr::null_mut());
    }
}
