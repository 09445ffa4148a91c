//! Slots of a frame: handed out upwards, taken back in the reverse order.

/// A slot of the frame that is being built.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Slot(pub u16);

impl Slot {
    /// `n` slots further. A frame that gets too large is reported once, at its end ([`Frame::overflowed`]).
    pub fn plus(self, n: u32) -> Slot {
        Slot(u16::try_from(u32::from(self.0).saturating_add(n)).unwrap_or(u16::MAX))
    }
}

/// What is in use, and the most that ever was.
#[derive(Debug, Default)]
pub struct Frame {
    next: u32,
    most: u32,
}

/// The most slots of a frame; the highest numbers stay free for headers of calls.
pub const MOST_SLOTS: u32 = 65_000;

impl Frame {
    pub fn take(&mut self, count: u32) -> Slot {
        let slot = self.next;
        self.next = self.next.saturating_add(count);
        self.most = self.most.max(self.next);
        Slot(u16::try_from(slot).unwrap_or(u16::MAX))
    }

    /// What is taken from here on is given back by [`Frame::reset`].
    pub fn mark(&self) -> u32 {
        self.next
    }

    pub fn reset(&mut self, mark: u32) {
        self.next = mark;
    }

    pub fn overflowed(&self) -> bool {
        self.most > MOST_SLOTS
    }

    pub fn slots(&self) -> u16 {
        self.most.min(MOST_SLOTS) as u16
    }
}
