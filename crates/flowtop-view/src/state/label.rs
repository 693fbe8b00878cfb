//! Labels of rows: hosts and ports with their names, processes; and texts cut to a width in columns.
//!
//! A text is cut in its middle, because both ends of an address tell hosts apart, and a port is never cut off.

use std::net::SocketAddr;

use flowtop_core::number::count;
use flowtop_core::width::cut_middle;
use unicode_width::UnicodeWidthStr as _;

use flowtop_core::group::{Group, Key};
use flowtop_core::names::Names;
use flowtop_core::owner::{Seen, comm_text};
use flowtop_core::rows::grouped::SUMMED_UP;
use flowtop_core::rows::key::{Cell, End, Host, RowKey};
use flowtop_core::rows::sums::{Owner, Process};
use flowtop_core::sanitize::to_ascii;
use flowtop_core::view::View;

#[derive(Clone, Copy)]
pub struct Labels<'a> {
    /// Whether hosts and ports go by name.
    pub view: &'a View,
    /// Keys of `--by`.
    pub by: Group,
    pub names: &'a dyn Names,
    /// Whether all of it must be ASCII.
    pub ascii: bool,
}

/// A text in two parts: what may be cut, and what must stay.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Label {
    /// Part whose middle may be cut.
    pub head: String,
    /// Stays as long as there is room.
    pub tail: String,
}

impl Label {
    fn whole(head: String) -> Self {
        Self { head, tail: String::new() }
    }

    #[must_use]
    pub fn text(&self) -> String {
        format!("{}{}", self.head, self.tail)
    }

    /// The text in at most `width` columns.
    #[must_use]
    pub fn fit(&self, width: usize, ascii: bool) -> String {
        let tail = cut_middle(&self.tail, width, ascii);
        let head = cut_middle(&self.head, width - tail.width(), ascii);
        head + &tail
    }
}

