//! Values that occur again and again, by number: the most frequent have the smallest.

use std::borrow::Borrow;
use std::cmp::Reverse;
use std::collections::HashMap;
use std::hash::Hash;

use foldhash::fast::RandomState;

/// Values by number, and numbers by value.
#[derive(Debug)]
pub(super) struct Dictionary<T> {
    values: Vec<T>,
    numbers: HashMap<T, u64, RandomState>,
}

impl<T> Default for Dictionary<T> {
    fn default() -> Self {
        Self { values: Vec::new(), numbers: HashMap::default() }
    }
}

impl<T: Clone + Eq + Hash + Ord> Dictionary<T> {
    /// A dictionary of all values that occur.
    pub(super) fn of(occurrences: impl IntoIterator<Item = T>) -> Self {
        let mut counts = HashMap::<T, u64, RandomState>::default();
        for value in occurrences {
            *counts.entry(value).or_default() += 1;
        }
        let mut counted: Vec<_> = counts.into_iter().collect();
        counted
            .sort_unstable_by(|(a, a_times), (b, b_times)| (Reverse(a_times), a).cmp(&(Reverse(b_times), b)));
        let values: Vec<T> = counted.into_iter().map(|(value, _)| value).collect();
        let numbers = values.iter().cloned().zip(0..).collect();
        Self { values, numbers }
    }

    /// The number of a value that occurs.
    pub(super) fn number<Q: ?Sized + Eq + Hash>(&self, value: &Q) -> u64
    where
        T: Borrow<Q>,
    {
        self.numbers.get(value).copied().unwrap_or_default()
    }
}

impl<T> Dictionary<T> {
    /// A dictionary read from a file, in its order.
    pub(super) fn written(values: Vec<T>) -> Self {
        Self { values, numbers: HashMap::default() }
    }

    /// The value with a number, if there is one.
    pub(super) fn value(&self, number: u64) -> Option<&T> {
        self.values.get(usize::try_from(number).ok()?)
    }

    pub(super) fn values(&self) -> &[T] {
        &self.values
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_frequent_has_the_smallest_number() {
        let dictionary = Dictionary::of(["b", "c", "a", "c"]);
        assert_eq!(dictionary.values(), ["c", "a", "b"]);
        let written = Dictionary::written(dictionary.values().to_vec());
        for (value, number) in [("c", 0), ("a", 1), ("b", 2)] {
            assert_eq!(dictionary.number(&value), number);
            assert_eq!(written.value(number), Some(&value));
        }
        assert_eq!(written.value(3), None);
    }
}
