//! Connections whose bytes a socket map carries past TCP. The counter of that loss says how many bytes; the kernel side
//! takes the socket out of the slot of such a connection, which tells which ones they are.

use std::collections::HashSet;

use flowtop_common::{Detail, FlowKey, Slot, flags};

/// TCP state of a socket that is closed.
const CLOSE: u8 = 7;

/// Most connections that are named in a run, so that a proxy with many does not fill a log.
const MOST_NAMED: usize = 100;

/// One end of a connection that sends past TCP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PastTcp {
    pub key: FlowKey,
    /// Process that last used the socket, as the kernel numbers it; 0 while none has been seen.
    pub pid: u32,
    /// Name of the process, NUL-padded.
    pub comm: [u8; 16],
}

/// Those that were seen, each once.
#[derive(Debug, Default)]
pub struct Seen {
    known: HashSet<FlowKey>,
    news: Vec<PastTcp>,
    named: usize,
}

impl Seen {
    /// Notes what such a slot is of.
    pub fn note(&mut self, detail: &Detail) {
        if self.named < MOST_NAMED && self.known.insert(detail.key) {
            self.named += 1;
            self.news.push(PastTcp { key: detail.key, pid: detail.pid, comm: detail.comm });
        }
    }

    /// These flows have ended.
    pub fn forget(&mut self, keys: &[FlowKey]) {
        if self.known.is_empty() {
            return;
        }
        for key in keys {
            self.known.remove(key);
        }
    }

    /// Those that are new since the last call.
    pub fn take(&mut self) -> Vec<PastTcp> {
        std::mem::take(&mut self.news)
    }
}

/// Whether the slot of an open flow is of one whose bytes go past TCP. A flow that is just ending looks like one for a
/// moment: ask of two copies.
pub fn is_of_one(slot: &Slot) -> bool {
    slot.socket == 0 && slot.has(flags::OPEN) && !slot.has(flags::ENDED) && slot.state != CLOSE
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slot_without_a_socket_that_has_not_ended_is_of_one() {
        let open = u8::try_from(flags::OPEN).unwrap();
        let ended = open | u8::try_from(flags::ENDED).unwrap();
        let of = |socket, state, flags| is_of_one(&Slot { socket, state, flags, ..Slot::default() });
        assert!(of(0, 1, open) && of(0, 8, open));
        assert!(!of(7, 1, open) && !of(0, 1, ended) && !of(0, CLOSE, open) && !of(0, 1, 0));
    }

    #[test]
    fn each_is_told_once_and_no_more_than_a_log_can_bear() {
        let of = |id| Detail { key: FlowKey { id, ..FlowKey::default() }, pid: 7, ..Detail::default() };
        let mut seen = Seen::default();
        seen.note(&of(1));
        seen.note(&of(1));
        let told: Vec<_> = seen.take().iter().map(|one| (one.key.id, one.pid)).collect();
        assert_eq!((told, seen.take()), (vec![(1, 7)], Vec::new()));
        seen.forget(&[of(1).key]);
        (2..1_000).for_each(|id| seen.note(&of(id)));
        assert_eq!(seen.take().len(), MOST_NAMED - 1);
    }
}
