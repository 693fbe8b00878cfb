//! Everything of flowtop that reads what others have written, as functions that take any bytes and must return.
//!
//! `cargo test -p fuzz-targets` calls each with the files of `fuzz/seeds/NAME`, whole, cut and damaged. cargo-fuzz calls
//! the same functions with inputs that it searches: see `fuzz/README.md`.

#[cfg(test)]
mod tests;

use flowtop_attribution::parse::{cgroup, cni, kubernetes, manifest, process, secrets};
use flowtop_bpf::btf::Btf;
use flowtop_core::filter::{Filter, Names, Unresolved};
use flowtop_core::group::Group;
use flowtop_core::label::Labels;
use flowtop_core::quantity::{self, Measure};
use flowtop_core::{column, interface, sanitize};
use flowtop_recording::format::scan::{Found, scan};
use flowtop_recording::segment::SegmentName;
use flowtop_recording::{span, when};
use flowtop_view::state::input::Decoder;
use flowtop_view::watch::action::Action;
use flowtop_view::watch::condition::Condition;
use flowtop_view::{config_toml, iftoprc};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use std::net::{IpAddr, Ipv4Addr};

/// A function, by the name of its folder of seeds.
pub struct Target {
    /// Its name, also that of the binary of cargo-fuzz.
    pub name: &'static str,
    /// Takes any bytes and returns.
    pub run: fn(&[u8]),
}

/// All of them.
pub const ALL: [Target; 8] = [
    Target { name: "btf", run: btf },
    Target { name: "command_line", run: command_line },
    Target { name: "files_of_the_host", run: files_of_the_host },
    Target { name: "filter", run: filter },
    Target { name: "recording", run: recording },
    Target { name: "settings", run: settings },
    Target { name: "terminal", run: terminal },
    Target { name: "times", run: times },
];

/// Names in filters: every host is this one, and every service is https.
struct Book;

impl Names for Book {
    fn addresses(&self, _: &str) -> Result<Vec<IpAddr>, Unresolved> {
        Ok(vec![Ipv4Addr::LOCALHOST.into()])
    }

    fn service(&self, _: &str) -> Option<u16> {
        Some(443)
    }

    fn own_netns(&self) -> u32 {
        1
    }
}

/// The kernel's type information.
pub fn btf(bytes: &[u8]) {
    let Ok(types) = Btf::parse(bytes) else { return };
    for path in ["__sk_common.skc_family", "bytes_acked", "sk_protocol", "a.b.c"] {
        for name in ["sock", "tcp_sock", "inet_sock"] {
            let _ = (types.field_offset(name, path), types.bit(name, path), types.struct_id(name));
        }
    }
    for name in ["tcp_sendmsg_locked", "tcp_cleanup_rbuf"] {
        let _ = (types.func_id(name), types.func_param_count(name), types.typedef_id(name));
    }
    let _ = types.enum_value("bpf_func_id", "BPF_FUNC_get_socket_cookie");
}

/// `/proc/PID/cmdline`, in which secrets are hidden.
pub fn command_line(bytes: &[u8]) {
    let _ = process::command(bytes, bytes.len().is_multiple_of(2));
    let arguments: Vec<&[u8]> = bytes.split(|byte| *byte == 0).collect();
    let _ = secrets::hide(&arguments);
}

/// Files of containers, pods and processes.
pub fn files_of_the_host(bytes: &[u8]) {
    let text = &*String::from_utf8_lossy(bytes);
    let _ = (cgroup::parse(text), cgroup::choose(text));
    let _ = (cni::attachment(bytes), kubernetes::docker(bytes, None));
    let _ = (kubernetes::log_link(text), kubernetes::log_directory(text), kubernetes::name(text));
    let _ = (manifest::Manifest::read(text), manifest::node(bytes));
    let _ = (process::uid(text), process::start_ns(bytes, 100), process::socket(text));
    let _ = (process::local_v4(text), process::local_v6(text), process::user_name(text, 0));
    let _ = sanitize::clean(bytes, 64);
}

/// `-f`, as it is typed.
pub fn filter(bytes: &[u8]) {
    let text = &*String::from_utf8_lossy(bytes);
    match Filter::parse(text, &Book) {
        Ok(filter) => drop((filter.to_string(), filter.pushdown())),
        Err(error) => drop((error.to_string(), error.pointer(text))),
    }
}

/// A file of recordings.
pub fn recording(bytes: &[u8]) {
    for found in scan(bytes) {
        if let Found::Frame(frame) = found {
            let _ = frame.record();
        }
    }
    let _ = SegmentName::parse(&String::from_utf8_lossy(bytes));
}

/// Files of settings and labels, and values of flags.
pub fn settings(bytes: &[u8]) {
    let text = &*String::from_utf8_lossy(bytes);
    let _ = (config_toml::parse(text, "config.toml"), iftoprc::parse(text, ".iftoprc", &[]));
    let _ = (Labels::parse(text), Group::parse(text), column::parse(text));
    let _ = [Measure::BitsPerSecond, Measure::Bytes].map(|measure| quantity::parse(text, measure));
    let _ = (Condition::parse(text, &Book), Action::parse(text));
    let _ = interface::Chosen::new(&[], &[text.to_owned()]);
}

/// What a terminal sends.
pub fn terminal(bytes: &[u8]) {
    let mut decoder = Decoder::default();
    for part in bytes.chunks(7) {
        let _ = (decoder.feed(part), decoder.awaits());
    }
    let _ = decoder.flush();
}

/// Times, periods and lengths of time, as they are typed.
pub fn times(bytes: &[u8]) {
    let text = &*String::from_utf8_lossy(bytes);
    let now = Timestamp::UNIX_EPOCH.to_zoned_datetime(TimeZone::UTC);
    let _ = (when::range(text, &now), when::period(Some(text), None, &now), span::parse(text));
    let _ = when::at(text, now.date(), &now);
}
