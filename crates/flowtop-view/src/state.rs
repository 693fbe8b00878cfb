//! The screen as a value: one state, one update (`state::update`), and drawing as a function of the state
//! (`crate::draw`).
//!
//! No clock, no terminal: keys, samples and sizes come in as events, and what has to happen outside comes back as
//! effects.

mod act;
pub mod detail;
pub mod effect;
pub mod history;
pub mod input;
pub mod keys;
pub mod label;
pub mod layout;
pub mod prompt;
pub mod replay;
mod rows;
pub mod save;
pub mod scale;
#[cfg(test)]
mod tests;
pub mod update;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use regex::Regex;

use super::settings::Settings;
use detail::Detail;
use flowtop_core::cost::Cost;
use flowtop_core::coverage::Coverage;
use flowtop_core::group;
use flowtop_core::label::Labels as NetworkLabels;
use flowtop_core::ledger::{Ledger, Totals};
use flowtop_core::names::Names;
use flowtop_core::owner::{NoOwners, Owners};
use flowtop_core::rows::key::{Grouped, RowKey};
use flowtop_core::rows::table::{Group, Table};
use flowtop_core::trigger::Trigger;
use flowtop_core::view::{Sort, View};
use flowtop_core::who::Who;
use flowtop_core::window::{Bytes, Peak, Rates, Window};
use history::History;
use label::Labels;
use layout::{Layout, Parts};
use prompt::Prompt;
use replay::Replay;
use scale::Scale;

/// Times between two frames that can be chosen.
pub const REFRESH_MS: [u64; 5] = [500, 1000, 2000, 5000, 10_000];

/// Facts about the session that do not change while it runs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SessionInfo {
    pub host: String,
    /// The hook plan, or what stands in for it.
    pub hooks: String,
    /// Names of the interfaces; none for all.
    pub interfaces: Vec<String>,
    /// Flags that keep traffic out for the whole session, as text.
    pub limits: String,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Appearance {
    pub bars: bool,
    /// Window whose average the bars show.
    pub window: Window,
    pub scale: Scale,
    /// Whether there is a cumulative column.
    pub totals: bool,
    pub ascii: bool,
}

/// Which rows are left out. Totals are those of the rest.
#[derive(Clone, Debug, Default)]
pub struct Filters {
    /// The filter of connections in force, as it was typed.
    pub net: String,
    /// A pattern for the cells of rows.
    pub screen: Option<Regex>,
    /// A text to be found in a connection, in lower case.
    pub search: String,
    /// A rate in bits (packets) per second over 10 s.
    pub threshold: f64,
}

impl Filters {
    /// Whether rows of the ledger may be left out.
    #[must_use]
    pub fn hide_rows(&self) -> bool {
        self.screen.is_some() || !self.search.is_empty() || self.threshold > 0.0
    }
}

/// A line that the program says.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Message {
    text: String,
    since_ns: u64,
}

/// How long a message stays at least, in nanoseconds.
const MESSAGE_NS: u64 = 2_000_000_000;

/// Sources of identities and labels.
#[derive(Clone, Debug)]
struct Attribution {
    owners: Arc<dyn Owners>,
    labels: Arc<NetworkLabels>,
}

impl Default for Attribution {
    fn default() -> Self {
        Self { owners: Arc::new(NoOwners), labels: Arc::default() }
    }
}

/// Inputs, beside the connections, that decide which rows there are and their names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct RowInputs {
    search: String,
    pattern: String,
    host_names: bool,
    service_names: bool,
    sort: Sort,
}

/// State when the order was frozen.
#[derive(Clone, Debug)]
struct Frozen {
    grouped: Grouped,
    /// Peak rates since then.
    peak: Peak,
}

/// Numbers of the footer: of shown rows, and of the rest.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Footer {
    pub shown: Totals,
    /// Bytes of what is hidden, since the start.
    pub hidden_bytes: Bytes,
    pub hidden_rates: Rates,
    /// Bytes of closed connections whose group is gone.
    pub others_bytes: Bytes,
    /// Surplus of groups of ends over the totals, in bytes since the start.
    pub local_twice_bytes: Bytes,
    pub local_twice_rates: Rates,
    pub connections: u32,
    /// Connections, shown or hidden.
    pub all_connections: u32,
}

