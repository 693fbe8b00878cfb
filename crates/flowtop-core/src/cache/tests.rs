use super::*;

#[test]
fn a_key_is_asked_for_once_and_again_when_its_answer_has_expired() {
    let mut cache = Cache::new(8);
    assert_eq!(cache.get(&1, 0), (None, true));
    cache.ask(1, 0);
    assert_eq!((cache.get(&1, 500), cache.pending()), ((None, false), 1), "the answer is still to come");
    cache.answer(&1, Some("sh"), Some(510));
    assert_eq!((cache.get(&1, 509), cache.pending()), ((Some("sh"), false), 0));
    assert_eq!(cache.get(&1, 510), (Some("sh"), true));
    cache.ask(1, 510);
    cache.answer(&1, None, Some(520));
    assert_eq!(cache.get(&1, 519), (Some("sh"), false), "what was known stays");
    cache.answer(&1, None, None);
    assert_eq!(cache.get(&1, u64::MAX), (Some("sh"), false), "this answer never expires");
}

#[test]
fn the_version_changes_with_the_values_only() {
    let mut cache = Cache::new(8);
    let mut versions = Vec::new();
    for value in [Some("sh"), Some("sh"), None, Some("nginx")] {
        cache.ask(1, 0);
        cache.answer(&1, value, Some(0));
        versions.push(cache.version());
    }
    assert_eq!(versions, [1, 1, 1, 2]);
    cache.answer(&2, Some("nobody asked"), None);
    assert_eq!((cache.version(), cache.len()), (2, 1));
}

#[test]
fn memory_is_bounded_and_pending_lookups_survive() {
    const MAX: usize = 1000;
    let mut cache = Cache::new(MAX);
    for key in 1..=10_000 {
        cache.ask(key, 0);
        if key > 5 {
            cache.answer(&key, Some("x"), (key % 2 == 0).then_some(10));
        }
        assert!(cache.len() <= MAX);
    }
    assert_eq!(cache.pending(), 5);
    assert_eq!(cache.get(&5, 0), (None, false));
}

#[test]
fn expired_answers_make_room_before_others() {
    let mut cache = Cache::new(2);
    for (key, until_s) in [(1, Some(5)), (2, None)] {
        cache.ask(key, 0);
        cache.answer(&key, Some(key), until_s);
    }
    cache.ask(3, 5);
    assert_eq!([1, 2].map(|key| cache.get(&key, 5).0), [None, Some(2)]);
}
