//! Which end of a connection between two hosts stands left: the rule of a connection within a host.

use super::Boots;
use super::other_end::{One, Other};
use flowtop_core::filter::Side;
use flowtop_core::flow::{Role, Tuple};

impl Boots {
    /// Whether `one` stands left: the end inside of a border (`-F`), else the one that the filter asks for, else the one
    /// that connected.
    pub(super) fn is_left(&self, one: &One<'_>, other: &Other) -> bool {
        let tuple = one.flow.tuple();
        self.by_border(one, other, &tuple)
            .or_else(|| self.by_filter(one, other))
            .unwrap_or_else(|| Role::of(one.flags()).leads(Role::of(other.flags), &tuple))
    }

    /// Judged by the borders of both recordings; `None` if they say nothing, or not the same.
    fn by_border(&self, one: &One<'_>, other: &Other, tuple: &Tuple) -> Option<bool> {
        let boot = &self.lives[other.life];
        let there = boot.ahead.as_ref().map_or(&boot.limits, |ahead| &ahead.record.limits);
        let here = is_left(one.limits.border().side(tuple));
        let there = is_left(there.border().side(&tuple.mirror())).map(|is_left| !is_left);
        match (here, there) {
            (Some(here), Some(there)) => (here == there).then_some(here),
            (here, there) => here.or(there),
        }
    }

    /// Judged by the filter; `None` if it is true of both ends by themselves, or of neither.
    fn by_filter(&self, one: &One<'_>, other: &Other) -> Option<bool> {
        let boot = &self.lives[other.life];
        let ahead = other.ahead.zip(boot.ahead.as_ref()).map(|(place, ahead)| &ahead.record.flows[place]);
        let there = match ahead {
            Some(flow) => self.question.asks_for(flow),
            None => boot.sockets[other.state?].is_asked_for,
        }?;
        let here = self.question.asks_for(one.flow)?;
        (here != there).then_some(here)
    }
}

/// Whether a border seats an end left; `None` if it leaves that open.
fn is_left(side: Side) -> Option<bool> {
    (!side.leaves_it_open()).then(|| side.is_left(false))
}
