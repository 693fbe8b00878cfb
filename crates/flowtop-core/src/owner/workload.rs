//! The workload of a pod: what its controller is called, by the pattern of the pod's name.
//!
//! Controllers build the names of their pods:
//!
//! | controller | name of a pod |
//! |---|---|
//! | `Deployment` | `NAME-HASH-XXXXX`: hash of 6 to 10 characters, five random ones |
//! | `CronJob` | `NAME-MINUTES-XXXXX`: 8 or more digits; of its job `NAME-MINUTES` |
//! | `DaemonSet`, `Job`, `ReplicaSet` | `NAME-XXXXX` |
//! | `StatefulSet` | `NAME-ORDINAL` |
//!
//! Hashes and random characters are of an alphabet without vowels and without `0`, `1` and `3`. The apiserver cuts a name
//! after 58 characters before it appends the random ones.
//!
//! Names do not tell all. A pod without a controller that is called `web-0` or `web-https` looks like one of `web`; a job
//! `backup-29000000` of no cron job like one of the cron job `backup`; pods of an indexed job like those of the jobs
//! `NAME-INDEX`. A pod that no pattern fits is its own workload.

/// The characters of `k8s.io/apimachinery/pkg/util/rand`.
const SAFE: &[u8] = b"bcdfghjklmnpqrstvwxz2456789";
/// Those of them that the decimal digits of a hash become (`rand.SafeEncodeString`).
const HASH: &[u8] = b"456789bcdf";
/// Random characters at the end of a name.
const RANDOM: usize = 5;
/// Longest name with random characters.
const MAX_GENERATED: usize = 63;
/// Hashes are numbers of 32 bits: few have less than eight digits.
const HASH_CHARS: core::ops::RangeInclusive<usize> = 8..=10;
const SHORT_HASH_CHARS: core::ops::RangeInclusive<usize> = 6..=7;
/// Digits of the minutes since 1970 from 1989 on.
const MINUTES_DIGITS: usize = 8;

/// The workload of a pod that is not static, by the pod's name.
#[must_use]
pub fn of_pod(pod: &str) -> &str {
    let Some((before, last)) = split(pod) else { return pod };
    if is_random(last) {
        let behind_hash = split(before).filter(|(_, part)| is_hash(part) || is_minutes(part));
        return behind_hash.map_or(before, |(name, _)| name);
    }
    if is_ordinal(last) {
        return before;
    }
    if pod.len() == MAX_GENERATED { cut(pod, before, last) } else { pod }
}

/// The workload of a static pod: the name in its manifest, to which the kubelet appends that of the node.
#[must_use]
pub fn of_static_pod<'p>(pod: &'p str, nodes: &[&str]) -> &'p str {
    let name = |node: &&str| pod.strip_suffix(*node)?.strip_suffix('-').filter(|name| !name.is_empty());
    nodes.iter().filter(|node| !node.is_empty()).find_map(name).unwrap_or(pod)
}

/// Of a name that was cut: a part of the hash stands before the random characters, or a part of the workload's own name.
fn cut<'p>(pod: &'p str, before: &'p str, last: &str) -> &'p str {
    let has_hash = last.bytes().all(|byte| SAFE.contains(&byte)) && last.len() <= RANDOM + HASH_CHARS.end();
    let own = || pod.get(..pod.len() - RANDOM).unwrap_or(pod);
    if has_hash { before } else { own() }
}

/// What stands before the last dash and behind it, if neither is empty.
fn split(name: &str) -> Option<(&str, &str)> {
    name.rsplit_once('-').filter(|(before, last)| !before.is_empty() && !last.is_empty())
}

fn is_random(part: &str) -> bool {
    part.len() == RANDOM && part.bytes().all(|byte| SAFE.contains(&byte))
}

/// A short one is taken for a hash only if it has nothing else, and a digit: no word of a name looks like that.
fn is_hash(part: &str) -> bool {
    let is_of = |alphabet: &[u8]| part.bytes().all(|byte| alphabet.contains(&byte));
    let is_short = || is_of(HASH) && part.bytes().any(|byte| byte.is_ascii_digit());
    HASH_CHARS.contains(&part.len()) && is_of(SAFE) || SHORT_HASH_CHARS.contains(&part.len()) && is_short()
}

fn is_minutes(part: &str) -> bool {
    part.len() >= MINUTES_DIGITS && part.bytes().all(|byte| byte.is_ascii_digit())
}

