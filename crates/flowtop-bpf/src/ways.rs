//! Which way keeps the entries of the flow table current, and the change from one to the other while flows go on.
//!
//! Counters in the table are absolute and only grow, so a change can neither lose nor double anything: what happens while
//! neither way looks is found by the next pass. A change to sweeps detaches the hooks first and passes then; a change to
//! events attaches them first.
//!
//! While sweeping, the hooks are attached for a moment now and then ([`Window`]): they count events, and tell the process
//! that uses a socket of which none is known.

use std::sync::mpsc::TryRecvError;
use std::time::{Duration, Instant};

use anyhow::Result;
use aya::Ebpf;
use aya::maps::{MapInfo, MapType};
use flowtop_core::trigger::{Choice, Events, FEW_EVENTS, Measured, Trigger, Wanted};

use super::load::EventHooks;
use super::plan::Plan;
use super::reason::reason;
use super::sweep::Sweep;
use super::window::Window;

/// Most of a processor that passes take for the details alone, while hooks count the bytes: one part in so many.
const PAUSE_FOR_EACH_PASS: u32 = 400;
/// Time between two counts of events.
const COUNT_EVERY: Duration = Duration::from_secs(1);
/// The same while sweeping for little: the hooks have to be attached for it.
const COUNT_SELDOM: Duration = Duration::from_secs(10);
/// A pass that takes longer is worth a look every second whether events would cost less.
const CHEAP_PASS: Duration = Duration::from_millis(1);
/// Time between two moments with hooks in which owners are looked for.
const LISTEN_EVERY: Duration = Duration::from_secs(2);
/// Time between two looks at whether there are socket maps still.
const MAPS_EVERY: Duration = Duration::from_secs(10);
/// Bytes that an event moves, to tell from bytes alone whether there may be many events. Databases and RPC move about as
/// much at a time; where it is less, events are counted once too often.
const BYTES_OF_AN_EVENT: f64 = 100.0;

/// The flow table at the last read, as far as it matters here.
#[derive(Clone, Copy, Debug, Default)]
pub struct Activity {
    /// Bytes that all flows have moved since the read before.
    pub moved_bytes: u64,
    /// Whether no process is known of a flow that moves bytes, or several may use one.
    pub has_unowned: bool,
}

/// Keeps the entries current.
pub struct Ways {
    /// Or why there is none.
    sweep: Result<Sweep, String>,
    events: EventHooks,
    wanted: Wanted,
    /// Whether it matters at once which process uses a socket.
    asks_processes: bool,
    choice: Choice,
    now: Trigger,
    /// Why the way is another one than was chosen or wanted.
    instead: Option<String>,
    window: Option<Window>,
    windows_from: Instant,
    measured: Measured,
    last: Option<Instant>,
    passes_from: Instant,
    socket_maps: SocketMaps,
}

impl Ways {
    /// Begins with the attached hooks.
    pub fn new(sweep: Result<Sweep, String>, events: EventHooks, plan: &Plan) -> Self {
        let now = Instant::now();
        Self {
            sweep,
            events,
            wanted: Wanted::Only(Trigger::Events),
            asks_processes: false,
            choice: Choice::default(),
            now: Trigger::Events,
            instead: None,
            window: None,
            windows_from: now,
            measured: Measured::default(),
            last: None,
            passes_from: now,
            socket_maps: SocketMaps::new(!plan.sees_socket_maps()),
        }
    }

    /// Takes this way from now on, or chooses.
    pub fn want(&mut self, wanted: Wanted) {
        self.wanted = wanted;
    }

    /// From now on it matters at once which process uses a socket, or not any more.
    pub fn ask_processes(&mut self, asks: bool) {
        self.asks_processes = asks;
    }

    /// Makes a pass.
    ///
    /// # Errors
    /// Why that is not possible here, as half a sentence.
    pub fn try_pass(&self) -> Result<(), String> {
        let sweep = self.sweep.as_ref().map_err(Clone::clone)?;
        sweep.pass().map(drop).map_err(|error| format!("a pass over the sockets fails: {error}"))
    }

    /// The way in force.
    #[must_use]
    pub fn now(&self) -> Trigger {
        self.now
    }

    /// Why that way, as half a sentence.
    #[must_use]
    pub fn reason(&self) -> String {
        match (&self.instead, self.wanted) {
            (Some(reason), _) => reason.clone(),
            (None, Wanted::Cheaper) => self.choice.reason(),
            (None, _) => "as --trigger says".to_owned(),
        }
    }

    /// Before a read of the table: takes the way that is right now, and makes the pass that it needs.
    ///
    /// # Errors
    /// If a hook cannot be attached again.
    pub fn refresh(&mut self, ebpf: &mut Ebpf, activity: Activity, with_details: bool) -> Result<()> {
        let start = Instant::now();
        self.take_count();
        self.measure_rate(start);
        let before = self.now;
        if self.window.is_none() {
            self.choose();
            self.apply(ebpf)?;
        }
        let details_are_due = with_details && start >= self.passes_from;
        if self.now == Trigger::Sweep || before == Trigger::Sweep || details_are_due {
            self.pass(start);
            if self.sweep.is_err() && self.now == Trigger::Sweep {
                self.choose();
                self.apply(ebpf)?;
            }
        }
        self.count(ebpf, activity, start)
    }

    /// The way for the next second.
    fn choose(&mut self) {
        self.instead = self.obstacle();
        let chosen = self.choice.take(flowtop_sys::clock::now_ns(), self.measured);
        self.now = match (&self.instead, self.wanted) {
            (Some(_), _) => Trigger::Events,
            (None, Wanted::Cheaper) => chosen,
            (None, Wanted::Only(trigger)) => trigger,
            (None, Wanted::Alternate) => self.now.other(),
        };
    }

