//! `flowtop record`: clock, signals, windows. `flowtop_core::sampler` makes the records, and a thread writes them.

pub(crate) mod host;
pub(crate) mod store;
pub(crate) mod writer;

use std::env;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use tokio::time::{sleep, sleep_until};

use crate::Usage;
use crate::cli::{RecordArgs, RetentionFlags};
use crate::config::at_its_line;
use crate::interfaces::Interfaces;
use crate::knowledge::Knowledge;
use crate::recordings::{self, Recordings};
use crate::selection;
use crate::session::{Purpose, Session, event_loop};
use crate::signals::Endings;
use crate::stderr;
use flowtop_core::filter::Filter;
use flowtop_core::ledger::Ledger;
use flowtop_core::number::Unit;
use flowtop_core::record::limits::{TrafficLimit, TrafficLimits};
use flowtop_core::record::{Fill, Host, Record};
use flowtop_core::sampler::Sampler;
use flowtop_recording::format::sparse::Keep;
use flowtop_recording::retention::Limits;
use flowtop_recording::schedule::{Schedule, until_sample};
use flowtop_sys::clock;
use flowtop_view::settings::Settings;
use store::{ENDS_WITHIN, Place, Store, TRY_EVERY, TRY_SELDOM};
use writer::{Outcome, Writer};

const MINUTE: Duration = Duration::from_mins(1);
const US_PER_DAY: i64 = 24 * 3600 * 1_000_000;
/// How much longer than a window an ended flow stays in the ledger.
const MARGIN_S: u64 = 60;

/// Records until interrupted, or `--count` records.
///
/// # Errors
/// If the directory cannot be written to, no hooks work, or the clock is not set.
pub fn run(args: &RecordArgs, settings: &Settings, filter: Filter) -> Result<()> {
    let every = args.every.unwrap_or(MINUTE.max(args.length.unwrap_or(MINUTE)));
    let schedule = Schedule::new(every, args.length.unwrap_or(every));
    let schedule =
        schedule.ok_or_else(|| Usage("--for: give a time that is not longer than --every".to_owned()))?;
    let dir = directory(args.output.as_deref())?;
    event_loop()?.block_on(async {
        // Catch signals before waiting for the lock or loading programs, so that a signal always ends the run cleanly.
        let mut endings = Endings::watch()?;
        let turn = Turn { schedule, count: args.count, is_quiet: args.quiet, dir: &dir };
        let Some((place, count)) = turn.wait(&mut endings).await? else { return Ok(()) };
        let (store, notes) = place.store(kept(args.retention))?;
        for note in notes {
            stderr::print(&format!("flowtop: {note}\n"));
        }
        let recorder = Recorder::start(args, settings, filter, schedule, store)?;
        Box::pin(Recorder { count, ..recorder }.run(endings, &dir)).await
    })
}

/// A run that may have to wait until another one has ended.
struct Turn<'a> {
    schedule: Schedule,
    count: Option<u64>,
    is_quiet: bool,
    dir: &'a Path,
}

impl Turn<'_> {
    /// Waits until no other run writes to the directory. Returns how many records remain: a run with `--count` ends
    /// when it would have ended without waiting. `None` if the other run goes on, or a signal arrives.
    async fn wait(&self, endings: &mut Endings) -> Result<Option<(Place, Option<u64>)>> {
        let place = Place::open(self.dir)?;
        let (start, started) = (clock::now(), Instant::now());
        let own = self.count.map_or(Duration::ZERO, |count| self.schedule.run(count, start.us));
        let mut has_said = false;
        while !place.lock()? {
            let waited = started.elapsed();
            if waited >= own.max(ENDS_WITHIN) {
                self.say("another flowtop records there, so this run ends", self.count.is_none());
                return place.leave_mark(start.us).map(|()| None);
            }
            if waited >= ENDS_WITHIN && !std::mem::replace(&mut has_said, true) {
                self.say("another flowtop records there; this run goes on when it has ended", false);
            }
            tokio::select! {
                () = endings.any() => return Ok(None),
                () = sleep(if has_said { TRY_SELDOM } else { TRY_EVERY }) => {}
            }
        }
        let left = |count| self.schedule.left(count, start.us, started.elapsed(), clock::now().us);
        Ok(Some((place, self.count.map(left))))
    }

    /// Started by cron, a run prints nothing while another one is recording.
    fn say(&self, text: &str, also_if_quiet: bool) {
        if also_if_quiet || !self.is_quiet {
            stderr::print(&format!("flowtop: {}: {text}\n", self.dir.display()));
        }
    }
}

