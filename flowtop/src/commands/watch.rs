//! `flowtop watch`: clock, signals, actions. `flowtop_view::watch` decides when a condition is met.

mod commands;
mod tape;

use std::time::{Duration, Instant};

use anyhow::Result;

use crate::Usage;
use crate::cli::WatchArgs;
use crate::commands::live::counted;
use crate::commands::live::printer::Printer;
use crate::commands::record;
use crate::filter_names::HostNames;
use crate::knowledge::Knowledge;
use crate::selection;
use crate::session::{Session, event_loop};
use crate::signals::Endings;
use crate::silence::KeptOut;
use crate::stderr;
use commands::Commands;
use flowtop_core::filter::{Filter, FilterError};
use flowtop_core::ledger::Ledger;
use flowtop_core::number::Unit;
use flowtop_core::scope::attributed::Attributed;
use flowtop_core::scope::{AllOf, Scope};
use flowtop_core::view::View;
use flowtop_core::window::Bytes;
use flowtop_core::wire::Sample;
use flowtop_recording::span;
use flowtop_view::json::Heading;
use flowtop_view::settings::{Origin, Settings};
use flowtop_view::watch::action::Action;
use flowtop_view::watch::alert::{Alert, summary};
use flowtop_view::watch::condition::Condition;
use flowtop_view::watch::trigger::{Firing, Interval, Trigger};
use tape::Tape;

/// Time between two samples.
const SAMPLE_EVERY: Duration = Duration::from_secs(1);
/// Default of `--hold-off`, unless a longer time is recorded.
const HOLD_OFF: Duration = Duration::from_mins(1);

/// The parsed command line.
struct Orders {
    conditions: Vec<Condition>,
    actions: Vec<Action>,
    before: Duration,
    hold_off: Duration,
    /// Firings until the run ends; `None` for no limit.
    count: Option<u64>,
}

impl Orders {
    fn of(args: &WatchArgs) -> Result<Self, Usage> {
        let wrong = |flag: &str, text: &str, error: &FilterError| {
            Usage(format!("{flag}: {error}\n{}", error.pointer(text)))
        };
        let names = HostNames::read();
        let condition =
            |text: &String| Condition::parse(text, &names).map_err(|error| wrong("--when", text, &error));
        let action = |text: &String| Action::parse(text).map_err(|error| wrong("--then", text, &error));
        let time = |flag: &str, text: &str| {
            span::parse(text).map_err(|right| Usage(format!("{flag} {text}: {right}")))
        };
        let actions = args.actions.iter().map(action).collect::<Result<Vec<_>, _>>()?;
        let recorded = actions.iter().filter_map(|action| match action {
            Action::Record(after) => Some(*after),
            _ => None,
        });
        let hold_off = recorded.fold(HOLD_OFF, Duration::max);
        Ok(Self {
            conditions: args.when.iter().map(condition).collect::<Result<_, _>>()?,
            before: time("--before", &args.before)?,
            hold_off: args.hold_off.as_deref().map_or(Ok(hold_off), |text| time("--hold-off", text))?,
            count: args.count,
            actions,
        })
    }

    fn records(&self) -> bool {
        self.actions.iter().any(|action| matches!(action, Action::Record(_)))
    }
}

/// Watches until interrupted, or until conditions have been met `--count` times.
///
/// # Errors
/// A [`Usage`] error for an invalid condition or action; otherwise if no hooks work or the directory cannot be written
/// to.
pub fn run(settings: &Settings, filter: &Filter, args: &WatchArgs, demo: bool) -> Result<()> {
    let orders = Orders::of(args)?;
    if [&settings.seconds.origin, &settings.interval.origin].iter().any(|o| matches!(o, Origin::Flag(_))) {
        return Err(Usage("-s and --interval are not for a watch; give the time in --when".to_owned()).into());
    }
    event_loop()?.block_on(async {
        let watch = Watch::start(settings, filter, args, orders, demo)?;
        Box::pin(watch.run()).await
    })
}

/// The ledgers that each sample goes to.
struct Ledgers {
    /// For reports.
    shown: Ledger,
    /// For records, if a border swaps ends in the others.
    sockets: Option<Ledger>,
}

impl Ledgers {
    fn sockets(&self) -> &Ledger {
        self.sockets.as_ref().unwrap_or(&self.shown)
    }
}

/// A condition, and the traffic measured for it.
struct Watched {
    trigger: Trigger,
    /// The traffic that matches its filter, if it has one.
    only: Option<Ledger>,
    /// Totals at the previous sample.
    measured: Bytes,
}

