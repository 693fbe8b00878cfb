//! The families of hooks that can count.

use core::fmt;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hooks {
    /// Trampolines on `tcp_sendmsg_locked`, `do_tcp_sendpages` and `tcp_cleanup_rbuf`.
    Fentry,
    /// kprobes and kretprobes on the same functions.
    Kprobe,
    /// Tracepoints: `tcp_rcv_space_adjust` and `sock_send_length` (before Linux 6.3: `tcp_probe`).
    Tracepoint,
}

impl Hooks {
    /// In the order in which they are tried.
    pub const ALL: [Self; 3] = [Self::Fentry, Self::Kprobe, Self::Tracepoint];

    /// As in `--hooks` and in reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Fentry => "fentry",
            Self::Kprobe => "kprobe",
            Self::Tracepoint => "tracepoint",
        }
    }
}

impl fmt::Display for Hooks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
