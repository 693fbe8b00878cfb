//! The event loop of the interactive view: clock, signals, input and files. `flowtop_view::state` holds its state and
//! `flowtop_view::draw` draws it.

mod own_cost;
pub mod screen;
mod wake;

use std::io::{self, ErrorKind, Write as _};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use flowtop_common::Admission;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use rustix::process::{Signal, getpgrp, kill_process_group};
use tokio::task::JoinHandle;

use crate::Usage;
use crate::config::at_its_line;
use crate::cost::Meter;
use crate::coverage;
use crate::filter_names::HostNames;
use crate::folder::Folder;
use crate::interfaces::Interfaces;
use crate::knowledge::Knowledge;
use crate::lens::{HOOKS, Lens};
use crate::selection;
use crate::session::{Purpose, Session, event_loop};
use crate::source::Source;
use flowtop_attribution::resolver::Resolver;
use flowtop_bpf::probe;
use flowtop_core::demo::identities::DemoNames;
use flowtop_core::filter::Filter;
use flowtop_core::ledger::Ledger;
use flowtop_core::names::Names;
use flowtop_sys::clock;
use flowtop_view::draw;
use flowtop_view::draw::theme::{Theme, is_utf8};
use flowtop_view::settings::{Origin, Settings};
use flowtop_view::state::effect::{Effect, Reaction};
use flowtop_view::state::input::Input;
use flowtop_view::state::replay::Replay;
use flowtop_view::state::update::Event;
use flowtop_view::state::{REFRESH_MS, SessionInfo, State, save};
use screen::{Screen, has_shell, require_terminal};
use wake::{AnswerError, Keyboard, Wake, Watched, answered, every, loaded};

/// Longest time between two reads of the kernel's table.
const SAMPLE_EVERY: Duration = Duration::from_secs(1);
/// Time between two frames by default.
const REFRESH: Duration = Duration::from_secs(1);

/// Shows live traffic until the user quits.
pub fn run(settings: &Settings, filter: Filter, demo: bool) -> Result<()> {
    require_terminal()?;
    let refresh = refresh(settings)?;
    let interfaces = at_its_line(Interfaces::choose(&settings.interface.value), &settings.interface.origin)?;
    if !demo {
        probe::require_rights()?;
    }
    let known = if demo { Knowledge::of_demo(settings)? } else { Knowledge::of_everyone(settings)? };
    let settings = of_this_terminal(settings);
    let ledger = selection::ledger(&settings, Some(&interfaces), filter, &known)?;
    let ledger = coverage::counting(ledger, &interfaces);
    let state = state(&settings, interfaces.names(), ledger, refresh).knowing(known.owners(), known.labels());
    let names: Box<dyn Names> = if demo { Box::new(DemoNames) } else { resolver()? };
    let app = App::new(state, names, settings, Subject::Present { interfaces, known });
    let wanted = app.settings.clone();
    // No traffic is excluded in the kernel: the view shows how much the filter hides, and the user may change it.
    app.open(Some(Box::new(move || Source::start(&wanted, &Admission::default(), demo))))
}

/// Shows recordings until the user quits.
pub fn replay(settings: &Settings, lens: Lens, replay: Replay) -> Result<()> {
    require_terminal()?;
    let settings = of_this_terminal(settings);
    let window = lens.window(&replay, replay.player.at())?;
    let state = state(&settings, Vec::new(), Ledger::new(1, 0), REFRESH).replaying(replay);
    let mut app = App::new(state, resolver()?, settings, Subject::Past(Box::new(lens)));
    HOOKS.clone_into(&mut app.state.session.hooks);
    app.state.update(Event::Window(Ok(Box::new(window))), &*app.names);
    app.open(None)
}

fn of_this_terminal(settings: &Settings) -> Settings {
    let mut settings = settings.clone();
    settings.ascii.value |= !is_utf8(&variable);
    settings
}

fn resolver() -> Result<Box<dyn Names>> {
    Ok(Box::new(Resolver::start().context("cannot start the thread that asks for names")?))
}