impl Watched {
    fn new(condition: Condition, hold_off: Duration, only: Option<Ledger>) -> Self {
        Self { trigger: Trigger::new(condition, hold_off), only, measured: Bytes::default() }
    }

    /// The ledger to measure; `shown` without a filter.
    fn ledger<'a>(&'a self, shown: &'a Ledger) -> &'a Ledger {
        self.only.as_ref().unwrap_or(shown)
    }

    /// Traffic since the previous sample, which was taken at `from_ns`.
    fn interval(&mut self, shown: &Ledger, from_ns: u64) -> Interval {
        let ledger = self.only.as_ref().unwrap_or(shown);
        let now = ledger.totals().bytes;
        let bytes = now.since(std::mem::replace(&mut self.measured, now));
        Interval { from_ns, to_ns: ledger.at_ns(), bytes }
    }
}

struct Watch {
    session: Session,
    sample: Sample,
    ledgers: Ledgers,
    watched: Vec<Watched>,
    actions: Vec<Action>,
    count: Option<u64>,
    is_filtered: bool,
    printer: Printer,
    view: View,
    host: String,
    commands: Commands,
    tape: Option<Tape>,
}

impl Watch {
    fn start(
        settings: &Settings,
        filter: &Filter,
        args: &WatchArgs,
        orders: Orders,
        demo: bool,
    ) -> Result<Self> {
        let printer = Printer::new(settings, None)?;
        let known = if demo { Knowledge::of_demo(settings)? } else { Knowledge::of_everyone(settings)? };
        let interfaces = Some(&printer.interfaces);
        let admission = selection::admission_of_reports(settings, filter)?;
        let ledger = || selection::ledger(settings, interfaces, filter.clone(), &known);
        let only = |only: Filter| -> Result<Ledger> {
            let mut measured = ledger()?;
            let scopes = selection::scope(settings, interfaces, filter.clone(), &known)?;
            let (owners, labels) = (known.owners(), known.labels());
            let only: Box<dyn Scope> = Box::new(Attributed { filter: only, owners, labels });
            measured.set_scope(Some(Box::new(AllOf([scopes, Some(only)].into_iter().flatten().collect()))));
            Ok(measured)
        };
        let watched = |condition: &Condition| -> Result<Watched> {
            let only = condition.filter.clone().map(only).transpose()?;
            Ok(Watched::new(condition.clone(), orders.hold_off, only))
        };
        let watched = orders.conditions.iter().map(watched).collect::<Result<_>>()?;
        let sockets = (orders.records()
            && (selection::may_turn_rows(settings)? || settings.unit.value == Unit::Wire))
            .then(|| -> Result<Ledger> {
                let mut sockets = Ledger::new(settings.max_flows.value.0 as usize, 0);
                sockets.set_scope(selection::scope(settings, interfaces, filter.clone(), &known)?);
                Ok(sockets)
            });
        let ledgers = Ledgers { shown: ledger()?, sockets: sockets.transpose()? };
        let limits = record::limits(settings, filter)?;
        let tape = orders.records().then(|| Tape::open(args, orders.before, settings, limits));
        let tape = tape.transpose()?;
        Ok(Self {
            session: Session::start(settings, &admission, known, demo)?.following(&printer.interfaces),
            sample: Sample::default(),
            ledgers,
            watched,
            actions: orders.actions,
            count: orders.count,
            is_filtered: *filter != Filter::default() || !selection::limits(settings).is_empty(),
            view: settings.view(),
            host: rustix::system::uname().nodename().to_string_lossy().into_owned(),
            printer,
            commands: Commands::default(),
            tape,
        })
    }

    async fn run(mut self) -> Result<()> {
        let mut endings = Endings::watch()?;
        self.take_sample()?;
        self.printer.print_header()?;
        for watched in &self.watched {
            let (condition, hooks) = (watched.trigger.condition(), self.session.hooks());
            self.printer.note(&format!("watching for {condition} with {hooks} hooks"));
        }
        if let Some(unseen) = self.session.source().unseen() {
            self.printer.note(&unseen);
        }
        if let Some(tape) = &mut self.tape {
            tape.start(self.ledgers.sockets());
        }
        let started = Instant::now();
        let mut sampling = tokio::time::interval(SAMPLE_EVERY);
        sampling.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
        sampling.tick().await;
        let mut by_signal = false;
        let mut result = loop {
            tokio::select! {
                () = endings.any() => {
                    by_signal = true;
                    break Ok(());
                }
                error = Printer::failure() => break Err(error),
                ended = self.commands.ended() => self.printer.note(&ended),
                _ = sampling.tick() => match self.look() {
                    Ok(()) if self.is_over() => break Ok(()),
                    Ok(()) => {}
                    Err(error) => break Err(error),
                },
            }
        };
        if result.is_ok() {
            result = self.printer.finish(&mut endings, by_signal).await;
        }
        self.end(started);
        result
    }