/// Limits on the age and size of recordings.
pub(crate) fn kept(flags: RetentionFlags) -> Limits {
    Limits {
        keep_us: Some(i64::from(flags.keep_days).saturating_mul(US_PER_DAY)),
        max_bytes: Some(flags.max_size).filter(|bytes| *bytes > 0),
        min_free_bytes: flags.min_free,
    }
}

/// Directory of recordings; the default depends on whether flowtop runs as a service, as root or as another user.
///
/// # Errors
/// A [`Usage`] error if none was given and there is no home directory.
pub fn directory(typed: Option<&Path>) -> Result<PathBuf> {
    let variable = |name: &str| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    if let Some(dir) = typed {
        return Ok(dir.to_owned());
    }
    // systemd separates several directories with colons.
    if let Some(dirs) = env::var_os("STATE_DIRECTORY")
        && let Some(dir) = env::split_paths(&dirs).next().filter(|dir| dir.is_absolute())
    {
        return Ok(dir);
    }
    if rustix::process::geteuid().is_root() {
        return Ok(PathBuf::from("/var/lib/flowtop"));
    }
    let state = variable("XDG_STATE_HOME").filter(|dir| dir.is_absolute());
    let state = state.or_else(|| variable("HOME").map(|home| home.join(".local/state")));
    Ok(state.ok_or_else(|| Usage("there is no home directory; give -o DIR".to_owned()))?.join("flowtop"))
}

/// Opens the recordings at `paths`, by default those of this host.
///
/// # Errors
/// Those of [`recordings::open`] and [`directory`].
pub fn recordings(paths: &[PathBuf]) -> Result<Recordings> {
    Ok(if paths.is_empty() { recordings::open(&[directory(None)?]) } else { recordings::open(paths) }?)
}

struct Recorder {
    session: Session,
    ledger: Ledger,
    schedule: Schedule,
    keep: Keep,
    writer: Writer,
    host: Host,
    limits: TrafficLimits,
    max_flows: u32,
    count: Option<u64>,
    is_quiet: bool,
}

/// The current window.
struct Window {
    sampler: Sampler,
    interfaces: host::Interfaces,
}

impl Recorder {
    fn start(
        args: &RecordArgs,
        settings: &Settings,
        filter: Filter,
        schedule: Schedule,
        store: Store,
    ) -> Result<Self> {
        let mut settings = settings.clone();
        // Records hold bytes as the sockets sent and received them, so a border must not swap ends.
        settings.unit.value = Unit::default();
        let chosen = at_its_line(Interfaces::choose(&settings.interface.value), &settings.interface.origin)?;
        let known =
            if args.demo { Knowledge::of_demo(&settings)? } else { Knowledge::of_everyone(&settings)? };
        let limits = limits(&settings, &filter)?;
        let admission = selection::admission(&settings, &filter)?;
        let scope = selection::scope(&settings, Some(&chosen), filter, &known)?;
        let longest_s = schedule.length(0).as_secs().saturating_mul(2).saturating_add(MARGIN_S);
        let mut ledger = Ledger::new(settings.max_flows.value.0 as usize, longest_s);
        ledger.set_scope(scope);
        Ok(Self {
            session: Session::start(&settings, &admission, known, args.demo)?.following(&chosen),
            ledger,
            schedule,
            keep: Keep { top: args.top.map(|top| top as usize), over: args.over },
            writer: Writer::start(store)?,
            host: host::host(Path::new(&settings.host_root.value)),
            limits,
            max_flows: settings.max_flows.value.0,
            count: args.count,
            is_quiet: args.quiet,
        })
    }

    async fn run(mut self, mut endings: Endings, dir: &Path) -> Result<()> {
        self.take_sample()?;
        self.say(&format!("recording to {} with {} hooks", dir.display(), self.session.hooks()));
        if let Some(unseen) = self.session.source().unseen() {
            stderr::print(&format!("flowtop: {unseen}\n"));
        }
        let mut window = self.open();
        let result = loop {
            let ended_by_signal = match self.pass(&mut window, &mut endings).await {
                Ok(ended) => ended,
                Err(error) => break Err(error),
            };
            self.count = self.count.map(|count| count - 1);
            if ended_by_signal || self.count == Some(0) {
                break Ok(());
            }
            if !self.schedule.has_no_gaps() {
                match self.wait_for_next(&mut endings).await {
                    Ok(true) => break Ok(()),
                    Ok(false) => window = self.reopen(&window),
                    Err(error) => break Err(error),
                }
            }
        };
        result.and(self.end(dir))
    }

