//! Settings: values in force, the origin of each, and how one layer overrides another.
//!
//! Not in here: how a value is read and written (`value`, `choice`, `quantity`), the syntax of the two files
//! (`config_toml`, `iftoprc`), and the flags (`cli`).

pub mod check;
pub mod choice;
pub mod directive;
pub mod quantity;
pub mod value;

#[cfg(test)]
mod tests;

use std::fmt;

use choice::{Format, HoldersChoice, HooksChoice, Theme};
pub use directive::Directive;
use flowtop_core::group::Group;
use flowtop_core::number::Unit;
use flowtop_core::trigger::{Trigger, Wanted};
use flowtop_core::view::{Grouping, LineDisplay, PortDisplay, Sort, View};
use quantity::{BitsPerSecond, FlowCount, Interval, Limit, Seconds};
use value::Value;

/// Rows of a text report without a limit, as in iftop.
const TEXT_ROWS: usize = 10;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    Default,
    /// A flag of the command line, by its long name.
    Flag(String),
    Line {
        /// The file as it was named.
        file: String,
        /// Line number, from 1.
        line: usize,
        /// Spelling of the setting there.
        word: String,
    },
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::Flag(flag) => f.write_str(flag),
            Self::Line { file, line, .. } => write!(f, "{}:{line}", file.escape_debug()),
        }
    }
}

/// A setting and where it comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Set<T> {
    pub value: T,
    pub origin: Origin,
}