    /// Why no sweep is possible at present.
    fn obstacle(&mut self) -> Option<String> {
        if self.wanted == Wanted::Only(Trigger::Events) {
            return None;
        }
        if let Err(reason) = &self.sweep {
            return Some(format!("sockets cannot be swept here: {reason}"));
        }
        if self.asks_processes {
            return Some("what is counted may depend on processes, and events tell them at once".to_owned());
        }
        self.socket_maps.exist().then(|| {
            "bytes that socket maps carry past TCP are found by events, and there are such maps".to_owned()
        })
    }

    fn apply(&mut self, ebpf: &mut Ebpf) -> Result<()> {
        match self.now {
            Trigger::Events => {
                let attached = self.events.attach(ebpf);
                attached.map_err(|error| anyhow::anyhow!("cannot attach the hooks again: {}", reason(&error)))
            }
            Trigger::Sweep => {
                drop(self.events.detach());
                Ok(())
            }
        }
    }

    /// Makes a pass. When one fails, for want of descriptors say, events count from then on: no run ends because of it.
    fn pass(&mut self, start: Instant) {
        let Ok(sweep) = &self.sweep else { return };
        match sweep.pass() {
            Ok(taken) => {
                self.measured.pass_ns = smoothed(self.measured.pass_ns, taken.as_nanos() as f64);
                self.passes_from = start + taken * PAUSE_FOR_EACH_PASS;
            }
            Err(error) => self.sweep = Err(format!("a pass over the sockets has failed: {error}")),
        }
    }

    fn measure_rate(&mut self, start: Instant) {
        if let Some(last) = self.last.replace(start) {
            let between = start.duration_since(last).as_secs_f64().max(0.001);
            self.measured.passes_per_s = smoothed(self.measured.passes_per_s, between.recip());
        }
    }

    /// Takes what has been counted, if a count has ended.
    fn take_count(&mut self) {
        let Some(window) = &self.window else { return };
        let counted = window.counted();
        if counted == Err(TryRecvError::Empty) {
            return;
        }
        self.window = None;
        if let Ok(counted) = counted {
            // Counts are seldom while sweeping, so the last one is the best there is.
            let before = self.measured.events.filter(|_| self.now == Trigger::Events).unwrap_or(counted);
            self.measured.events = Some(Events {
                count: smoothed(before.count, counted.count),
                run_ns: smoothed(before.run_ns, counted.run_ns),
            });
        }
    }

    /// Begins to count events, if it is time to and worth it.
    fn count(&mut self, ebpf: &mut Ebpf, activity: Activity, start: Instant) -> Result<()> {
        let Some(pause) = self.pause_between_counts(activity) else { return Ok(()) };
        if self.window.is_some() || start < self.windows_from + pause {
            return Ok(());
        }
        self.windows_from = start;
        let is_sweeping = self.now == Trigger::Sweep;
        if is_sweeping {
            let attached = self.events.attach(ebpf);
            attached.map_err(|error| anyhow::anyhow!("cannot attach the hooks again: {}", reason(&error)))?;
        }
        let programs = self.events.programs(ebpf);
        let links = if is_sweeping { self.events.detach() } else { Vec::new() };
        self.window = Window::open(programs, links);
        Ok(())
    }

    /// Time between two counts at present; `None` if none is needed.
    fn pause_between_counts(&self, activity: Activity) -> Option<Duration> {
        let may_be_many = activity.moved_bytes as f64 > FEW_EVENTS * BYTES_OF_AN_EVENT;
        match self.now {
            Trigger::Events if self.wanted == Wanted::Cheaper && self.instead.is_none() => {
                Some(if may_be_many || self.measured.events.is_none() { COUNT_EVERY } else { COUNT_SELDOM })
            }
            Trigger::Events => None,
            Trigger::Sweep if self.wanted == Wanted::Alternate => None,
            Trigger::Sweep if activity.has_unowned => Some(LISTEN_EVERY),
            Trigger::Sweep if self.wanted != Wanted::Cheaper => None,
            Trigger::Sweep if self.measured.pass_ns > CHEAP_PASS.as_nanos() as f64 => Some(COUNT_EVERY),
            Trigger::Sweep => (!may_be_many).then_some(COUNT_SELDOM),
        }
    }
}

/// Half of what was, and half of what is.
fn smoothed(before: f64, now: f64) -> f64 {
    if before == 0.0 { now } else { f64::midpoint(before, now) }
}

/// Whether there are socket maps on this host.
struct SocketMaps {
    /// Whether only events of the plan see what they carry.
    matter: bool,
    /// Number of the newest map of any kind; the kernel counts up.
    newest: u32,
    /// When one was found last.
    found: Option<Instant>,
}

impl SocketMaps {
    fn new(matter: bool) -> Self {
        Self { matter, newest: 0, found: None }
    }

    fn exist(&mut self) -> bool {
        if !self.matter {
            return false;
        }
        if self.found.is_some_and(|found| found.elapsed() >= MAPS_EVERY) {
            *self = Self::new(true);
        }
        // New ones alone: a host may have thousands.
        while let Ok(Some(next)) = flowtop_sys::map_after(self.newest) {
            self.newest = next;
            // A map that goes away meanwhile carries nothing.
            let kind = MapInfo::from_id(next).and_then(|map| map.map_type());
            if matches!(kind, Ok(MapType::SockMap | MapType::SockHash)) {
                self.found = Some(Instant::now());
            }
        }
        self.found.is_some()
    }
}