/// State of the view before the first sample.
fn state(settings: &Settings, interfaces: Vec<String>, ledger: Ledger, refresh: Duration) -> State {
    let session = SessionInfo {
        host: flowtop_attribution::resolver::own_host(),
        hooks: "loading hooks".to_owned(),
        interfaces,
        limits: selection::limits(settings),
    };
    let mut state = State::new(settings, session, ledger, refresh);
    state.size = Screen::size();
    state
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// Time between two frames, from the settings.
fn refresh(settings: &Settings) -> Result<Duration> {
    let interval = settings.interval.value.0;
    if settings.interval.origin == Origin::Default {
        return Ok(REFRESH);
    }
    let [least, most] = [REFRESH_MS[0], REFRESH_MS[REFRESH_MS.len() - 1]].map(Duration::from_millis);
    if (least..=most).contains(&interval) {
        return Ok(interval);
    }
    let (least, most) = (least.as_secs_f64(), most.as_secs_f64());
    Err(Usage(format!(
        "--interval: a screen is refreshed every {least} to {most} seconds; reports with -t take any"
    ))
    .into())
}

/// What the view shows.
enum Subject {
    /// Live traffic, on these interfaces.
    Present { interfaces: Rc<Interfaces>, known: Knowledge },
    /// Recordings.
    Past(Box<Lens>),
}

type Load = Box<dyn FnOnce() -> Result<Source> + Send>;

struct App {
    session: Option<Session>,
    /// Set while a source is being loaded.
    loading: Option<JoinHandle<Result<Source>>>,
    state: State,
    names: Box<dyn Names>,
    theme: Theme,
    settings: Settings,
    subject: Subject,
    framed: Instant,
    meter: Option<Meter>,
    /// Counters of the interfaces since the baseline.
    coverage: Option<coverage::Meter>,
    /// A filter whose host names are being resolved.
    answer: Option<(String, JoinHandle<Result<Filter, AnswerError>>)>,
}

impl App {
    fn new(state: State, names: Box<dyn Names>, settings: Settings, subject: Subject) -> Self {
        let (theme, framed) = (Theme::new(settings.theme.value, &variable), Instant::now());
        let (session, loading, answer, meter, coverage) = (None, None, None, None, None);
        Self { session, loading, state, names, theme, settings, subject, framed, meter, coverage, answer }
    }

    /// Runs the loop until the user quits.
    fn open(mut self, load: Option<Load>) -> Result<()> {
        let runtime = event_loop()?;
        // From here on, signals end the run in a way that restores the terminal.
        let signals = runtime.block_on(async { Watched::new() }).context("cannot watch for signals")?;
        let result = Screen::open().context("cannot take the terminal").and_then(|mut screen| {
            self.draw(&mut screen)?;
            // Loads on another thread, so that keys and signals are handled meanwhile.
            self.loading = load.map(|load| runtime.spawn_blocking(load));
            runtime.block_on(self.run(signals, &mut screen))
        });
        // Another thread may be blocked reading stdin or loading hooks; do not wait for it.
        runtime.shutdown_background();
        match result {
            Err(error) if error.is::<Gone>() => Ok(()),
            result => result,
        }
    }

    async fn run(mut self, mut signals: Watched, screen: &mut Screen) -> Result<()> {
        let mut keyboard = Keyboard::new();
        let mut sampling = every(SAMPLE_EVERY);
        let mut framing = every(self.state.frame_every());
        loop {
            let refresh = self.state.frame_every();
            let wake = tokio::select! {
                wake = signals.next() => wake,
                wake = keyboard.next() => wake,
                wake = loaded(&mut self.loading), if self.loading.is_some() => wake,
                answer = answered(&mut self.answer), if self.answer.is_some() => Wake::Answer(answer),
                _ = framing.tick() => Wake::Frame,
                _ = sampling.tick(), if refresh > SAMPLE_EVERY => Wake::Sample,
            };
            let inputs = match wake {
                Wake::Quit => return Ok(()),
                Wake::Inputs(inputs) => inputs,
                other => {
                    self.act(other, screen)?;
                    Vec::new()
                }
            };
            if self.take(inputs, screen)? {
                return Ok(());
            }
            if self.state.frame_every() != refresh {
                framing = every(self.state.frame_every());
            }
        }
    }

    fn act(&mut self, wake: Wake, screen: &mut Screen) -> Result<()> {
        match wake {
            Wake::Loaded(source) => self.begin(*source?, screen),
            Wake::Sample => self.book(Purpose::Rates),
            Wake::Frame if matches!(self.subject, Subject::Past(_)) => self.pass(screen),
            Wake::Frame => {
                self.book(Purpose::Frame)?;
                self.frame(screen)
            }
            Wake::Resize => self.resize(screen),
            Wake::Continued => {
                screen.enter().context("cannot take the terminal")?;
                self.resize(screen)
            }
            Wake::Stop => self.suspend(screen),
            Wake::Answer(answer) => self.install(answer, screen),
            Wake::Inputs(_) | Wake::Quit => Ok(()),
        }
    }

    /// Applies a batch of inputs and draws once. Returns whether the run ends.
    fn take(&mut self, inputs: Vec<Input>, screen: &mut Screen) -> Result<bool> {
        let mut draw = false;
        for input in inputs {
            let reaction = self.state.update(Event::Input(input), &*self.names);
            draw |= reaction.draw;
            match reaction.effect {
                Some(Effect::Quit) => return Ok(true),
                Some(effect) => self.carry_out(effect, screen)?,
                None => {}
            }
        }
        if draw {
            self.draw(screen)?;
        }
        Ok(false)
    }

    fn carry_out(&mut self, effect: Effect, screen: &mut Screen) -> Result<()> {
        match effect {
            Effect::Suspend => self.suspend(screen)?,
            Effect::Redraw => screen.forget(),
            Effect::Filter(text) => self.ask(text),
            Effect::Save(path) => {
                let saved = self.save(&path).map_err(|error| error.to_string());
                self.state.update(Event::Saved(saved), &*self.names);
            }
            Effect::Show(at) => self.show(at, screen)?,
            // The loop reads the new interval from the state.
            Effect::Refresh | Effect::Quit => {}
        }
        Ok(())
    }

    fn begin(&mut self, source: Source, screen: &mut Screen) -> Result<()> {
        let Subject::Present { known, interfaces } = &self.subject else { return Ok(()) };
        let interfaces = Rc::clone(interfaces);
        source.hooks().clone_into(&mut self.state.session.hooks);
        self.session = Some(Session::behind_screen(source, known.clone()).following(&interfaces));
        self.book(Purpose::Rates)?;
        self.coverage =
            self.session.as_ref().and_then(|session| coverage::Meter::of(session.source(), &interfaces));
        self.frame(screen)
    }

    /// Takes a sample into the ledger if the source is loaded.
    fn book(&mut self, purpose: Purpose) -> Result<()> {
        let Some(session) = &mut self.session else { return Ok(()) };
        session.take(&mut self.state.ledger, purpose)?;
        self.state.trigger = session.trigger().map(|(trigger, _)| trigger);
        self.state.update(Event::Fed, &*self.names);
        Ok(())
    }

    fn frame(&mut self, screen: &mut Screen) -> Result<()> {
        self.measure();
        let coverage = self.coverage.as_ref();
        self.state.coverage = coverage.and_then(|coverage| coverage.read(&self.state.ledger));
        let counted = self.session.is_some().then(|| self.state.ledger.moment());
        let time =
            crate::local_time::local(counted.unwrap_or_else(clock::now).us).strftime("%H:%M:%S").to_string();
        let reaction = self.state.update(Event::Frame(time), &*self.names);
        self.react(&reaction, screen)
    }

    /// Advances a replay by the time since the last frame.
    fn pass(&mut self, screen: &mut Screen) -> Result<()> {
        let now = Instant::now();
        let passed = now.duration_since(std::mem::replace(&mut self.framed, now));
        let passed_ns = u64::try_from(passed.as_nanos()).unwrap_or(u64::MAX);
        let reaction = self.state.update(Event::Pass(passed_ns), &*self.names);
        if let Some(effect) = reaction.effect.clone() {
            self.carry_out(effect, screen)?;
        }
        self.react(&reaction, screen)
    }

    /// Reads a record into the state.
    fn show(&mut self, at: usize, screen: &mut Screen) -> Result<()> {
        let (Subject::Past(lens), Some(replay)) = (&self.subject, &self.state.replay) else { return Ok(()) };
        let window = lens.window(replay, at).map(Box::new).map_err(|error| format!("{error:#}"));
        let reaction = self.state.update(Event::Window(window), &*self.names);
        self.react(&reaction, screen)
    }

    fn resize(&mut self, screen: &mut Screen) -> Result<()> {
        let (width, height) = Screen::size();
        let reaction = self.state.update(Event::Resize(width, height), &*self.names);
        screen.forget();
        self.react(&reaction, screen)
    }

    fn react(&mut self, reaction: &Reaction, screen: &mut Screen) -> Result<()> {
        if reaction.draw { self.draw(screen) } else { Ok(()) }
    }

    fn draw(&mut self, screen: &mut Screen) -> Result<()> {
        let Self { state, names, theme, .. } = self;
        let drawn = screen.draw(state.size, |buffer| draw::draw(state, &**names, theme, buffer));
        drawn.map_err(|error| Gone(error).into())
    }

    /// Restores the terminal and stops the process group, as the terminal does on Ctrl-Z. SIGCONT takes the terminal
    /// again.
    fn suspend(&mut self, screen: &mut Screen) -> Result<()> {
        if !has_shell() {
            let reaction = self.state.update(Event::NoShell, &*self.names);
            return self.react(&reaction, screen);
        }
        Screen::leave();
        kill_process_group(getpgrp(), Signal::STOP).context("cannot stop")
    }

    /// Starts to resolve the host names of a filter on another thread, which may take seconds.
    fn ask(&mut self, text: String) {
        let wanted = text.clone();
        let parse = move || Filter::parse(&wanted, &HostNames::read()).map_err(AnswerError::from);
        self.answer = Some((text, tokio::task::spawn_blocking(parse)));
    }

    fn install(&mut self, answer: Result<Filter, AnswerError>, screen: &mut Screen) -> Result<()> {
        let Some((text, _)) = self.answer.take() else { return Ok(()) };
        let scope = answer.map_err(|error| error.to_string()).and_then(|filter| match &mut self.subject {
            Subject::Present { interfaces, known } => {
                selection::scope(&self.settings, Some(interfaces), filter, known)
                    .map_err(|error| error.to_string())
            }
            // A replay evaluates the filter for each record.
            Subject::Past(lens) => {
                lens.set_filter(filter);
                Ok(None)
            }
        });
        let reaction = self.state.update(Event::Filter(text, scope), &*self.names);
        if let Some(replay) = &self.state.replay {
            self.show(replay.player.at(), screen)?;
        }
        self.react(&reaction, screen)
    }

    /// Writes the screen as text to a new file.
    fn save(&self, path: &Path) -> Result<String, SaveError> {
        let is_json = path.extension().is_some_and(|extension| extension == "json");
        let text = if is_json { save::json(&self.state, &*self.names) } else { self.text() };
        let mut file = Folder::new_file(path).map_err(|error| {
            let exists = |error: &io::Error| error.kind() == ErrorKind::AlreadyExists;
            if error.downcast_ref().is_some_and(exists) {
                SaveError::Exists(path.to_owned())
            } else {
                SaveError::Create { path: path.to_owned(), reason: error }
            }
        })?;
        let written = file.write_all(text.as_bytes());
        let written = written.map_err(|reason| SaveError::Write { path: path.to_owned(), reason });
        written.map(|()| path.display().to_string())
    }

    /// The screen without the prompt, as text.
    fn text(&self) -> String {
        let mut buffer = Buffer::empty(Rect::new(0, 0, self.state.size.0, self.state.size.1));
        draw::draw_rows(&self.state, &*self.names, &self.theme, &mut buffer);
        draw::text(&buffer)
    }
}

/// A file that the screen was not saved to.
#[derive(Debug, thiserror::Error)]
enum SaveError {
    #[error("{} exists; take another name", .0.display())]
    Exists(PathBuf),
    #[error("cannot write {}: {reason:#}", path.display())]
    Create { path: PathBuf, reason: anyhow::Error },
    #[error("cannot write {}: {reason}", path.display())]
    Write { path: PathBuf, reason: io::Error },
}

/// The terminal cannot be written to any more because the user has closed it. The run ends successfully.
#[derive(Debug, thiserror::Error)]
#[error("the terminal has gone")]
struct Gone(#[source] io::Error);