impl Labels<'_> {
    #[must_use]
    pub fn host(&self, host: Host) -> String {
        let Host::Shown(address) = host else { return " * ".to_owned() };
        let name = self.view.host_names.then(|| self.names.host(address)).flatten();
        name.unwrap_or_else(|| address.to_string())
    }

    /// A port with the colon in front.
    #[must_use]
    pub fn port(&self, port: u16) -> String {
        let name = self.view.service_names.then(|| self.names.service(port)).flatten();
        name.map_or_else(|| format!(":{port}"), |name| format!(":{name}"))
    }

    /// A host with its port, if that is shown.
    #[must_use]
    pub fn end(&self, end: End) -> Label {
        let host = self.host(end.host);
        let Some(port) = end.port else { return Label::whole(host) };
        let is_address = matches!(end.host, Host::Shown(address) if host == address.to_string());
        if end.host.is_ipv6() && (is_address || host == " * ") {
            return Label { head: format!("[{host}"), tail: format!("]{}", self.port(port)) };
        }
        Label { head: host, tail: self.port(port) }
    }

    /// A socket's end with its port.
    #[must_use]
    pub fn socket(&self, end: SocketAddr) -> Label {
        self.end(End::of(end))
    }

    /// The left cell of a row that holds so many connections: what it is on this host.
    #[must_use]
    pub fn source(&self, key: &RowKey, connections: u32) -> Label {
        match key {
            RowKey::Ends(ends) => self.end(ends.source),
            RowKey::Common(cells) => self.common(cells, connections, false),
            RowKey::SummedUp => Label::whole(SUMMED_UP.to_owned()),
        }
    }

    /// The right cell of a row that holds so many connections: what it is on the other side.
    #[must_use]
    pub fn destination(&self, key: &RowKey, connections: u32) -> Label {
        match key {
            RowKey::Ends(ends) => self.end(ends.destination),
            RowKey::Common(cells) => self.common(cells, connections, true),
            RowKey::SummedUp => Label::whole(count(connections, "connection")),
        }
    }

    /// Label of a group on one side: its values, or the number of connections.
    fn common(&self, cells: &[Cell], connections: u32, is_remote: bool) -> Label {
        let its = |(key, _): &(Key, &Cell)| key.is_remote() == is_remote || *key == Key::Flow;
        let cells: Vec<_> = self.by.keys().zip(cells).filter(its).collect();
        let label = |(key, cell): &(Key, &Cell)| self.cell(*key, cell, is_remote);
        match &cells[..] {
            [] => Label::whole(count(connections, "connection")),
            [one] => label(one),
            [first, ..] => {
                let rest: Vec<_> = cells[1..].iter().map(|cell| label(cell).text()).collect();
                let Label { head, tail } = label(first);
                Label::whole(format!("{head}{tail} {}", rest.join(" ")))
            }
        }
    }

    fn cell(&self, key: Key, cell: &Cell, is_remote: bool) -> Label {
        match cell {
            Cell::Flow(tuple, _) => self.socket(if is_remote { tuple.remote } else { tuple.local }),
            Cell::Address(address) => Label::whole(self.host(Host::Shown(*address))),
            Cell::Port(port) => Label { head: String::new(), tail: self.port(*port) },
            Cell::Process(pid, comm) => {
                let tail = pid.map_or_else(String::new, |pid| format!("[{pid}]"));
                if comm.is_none() && pid.is_none() {
                    return Label::whole("unknown".to_owned());
                }
                self.named(comm.as_deref().into_iter(), tail)
            }
            Cell::Names(texts) if key == Key::Container => {
                self.named(texts.iter().flatten().next_back().map(|text| &**text).into_iter(), String::new())
            }
            Cell::Name(text) => self.named(text.as_deref().into_iter(), String::new()),
            Cell::Names(texts) => self.named(texts.iter().flatten().map(|text| &**text), String::new()),
            Cell::Netns(netns) => {
                let netns = netns.map(|inode| format!("net:[{inode}]"));
                self.named(netns.as_deref().into_iter(), String::new())
            }
            Cell::Net(address, bits) => Label { head: address.to_string(), tail: format!("/{bits}") },
        }
    }

    fn named<'b>(&self, texts: impl Iterator<Item = &'b str>, tail: String) -> Label {
        let head = texts.collect::<Vec<_>>().join("/");
        if head.is_empty() && tail.is_empty() {
            return Label::whole("-".to_owned());
        }
        Label { head: self.fit_for_terminal(head), tail }
    }

    /// A text from outside as the terminal can show it.
    #[must_use]
    pub fn fit_for_terminal(&self, text: String) -> String {
        if self.ascii { to_ascii(&text) } else { text }
    }

    /// A process by name and number.
    #[must_use]
    pub fn process(&self, process: Process) -> Label {
        if process.pid == 0 {
            return Label::whole("unknown".to_owned());
        }
        let name = comm_text(&process.comm).unwrap_or_default();
        let number = Seen { pid: process.pid, ..Seen::default() }.number();
        let number = number.map_or_else(|| "?".to_owned(), |pid| pid.to_string());
        Label { head: self.fit_for_terminal(name), tail: format!("[{number}]") }
    }

    /// Whose the connections of a row are.
    #[must_use]
    pub fn owner(&self, owner: Owner) -> Label {
        match owner {
            Owner::Unknown => Label::default(),
            Owner::One(process) => self.process(process),
            Owner::Several => Label::whole("several".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_middle_goes_and_the_port_stays() {
        let label =
            Label { head: "[2001:db8:85a3:8d3:1319:8a2e:370:7348".to_owned(), tail: "]:443".to_owned() };
        assert_eq!(label.fit(60, false), "[2001:db8:85a3:8d3:1319:8a2e:370:7348]:443");
        assert_eq!(label.fit(24, false), "[2001:db8…:370:7348]:443");
        assert_eq!(label.fit(24, true), "[2001:db8~:370:7348]:443");
        assert_eq!(label.fit(5, false), "]:443");
        assert_eq!(label.fit(0, false), "");
    }

    proptest! {
        #[test]
        fn never_wider_than_asked(head: String, tail: String, width in 0..80_usize, ascii: bool) {
            let label = Label { head, tail };
            prop_assert!(label.fit(width, ascii).width() <= width);
        }
    }
}