fn is_ordinal(part: &str) -> bool {
    part.len() < MINUTES_DIGITS
        && part.bytes().all(|byte| byte.is_ascii_digit())
        && (part == "0" || !part.starts_with('0'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;
    use alloc::string::ToString;
    use proptest::prelude::*;

    #[test]
    fn the_name_of_a_pod_tells_its_workload() {
        for (pod, workload) in [
            // Deployments, also of clusters whose hashes were decimal, and with a short hash.
            ("api-server-7d9f8b6c5-x2x4q", "api-server"),
            ("coredns-5dd5756b68-2mkzd", "coredns"),
            ("web-66b6c48dd5-7w5n9", "web"),
            ("nginx-4217019353-vx42k", "nginx"),
            ("web-6f4bc57-lq9rs", "web"),
            ("web-6b-7c-d4b9c6f58-bcdfg", "web-6b-7c"),
            // StatefulSets.
            ("worker-0", "worker"),
            ("db-primary-12", "db-primary"),
            ("web-24567", "web"),
            ("elasticsearch-data-1-0", "elasticsearch-data-1"),
            // DaemonSets, Jobs and ReplicaSets.
            ("kube-proxy-zbt4f", "kube-proxy"),
            ("calico-node-4kz7p", "calico-node"),
            ("node-1-zbt4f", "node-1"),
            ("日志收集-4kz7p", "日志收集"),
            ("migrate-db-v2-9xk2d", "migrate-db-v2"),
            // CronJobs.
            ("backup-28394012-x7k2p", "backup"),
            ("backup-1700000000-x7k2p", "backup"),
            ("backup-manual-2-x7k2p", "backup-manual-2"),
            // No pattern: vowels, a leading zero, a wrong length, parts that are missing.
            ("debug", "debug"),
            ("my-nginx", "my-nginx"),
            ("web-01", "web-01"),
            ("web-7d9f8b6c5", "web-7d9f8b6c5"),
            ("web-x2x4", "web-x2x4"),
            ("web-a2x4q", "web-a2x4q"),
            ("web-20261130", "web-20261130"),
            ("-x2x4q", "-x2x4q"),
            ("7d9f8b6c5-x2x4q", "7d9f8b6c5"),
            ("x2x4q", "x2x4q"),
            ("web-", "web-"),
            ("", ""),
            // As the module says: the name alone cannot tell.
            ("web-https", "web"),
            ("fluent-bit-bdfgh", "fluent-bit"),
        ] {
            assert_eq!(of_pod(pod), workload, "{pod}");
        }
    }

    #[test]
    fn long_names_are_cut_before_the_random_characters() {
        let long = "a-name-of-fifty-characters-that-is-long-enough-abc";
        assert_eq!(long.len(), 50);
        assert_eq!(of_pod(&format!("{long}-7d9f8b6x2x4q")), long);
        let longer = "a-name-of-more-than-fifty-eight-characters-is-cut-in-the-a";
        assert_eq!((longer.len(), of_pod(&format!("{longer}x2x4q"))), (58, longer));
    }

    #[test]
    fn a_static_pod_has_the_name_of_its_node_behind_that_of_its_manifest() {
        assert_eq!(of_static_pod("kube-apiserver-master-1", &["", "other", "master-1"]), "kube-apiserver");
        assert_eq!(of_static_pod("etcd-master-1", &["1"]), "etcd-master");
        assert_eq!(of_static_pod("etcd-master-1", &["node"]), "etcd-master-1");
        assert_eq!(of_static_pod("master-1", &["master-1"]), "master-1");
    }

    proptest! {
        #[test]
        fn a_workload_is_the_beginning_of_its_pod(pod in "[a-z0-9.-]{0,70}", any in "\\PC{0,70}") {
            for pod in [pod, any] {
                prop_assert!(pod.starts_with(of_pod(&pod)));
                prop_assert_eq!(of_pod(&pod).is_empty(), pod.is_empty());
            }
        }

        #[test]
        fn what_a_controller_makes_is_found(
            name in "[a-z]([a-z0-9-]{0,20}[a-z0-9])?",
            hash in "[4-9bcdf]{8,10}",
            random in "[bcdfghjklmnpqrstvwxz2456789]{5}",
            ordinal in 0..100_u32,
        ) {
            for end in [format!("{hash}-{random}"), ordinal.to_string(), format!("28394012-{random}")] {
                let pod = format!("{name}-{end}");
                prop_assert_eq!(of_pod(&pod), &name, "{}", pod);
            }
        }
    }
}
