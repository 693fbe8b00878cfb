//! A bounded cache of answers that expire, which also says what to look up. Time is passed in.
//!
//! Not in here: looking up (`flowtop_attribution::lookups`).

use core::hash::Hash;
use hashbrown::HashMap;

use foldhash::fast::RandomState;

#[cfg(test)]
mod tests;

#[derive(Clone, Debug)]
struct Answer<V> {
    value: Option<V>,
    /// In seconds of the caller's clock; `None` if it never expires.
    holds_until_s: Option<u64>,
    is_asked: bool,
}

/// Answers by key, at most a given number of them.
#[derive(Debug)]
pub struct Cache<K, V> {
    answers: HashMap<K, Answer<V>, RandomState>,
    max: usize,
    pending: usize,
    version: u64,
}

impl<K: Hash + Eq, V: Clone + PartialEq> Cache<K, V> {
    /// An empty cache for at most `max` keys. More are only kept while their lookups are pending.
    #[must_use]
    pub fn new(max: usize) -> Self {
        Self { answers: HashMap::default(), max, pending: 0, version: 0 }
    }

    /// The cached value, even if it has expired, and whether to look it up.
    #[must_use]
    pub fn get(&self, key: &K, now_s: u64) -> (Option<V>, bool) {
        match self.answers.get(key) {
            None => (None, true),
            Some(answer) => {
                let is_expired = answer.holds_until_s.is_some_and(|until_s| now_s >= until_s);
                (answer.value.clone(), is_expired && !answer.is_asked)
            }
        }
    }

    /// Notes that a lookup has been started, so that it is not started again before there is an answer.
    pub fn ask(&mut self, key: K, now_s: u64) {
        if self.answers.len() >= self.max && !self.answers.contains_key(&key) {
            self.make_room(now_s);
        }
        let unknown = Answer { value: None, holds_until_s: Some(now_s), is_asked: false };
        let answer = self.answers.entry(key).or_insert(unknown);
        self.pending += usize::from(!answer.is_asked);
        answer.is_asked = true;
    }

    /// Stores the result of a lookup until `holds_until_s`, or for ever if that is `None`. Without a value, an earlier
    /// one is kept.
    pub fn answer(&mut self, key: &K, value: Option<V>, holds_until_s: Option<u64>) {
        let Some(answer) = self.answers.get_mut(key) else { return };
        self.pending -= usize::from(answer.is_asked);
        (answer.is_asked, answer.holds_until_s) = (false, holds_until_s);
        if value.is_some() && answer.value != value {
            answer.value = value;
            self.version += 1;
        }
    }

    /// A number that changes with every new value.
    #[must_use]
    pub fn version(&self) -> u64 {
        self.version
    }

    /// Number of lookups without an answer yet.
    #[must_use]
    pub fn pending(&self) -> usize {
        self.pending
    }

    /// Number of keys, including those whose lookups are pending.
    #[must_use]
    pub fn len(&self) -> usize {
        self.answers.len()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.answers.is_empty()
    }

    /// Drops answers that have expired, or all answers if none has.
    fn make_room(&mut self, now_s: u64) {
        let holds = |answer: &Answer<V>| answer.holds_until_s.is_none_or(|until_s| now_s < until_s);
        self.answers.retain(|_, answer| answer.is_asked || holds(answer));
        if self.answers.len() >= self.max {
            self.answers.retain(|_, answer| answer.is_asked);
        }
    }
}