/// A row of the table of settings.
pub struct Key {
    /// In `config.toml`, and with `--` in front on the command line.
    pub name: &'static str,
    /// In `.iftoprc`; iftop's own comes first.
    pub directives: &'static [Directive],
    assign: fn(&mut Settings, &Assignment, &Reading<'_>) -> Result<Vec<String>, BadValue>,
    show: fn(&Settings) -> (String, &Origin),
}

impl Key {
    /// iftop's name of the setting in its messages.
    fn directive(&self) -> &'static str {
        self.directives.first().map_or(self.name, |directive| directive.name())
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

/// The table: each setting once. A line holds the field, the key, the type, the default, and the directives.
macro_rules! settings {
    ($($(#[$doc:meta])* $field:ident $key:literal: $type:ty = $default:expr, $directives:expr;)*) => {
        /// Every setting.
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub struct Settings { $($(#[$doc])* pub $field: Set<$type>,)* }

        impl Default for Settings {
            fn default() -> Self {
                Self { $($field: Set { value: $default, origin: Origin::Default },)* }
            }
        }

        /// Every setting, in the order of `--print-config`.
        pub const KEYS: &[Key] = &[$(Key {
            name: $key,
            directives: &$directives,
            assign: |settings, assignment, reading| settings.$field.assign(assignment, reading),
            show: |settings| (settings.$field.value.show(), &settings.$field.origin),
        },)*];
    };
}

use Directive::{Bytes, Off, On, Same};

settings! {
    /// Names of interfaces whose sockets are counted; none or `any` for all.
    interface "interface": Vec<String> = Vec::new(), [Same("interface")];
    /// Filter expression; empty lets everything pass.
    filter "filter": String = String::new(), [Same("filter-code")];
    /// IPv4 networks that are inside.
    net "net": Vec<String> = Vec::new(), [Same("net-filter")];
    /// IPv6 networks that are inside.
    net6 "net6": Vec<String> = Vec::new(), [Same("net-filter6")];
    /// Processes whose connections count; none for all.
    pid "pid": Vec<u64> = Vec::new(), [];
    /// Cgroups whose connections count; none for all.
    cgroup "cgroup": Vec<String> = Vec::new(), [];
    /// Mount namespaces whose connections count, by inode number; none for all.
    mntns "mntns": Vec<u64> = Vec::new(), [];
    /// Only IPv4.
    ipv4 "ipv4": bool = false, [];
    /// Only IPv6.
    ipv6 "ipv6": bool = false, [];
    /// Count connections with IPv6 link-local addresses too.
    link_local "link-local": bool = false, [On("link-local")];
    /// Nothing is captured, so there is nothing that this could switch on.
    promiscuous "promiscuous": bool = false, [On("promiscuous")];
    /// Hosts by address, never by name.
    numeric "numeric": bool = false, [Off("dns-resolution")];
    /// Ports by number, never by service.
    numeric_ports "numeric-ports": bool = false, [Off("port-resolution")];
    /// Names of hosts and services in text mode too.
    names "names": bool = false, [];
    ports "ports": PortDisplay = PortDisplay::Off, [Same("port-display")];
    /// All hosts on the left are one.
    hide_source "hide-source": bool = false, [On("hide-source")];
    /// All hosts on the right are one.
    hide_destination "hide-destination": bool = false, [On("hide-destination")];
    /// What connections are summed up by.
    by "by": Group = Group::default(), [];
    /// Owners beside the rows of a text report.
    show_owner "show-owner": bool = false, [];
    /// File with labels for networks; empty for none.
    labels "labels": String = String::new(), [];
    /// Where the file system of the host is.
    host_root "host-root": String = String::from("/"), [];
    /// Processes without their command lines.
    no_command_lines "no-command-lines": bool = false, [];
    /// Unit of the rates.
    unit "unit": Unit = Unit::Bits, [Bytes("use-bytes"), Same("bandwidth-unit")];
    /// What the rows are sorted by.
    sort "sort": Sort = Sort::Last10s, [Same("sort")];
    /// Rows of a report; see [`Settings::max_rows`].
    rows "rows": Option<Limit> = None, [Same("num-lines")];
    /// Below the rows of a text report what is in none of them.
    show_others "show-others": bool = false, [];
    /// Before each text report a line with its time and host.
    show_time "show-time": bool = false, [];
    /// File that has the latest report; empty for stdout.
    write "write": String = String::new(), [];
    /// Lines of a row on a screen.
    line_display "line-display": LineDisplay = LineDisplay::TwoLine, [Same("line-display")];
    /// A screen without bars.
    no_bars "no-bars": bool = false, [Off("show-bars")];
    /// A column of totals on a screen.
    show_totals "show-totals": bool = false, [On("show-totals")];
    /// Bars of a logarithmic scale.
    log_scale "log-scale": bool = false, [On("log-scale")];
    /// Full scale of the bars; `None` follows the traffic.
    max_bandwidth "max-bandwidth": Option<BitsPerSecond> = None, [Same("max-bandwidth")];
    /// Regular expression for the rows of a screen; empty shows all.
    screen_filter "screen-filter": String = String::new(), [Same("screen-filter")];
    theme "theme": Theme = Theme::Auto, [];
    /// A screen of ASCII alone.
    ascii "ascii": bool = false, [];
    /// Reports instead of a screen.
    text "text": bool = false, [On("no-curses")];
    /// Length of a run with one report; 0 for reports without end.
    seconds "seconds": Seconds = Seconds(0), [Same("timed-output")];
    /// Time between reports without end.
    interval "interval": Interval = Interval::DEFAULT, [];
    format "format": Format = Format::Text, [];
    /// Columns of CSV and keys of a flow in JSON; none for all.
    fields "fields": Vec<String> = Vec::new(), [];
    /// CSV without its first line.
    no_header "no-header": bool = false, [];
    /// What flowtop itself costs, in JSON.
    cost "cost": bool = false, [];
    /// Kernel hooks to use.
    hooks "hooks": HooksChoice = HooksChoice::Auto, [];
    /// Trigger of updates: events, passes over all sockets, or the cheaper of both.
    trigger "trigger": Wanted = Wanted::Only(Trigger::Events), [];
    /// How holders of idle sockets are found.
    holders "holders": HoldersChoice = HoldersChoice::Auto, [];
    /// Size of the kernel's table.
    max_flows "max-flows": FlowCount = FlowCount::DEFAULT, [];
}

#[must_use]
pub fn key(name: &str) -> Option<&'static Key> {
    KEYS.iter().find(|key| key.name == name)
}

#[derive(Clone, Debug)]
pub struct Assignment {
    pub key: &'static Key,
    /// The values of a list, or the only one of anything else.
    pub texts: Vec<String>,
    pub origin: Origin,
}

/// Why a text is no value.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wrong {
    /// Accepted values.
    pub right: String,
    /// The text again, with the place that is wrong under it, where that is only a part of it.
    pub pointer: Option<String>,
    /// Warning that iftop prints before it ignores the value; `None` where it does not go on.
    pub warning: Option<String>,
    /// The value that iftop takes in its place, if it takes one.
    pub instead: Option<String>,
}

#[derive(Clone, Copy)]
pub struct Reading<'a> {
    /// Do as iftop does: warn, and go on without the value.
    pub lenient: bool,
    /// Judges each text where another module knows the syntax: the key, the text.
    pub check: &'a dyn Fn(&str, &str) -> Result<(), Wrong>,
}

/// A text that is no value of its setting: who says it, and what would be right.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct BadValue(String);

impl BadValue {
    fn new(origin: &Origin, text: &str, wrong: &Wrong) -> Self {
        let (place, setting) = match origin {
            Origin::Default => (String::new(), "a default"),
            Origin::Flag(flag) => (String::new(), flag.as_str()),
            Origin::Line { file, line, word } => (format!("{file}:{line}: "), word.as_str()),
        };
        let right = &wrong.right;
        Self(match &wrong.pointer {
            None => format!("{place}invalid value \"{text}\" for {setting}: {right}"),
            Some(pointer) => format!("{place}{setting}: {right}\n{pointer}"),
        })
    }
}

impl Reading<'_> {
    /// iftop's warning about a wrong text, or the error.
    fn forgive(&self, assignment: &Assignment, text: &str, wrong: &Wrong) -> Result<String, BadValue> {
        match &wrong.warning {
            Some(warning) if self.lenient => Ok(warning.clone()),
            _ => Err(BadValue::new(&assignment.origin, text, wrong)),
        }
    }
}

impl<T: Value> Set<T> {
    /// The error about a text in force that turned out to be wrong.
    #[must_use]
    pub fn bad(&self, text: &str, wrong: &Wrong) -> BadValue {
        BadValue::new(&self.origin, text, wrong)
    }

    /// Takes over what a layer says; the texts are warnings.
    fn assign(&mut self, assignment: &Assignment, reading: &Reading<'_>) -> Result<Vec<String>, BadValue> {
        let (mut texts, mut warnings) = (Vec::new(), Vec::new());
        for text in &assignment.texts {
            match (reading.check)(assignment.key.name, text) {
                Ok(()) => texts.push(text.clone()),
                Err(wrong) => {
                    warnings.push(reading.forgive(assignment, text, &wrong)?);
                    texts.extend(wrong.instead);
                }
            }
        }
        let texts: Vec<_> = texts.iter().map(String::as_str).collect();
        if texts.is_empty() && !warnings.is_empty() {
            return Ok(warnings);
        }
        let text = texts.last().copied().unwrap_or_default();
        let read = match T::read(&texts) {
            Err(_)
                if reading.lenient
                    && let Some(value) = T::as_iftop(text) =>
            {
                Ok(value)
            }
            read => read,
        };
        match read {
            Ok(value) => *self = Self { value, origin: assignment.origin.clone() },
            Err(error) => {
                let (right, warning) = (error.to_string(), T::warning(text, assignment.key.directive()));
                let wrong = Wrong { right, warning, ..Wrong::default() };
                warnings.push(reading.forgive(assignment, text, &wrong)?);
            }
        }
        Ok(warnings)
    }
}

impl Settings {
    /// Lays the layers over the defaults, the last one on top. The texts are warnings.
    ///
    /// # Errors
    /// The first text that is no value, unless a lenient reading passes over it.
    pub fn resolve<'a>(
        layers: impl IntoIterator<Item = &'a Assignment>,
        reading: &Reading<'_>,
    ) -> Result<(Self, Vec<String>), BadValue> {
        let (mut settings, mut warnings) = (Self::default(), Vec::new());
        for assignment in layers {
            warnings.extend((assignment.key.assign)(&mut settings, assignment, reading)?);
        }
        settings.sort_a_single_report();
        Ok((settings, warnings))
    }

    /// Rows of a report at most, `None` for all: unless set 10 in text, where people read, all elsewhere.
    #[must_use]
    pub fn max_rows(&self) -> Option<usize> {
        match self.rows.value {
            Some(Limit::All) => None,
            Some(Limit::Rows(rows)) => Some(rows),
            None => (self.format.value == Format::Text).then_some(TEXT_ROWS),
        }
    }

    /// A single report is about all of its time, unless another order is asked for.
    fn sort_a_single_report(&mut self) {
        let is_single = self.text.value && self.seconds.value.0 > 0;
        if is_single && self.sort.origin == Origin::Default {
            self.sort.value = Sort::Cumulative;
        }
    }

    /// Whether hosts are shown by name. A report does not wait for names, so it has them only on request.
    #[must_use]
    pub const fn host_names(&self) -> bool {
        !self.numeric.value && (self.names.value || !self.text.value)
    }

    /// Whether ports are shown by the name of their service.
    #[must_use]
    pub const fn service_names(&self) -> bool {
        !self.numeric_ports.value && (self.names.value || !self.text.value)
    }

    /// The view at the start.
    #[must_use]
    pub fn view(&self) -> View {
        View {
            sort: self.sort.value,
            others: self.show_others.value,
            limit: self.max_rows(),
            grouping: Grouping {
                ports: self.ports.value,
                hide_source: self.hide_source.value,
                hide_destination: self.hide_destination.value,
                owners: self.show_owner.value,
            },
            by: self.by.value,
            unit: self.unit.value,
            line_display: self.line_display.value,
            host_names: self.host_names(),
            service_names: self.service_names(),
            ..View::default()
        }
    }

    /// Every setting with its value and origin: a `config.toml` that sets what is in force.
    #[must_use]
    pub fn print(&self) -> String {
        let rows: Vec<_> = KEYS.iter().map(|key| (key.name, (key.show)(self))).collect();
        let name_chars = rows.iter().map(|(name, _)| name.len()).max().unwrap_or_default();
        let value_chars = rows.iter().map(|(_, (value, _))| value.chars().count()).max().unwrap_or_default();
        let line = |(name, (value, origin)): &(&str, (String, &Origin))| {
            format!("{name:<name_chars$} = {value:<value_chars$}  # {origin}\n")
        };
        rows.iter().map(line).collect()
    }
}
