//! Evaluates an expression for one direction of a flow.

use core::net::SocketAddr;

use super::Subject;
use super::expr::{Ends, Expr, Test, Word};
use super::glob::Glob;
use super::words::Named;
use crate::owner::Identity;

/// One direction of a flow, as source and destination of a packet.
struct Direction<'a> {
    flow: &'a Subject<'a>,
    source: SocketAddr,
    destination: SocketAddr,
    outbound: bool,
}

/// Whether what the local end sent passes.
pub(super) fn sent(expr: &Expr, flow: &Subject<'_>) -> bool {
    let (source, destination) = (flow.tuple.local, flow.tuple.remote);
    expr.holds(&Direction { flow, source, destination, outbound: true })
}

/// Whether what the local end received passes.
pub(super) fn received(expr: &Expr, flow: &Subject<'_>) -> bool {
    let (source, destination) = (flow.tuple.remote, flow.tuple.local);
    expr.holds(&Direction { flow, source, destination, outbound: false })
}

impl Expr {
    fn holds(&self, direction: &Direction<'_>) -> bool {
        match self {
            Self::Not(inner) => !inner.holds(direction),
            Self::Joined(Word::And, parts) => parts.iter().all(|part| part.holds(direction)),
            Self::Joined(Word::Or, parts) => parts.iter().any(|part| part.holds(direction)),
            Self::Test(test) => test.holds(direction),
        }
    }
}

impl Test {
    fn holds(&self, direction: &Direction<'_>) -> bool {
        let flow = direction.flow;
        match self {
            Self::Tcp => true,
            Self::Ip => flow.tuple.local.is_ipv4(),
            Self::Ip6 => flow.tuple.local.is_ipv6(),
            Self::Addr(ends, net) => ends.any_or_all(direction, |end| net.contains(end.ip())),
            Self::Port(ends, range) => ends.any_or_all(direction, |end| range.contains(&end.port())),
            Self::Inbound => !direction.outbound,
            Self::Outbound => direction.outbound,
            Self::Pid(pid) => flow.users().any(|user| user.pid == Some(*pid)),
            Self::Comm(glob) => flow.users().any(|user| {
                let now = user.identity.and_then(|identity| identity.comm.as_deref());
                now.or(user.comm).is_some_and(|comm| glob.matches(comm))
            }),
            Self::Named(named, glob) => named.matches(glob, flow),
            Self::State(state) => flow.users().any(|user| user.state == *state),
            Self::Netns(netns) => flow.users().any(|user| user.netns == *netns),
            Self::Never(_) | Self::Unknown(_) => false,
        }
    }
}

impl Named {
    /// True if the process at either end matches. A container is matched by its name and by its id, long or short.
    fn matches(self, glob: &Glob, flow: &Subject<'_>) -> bool {
        let matches = |text: &str| glob.matches(text);
        let of = |text: fn(&Identity) -> Option<&str>| {
            flow.users().any(|user| user.identity.and_then(text).is_some_and(matches))
        };
        match self {
            Self::User => {
                flow.users().any(|user| user.identity.is_some_and(|identity| identity.is_user(matches)))
            }
            Self::Unit => of(|identity| identity.unit.as_deref()),
            Self::Pod => of(|identity| identity.pod.as_deref()),
            Self::Namespace => of(|identity| identity.namespace.as_deref()),
            Self::Workload => of(Identity::workload),
            Self::Container => {
                of(|identity| identity.container.as_deref())
                    || of(|identity| identity.container_id.as_deref())
                    || of(Identity::short_container_id)
            }
            Self::Label => flow.label.is_some_and(matches),
            Self::RemotePod => flow.remote_pod.is_some_and(|pod| matches(&pod.name)),
            Self::RemoteNamespace => {
                flow.remote_pod.and_then(|pod| pod.namespace.as_deref()).is_some_and(matches)
            }
            Self::NetnsPod => flow.netns_pods.iter().flatten().any(|pod| matches(&pod.name)),
            Self::NetnsNamespace => {
                flow.netns_pods.iter().flatten().any(|pod| pod.namespace.as_deref().is_some_and(matches))
            }
        }
    }
}

impl Ends {
    fn any_or_all(self, direction: &Direction<'_>, asked: impl Fn(SocketAddr) -> bool) -> bool {
        match self {
            Self::Either => asked(direction.source) || asked(direction.destination),
            Self::Source => asked(direction.source),
            Self::Destination => asked(direction.destination),
            Self::Both => asked(direction.source) && asked(direction.destination),
        }
    }
}
