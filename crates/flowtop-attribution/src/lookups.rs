//! A cache whose answers are looked up on a thread of its own, so that asking never blocks.

use std::hash::Hash;
use std::io;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use flowtop_core::cache::Cache;

/// Sizes of [`Lookups`].
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Maximum number of cached answers.
    pub answers: usize,
    /// Maximum number of questions that wait for the thread; the memory is allocated at once. Further ones are dropped,
    /// and can be asked again later.
    pub questions: usize,
}

/// Answers of type `V` to keys of type `K`. The thread gets questions of type `Q`.
#[derive(Debug)]
pub struct Lookups<K, V, Q> {
    pub answers: Arc<Answers<K, V>>,
    questions: SyncSender<Q>,
}

/// The answers that the thread has given so far.
#[derive(Debug)]
pub struct Answers<K, V> {
    cache: Mutex<Cache<K, V>>,
    answered: Condvar,
    start: Instant,
}

/// The questions for the thread. A question counts as answered when the next one is taken.
#[derive(Debug)]
pub struct Questions<K, V, Q> {
    queue: Receiver<Q>,
    pub answers: Arc<Answers<K, V>>,
}

impl<K: Hash + Eq, V: Clone + PartialEq, Q> Iterator for Questions<K, V, Q> {
    type Item = Q;

    fn next(&mut self) -> Option<Q> {
        self.answers.notify();
        self.queue.recv().ok()
    }
}

impl<K, V, Q> Lookups<K, V, Q>
where
    K: Hash + Eq + Copy + Send + 'static,
    V: Clone + PartialEq + Send + 'static,
    Q: Send + 'static,
{
    /// Starts a thread called `name` that answers the questions. They end when the value is dropped.
    ///
    /// # Errors
    /// If the thread cannot be started.
    pub fn start(
        name: &str,
        limits: Limits,
        work: impl FnOnce(Questions<K, V, Q>) + Send + 'static,
    ) -> io::Result<Self> {
        let (lookups, queue) = Self::without_thread(limits);
        let questions = Questions { queue, answers: Arc::clone(&lookups.answers) };
        thread::Builder::new().name(name.to_owned()).spawn(move || work(questions))?;
        Ok(lookups)
    }

    /// For tests: the questions stay in the queue.
    pub(crate) fn without_thread(limits: Limits) -> (Self, Receiver<Q>) {
        let (questions, queue) = sync_channel(limits.questions);
        let cache = Mutex::new(Cache::new(limits.answers));
        let answers = Arc::new(Answers { cache, answered: Condvar::new(), start: Instant::now() });
        (Self { answers, questions }, queue)
    }

    /// The cached answer, even if it has expired. Asks `question` if there is none or it has, at `now_s`.
    pub fn get(&self, key: &K, now_s: u64, question: impl FnOnce() -> Q) -> Option<V> {
        let mut cache = self.answers.cache();
        let (value, is_wanted) = cache.get(key, now_s);
        if is_wanted && self.ask(question()) {
            cache.ask(*key, now_s);
        }
        value
    }

    /// Asks a question unless the queue is full. Returns whether it has been asked.
    pub fn ask(&self, question: Q) -> bool {
        self.questions.try_send(question).is_ok()
    }

    /// Waits until all lookups have an answer and `is_pending` is false, or until `limit` has passed.
    pub fn settle(&self, limit: Duration, is_pending: impl Fn() -> bool) {
        let cache = self.answers.cache();
        let pending = |cache: &mut Cache<K, V>| cache.pending() > 0 || is_pending();
        drop(self.answers.answered.wait_timeout_while(cache, limit, pending));
    }

    /// A number that changes with every new answer.
    #[must_use]
    pub fn version(&self) -> u64 {
        self.answers.cache().version()
    }
}

impl<K: Hash + Eq, V: Clone + PartialEq> Answers<K, V> {
    /// Seconds since the start, the clock of all answers.
    #[must_use]
    pub fn now_s(&self) -> u64 {
        self.start.elapsed().as_secs()
    }

    pub fn cache(&self) -> MutexGuard<'_, Cache<K, V>> {
        self.cache.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Wakes threads in [`Lookups::settle`]. They check for answers with the lock held, so it is taken here, lest they
    /// check before the answer and wait after the notification.
    fn notify(&self) {
        drop(self.cache());
        self.answered.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits { answers: 8, questions: 1 };

    #[test]
    fn the_first_question_is_not_answered_and_does_not_wait() {
        let (lookups, queue) = Lookups::<u8, &str, u8>::without_thread(LIMITS);
        let get = |key| lookups.get(&key, 0, || key);
        assert_eq!([1, 2].map(get), [None, None]);
        assert_eq!(queue.try_recv(), Ok(1));
        // The queue had no room for the second; it has now. The first is not asked for again.
        assert_eq!([1, 2].map(get), [None, None]);
        assert_eq!((queue.try_recv(), queue.try_recv().is_err()), (Ok(2), true));
        lookups.answers.cache().answer(&1, Some("one"), None);
        assert_eq!(get(1), Some("one"));
    }

    #[test]
    fn settling_waits_for_the_thread() {
        let lookups = Lookups::start("test", LIMITS, |questions: Questions<u8, u32, u8>| {
            let answers = Arc::clone(&questions.answers);
            questions.for_each(|key| answers.cache().answer(&key, Some(u32::from(key) * 2), None));
        })
        .unwrap();
        assert_eq!(lookups.get(&21, 0, || 21), None);
        lookups.settle(Duration::from_mins(1), || false);
        assert_eq!((lookups.get(&21, 0, || 21), lookups.version()), (Some(42), 1));
    }
}
