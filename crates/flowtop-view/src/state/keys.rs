//! Every key of the screen, once: name, action and message. Dispatch, the help on the screen, the
//! man page and docs/reference.md are made from this table.
//!
//! Not in here: how an action is done (`state::update`).

use super::input::Key;
use flowtop_core::view::{Change, Sort};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Changes what text mode can change as well.
    View(Change),
    /// Another number of lines a row.
    LineDisplay,
    Bars,
    /// Cycles the window of the bars.
    BarWindow,
    /// Toggles the cumulative column.
    Totals,
    LogScale,
    /// Toggles flowtop's own cost.
    Cost,
    /// Asks for a filter of connections.
    Filter,
    /// Asks for a filter of rows.
    ScreenFilter,
    /// Asks for a text to look for.
    Search,
    /// Asks for the rate below which rows are hidden.
    Threshold,
    /// Asks for a file to save to.
    Save,
    /// iftop's shell command (`!`).
    Shell,
    /// Moves the rows by one, the selection only if it would leave the screen.
    Scroll {
        down: bool,
    },
    Move(Move),
    /// Opens or closes the pane about the selected row.
    Detail,
    /// Cycles the grouping of the rows.
    By {
        /// The next, or the one before.
        forward: bool,
    },
    /// Keeps the selected row at the top, or no longer.
    Pin,
    /// Changes the time between frames.
    Refresh {
        faster: bool,
    },
    /// Moves the time of a replay.
    Replay(Wind),
    Help,
    /// Closes what lies over the rows.
    Close,
    Redraw,
    /// Stops the program until the shell's `fg`.
    Suspend,
    Quit,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Move {
    Up,
    Down,
    PageUp,
    PageDown,
    First,
    Last,
}

/// Where the time of a replay goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wind {
    Step {
        forward: bool,
    },
    /// The first record or the last one.
    End {
        /// To the last record; else to the first.
        last: bool,
    },
    /// The next record behind a gap.
    Gap {
        forward: bool,
    },
    /// The same time on another host.
    Host,
    Jump,
    /// Goes on by itself, or no longer.
    Play,
    Speed {
        faster: bool,
    },
}

/// Keys that belong together, with the heading of the help.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Section {
    /// Keys that choose the rows.
    Rows,
    /// Keys that order the rows.
    Order,
    /// Keys that style the rows.
    Look,
    Selection,
    /// Which record of a replay; keys of a replay only.
    Replay,
    /// Keys for the program.
    General,
}

impl Section {
    /// All, in the order of the help.
    pub const ALL: [Self; 6] =
        [Self::Rows, Self::Order, Self::Look, Self::Selection, Self::Replay, Self::General];

    #[must_use]
    pub const fn title(self) -> &'static str {
        match self {
            Self::Rows => "Which rows",
            Self::Order => "Order",
            Self::Look => "Look",
            Self::Selection => "Selection",
            Self::Replay => "In a replay",
            Self::General => "General",
        }
    }
}

/// A line of the table of keys.
#[derive(Debug)]
pub struct Binding {
    pub keys: &'static [Key],
    /// Text for the keys.
    pub name: &'static str,
    pub action: Action,
    /// One line for the help screen.
    pub help: &'static str,
    /// Messages of the action: the only one, or one for each state. Empty where there is none, or it depends on more
    /// than the state.
    pub messages: &'static [&'static str],
    pub section: Section,
}

/// iftop's answer to a key without a meaning.
pub const UNKNOWN_KEY: &str = "Press H or ? for help";
/// The answer to pasted text without a prompt.
pub const PASTE_WITHOUT_PROMPT: &str = "Paste into a prompt, as after f or /";
/// iftop's answer to a filter that it could use.
pub const FILTER_INSTALLED: &str = "Installed new filter";
/// iftop's answer to a pattern that it could not.
pub const INVALID_REGEXP: &str = "Invalid regexp";

