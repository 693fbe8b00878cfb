//! Everything that decides what is shown, as one plain value, and the letters that change it.
//!
//! Not in here: the rows themselves (`core::rows`) and how they look (`core::text`).

use super::group::Group;
use super::number::Unit;
use super::window::Window;

#[cfg(test)]
mod tests;

/// What the rows are sorted by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sort {
    /// The rate over the last 2 s.
    Last2s,
    /// The rate over the last 10 s.
    #[default]
    Last10s,
    /// The rate over the last 40 s.
    Last40s,
    /// The left host as it is displayed.
    Source,
    /// The right host as it is displayed.
    Destination,
}

impl Sort {
    /// The window that comes first; hosts of the same name are sorted by the longest one.
    #[must_use]
    pub const fn window(self) -> Window {
        match self {
            Self::Last2s => Window::S2,
            Self::Last10s => Window::S10,
            Self::Last40s | Self::Source | Self::Destination => Window::S40,
        }
    }
}

/// Which ports are shown. What is not shown does not tell rows apart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PortDisplay {
    /// None.
    #[default]
    Off,
    /// The left host's.
    SourceOnly,
    /// The right host's.
    DestinationOnly,
    /// Both.
    On,
}

impl PortDisplay {
    /// Whether the left host's port is shown.
    #[must_use]
    pub const fn source(self) -> bool {
        matches!(self, Self::SourceOnly | Self::On)
    }

    /// Whether the right host's port is shown.
    #[must_use]
    pub const fn destination(self) -> bool {
        matches!(self, Self::DestinationOnly | Self::On)
    }

    const fn of(source: bool, destination: bool) -> Self {
        match (source, destination) {
            (false, false) => Self::Off,
            (true, false) => Self::SourceOnly,
            (false, true) => Self::DestinationOnly,
            (true, true) => Self::On,
        }
    }

    const fn message(self) -> &'static str {
        match self {
            Self::Off => "Showing ports: none.\n\n",
            Self::SourceOnly => "Showing ports: src.\n\n",
            Self::DestinationOnly => "Showing ports: dest.\n\n",
            Self::On => "Showing ports: both.\n\n",
        }
    }
}

/// Lines of a row on a screen. A text report always has two; of the last two the direction sorts there too.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LineDisplay {
    /// One line for each direction.
    #[default]
    TwoLine,
    /// One line with the sum of both.
    OneLineBoth,
    /// One line with what is sent.
    OneLineSent,
    /// One line with what is received.
    OneLineReceived,
}

/// What makes connections one row: everything about them that is not shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Grouping {
    /// Which ports are shown.
    pub ports: PortDisplay,
    /// Whether all left hosts are one, shown as ` * `.
    pub hide_source: bool,
    /// Whether all right hosts are one, shown as ` * `.
    pub hide_destination: bool,
    /// Whether the owners of both ends are shown.
    pub owners: bool,
}

/// Everything that decides what is shown. The defaults are iftop's, but for names, which are off.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of its own, with a letter of its own")]
pub struct View {
    /// What the rows are sorted by.
    pub sort: Sort,
    /// At most so many rows, `None` for all.
    pub limit: Option<usize>,
    /// What makes connections one row.
    pub grouping: Grouping,
    /// What they are summed up by instead, if by anything.
    pub by: Group,
    /// Unit of the rates in a text report.
    pub unit: Unit,
    /// Lines of a row.
    pub line_display: LineDisplay,
    /// Whether hosts are shown by name.
    pub host_names: bool,
    /// Whether ports are shown by the name of their service.
    pub service_names: bool,
    /// Whether the rows are those of the moment of freezing, in its order.
    pub order_frozen: bool,
    /// Whether no report is printed.
    pub paused: bool,
}

/// What to do after a letter.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pressed {
    /// To be printed as it stands.
    pub message: Option<&'static str>,
    /// Whether a report follows.
    pub reprint: bool,
    /// Whether the run ends.
    pub quit: bool,
}

impl View {
    /// Does what iftop's text mode does at a letter. Other letters do nothing.
    pub fn press(&mut self, letter: u8) -> Pressed {
        let grouping = &mut self.grouping;
        let message = match letter {
            b'n' => toggle(&mut self.host_names, ["DNS resolution is ON.\n\n", "DNS resolution is OFF.\n\n"]),
            b'N' => {
                toggle(&mut self.service_names, ["Port resolution is ON.\n\n", "Port resolution is OFF.\n\n"])
            }
            b's' => toggle(&mut grouping.hide_source, ["Hide source host\n\n", "Show source host\n\n"]),
            b'd' => {
                let texts = ["Hide destination host\n\n", "Show destination host\n\n"];
                toggle(&mut grouping.hide_destination, texts)
            }
            b'S' | b'D' | b'p' => self.press_ports(letter),
            b'o' => toggle(&mut self.order_frozen, ["Order frozen.\n\n", "Order unfrozen.\n\n"]),
            b'P' => {
                // No blank line: nothing follows until it goes on.
                toggle(&mut self.paused, ["Pausing... press 'P' again to continue.\n", "Continuing.\n\n"])
            }
            b'1' | b'2' | b'3' | b'<' | b'>' => self.press_sort(letter),
            b'u' => return Pressed { reprint: !self.paused, ..Pressed::default() },
            b'q' => return Pressed { quit: true, ..Pressed::default() },
            _ => return Pressed::default(),
        };
        Pressed { message: Some(message), reprint: !self.paused, quit: false }
    }

    fn press_ports(&mut self, letter: u8) -> &'static str {
        let ports = self.grouping.ports;
        self.grouping.ports = match letter {
            b'S' => PortDisplay::of(!ports.source(), ports.destination()),
            b'D' => PortDisplay::of(ports.source(), !ports.destination()),
            _ if ports == PortDisplay::Off => PortDisplay::On,
            _ => PortDisplay::Off,
        };
        self.grouping.ports.message()
    }

    fn press_sort(&mut self, letter: u8) -> &'static str {
        let (sort, message) = match letter {
            b'1' => (Sort::Last2s, "Sorting by column 1.\n\n"),
            b'2' => (Sort::Last10s, "Sorting by column 2.\n\n"),
            b'3' => (Sort::Last40s, "Sorting by column 3.\n\n"),
            b'<' => (Sort::Source, "Sorting by column source.\n\n"),
            _ => (Sort::Destination, "Sorting by column destination.\n\n"),
        };
        self.sort = sort;
        message
    }
}

/// Turns a switch and takes the text for where it stands then: on, off.
fn toggle(switch: &mut bool, texts: [&'static str; 2]) -> &'static str {
    *switch = !*switch;
    texts[usize::from(!*switch)]
}
