//! The wire between the kernel side and user space: what the maps hold, byte for byte.
//!
//! Everything here is `repr(C)` without hidden padding, and its size is asserted, because the kernel copies these
//! values as bytes. Addresses are 16 bytes, IPv4 as `::ffff:a.b.c.d`. The numbers are made in `flowtop-ebpf` and read in
//! `flowtop_core::wire`; the one thing that both sides compute is [`Admission::admits`].
#![no_std]

mod admission;
mod entry;

pub use admission::{Admission, Net, PortRange, check, family, words};
pub use entry::{Detail, Flow, Slot};

/// Identity of one flow: the 5-tuple (the protocol is always TCP), where it lives, and which socket carried it.
///
/// `id` keeps a reconnect on the same tuple apart from its predecessor. For a socket whose birth was seen it is the
/// monotonic time of that birth in nanoseconds, for an older socket its kernel address; neither repeats.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FlowKey {
    /// Local address, network byte order.
    pub local_addr: [u8; 16],
    /// Remote address, network byte order.
    pub remote_addr: [u8; 16],
    /// Local port, host byte order.
    pub local_port: u16,
    /// Remote port, host byte order.
    pub remote_port: u16,
    /// Address family of the socket: `AF_INET` (2) or `AF_INET6` (10).
    pub family: u16,
    /// Zero.
    pub pad0: u16,
    /// Inode number of the network namespace.
    pub netns: u32,
    /// Zero.
    pub pad1: u32,
    /// Identity of the socket, unique for the life of the table.
    pub id: u64,
}

/// Stands for the kernel itself where the number of a process stands. No process has it.
pub const KERNEL_PID: u32 = u32::MAX;

/// A process that has the socket of a flow open: what the iterators write, one after the other.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Holder {
    /// The flow.
    pub key: FlowKey,
    /// Process (thread group), or [`KERNEL_PID`].
    pub pid: u32,
    /// Zero.
    pub pad: u32,
    /// Name of the process, NUL-padded.
    pub comm: [u8; 16],
}

/// Which slots are free: never used ones from `next` on, and those that user space has given back, in the ring `FREE`
/// between `head` and `tail`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Allocation {
    /// Slots taken for the first time so far.
    pub next: u64,
    /// Elements taken from the ring.
    pub head: u64,
    /// Elements put into the ring.
    pub tail: u64,
}

/// Bits of [`Slot::flags`].
pub mod flags {
    /// The birth of the socket was seen, so its totals are all since the start.
    pub const BORN: u32 = 1;
    /// This end called `connect`: seen, or proved by its SYN.
    pub const ACTIVE: u32 = 2;
    /// This end was accepted from a listener: seen, or, for an older socket, its counters hold no SYN.
    pub const PASSIVE: u32 = 4;
    /// No event can change the entry any more.
    pub const ENDED: u32 = 8;
    /// The entry is complete.
    pub const OPEN: u32 = 16;

    /// Flags as a slot holds them: none of those above is beyond a byte.
    #[must_use]
    #[inline]
    pub const fn byte(flags: u32) -> u8 {
        (flags & 0xff) as u8
    }
}

/// The one reserved entry: what sockets carried that found the flow table full.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Untracked {
    /// Sockets that got no entry.
    pub flows: u64,
    /// Bytes sent by them.
    pub tx_bytes: u64,
    /// Bytes received by them.
    pub rx_bytes: u64,
    /// Of `tx_bytes`: by the accepting end of connections that stay on this host (the other end counts them too).
    pub mirrored_tx_bytes: u64,
    /// Of `rx_bytes`: by the accepting end of connections that stay on this host.
    pub mirrored_rx_bytes: u64,
}