const PORTS: &[&str] = &["Port display OFF", "Port display SOURCE", "Port display DEST", "Port display ON"];

use Action::View;
use Key::{Char, Ctrl};
use Section::{General, Look, Order, Rows, Selection};
use Wind::{End, Gap, Speed, Step};

pub const TABLE: &[Binding] = &[
    key(&[Char('f')], "f", Action::Filter, "filter connections, as -f", Rows),
    key(&[Char('l')], "l", Action::ScreenFilter, "filter rows by a pattern", Rows),
    key(&[Char('/')], "/", Action::Search, "search address, name, owner", Rows),
    key(&[Char('z')], "z", Action::Threshold, "hide rows below a rate", Rows),
    key(&[Key::Tab], "Tab", Action::By { forward: true }, "sum up by host, process, pod", Rows),
    key(&[Key::BackTab], "S-Tab", Action::By { forward: false }, "the same, backwards", Rows),
    says(
        &[Char('s')],
        "s",
        View(Change::HideSource),
        "hide source hosts",
        Rows,
        &["Show source host", "Hide source host"],
    ),
    says(
        &[Char('d')],
        "d",
        View(Change::HideDestination),
        "hide destination hosts",
        Rows,
        &["Show dest host", "Hide dest host"],
    ),
    says(&[Char('p')], "p", View(Change::Ports), "show both ports", Rows, PORTS),
    says(&[Char('S')], "S", View(Change::SourcePort), "show source ports", Rows, PORTS),
    says(&[Char('D')], "D", View(Change::DestinationPort), "show destination ports", Rows, PORTS),
    says(
        &[Char('1')],
        "1",
        View(Change::Sort(Sort::Last2s)),
        "sort by the 2 s average",
        Order,
        &["Sort by col 1"],
    ),
    says(
        &[Char('2')],
        "2",
        View(Change::Sort(Sort::Last10s)),
        "sort by the 10 s average",
        Order,
        &["Sort by col 2"],
    ),
    says(
        &[Char('3')],
        "3",
        View(Change::Sort(Sort::Last40s)),
        "sort by the 40 s average",
        Order,
        &["Sort by col 3"],
    ),
    says(
        &[Char('<')],
        "<",
        View(Change::Sort(Sort::Source)),
        "sort by source name",
        Order,
        &["Sort by source"],
    ),
    says(
        &[Char('>')],
        ">",
        View(Change::Sort(Sort::Destination)),
        "sort by destination name",
        Order,
        &["Sort by dest"],
    ),
    says(
        &[Char('o')],
        "o",
        View(Change::Order),
        "freeze the order",
        Order,
        &["Order unfrozen", "Order frozen"],
    ),
    says(
        &[Char('P')],
        "P",
        View(Change::Pause),
        "pause the rows, not counting",
        Order,
        &["Display unpaused", "Display paused"],
    ),
    says(
        &[Char('n')],
        "n",
        View(Change::HostNames),
        "names of hosts",
        Look,
        &["DNS resolution off", "DNS resolution on"],
    ),
    says(
        &[Char('N')],
        "N",
        View(Change::ServiceNames),
        "names of services",
        Look,
        &["Port resolution off", "Port resolution on"],
    ),
    says(
        &[Char('t')],
        "t",
        Action::LineDisplay,
        "lines of a row",
        Look,
        &["Two lines per host", "One line per host", "Sent traffic only", "Received traffic only"],
    ),
    says(
        &[Char('T')],
        "T",
        Action::Totals,
        "cumulative column",
        Look,
        &["Hide cumulative totals", "Show cumulative totals"],
    ),
    says(&[Char('b')], "b", Action::Bars, "bars", Look, &["Bars off", "Bars on"]),
    says(
        &[Char('B')],
        "B",
        Action::BarWindow,
        "average that the bars show",
        Look,
        &["Bars show 2s average", "Bars show 10s average", "Bars show 40s average"],
    ),
    says(
        &[Char('L')],
        "L",
        Action::LogScale,
        "logarithmic scale",
        Look,
        &["Linear scale", "Logarithmic scale"],
    ),
    says(&[Char('C')], "C", Action::Cost, "what flowtop costs", Look, &["Hide own cost", "Show own cost"]),
    key(&[Char('+')], "+", Action::Refresh { faster: true }, "refresh faster", Look),
    key(&[Char('-')], "-", Action::Refresh { faster: false }, "refresh slower", Look),
    key(&[Char('j')], "j", Action::Scroll { down: true }, "scroll down", Selection),
    key(&[Char('k')], "k", Action::Scroll { down: false }, "scroll up", Selection),
    key(&[Key::Up], "Up", Action::Move(Move::Up), "select the row above", Selection),
    key(&[Key::Down], "Down", Action::Move(Move::Down), "select the row below", Selection),
    key(&[Key::PageUp], "PageUp", Action::Move(Move::PageUp), "one screen up", Selection),
    key(&[Key::PageDown], "PageDown", Action::Move(Move::PageDown), "one screen down", Selection),
    key(&[Key::Home], "Home", Action::Move(Move::First), "first row", Selection),
    key(&[Key::End], "End", Action::Move(Move::Last), "last row", Selection),
    key(&[Key::Enter], "Enter", Action::Detail, "all about the row", Selection),
    says(
        &[Char(' ')],
        "Space",
        Action::Pin,
        "pin the row to the top",
        Selection,
        &["Row unpinned", "Row pinned"],
    ),
    wind(&[Key::Right], "Right", Step { forward: true }, "next record"),
    wind(&[Key::Left], "Left", Step { forward: false }, "record before"),
    wind(&[Char(']')], "]", Gap { forward: true }, "next record behind a gap"),
    wind(&[Char('[')], "[", Gap { forward: false }, "the one before"),
    wind(&[Char('a')], "a", End { last: false }, "first record"),
    wind(&[Char('e')], "e", End { last: true }, "last record"),
    wind(&[Char('g')], "g", Wind::Jump, "go to a time"),
    wind(&[Char('r')], "r", Wind::Play, "play or stop, as P"),
    wind(&[Char('.')], ".", Speed { faster: true }, "play faster"),
    wind(&[Char(',')], ",", Speed { faster: false }, "play slower"),
    wind(&[Char('v')], "v", Wind::Host, "the same time, another host"),
    key(&[Char('w')], "w", Action::Save, "save what is shown to a file", General),
    key(&[Char('h'), Char('?')], "h, ?", Action::Help, "this help", General),
    key(&[Key::Esc], "Esc", Action::Close, "close help or detail", General),
    key(&[Ctrl('l')], "^L", Action::Redraw, "draw everything anew", General),
    key(&[Ctrl('z')], "^Z", Action::Suspend, "stop until the shell's fg", General),
    says(
        &[Char('!')],
        "!",
        Action::Shell,
        "shell: not offered",
        General,
        &["Sorry, subshells have been disabled."],
    ),
    key(&[Char('q'), Ctrl('c')], "q, ^C", Action::Quit, "quit", General),
];

const fn key(
    keys: &'static [Key],
    name: &'static str,
    action: Action,
    help: &'static str,
    section: Section,
) -> Binding {
    Binding { keys, name, action, help, messages: &[], section }
}

const fn wind(keys: &'static [Key], name: &'static str, wind: Wind, help: &'static str) -> Binding {
    key(keys, name, Action::Replay(wind), help, Section::Replay)
}

const fn says(
    keys: &'static [Key],
    name: &'static str,
    action: Action,
    help: &'static str,
    section: Section,
    messages: &'static [&'static str],
) -> Binding {
    Binding { keys, name, action, help, messages, section }
}

#[must_use]
pub fn binding(key: Key) -> Option<&'static Binding> {
    TABLE.iter().find(|binding| binding.keys.contains(&key))
}
