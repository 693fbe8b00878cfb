//! Cache of identities, which also says which processes to look up. Time is passed in.
//!
//! Not in here: asking (`flowtop_attribution`).

use alloc::sync::Arc;
use hashbrown::HashMap;

use foldhash::fast::RandomState;

use super::{Identity, Seen};

/// Limit of cached processes.
const MAX_PROCESSES: usize = 65_536;
/// How long an answer about a living process holds at least, in seconds.
const HOLDS_S: u64 = 10;
/// Processes that are read again in a second on the average, so that many of them do not cost more than few. It takes
/// some 0.2 ms each. A program that has become another one has another name for the kernel too, and is asked for at once.
const AGAIN_PER_S: u64 = 8;

#[derive(Clone, Debug)]
struct Answer {
    identity: Option<Arc<Identity>>,
    /// In seconds of the caller's clock; `None` for what does not change any more.
    holds_until_s: Option<u64>,
    asked: bool,
}

/// Identities of processes as far as they are known.
#[derive(Debug, Default)]
pub struct Known {
    answers: HashMap<Seen, Answer, RandomState>,
    pending: usize,
    version: u64,
}

impl Known {
    /// The cached identity of a process, even an outdated one, and whether to look it up again.
    #[must_use]
    pub fn get(&self, seen: &Seen, now_s: u64) -> (Option<Arc<Identity>>, bool) {
        match self.answers.get(seen) {
            None => (None, true),
            Some(answer) => {
                let old = answer.holds_until_s.is_some_and(|until_s| now_s >= until_s);
                (answer.identity.clone(), old && !answer.asked)
            }
        }
    }

    /// Notes that a process has been asked for, so that it is not asked for again until there is an answer.
    pub fn ask(&mut self, seen: Seen, now_s: u64) {
        if self.answers.len() >= MAX_PROCESSES && !self.answers.contains_key(&seen) {
            self.make_room(now_s);
        }
        let unknown = Answer { identity: None, holds_until_s: Some(now_s), asked: false };
        let answer = self.answers.entry(seen).or_insert(unknown);
        self.pending += usize::from(!answer.asked);
        answer.asked = true;
    }

    /// Takes an answer; one that is `last` holds for ever. What was known of a process that is gone now stays.
    pub fn answer(&mut self, seen: &Seen, identity: Identity, last: bool, now_s: u64) {
        let hold_s = HOLDS_S.max(self.answers.len() as u64 / AGAIN_PER_S);
        let Some(answer) = self.answers.get_mut(seen) else { return };
        self.pending -= usize::from(answer.asked);
        answer.asked = false;
        answer.holds_until_s = (!last).then_some(now_s + hold_s);
        if (!last || answer.identity.is_none()) && answer.identity.as_deref() != Some(&identity) {
            answer.identity = Some(Arc::new(identity));
            self.version += 1;
        }
    }

    /// Another number whenever an answer says something new.
    #[must_use]
    pub fn version(&self) -> u64 {
        self.version
    }

    /// Number of lookups that have no answer yet.
    #[must_use]
    pub fn pending(&self) -> usize {
        self.pending
    }

    /// Forgets what is old, or everything that has been answered if nothing is.
    fn make_room(&mut self, now_s: u64) {
        let holds = |answer: &Answer| answer.holds_until_s.is_none_or(|until_s| now_s < until_s);
        self.answers.retain(|_, answer| answer.asked || holds(answer));
        if self.answers.len() >= MAX_PROCESSES {
            self.answers.retain(|_, answer| answer.asked);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(pid: u32) -> Seen {
        Seen { pid, ..Seen::default() }
    }

    fn called(name: &str) -> Identity {
        Identity { comm: Some(name.to_owned()), ..Identity::default() }
    }

    fn name(known: &Known, pid: u32, now_s: u64) -> (Option<String>, bool) {
        let (identity, wanted) = known.get(&seen(pid), now_s);
        (identity.and_then(|identity| identity.comm.clone()), wanted)
    }

    #[test]
    fn a_process_is_asked_for_once_and_again_when_it_is_old() {
        let mut known = Known::default();
        assert_eq!(name(&known, 1, 0), (None, true));
        known.ask(seen(1), 0);
        assert_eq!((name(&known, 1, 0), known.pending()), ((None, false), 1));
        known.answer(&seen(1), called("sh"), false, 0);
        assert_eq!((name(&known, 1, HOLDS_S - 1), known.pending()), ((Some("sh".to_owned()), false), 0));
        assert_eq!(name(&known, 1, HOLDS_S), (Some("sh".to_owned()), true));
        known.ask(seen(1), HOLDS_S);
        let version = known.version();
        known.answer(&seen(1), called("sh"), false, HOLDS_S);
        assert_eq!(known.version(), version, "nothing new");
        known.ask(seen(1), HOLDS_S);
        known.answer(&seen(1), called("nginx"), false, HOLDS_S);
        assert_ne!(known.version(), version);
        assert_eq!(name(&known, 1, HOLDS_S), (Some("nginx".to_owned()), false));
    }

    #[test]
    fn a_process_that_is_gone_keeps_what_was_known() {
        let mut known = Known::default();
        for (identity, last) in [(called("sh"), false), (Identity::default(), true)] {
            known.ask(seen(1), 0);
            known.answer(&seen(1), identity, last, 0);
        }
        assert_eq!(name(&known, 1, u64::MAX), (Some("sh".to_owned()), false));
    }

    #[test]
    fn memory_is_bounded_and_questions_survive() {
        let mut known = Known::default();
        for pid in 1..=200_000 {
            known.ask(seen(pid), 0);
            if pid > 5 {
                known.answer(&seen(pid), called("x"), pid % 2 == 0, 0);
            }
            assert!(known.answers.len() <= MAX_PROCESSES);
        }
        assert_eq!(known.pending(), 5);
        assert_eq!(name(&known, 5, 0), (None, false));
    }

    #[test]
    fn the_more_there_are_the_less_often_they_are_read_again() {
        let mut known = Known::default();
        for pid in 0..6400 {
            known.ask(seen(pid), 0);
        }
        known.answer(&seen(7), called("x"), false, 0);
        assert_eq!((name(&known, 7, 799).1, name(&known, 7, 800).1), (false, true));
    }
}
