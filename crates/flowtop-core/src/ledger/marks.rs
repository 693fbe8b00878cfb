//! What is true or not of a flow of the ledger, in one byte: a million flows are kept.

/// Something that is true or not of a flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mark {
    /// Its addresses alone say that both ends are in its network namespace.
    StaysHere = 1,
    /// The verdict is on what is known of the flow now.
    Judged = 1 << 1,
    /// Its share is out of the totals, because it is about to change.
    Waits = 1 << 2,
    /// The scope has to learn more first: until then nothing is counted, and nothing is lost.
    Held = 1 << 3,
    /// It may belong to another row than when its line was drawn.
    HasChanged = 1 << 4,
    /// Something of it is in the totals, so that its directions may not change any more.
    HasCounted = 1 << 5,
    /// Its counters have claimed more than anything can move.
    Refused = 1 << 6,
}

/// The marks of one flow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Marks(u8);

impl Marks {
    pub(super) fn has(self, mark: Mark) -> bool {
        self.0 & mark as u8 != 0
    }

    pub(super) fn set(&mut self, mark: Mark) {
        self.0 |= mark as u8;
    }

    pub(super) fn clear(&mut self, mark: Mark) {
        self.0 &= !(mark as u8);
    }

    /// The same marks but for this one.
    #[must_use]
    pub(super) fn with(mut self, mark: Mark, is_set: bool) -> Self {
        if is_set {
            self.set(mark);
        } else {
            self.clear(mark);
        }
        self
    }

    /// Sets or clears a mark; returns whether it was set.
    pub(super) fn replace(&mut self, mark: Mark, is_set: bool) -> bool {
        let before = self.has(mark);
        *self = self.with(mark, is_set);
        before
    }
}