/// Declares an enum whose variants index an array, with the text of each.
macro_rules! indexed {
    ($(#[$doc:meta])* $name:ident: $all:ident, $text:ty; $($(#[$vdoc:meta])* $variant:ident = $value:expr),+ $(,)?) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[repr(usize)]
        pub enum $name { $($(#[$vdoc])* $variant),+ }
        impl $name {
            /// Every variant with its text, in the order of the discriminants.
            pub const $all: &'static [($name, $text)] = &[$(($name::$variant, $value)),+];
            /// Number of variants.
            pub const COUNT: usize = Self::$all.len();
        }
    };
}

indexed! {
    /// What the kernel side could not do, counted per CPU in the map `LOSSES`. The text is the name in reports.
    Loss: ALL, &'static str;
    /// No memory for a socket's state: its bytes are counted late or not at all.
    SocketState = "socket_state",
    /// No slot for a flow although the table has room: several were being opened at the same moment.
    Slot = "slot",
    /// A socket older than the start that seeding did not reach: counted from its first event on.
    Unseeded = "unseeded",
    /// kprobe plan: no room to remember the socket of a call, so its bytes are counted at the next event.
    Call = "call",
    /// Bytes sent that a socket map (`sk_msg`) carried past TCP: they are in no entry.
    SocketMap = "socket_map",
}

indexed! {
    /// A kernel field that the programs read: its offset from the start of the struct comes from the running
    /// kernel's BTF. The text is (struct, path).
    Field: ALL, (&'static str, &'static str);
    /// Address family.
    Family = ("sock", "__sk_common.skc_family"),
    /// TCP state.
    State = ("sock", "__sk_common.skc_state"),
    /// Local port, host byte order.
    LocalPort = ("sock", "__sk_common.skc_num"),
    /// Remote port, network byte order.
    RemotePort = ("sock", "__sk_common.skc_dport"),
    /// Local IPv4 address.
    LocalV4 = ("sock", "__sk_common.skc_rcv_saddr"),
    /// Remote IPv4 address.
    RemoteV4 = ("sock", "__sk_common.skc_daddr"),
    /// Local IPv6 address.
    LocalV6 = ("sock", "__sk_common.skc_v6_rcv_saddr"),
    /// Remote IPv6 address.
    RemoteV6 = ("sock", "__sk_common.skc_v6_daddr"),
    /// Pointer to the network namespace.
    Net = ("sock", "__sk_common.skc_net.net"),
    /// `enum sock_flags` as bits.
    SockFlags = ("sock", "__sk_common.skc_flags"),
    /// Non-zero while a process holds the socket lock.
    LockOwned = ("sock", "sk_lock.owned"),
    /// Number that the kernel gives a socket once, 0 before it has.
    Cookie = ("sock", "__sk_common.skc_cookie.counter"),
    /// Inode number of a network namespace.
    NetInum = ("net", "ns.inum"),
    /// Next sequence number to be queued by the application.
    WriteSeq = ("tcp_sock", "write_seq"),
    /// First unacknowledged sequence number.
    SndUna = ("tcp_sock", "snd_una"),
    /// Next sequence number to be sent.
    SndNxt = ("tcp_sock", "snd_nxt"),
    /// Bytes acknowledged, the SYN of an active open included.
    BytesAcked = ("tcp_sock", "bytes_acked"),
    /// Bytes received in order, the FIN included.
    BytesReceived = ("tcp_sock", "bytes_received"),
    /// Next sequence number expected.
    RcvNxt = ("tcp_sock", "rcv_nxt"),
    /// First sequence number that the application has not taken.
    CopiedSeq = ("tcp_sock", "copied_seq"),
    /// Payload bytes sent, retransmissions included.
    BytesSent = ("tcp_sock", "bytes_sent"),
    /// Payload bytes retransmitted.
    BytesRetrans = ("tcp_sock", "bytes_retrans"),
    /// Segments retransmitted.
    TotalRetrans = ("tcp_sock", "total_retrans"),
    /// Segments received.
    SegsIn = ("tcp_sock", "segs_in"),
    /// Segments sent.
    SegsOut = ("tcp_sock", "segs_out"),
    /// Smoothed round-trip time, eighths of a microsecond.
    SrttUs = ("tcp_sock", "srtt_us"),
    /// Time of the last segment, microseconds.
    TcpMstamp = ("tcp_sock", "tcp_mstamp"),
    /// `PF_KTHREAD` and others.
    TaskFlags = ("task_struct", "flags"),
    /// The process a thread belongs to.
    TaskLeader = ("task_struct", "group_leader"),
    /// Name of a task.
    TaskComm = ("task_struct", "comm"),
    /// Number of a process, the same for all of its threads.
    TaskTgid = ("task_struct", "tgid"),
    /// What of a socket the protocol knows.
    SocketSk = ("socket", "sk"),
    /// Whether the kernel has made the socket for itself. One bit; its mask is [`Constant::KernSockMask`].
    KernSock = ("sock", "sk_kern_sock"),
    /// Protocol on top of TCP, such as kTLS; 0 without one.
    Ulp = ("tcp_sock", "inet_conn.icsk_ulp_ops"),
    /// Queue that `TCP_REPAIR_QUEUE` has chosen last; 0 in a socket that was never in repair.
    RepairQueue = ("tcp_sock", "repair_queue"),
}

/// Numbers that stand in the object for what user space knows of the running kernel. It puts the real ones in before
/// the object is loaded (`flowtop_bpf::link`), so that they are part of the instructions and cost no memory access.
pub mod placeholder {
    /// The call that makes a `struct tcp_sock *` of a `struct sock *`. No helper has this number.
    pub const CAST: u32 = u32::from_le_bytes(*b"cast");
    /// First of the numbers for the offsets of kernel fields, in the order of [`super::Field`].
    pub const FIELDS: u32 = 0x6c66_0000;
    /// First of the numbers for [`super::Constant`].
    pub const CONSTANTS: u32 = 0x6c66_8000;
}

indexed! {
    /// What user space tells the programs beside offsets. The text is what it is.
    Constant: ALL, &'static str;
    /// One of [`store`].
    Store = "where the state of a socket is kept",
    /// One of [`task`].
    Task = "how the current task may be looked at",
    /// Elements of the array of slots that may be used.
    SlotCount = "number of slots",
    /// Elements of the ring of free slots less one.
    FreeMask = "mask of the ring of free slots",
    /// 1 if sockets are told apart by their cookies, 0 if by their addresses, because programs cannot give a socket its
    /// cookie: kprobes, and every kernel before Linux 5.12.
    Cookies = "whether sockets are told apart by their cookies",
    /// Elements of the cache by socket less one.
    CacheMask = "mask of the cache by socket",
    /// Microseconds between two refreshes of the owner of a flow and of TCP's own counters.
    RefreshUs = "time between two refreshes of the details of a socket",
    /// BTF type number of `struct tcp_sock`.
    TcpSock = "type of a TCP socket",
    /// The bit of [`Field::KernSock`].
    KernSockMask = "bit of sockets that are the kernel's own",
}

/// Values of [`Constant::Store`]: where the state of a socket is kept.
pub mod store {
    /// In a hash map by the socket's address: works on every kernel and from every program.
    pub const HASH: u32 = 0;
    /// In the socket itself (socket local storage): Linux 5.11 and later, BTF-typed programs only.
    pub const SOCKET: u32 = 1;
}

/// Values of [`Constant::Task`]: how the current task may be looked at.
pub mod task {
    /// Not at all: the thread's own name, and kernel threads are not told apart.
    pub const OPAQUE: u32 = 0;
    /// With `bpf_probe_read_kernel`.
    pub const PROBE: u32 = 1;
    /// By direct loads from `bpf_get_current_task_btf` (Linux 5.11).
    pub const TYPED: u32 = 2;
}

const _: () = assert!(size_of::<FlowKey>() == 56);
const _: () = assert!(size_of::<Allocation>() == 24);
const _: () = assert!(size_of::<Untracked>() == 40);
const _: () = assert!(size_of::<Holder>() == 80);
