//! What a frame of the view takes with 100,000 flows, from the rows to the cells.

use crate::outcome::{self, Outcome, Row, median};
use anyhow::{Context as _, Result};
use flowtop_common::{Flow, FlowKey, flags};
use flowtop_core::ledger::Ledger;
use flowtop_core::names::NoNames;
use flowtop_core::wire::Sample;
use flowtop_view::draw::draw;
use flowtop_view::draw::theme::Theme;
use flowtop_view::settings::Settings;
use flowtop_view::settings::choice::Theme as Choice;
use flowtop_view::state::input::{Input, Key};
use flowtop_view::state::update::Event;
use flowtop_view::state::{SessionInfo, State};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use std::net::Ipv4Addr;
use std::process::ExitCode;
use std::time::{Duration, Instant};

/// Milliseconds that a frame may take.
const FRAME_BAR_MS: f64 = 16.0;

/// A large terminal.
const SIZE: (u16, u16) = (200, 60);

const S: u64 = 1_000_000_000;

/// Time of a frame of the view
#[derive(Debug, clap::Args)]
struct Args {
    /// Flows, all of them busy
    #[arg(long, value_name = "N", default_value_t = 100_000)]
    flows: u32,
    /// Frames to take the median of
    #[arg(long, value_name = "N", default_value_t = 21, value_parser = outcome::at_least_one())]
    frames: u32,
}

pub fn main() -> ExitCode {
    outcome::bench("draw", run)
}

fn run(args: &Args) -> Result<Outcome> {
    let mut rows = Vec::new();
    for (what, keys) in [
        ("flows of host pairs", &[][..]),
        ("flows with ports", &[Key::Char('p')]),
        ("with ports, by source name", &[Key::Char('p'), Key::Char('<')]),
        ("remote hosts", &[Key::Tab]),
        ("local ports", &[Key::Tab; 2]),
        ("processes", &[Key::Tab; 3]),
        (
            "flows that a search finds",
            &[Key::Char('/'), Key::Char('1'), Key::Char('0'), Key::Char('.'), Key::Enter],
        ),
    ] {
        let [sampled, pressed] = frames(args, keys)?;
        rows.push(
            Row::new("frame", what).figure("ms", sampled, Some(FRAME_BAR_MS)).cell("ms_after_a_key", pressed),
        );
    }
    let notes = vec![format!(
        "Medians of {} frames of {}x{} cells with {} busy flows. A frame after a sample makes all rows anew and draws; \
         one after an arrow key only draws. Booking the sample is not in it: `cargo xtask bench read`.",
        args.frames, SIZE.0, SIZE.1, args.flows
    )];
    Ok(Outcome { rows, notes })
}

/// Milliseconds of a frame after a sample, and of one after a key.
fn frames(args: &Args, keys: &[Key]) -> Result<[f64; 2]> {
    let settings = Settings::default();
    let ledger = Ledger::new(args.flows as usize, 0);
    let mut state = State::new(&settings, SessionInfo::default(), ledger, Duration::from_secs(1));
    state.update(Event::Resize(SIZE.0, SIZE.1), &NoNames);
    state.update(Event::Sample(&Sample::default()), &NoNames);
    for key in keys {
        state.update(Event::Input(Input::Key(*key)), &NoNames);
    }
    // Full windows, as after a minute.
    for at_s in 1..=45 {
        state.update(Event::Sample(&sample(args.flows, at_s)?), &NoNames);
    }
    let theme = Theme::new(Choice::Dark, &|_| None);
    let mut buffer = Buffer::empty(Rect::new(0, 0, SIZE.0, SIZE.1));
    let (mut sampled, mut pressed) = (Vec::new(), Vec::new());
    for at_s in 46..46 + u64::from(args.frames) {
        state.update(Event::Sample(&sample(args.flows, at_s)?), &NoNames);
        for (event, times) in
            [(Event::Frame(String::new()), &mut sampled), (Event::Input(Input::Key(Key::Down)), &mut pressed)]
        {
            let start = Instant::now();
            state.update(event, &NoNames);
            draw(&state, &NoNames, &theme, &mut buffer);
            times.push(start.elapsed().as_secs_f64() * 1e3);
        }
    }
    Ok([median(sampled), median(pressed)])
}

/// Flows to as many hosts, of a hundred processes; each moves bytes every second.
fn sample(flows: u32, at_s: u64) -> Result<Sample> {
    let flow = |n: u32| {
        let rate = u64::from(n % 1000 + 1);
        let mut comm = [0; 16];
        comm[..7].copy_from_slice(b"worker\0");
        let remote = Ipv4Addr::from(0x0a00_0000 + n).to_ipv6_mapped().octets();
        let key = FlowKey {
            local_addr: Ipv4Addr::new(192, 0, 2, 1).to_ipv6_mapped().octets(),
            remote_addr: remote,
            local_port: 443,
            remote_port: u16::try_from(1024 + n % 60_000).context("no port")?,
            family: 2,
            netns: 1,
            id: u64::from(n),
            ..FlowKey::default()
        };
        let (tx_bytes, rx_bytes) = (rate * at_s, rate * at_s / 3);
        let pid = 1 + n % 100;
        Ok((key, Flow { tx_bytes, rx_bytes, pid, comm, state: 1, flags: flags::BORN, ..Flow::default() }))
    };
    let flows: Result<Vec<_>> = (0..flows).map(flow).collect();
    Ok(Sample { at_ns: at_s * S, flows: flows?, ..Sample::default() })
}
