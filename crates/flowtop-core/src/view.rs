//! The view: all settings of the rows as one plain value, and the letters that change them.
//!
//! Not in here: the rows themselves (`rows`) and how they look (`flowtop_view::text`).

use super::group::Group;
use super::number::Unit;
use super::window::{Bytes, Window};

#[cfg(test)]
mod tests;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sort {
    /// The rate over the last 2 s.
    Last2s,
    /// The rate over the last 10 s.
    #[default]
    Last10s,
    /// The rate over the last 40 s.
    Last40s,
    /// Bytes since the start, both directions.
    Cumulative,
    /// Bytes sent since the start.
    Tx,
    /// Bytes received since the start.
    Rx,
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
            Self::Last40s | Self::Cumulative | Self::Tx | Self::Rx | Self::Source | Self::Destination => {
                Window::S40
            }
        }
    }

    /// Of bytes since the start those that rows are sorted by, if they are.
    #[must_use]
    pub fn of_total(self, bytes: Bytes) -> Option<u64> {
        match self {
            Self::Cumulative => Some(bytes.sum()),
            Self::Tx => Some(bytes.tx),
            Self::Rx => Some(bytes.rx),
            Self::Last2s | Self::Last10s | Self::Last40s | Self::Source | Self::Destination => None,
        }
    }

    const fn text_message(self) -> &'static str {
        match self {
            Self::Last2s => "Sorting by column 1.\n\n",
            Self::Last10s => "Sorting by column 2.\n\n",
            Self::Last40s => "Sorting by column 3.\n\n",
            Self::Cumulative | Self::Tx | Self::Rx => "Sorting by column cumulative.\n\n",
            Self::Source => "Sorting by column source.\n\n",
            Self::Destination => "Sorting by column destination.\n\n",
        }
    }
}

/// Which ports are shown. What is not shown does not tell rows apart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PortDisplay {
    #[default]
    Off,
    /// The port of the left host.
    SourceOnly,
    /// The port of the right host.
    DestinationOnly,
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
    /// Two lines, one for each direction.
    #[default]
    TwoLine,
    /// One line with the sum of both.
    OneLineBoth,
    /// One line with what is sent.
    OneLineSent,
    /// One line with what is received.
    OneLineReceived,
}

impl LineDisplay {
    #[must_use]
    pub const fn lines(self) -> u16 {
        if matches!(self, Self::TwoLine) { 2 } else { 1 }
    }

    /// The one that iftop's `t` goes on to.
    #[must_use]
    pub const fn next(self) -> Self {
        match self {
            Self::TwoLine => Self::OneLineBoth,
            Self::OneLineBoth => Self::OneLineReceived,
            Self::OneLineReceived => Self::OneLineSent,
            Self::OneLineSent => Self::TwoLine,
        }
    }
}

/// Parts of the two ends that are shown. Connections that look the same are one row.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Grouping {
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
    pub sort: Sort,
    /// At most so many rows, `None` for all.
    pub limit: Option<usize>,
    /// Parts of the two ends that are shown.
    pub grouping: Grouping,
    /// Keys of `--by`; empty if rows are connections.
    pub by: Group,
    /// Whether a text report of connections shows what is in none of its rows.
    pub others: bool,
    /// Unit of the rates in a text report.
    pub unit: Unit,
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

/// Effect of a letter on stdin.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pressed {
    /// To be printed as it stands.
    pub message: Option<&'static str>,
    pub reprint: bool,
    pub quit: bool,
}

/// A change of the view that the text mode and the screen have in common. Each has words of its own for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// Names of hosts on or off.
    HostNames,
    /// Names of services on or off.
    ServiceNames,
    /// Left hosts hidden or shown.
    HideSource,
    /// Right hosts hidden or shown.
    HideDestination,
    /// The left host's port shown or not.
    SourcePort,
    /// The right host's port shown or not.
    DestinationPort,
    /// Both ports, or none where one is shown.
    Ports,
    /// Order frozen or not.
    Order,
    Pause,
    Sort(Sort),
}

impl View {
    pub fn change(&mut self, change: Change) {
        let (ports, grouping) = (self.grouping.ports, &mut self.grouping);
        match change {
            Change::HostNames => self.host_names = !self.host_names,
            Change::ServiceNames => self.service_names = !self.service_names,
            Change::HideSource => grouping.hide_source = !grouping.hide_source,
            Change::HideDestination => grouping.hide_destination = !grouping.hide_destination,
            Change::SourcePort => grouping.ports = PortDisplay::of(!ports.source(), ports.destination()),
            Change::DestinationPort => grouping.ports = PortDisplay::of(ports.source(), !ports.destination()),
            Change::Ports if ports == PortDisplay::Off => grouping.ports = PortDisplay::On,
            Change::Ports => grouping.ports = PortDisplay::Off,
            Change::Order => self.order_frozen = !self.order_frozen,
            Change::Pause => self.paused = !self.paused,
            Change::Sort(sort) => self.sort = sort,
        }
    }

    /// Does what iftop's text mode does at a letter. Other letters do nothing.
    pub fn press(&mut self, letter: u8) -> Pressed {
        let change = match letter {
            b'n' => Change::HostNames,
            b'N' => Change::ServiceNames,
            b's' => Change::HideSource,
            b'd' => Change::HideDestination,
            b'S' => Change::SourcePort,
            b'D' => Change::DestinationPort,
            b'p' => Change::Ports,
            b'o' => Change::Order,
            b'P' => Change::Pause,
            b'1' => Change::Sort(Sort::Last2s),
            b'2' => Change::Sort(Sort::Last10s),
            b'3' => Change::Sort(Sort::Last40s),
            b'<' => Change::Sort(Sort::Source),
            b'>' => Change::Sort(Sort::Destination),
            b'u' => return Pressed { reprint: !self.paused, ..Pressed::default() },
            b'q' => return Pressed { quit: true, ..Pressed::default() },
            _ => return Pressed::default(),
        };
        self.change(change);
        Pressed { message: Some(self.text_message(change)), reprint: !self.paused, quit: false }
    }

    /// Message of iftop's text mode after a change.
    const fn text_message(&self, change: Change) -> &'static str {
        match change {
            Change::HostNames if self.host_names => "DNS resolution is ON.\n\n",
            Change::HostNames => "DNS resolution is OFF.\n\n",
            Change::ServiceNames if self.service_names => "Port resolution is ON.\n\n",
            Change::ServiceNames => "Port resolution is OFF.\n\n",
            Change::HideSource if self.grouping.hide_source => "Hide source host\n\n",
            Change::HideSource => "Show source host\n\n",
            Change::HideDestination if self.grouping.hide_destination => "Hide destination host\n\n",
            Change::HideDestination => "Show destination host\n\n",
            Change::SourcePort | Change::DestinationPort | Change::Ports => self.grouping.ports.message(),
            Change::Order if self.order_frozen => "Order frozen.\n\n",
            Change::Order => "Order unfrozen.\n\n",
            // No blank line: nothing follows until it goes on.
            Change::Pause if self.paused => "Pausing... press 'P' again to continue.\n",
            Change::Pause => "Continuing.\n\n",
            Change::Sort(sort) => sort.text_message(),
        }
    }
}
