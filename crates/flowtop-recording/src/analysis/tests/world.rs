//! A host of which everything is known, second by second, and what recorders see of it.

use flowtop_common::flags;
use proptest::prelude::*;

use flowtop_core::record::fixture::{flow, record};
use flowtop_core::record::{FlowRecord, Record, Span};
use flowtop_core::window::Bytes;

/// Seconds that a world lasts.
pub const SECONDS: usize = 60;

/// The wall clock of the first second, in s since 1970.
pub const FIRST_S: i64 = 1_793_606_400;

/// A socket that lives from one second to another.
#[derive(Clone, Debug)]
pub struct Socket {
    pub number: u64,
    pub birth: usize,
    /// The first second in which it is no more; past the end of the world if it stays.
    pub end: usize,
    /// Bytes of each second.
    pub bytes: Vec<Bytes>,
}

impl Socket {
    pub fn moved(&self, from: usize, to: usize) -> Bytes {
        let (from, to) = (from.max(self.birth), to.min(self.end).min(SECONDS));
        self.bytes[from.min(to)..to].iter().fold(Bytes::default(), |sum, bytes| sum + *bytes)
    }

    /// Whether a window shows it: it is open at its end, or ends within it.
    pub fn is_in(&self, window: Window) -> bool {
        self.birth < window.end && self.end > window.start
    }

    /// Processes and remote hosts are few, so that sockets share rows.
    pub fn comm(&self) -> &'static str {
        ["curl", "nginx", "rsync"][usize::try_from(self.number % 3).unwrap()]
    }

    pub fn ends(&self) -> [String; 2] {
        [format!("192.0.2.1:{}", 40_000 + self.number), format!("198.51.100.{}:443", self.number % 2)]
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    pub start: usize,
    pub end: usize,
}

#[derive(Clone, Debug)]
pub struct World(pub Vec<Socket>);

/// One that looks on. Each gives its own ids, and does not know what was before it started.
#[derive(Clone, Copy, Debug)]
pub struct Recorder {
    pub started: usize,
    pub ids: u64,
}

impl World {
    pub fn record(&self, recorder: Recorder, window: Window) -> Record {
        let sockets = self.0.iter().filter(|socket| socket.is_in(window));
        let flows: Vec<_> = sockets.map(|socket| recorder.sees(socket, window)).collect();
        let of = |second: usize| (i64::try_from(second).unwrap() + FIRST_S) * 1_000_000;
        let ns = |second: usize| (3600 + second as u64) * 1_000_000_000;
        let span = Span {
            start_us: of(window.start),
            end_us: of(window.end),
            start_ns: ns(window.start),
            end_ns: ns(window.end),
        };
        Record { span, ..record(0, flows) }
    }
}

impl Recorder {
    fn sees(self, socket: &Socket, window: Window) -> FlowRecord {
        let [local, remote] = socket.ends();
        let bytes = socket.moved(window.start.max(self.started), window.end);
        let lifetime = socket.moved(0, window.end);
        let mut seen = flow(self.ids + socket.number, socket.comm(), [&local, &remote], bytes, lifetime);
        let opened = socket.birth.max(self.started);
        seen.flow.opened_ns = (3600 + opened as u64) * 1_000_000_000;
        if socket.birth < self.started {
            seen.flow.flags &= !(flags::BORN | flags::ACTIVE);
        }
        if socket.end <= window.end {
            seen.flow.flags |= flags::ENDED;
        }
        seen.peak =
            (window.start..window.end).fold(Bytes::default(), |peak, s| peak.max(socket.moved(s, s + 1)));
        seen
    }
}

/// Sockets with any lives and any bytes.
pub fn any_world() -> impl Strategy<Value = World> {
    let bytes = (0..1000_u64, 0..1000_u64).prop_map(|(tx, rx)| Bytes { tx, rx });
    let socket = (0..SECONDS, 1..SECONDS * 2, prop::collection::vec(bytes, SECONDS));
    prop::collection::vec(socket, 1..12).prop_map(|sockets| {
        let socket = |(number, (birth, length, bytes)): (usize, (usize, usize, Vec<Bytes>))| Socket {
            number: number as u64,
            birth,
            end: birth + length,
            bytes,
        };
        World(sockets.into_iter().enumerate().map(socket).collect())
    })
}

/// Windows in order, one after the other or with gaps between them.
pub fn any_windows() -> impl Strategy<Value = Vec<Window>> {
    prop::collection::btree_set(0..=SECONDS, 2..12).prop_flat_map(|cuts| {
        let cuts: Vec<usize> = cuts.into_iter().collect();
        let windows: Vec<_> = cuts.windows(2).map(|pair| Window { start: pair[0], end: pair[1] }).collect();
        let kept = prop::collection::vec(any::<bool>(), windows.len());
        kept.prop_map(move |kept| {
            let kept = windows.iter().zip(kept).filter(|(_, kept)| *kept).map(|(window, _)| *window);
            kept.collect()
        })
    })
}