/// A line below the totals: sums beside what is shown.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ExtraLine {
    /// Name, and a shorter one for narrow screens.
    pub names: [&'static str; 2],
    /// Bytes since the start.
    pub bytes: Bytes,
    /// Rates, if there can be any.
    pub rates: Option<Rates>,
}

impl ExtraLine {
    const fn new(names: [&'static str; 2], bytes: Bytes, rates: Option<Rates>) -> Self {
        Self { names, bytes, rates }
    }
}

/// Whether flowtop's own cost is shown, and the cost.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum OwnCost {
    /// Not shown, and not measured.
    #[default]
    Hidden,
    /// Switched on, but not measured yet.
    Awaited,
    /// Cost between the last two frames.
    Shown(Cost),
}

impl OwnCost {
    /// Whether it has to be measured.
    #[must_use]
    pub const fn is_shown(&self) -> bool {
        !matches!(self, Self::Hidden)
    }

    fn toggle(&mut self) {
        *self = if self.is_shown() { Self::Hidden } else { Self::Awaited };
    }
}

/// Everything that a screen is drawn from.
#[derive(Debug)]
pub struct State {
    pub ledger: Ledger,
    pub session: SessionInfo,
    /// Time of day of the newest frame.
    pub time: String,
    /// Columns and lines of the screen.
    pub size: (u16, u16),
    /// Settings of the rows that text mode shares.
    pub view: View,
    pub look: Appearance,
    pub filters: Filters,
    /// Rows that stay at the top.
    pub pinned: BTreeSet<RowKey>,
    /// The rows, sorted as far as they are on the screen.
    pub table: Table,
    pub footer: Footer,
    /// The trigger in force; `None` in replays and demos.
    pub trigger: Option<Trigger>,
    pub own_cost: OwnCost,
    /// The counters of the interfaces against the flows, where they are known.
    pub coverage: Option<Coverage>,
    /// The first row on the screen.
    pub offset: usize,
    pub selected: Option<RowKey>,
    /// The pane about it, if it is open.
    pub detail: Option<Detail>,
    /// First line of the help, if it is open.
    pub help: Option<u16>,
    /// The line that is being typed.
    pub prompt: Option<Prompt>,
    pub refresh: Duration,
    /// Which record is shown, where it is not the present.
    pub replay: Option<Replay>,
    message: Option<Message>,
    now_ns: u64,
    frozen: Option<Frozen>,
    /// Peaks of what is shown, while something is hidden: when, and the rates over 2 s.
    recent: Vec<(u64, Peak)>,
    history: History,
    attribution: Attribution,
    /// Keys of `--by` at the start.
    first_by: group::Group,
    /// Inputs of the current rows.
    looked_for: RowInputs,
}

impl State {
    /// An empty screen, as the settings want it.
    #[must_use]
    pub fn new(settings: &Settings, session: SessionInfo, ledger: Ledger, refresh: Duration) -> Self {
        let view = View { limit: None, ..settings.view() };
        let fixed = settings.max_bandwidth.value.map(|rate| rate.0);
        let listening = session.interfaces.join(",");
        let listening = if listening.is_empty() { "any" } else { &listening };
        let message = format!("Listening on {listening}").chars().take(LISTENING_CHARS).collect();
        Self {
            ledger,
            session,
            time: String::new(),
            size: (0, 0),
            view,
            look: Appearance {
                bars: !settings.no_bars.value,
                window: Window::S10,
                scale: Scale::new(fixed, settings.log_scale.value),
                totals: settings.show_totals.value,
                ascii: settings.ascii.value,
            },
            filters: Filters {
                net: settings.filter.value.clone(),
                screen: rows::pattern(&settings.screen_filter.value).unwrap_or_default(),
                ..Filters::default()
            },
            pinned: BTreeSet::new(),
            table: Table::default(),
            footer: Footer::default(),
            trigger: None,
            own_cost: OwnCost::default(),
            coverage: None,
            offset: 0,
            selected: None,
            detail: None,
            help: None,
            prompt: None,
            refresh,
            replay: None,
            message: Some(Message { text: message, since_ns: 0 }),
            now_ns: 0,
            frozen: None,
            recent: Vec::new(),
            history: History::default(),
            attribution: Attribution::default(),
            first_by: view.by,
            looked_for: RowInputs::default(),
        }
    }

