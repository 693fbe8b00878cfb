//! Names of the TCP states in a filter: as `ss` writes them, or as the kernel does.
//!
//! Not in here: the names in reports (`wire`).

use alloc::string::String;

/// The canonical names in the order of the kernel's numbers, which start at 1.
const NAMES: [&str; 12] = [
    "established",
    "syn-sent",
    "syn-recv",
    "fin-wait-1",
    "fin-wait-2",
    "time-wait",
    "close",
    "close-wait",
    "last-ack",
    "listen",
    "closing",
    "new-syn-recv",
];

/// The states in which a connection has an entry: from ESTABLISHED on. The kernel keeps `TIME_WAIT` in a socket of its own,
/// which carries no bytes.
const COUNTED: [u32; 7] = [1, 4, 5, 7, 8, 9, 11];

/// Other names that `ss` has for a state.
const ALIASES: [(&str, u32); 4] = [("estab", 1), ("closed", 7), ("unconn", 7), ("listening", 10)];

/// The number of a state; case, `-` and `_` make no difference (`FIN_WAIT1`, `fin-wait-1`).
pub(super) fn number(name: &str) -> Option<u32> {
    let plain = |text: &str| text.replace(['-', '_'], "").to_ascii_lowercase();
    let wanted = plain(name);
    let named = (1..).zip(NAMES).map(|(number, name)| (name, number));
    named.chain(ALIASES).find(|(name, _)| plain(name) == wanted).map(|(_, number)| number)
}

/// The canonical name of a state that [`number`] gave.
pub(super) fn name(number: u32) -> &'static str {
    let index = usize::try_from(number).ok().and_then(|number| number.checked_sub(1));
    index.and_then(|index| NAMES.get(index)).copied().unwrap_or("unknown")
}

/// Whether a connection that flowtop counts can be in this state.
pub(super) fn is_counted(number: u32) -> bool {
    COUNTED.contains(&number)
}

/// The canonical names of the states that can match, for a message.
pub(super) fn list() -> String {
    COUNTED.map(name).join(", ")
}
