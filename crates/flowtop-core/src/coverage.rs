//! The counters of interfaces against the flows: how much of what the interfaces have carried is TCP of this host.
//!
//! Not in here: which interfaces these are, and their counters (`flowtop`'s `coverage`).

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use crate::number::{Unit, number};
use crate::sanitize::harmless;
use crate::window::Bytes;

/// What some interfaces have carried since the start.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Coverage {
    /// Names of the interfaces.
    pub names: Vec<String>,
    /// Their own counters.
    pub interfaces: Bytes,
    /// Bytes on the wire (see [`crate::on_wire`]) of the sockets of this host whose connections are on them.
    pub tcp: Bytes,
}

impl Coverage {
    /// All else: UDP, what is forwarded, and what flowtop does not see.
    #[must_use]
    pub fn rest(&self) -> Bytes {
        self.interfaces.since(self.tcp)
    }

    /// What the flows have more than the interfaces: those count a super-segment with one header, say.
    #[must_use]
    pub fn excess(&self) -> Bytes {
        self.tcp.since(self.interfaces)
    }

    /// One line for people.
    #[must_use]
    pub fn text(&self) -> String {
        let bytes = |bytes: u64| number(bytes as f64, Unit::Bytes);
        let (rest, excess) = (self.rest(), self.excess());
        let way = |all: u64, tcp: u64, rest: u64, excess: u64| {
            let beside = if excess > 0 {
                format!("{} too many", bytes(excess))
            } else {
                format!("rest {}", bytes(rest))
            };
            format!("{} (TCP here {}, {beside})", bytes(all), bytes(tcp))
        };
        let names: Vec<String> = self.names.iter().map(|name| harmless(name)).collect();
        format!(
            "{}: sent {}, received {}",
            names.join(" "),
            way(self.interfaces.tx, self.tcp.tx, rest.tx, excess.tx),
            way(self.interfaces.rx, self.tcp.rx, rest.rx, excess.rx),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::borrow::ToOwned;
    use alloc::vec;

    fn coverage(interfaces: Bytes, tcp: Bytes) -> Coverage {
        Coverage { names: vec!["eth0".to_owned()], interfaces, tcp }
    }

    #[test]
    fn what_is_not_tcp_here_is_the_rest() {
        let all = coverage(Bytes { tx: 3 << 20, rx: 900 }, Bytes { tx: 1 << 20, rx: 900 });
        assert_eq!((all.rest(), all.excess()), (Bytes { tx: 2 << 20, rx: 0 }, Bytes::default()));
        assert_eq!(
            all.text(),
            "eth0: sent 3.00MB (TCP here 1.00MB, rest 2.00MB), received 900B (TCP here 900B, rest 0B)"
        );
    }

    #[test]
    fn flows_that_are_more_than_the_interface_leave_no_rest_below_zero() {
        let all = coverage(Bytes { tx: 100, rx: 50 }, Bytes { tx: 104, rx: 0 });
        assert_eq!((all.rest(), all.excess()), (Bytes { tx: 0, rx: 50 }, Bytes { tx: 4, rx: 0 }));
        assert_eq!(
            all.text(),
            "eth0: sent 100B (TCP here 104B, 4B too many), received 50B (TCP here 0B, rest 50B)"
        );
    }
}