    fn open(&self) -> Window {
        Window { sampler: Sampler::start(&self.ledger), interfaces: host::Interfaces::read() }
    }

    /// Starts a window after a gap.
    fn reopen(&self, before: &Window) -> Window {
        Window { sampler: before.sampler.resume(&self.ledger), interfaces: host::Interfaces::read() }
    }

    /// Runs a window from its start to its record. Returns whether a signal has ended it.
    async fn pass(&mut self, window: &mut Window, endings: &mut Endings) -> Result<bool> {
        let end = clock::after(|us| self.schedule.length(us));
        loop {
            let left = end.saturating_duration_since(Instant::now());
            let next = Instant::now() + until_sample(left);
            let by_signal = tokio::select! {
                () = endings.any() => true,
                () = sleep_until(next.into()) => false,
            };
            if by_signal || next >= end {
                self.close(window)?;
                return Ok(by_signal);
            }
            self.take_sample()?;
            window.sampler.sample(&self.ledger);
        }
    }

    /// Spends the time between two windows (`--for`). The kernel's table is read in it too, to remove ended flows.
    async fn wait_for_next(&mut self, endings: &mut Endings) -> Result<bool> {
        let end = clock::after(|us| self.schedule.gap(us));
        loop {
            let next = Instant::now() + until_sample(end.saturating_duration_since(Instant::now()));
            tokio::select! {
                () = endings.any() => return Ok(true),
                () = sleep_until(next.into()) => self.take_sample()?,
            }
            if next >= end {
                return Ok(false);
            }
        }
    }

    fn close(&mut self, window: &mut Window) -> Result<()> {
        self.session.take(&mut self.ledger, Purpose::Report)?;
        window.sampler.sample(&self.ledger);
        let interfaces = host::Interfaces::read();
        let record = window.sampler.close(&self.ledger, self.session.who());
        let used = u32::try_from(self.ledger.present()).unwrap_or(u32::MAX);
        let record = Record {
            host: self.host.clone(),
            table: Fill { used, max: self.max_flows },
            interfaces: interfaces.since(&window.interfaces),
            limits: self.limits.clone(),
            ..self.keep.apply(record)
        };
        window.interfaces = interfaces;
        self.writer.write(record);
        Ok(())
    }

    fn take_sample(&mut self) -> Result<()> {
        self.session.take(&mut self.ledger, Purpose::Rates)
    }

    /// Waits until all records are written.
    fn end(self, dir: &Path) -> Result<()> {
        let (is_quiet, dir) = (self.is_quiet, dir.display());
        let Outcome { written, bytes, unwritten } = self.writer.end();
        if !is_quiet {
            let records = if written == 1 { "record" } else { "records" };
            stderr::print(&format!("flowtop: {written} {records} in {dir}, {bytes} bytes\n"));
        }
        let all = written + unwritten;
        ensure!(unwritten == 0, "{unwritten} of {all} records are not in {dir}; the lines above say why");
        Ok(())
    }

    fn say(&self, text: &str) {
        if !self.is_quiet {
            stderr::print(&format!("flowtop: {text}\n"));
        }
    }
}

/// The settings that exclude traffic from the records, in the order in which [`selection::limits`] shows the flags.
///
/// # Errors
/// Those of [`selection::boundary`].
pub(crate) fn limits(settings: &Settings, filter: &Filter) -> Result<TrafficLimits> {
    let network = |(address, prefix_bits)| TrafficLimit::Network { address, prefix_bits };
    let texts =
        |limit: fn(String) -> TrafficLimit, values: &[String]| values.iter().cloned().map(limit).collect();
    let numbers =
        |limit: fn(u64) -> TrafficLimit, values: &[u64]| values.iter().copied().map(limit).collect();
    let family = match (settings.ipv4.value, settings.ipv6.value) {
        (true, false) => Some(TrafficLimit::Ipv4Only),
        (false, true) => Some(TrafficLimit::Ipv6Only),
        _ => None,
    };
    let filter = (*filter != Filter::default()).then(|| TrafficLimit::Filter(settings.filter.value.clone()));
    let all: [Vec<TrafficLimit>; 7] = [
        filter.into_iter().collect(),
        texts(TrafficLimit::Interface, &settings.interface.value),
        selection::boundary(settings)?.networks().map(network).collect(),
        family.into_iter().collect(),
        numbers(TrafficLimit::Process, &settings.pid.value),
        texts(TrafficLimit::Cgroup, &settings.cgroup.value),
        numbers(TrafficLimit::MountNamespace, &settings.mntns.value),
    ];
    Ok(TrafficLimits(all.concat()))
}
