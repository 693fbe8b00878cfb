//! Facts about the kernel → the hook plans to try, in order. What then really loads, attaches and counts is found by
//! doing it (`load`, `selfcheck`), not here.

use crate::link::Cast;
use flowtop_common::{store, task};
use flowtop_core::hooks::Hooks;

/// How a program is loaded and attached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attach {
    /// BTF-typed tracepoint of this name.
    Tracepoint(&'static str),
    /// Entry of this function, by trampoline.
    Fentry(&'static str),
    /// Return of this function, by trampoline.
    Fexit(&'static str),
    /// Entry of this function, by kprobe.
    Kprobe(&'static str),
    /// Return of this function, by kretprobe.
    Kretprobe(&'static str),
}

/// A program of the object and where it goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Program {
    pub name: &'static str,
    pub attach: Attach,
}

impl Program {
    /// Whether it only says that an application has sent or received, which the counters of the socket tell as well. The
    /// others are those of births and ends, and that of the sockets in socket maps, whose counters do not tell all.
    #[must_use]
    pub fn is_event(&self) -> bool {
        !matches!(
            self.attach,
            Attach::Tracepoint("inet_sock_set_state" | "tcp_destroy_sock") | Attach::Fexit("tcp_bpf_sendmsg")
        )
    }
}

/// The programs of every plan, which see flows begin and end.
const ENDS: [Program; 2] = [
    Program { name: "set_state", attach: Attach::Tracepoint("inet_sock_set_state") },
    Program { name: "destroy", attach: Attach::Tracepoint("tcp_destroy_sock") },
];

/// Demands on the kernel side that do not depend on the plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Demand {
    /// Flows that have an entry of their own at a time.
    pub max_flows: u32,
    /// Microseconds between two refreshes of the owner of a flow and of TCP's own counters, among them its packets. A refresh
    /// costs as much as several events.
    pub refresh_us: u32,
}

impl Demand {
    /// As fresh as a screen that is drawn once a second.
    #[must_use]
    pub const fn of(max_flows: u32) -> Self {
        Self { max_flows, refresh_us: 1_000_000 }
    }

    /// Packets are right to a twentieth of the shortest window.
    #[must_use]
    pub const fn for_packets(self) -> Self {
        Self { refresh_us: 100_000, ..self }
    }
}

/// Everything that `load` needs to know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    pub hooks: Hooks,
    /// The programs, each with its place, those of every plan first. A return probe comes before its entry probe, so
    /// that no call is remembered in vain.
    pub programs: Vec<Program>,
    /// One of `flowtop_common::store`.
    pub store: u32,
    /// One of `flowtop_common::task`.
    pub task: u32,
    /// Whether programs can give sockets their cookies. Else sockets are told apart by their addresses.
    pub cookies: bool,
    /// How a socket that is known to be one of TCP is taken for one.
    pub cast: Cast,
    /// Bytes sent are counted when they are acknowledged.
    pub counts_on_ack: bool,
}

impl Plan {
    /// Whether a hook of its own sees what socket maps carry past TCP, beside those of events.
    #[must_use]
    pub fn sees_socket_maps(&self) -> bool {
        self.programs.iter().any(|program| program.attach == Attach::Fexit("tcp_bpf_sendmsg"))
    }

    /// The programs that other plans do not have, and those that they all have.
    #[must_use]
    pub fn own_and_common_programs(&self) -> (&[Program], &[Program]) {
        let (common, own) = self.programs.split_at(ENDS.len());
        (own, common)
    }
}

/// Features of the kernel, read from its type information.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
pub struct Facts {
    /// Function `tcp_sendmsg_locked`.
    pub tcp_sendmsg_locked: bool,
    /// Function `do_tcp_sendpages` (gone in Linux 6.5).
    pub do_tcp_sendpages: bool,
    /// Function `tcp_bpf_sendmsg`, the send call of a socket in a socket map (`CONFIG_NET_SOCK_MSG`).
    pub tcp_bpf_sendmsg: bool,
    /// Function `tcp_cleanup_rbuf`.
    pub tcp_cleanup_rbuf: bool,
    /// Tracepoint `sock_send_length` (Linux 6.3).
    pub sock_send_length: bool,
    /// Whether anything can be a kprobe (`CONFIG_KPROBE_EVENTS`).
    pub kprobes: bool,
    /// Socket local storage in tracing programs (Linux 5.11).
    pub socket_storage: bool,
    /// Helper `bpf_get_current_task_btf` (Linux 5.11).
    pub typed_task: bool,
    /// Helper `bpf_get_socket_cookie` in tracing programs (Linux 5.12).
    pub socket_cookie: bool,
    /// Kernel function `bpf_rdonly_cast` (Linux 6.2).
    pub rdonly_cast: Option<Cast>,
}

/// The plans to try, first choice first: all that the kernel might run, or the one asked for.
#[must_use]
pub fn plans(facts: Facts, wanted: Option<Hooks>) -> Vec<Plan> {
    Hooks::ALL.into_iter().filter(|h| wanted.is_none_or(|w| w == *h)).map(|h| plan(facts, h)).collect()
}

#[must_use]
pub fn plan(facts: Facts, hooks: Hooks) -> Plan {
    let mut programs = ENDS.to_vec();
    programs.extend(match hooks {
        Hooks::Fentry => fentry(facts),
        Hooks::Kprobe => kprobe(facts),
        Hooks::Tracepoint => tracepoint(facts),
    });
    let typed = hooks != Hooks::Kprobe;
    let on_tracepoint = hooks == Hooks::Tracepoint;
    Plan {
        hooks,
        programs,
        // kprobes have no typed socket to ask for its storage.
        store: if typed && facts.socket_storage { store::SOCKET } else { store::HASH },
        task: if typed && facts.typed_task { task::TYPED } else { task::PROBE },
        cookies: typed && facts.socket_cookie,
        cast: if typed { facts.rdonly_cast.unwrap_or(Cast::Helper) } else { Cast::Helper },
        counts_on_ack: on_tracepoint && !facts.sock_send_length,
    }
}

fn fentry(facts: Facts) -> Vec<Program> {
    let mut programs = vec![
        Program { name: "sent_fexit", attach: Attach::Fexit("tcp_sendmsg_locked") },
        Program { name: "received_fentry", attach: Attach::Fentry("tcp_cleanup_rbuf") },
    ];
    if facts.do_tcp_sendpages {
        programs.push(Program { name: "sent_pages_fexit", attach: Attach::Fexit("do_tcp_sendpages") });
    }
    if facts.tcp_bpf_sendmsg {
        programs.push(Program { name: "sent_map_fexit", attach: Attach::Fexit("tcp_bpf_sendmsg") });
    }
    programs
}

fn kprobe(facts: Facts) -> Vec<Program> {
    let mut programs = vec![Program { name: "received_kprobe", attach: Attach::Kprobe("tcp_cleanup_rbuf") }];
    let senders = ["tcp_sendmsg_locked", "do_tcp_sendpages"];
    for function in senders.into_iter().take(if facts.do_tcp_sendpages { 2 } else { 1 }) {
        programs.push(Program { name: "sent_kretprobe", attach: Attach::Kretprobe(function) });
        programs.push(Program { name: "send_kprobe", attach: Attach::Kprobe(function) });
    }
    if facts.tcp_bpf_sendmsg {
        programs.push(Program { name: "sent_map_kretprobe", attach: Attach::Kretprobe("tcp_bpf_sendmsg") });
        programs.push(Program { name: "send_kprobe", attach: Attach::Kprobe("tcp_bpf_sendmsg") });
    }
    programs
}

fn tracepoint(facts: Facts) -> Vec<Program> {
    let sent = if facts.sock_send_length {
        Program { name: "sent_tp", attach: Attach::Tracepoint("sock_send_length") }
    } else {
        Program { name: "acked_tp", attach: Attach::Tracepoint("tcp_probe") }
    };
    vec![sent, Program { name: "received_tp", attach: Attach::Tracepoint("tcp_rcv_space_adjust") }]
}

/// A kernel without what the hooks of a plan attach to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    #[error("the kernel was built without kprobes")]
    NoKprobes,
    #[error("the kernel has no function {0} to attach to")]
    NoFunction(&'static str),
}

/// Why a plan cannot work on a kernel with these facts, if that is known without trying.
#[must_use]
pub fn unfit(facts: Facts, hooks: Hooks) -> Option<Unfit> {
    if hooks == Hooks::Kprobe && !facts.kprobes {
        return Some(Unfit::NoKprobes);
    }
    let missing = match hooks {
        Hooks::Tracepoint => return None,
        _ if !facts.tcp_sendmsg_locked => "tcp_sendmsg_locked",
        _ if !facts.tcp_cleanup_rbuf => "tcp_cleanup_rbuf",
        _ => return None,
    };
    Some(Unfit::NoFunction(missing))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NEW: Facts = Facts {
        tcp_sendmsg_locked: true,
        do_tcp_sendpages: false,
        tcp_bpf_sendmsg: true,
        tcp_cleanup_rbuf: true,
        sock_send_length: true,
        kprobes: true,
        socket_storage: true,
        typed_task: true,
        socket_cookie: true,
        rdonly_cast: Some(Cast::Kfunc { func_id: 1, tcp_sock_id: 2 }),
    };
    const OLD: Facts = Facts {
        do_tcp_sendpages: true,
        sock_send_length: false,
        socket_storage: false,
        typed_task: false,
        socket_cookie: false,
        rdonly_cast: None,
        ..NEW
    };

    fn places(facts: Facts, hooks: Hooks) -> Vec<Attach> {
        plan(facts, hooks).programs.into_iter().map(|p| p.attach).collect()
    }

    #[test]
    fn every_plan_watches_the_end_of_flows() {
        for hooks in Hooks::ALL {
            let places = places(OLD, hooks);
            assert!(places.contains(&Attach::Tracepoint("inet_sock_set_state")), "{hooks}");
            assert!(places.contains(&Attach::Tracepoint("tcp_destroy_sock")), "{hooks}");
        }
    }

    #[test]
    fn sendpages_is_hooked_where_it_exists() {
        assert!(places(OLD, Hooks::Fentry).contains(&Attach::Fexit("do_tcp_sendpages")));
        assert!(places(OLD, Hooks::Kprobe).contains(&Attach::Kretprobe("do_tcp_sendpages")));
        assert!(!places(NEW, Hooks::Fentry).contains(&Attach::Fexit("do_tcp_sendpages")));
        assert!(!places(NEW, Hooks::Kprobe).contains(&Attach::Kprobe("do_tcp_sendpages")));
    }

    #[test]
    fn socket_maps_are_hooked_where_they_exist() {
        let without = Facts { tcp_bpf_sendmsg: false, ..NEW };
        let hook = [Attach::Fexit("tcp_bpf_sendmsg"), Attach::Kretprobe("tcp_bpf_sendmsg")];
        for (hooks, place) in [Hooks::Fentry, Hooks::Kprobe].into_iter().zip(hook) {
            assert!(places(NEW, hooks).contains(&place));
            assert!(!places(without, hooks).contains(&place));
        }
    }

    #[test]
    fn without_sock_send_length_the_tracepoint_plan_counts_on_acks() {
        assert!(plan(OLD, Hooks::Tracepoint).counts_on_ack);
        assert!(places(OLD, Hooks::Tracepoint).contains(&Attach::Tracepoint("tcp_probe")));
        assert!(!plan(NEW, Hooks::Tracepoint).counts_on_ack);
    }

    #[test]
    fn kprobes_never_use_typed_pointers() {
        let plan = plan(NEW, Hooks::Kprobe);
        assert_eq!((plan.store, plan.task), (store::HASH, task::PROBE));
        assert_eq!((plan.cookies, plan.cast), (false, Cast::Helper));
    }

    #[test]
    fn the_order_is_fentry_kprobe_tracepoint_and_a_wish_is_obeyed() {
        let order: Vec<_> = plans(NEW, None).into_iter().map(|p| p.hooks).collect();
        assert_eq!(order, Hooks::ALL);
        let order: Vec<_> = plans(NEW, Some(Hooks::Kprobe)).into_iter().map(|p| p.hooks).collect();
        assert_eq!(order, [Hooks::Kprobe]);
    }

    #[test]
    fn a_missing_function_is_named() {
        let facts = Facts { tcp_cleanup_rbuf: false, ..NEW };
        assert_eq!(unfit(facts, Hooks::Fentry), Some(Unfit::NoFunction("tcp_cleanup_rbuf")));
        assert_eq!(unfit(facts, Hooks::Tracepoint), None);
        let facts = Facts { kprobes: false, ..NEW };
        assert_eq!(unfit(facts, Hooks::Kprobe), Some(Unfit::NoKprobes));
        assert_eq!(unfit(facts, Hooks::Fentry), None);
    }
}