    /// Total number of firings.
    fn fired(&self) -> u64 {
        self.watched.iter().map(|watched| watched.trigger.fired()).sum()
    }

    /// Whether another firing is allowed.
    fn may_fire(&self) -> bool {
        self.count.is_none_or(|count| self.fired() < count)
    }

    /// Whether `--count` is reached and all actions have completed.
    fn is_over(&self) -> bool {
        let is_recording = self.tape.as_ref().is_some_and(Tape::is_recording);
        !self.may_fire() && !is_recording && self.commands.running() == 0
    }

    /// Takes a sample, and performs the actions of each condition that is met.
    fn look(&mut self) -> Result<()> {
        let from_ns = self.ledgers.shown.at_ns();
        self.take_sample()?;
        if let Some(tape) = &mut self.tape {
            tape.sample(self.ledgers.sockets(), self.session.who(), self.sample.flows.len());
        }
        for place in 0..self.watched.len() {
            let interval = self.watched[place].interval(&self.ledgers.shown, from_ns);
            if !self.may_fire() {
                continue;
            }
            let Some(firing) = self.watched[place].trigger.take(interval) else { continue };
            self.session.settle(&mut self.ledgers.shown);
            let firing = Firing { number: self.fired(), ..firing };
            let watched = &self.watched[place];
            let ledger = watched.ledger(&self.ledgers.shown);
            let alert = Alert::of(watched.trigger.condition(), &firing, ledger, self.session.who());
            self.printer.note(&alert.line());
            self.act(&alert)?;
        }
        Ok(())
    }

    fn act(&mut self, alert: &Alert) -> Result<()> {
        for action in self.actions.clone() {
            match action {
                Action::Print => self.print(alert)?,
                Action::Exec(command) => {
                    let time = crate::local_time::rfc3339(self.ledgers.shown.moment().us);
                    let more = [("FLOWTOP_TIME", time), ("FLOWTOP_HOST", self.host.clone())];
                    if let Err(why) = self.commands.start(&command, alert.variables().into_iter().chain(more))
                    {
                        self.printer.note(&why.to_string());
                    }
                }
                Action::Record(after) => {
                    if let Some(tape) = &mut self.tape {
                        tape.record(after, self.ledgers.sockets().at_ns());
                    }
                }
            }
        }
        Ok(())
    }

    /// Prints a report.
    fn print(&mut self, alert: &Alert) -> Result<()> {
        // A watch of a number of firings prints them all.
        if self.count.is_none() && self.printer.is_behind() {
            self.printer.drop_report();
            return Ok(());
        }
        let [start, time] = counted(&self.ledgers.shown);
        let (hooks, trigger) = (self.session.hooks(), self.session.trigger());
        let who = self.session.who();
        let heading = Heading {
            time: &time,
            start: &start,
            host: &self.host,
            hooks,
            trigger: trigger.as_ref(),
            who,
            cost: None,
            coverage: None,
        };
        self.printer.print_line(&format!("{time} {}", alert.line()))?;
        self.printer.report(&self.ledgers.shown, &self.view, &heading)
    }

    fn take_sample(&mut self) -> Result<()> {
        let only = self.watched.iter_mut().filter_map(|watched| watched.only.as_mut());
        let Ledgers { shown, sockets } = &mut self.ledgers;
        self.session.take_for_all(&mut self.sample, shown, sockets.iter_mut().chain(only))?;
        self.printer.follow(&self.ledgers.shown, &self.view, self.session.who());
        Ok(())
    }

    fn end(mut self, started: Instant) {
        if let Some(tape) = self.tape.take() {
            let said = tape.end(self.ledgers.sockets(), self.session.who(), self.sample.flows.len());
            stderr::print(&format!("flowtop: {said}\n"));
        }
        if self.commands.running() > 0 {
            stderr::print(&format!("flowtop: {} commands still run\n", self.commands.running()));
        }
        let elapsed_s = started.elapsed().as_secs_f64();
        let within = format!("in {elapsed_s:.1} s");
        KeptOut::of(&self.ledgers.shown).say(&within, self.is_filtered);
        for Watched { trigger, .. } in &self.watched {
            let of =
                if self.watched.len() > 1 { format!("{}: ", trigger.condition()) } else { String::new() };
            stderr::print(&format!("flowtop: {of}{}\n", summary(trigger, elapsed_s)));
        }
    }
}