    /// The same screen where something is known of who is behind connections.
    #[must_use]
    pub fn knowing(self, owners: Arc<dyn Owners>, labels: Arc<NetworkLabels>) -> Self {
        Self { attribution: Attribution { owners, labels }, ..self }
    }

    #[must_use]
    pub fn who(&self) -> Who<'_> {
        Who { owners: &*self.attribution.owners, labels: &self.attribution.labels, ..Who::nobody() }
    }

    /// Grouping of the next rows; that of the freeze while the order is frozen.
    pub(super) fn next_grouped(&self) -> Grouped {
        let now = Grouped { by: self.view.by, grouping: self.view.grouping };
        self.frozen.as_ref().map_or(now, |frozen| frozen.grouped)
    }

    /// Grouping of the current rows.
    #[must_use]
    pub fn by(&self) -> group::Group {
        self.table.sums.grouped().by
    }

    /// The labels for the current settings.
    #[must_use]
    pub fn labels<'a>(&'a self, names: &'a dyn Names) -> Labels<'a> {
        self.labels_by(self.by(), names)
    }

    fn labels_by<'a>(&'a self, by: group::Group, names: &'a dyn Names) -> Labels<'a> {
        Labels { view: &self.view, by, names, ascii: self.look.ascii }
    }

    /// Where everything stands; `None` on a screen that is too small.
    #[must_use]
    pub fn layout(&self) -> Option<Layout> {
        Layout::new(&Parts {
            size: self.size,
            bars: self.look.bars,
            totals: self.look.totals,
            extra_lines: u16::try_from(self.extra_lines().len()).unwrap_or(u16::MAX),
            detail: self.detail.is_some(),
            bar: self.replay.is_some(),
            window: self.look.window,
        })
    }

    /// Whether the line about what is hidden is there.
    #[must_use]
    pub fn has_hidden(&self) -> bool {
        self.filters.hide_rows() || self.footer.hidden_bytes.sum() > 0
    }

    /// The lines below the totals, the most important one first.
    #[must_use]
    pub fn extra_lines(&self) -> Vec<ExtraLine> {
        let Footer { hidden_bytes, hidden_rates, others_bytes, local_twice_bytes, local_twice_rates, .. } =
            self.footer;
        let hidden = ExtraLine::new(["hidden by filter", "hidden"], hidden_bytes, Some(hidden_rates));
        let twice =
            ExtraLine::new(["counted at both ends", "twice"], local_twice_bytes, Some(local_twice_rates));
        let others = ExtraLine::new(["others, ended", "others"], others_bytes, None);
        let is_there = [self.has_hidden(), local_twice_bytes.sum() > 0, others_bytes.sum() > 0];
        [hidden, twice, others]
            .into_iter()
            .zip(is_there)
            .filter_map(|(line, there)| there.then_some(line))
            .collect()
    }

    /// Message to show, if there is one.
    #[must_use]
    pub fn message(&self) -> Option<&str> {
        let fresh = self.message.as_ref().map(|message| message.text.as_str());
        let paused = self.view.paused.then_some("Display paused");
        fresh.or(paused).or_else(|| self.view.order_frozen.then_some("Order frozen"))
    }

    pub fn visible(&self) -> impl Iterator<Item = Group<'_>> {
        self.table.rows(self.offset, self.page_or_none())
    }

    /// How long it is to the next frame: a replay that plays shows many records a second.
    #[must_use]
    pub fn frame_every(&self) -> Duration {
        let is_playing = self.replay.as_ref().is_some_and(|replay| replay.player.is_playing());
        if is_playing { PLAYING } else { self.refresh }
    }

    fn say(&mut self, text: impl Into<String>) {
        self.message = Some(Message { text: text.into(), since_ns: self.now_ns });
    }
}

/// Time between two frames of a replay that plays.
const PLAYING: Duration = Duration::from_millis(100);
/// iftop cuts its greeting at this length.
const LISTENING_CHARS: usize = 32;
