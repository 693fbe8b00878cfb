//! A replay on the screen: the record shown, and its caption.
//!
//! Not in here: how time goes on in a replay (`replay::player`), and how the bar looks (`crate::draw::timebar`).

use std::sync::Arc;

use jiff::ZonedDateTime;
use jiff::tz::TimeZone;

use super::Attribution;
use super::State;
use super::effect::{Effect, Reaction};
use super::keys::Wind;
use super::prompt::{Ask, Prompt};
use flowtop_core::label::Labels as NetworkLabels;
use flowtop_core::ledger::Ledger;
use flowtop_core::names::Names;
use flowtop_core::owner::Owners;
use flowtop_recording::replay::caption::{Caption, zoned};
use flowtop_recording::replay::player::Player;
use flowtop_recording::when;

/// State of a replay beside the live view.
#[derive(Clone, Debug)]
pub struct Replay {
    /// The records, and which of them is shown.
    pub player: Player,
    pub caption: Caption,
    /// When the replay was opened: what times like `3m ago` are told from.
    pub opened: ZonedDateTime,
}

impl Replay {
    /// Before the first record has been read.
    #[must_use]
    pub fn new(player: Player, opened: ZonedDateTime) -> Self {
        Self { player, caption: Caption::default(), opened }
    }

    /// Time zone of all times.
    #[must_use]
    pub fn zone(&self) -> &TimeZone {
        self.opened.time_zone()
    }

    /// A typed time, in µs since 1970 UTC. A clock time is of the day of the record that is shown.
    fn time(&self, text: &str) -> Result<i64, when::Error> {
        let day = zoned(self.player.moment().span.start_us, self.zone()).date();
        Ok(when::at(text, day, &self.opened)?.at.as_microsecond())
    }
}

/// A record as a screen shows it.
#[derive(Debug)]
pub struct Window {
    pub ledger: Ledger,
    pub owners: Arc<dyn Owners>,
    pub labels: Arc<NetworkLabels>,
    pub caption: Caption,
    /// Flags that kept traffic out of the recording.
    pub limits: String,
}

impl State {
    /// The same screen for records instead of the present.
    #[must_use]
    pub fn replaying(self, replay: Replay) -> Self {
        Self { replay: Some(replay), message: None, ..self }
    }

    pub(super) fn show(&mut self, window: Window, names: &dyn Names) -> Reaction {
        let Some(replay) = &mut self.replay else { return Reaction::NOTHING };
        let end = zoned(replay.player.moment().span.end_us, replay.zone());
        self.time = end.strftime("%H:%M:%S").to_string();
        self.session.host.clone_from(&window.caption.host);
        self.session.limits = window.limits;
        replay.caption = window.caption;
        self.ledger = window.ledger;
        self.attribution = Attribution { owners: window.owners, labels: window.labels };
        // They are of places in another ledger.
        self.table.sums.forget_members();
        self.recent.clear();
        self.refresh_rows(names);
        self.refresh_detail(names);
        Reaction::DRAW
    }

    /// Lets so many ns pass in front of a replay.
    pub(super) fn pass(&mut self, ns: u64, names: &dyn Names) -> Reaction {
        self.now_ns = self.now_ns.saturating_add(ns);
        self.forget_message();
        let Some(replay) = &mut self.replay else { return Reaction::NOTHING };
        if replay.player.pass(ns) {
            return self.wanted();
        }
        // Names of hosts may have come.
        self.refresh_rows(names);
        self.refresh_detail(names);
        Reaction::DRAW
    }

    /// Does what a key of a replay does.
    pub(super) fn wind(&mut self, wind: Wind) -> Reaction {
        if wind == Wind::Jump {
            self.prompt = Some(Prompt::new(Ask::Time, ""));
            return Reaction::DRAW;
        }
        let Some(Replay { player, .. }) = &mut self.replay else { return Reaction::NOTHING };
        let moved = match wind {
            Wind::Step { forward } => player.step(forward),
            Wind::End { last } => player.go_to_end(last),
            Wind::Gap { forward } => player.go_to_gap(forward),
            Wind::Host => player.turn(),
            Wind::Play | Wind::Speed { .. } | Wind::Jump => false,
        };
        match wind {
            Wind::Play => player.toggle(),
            Wind::Speed { faster } => {
                player.change_speed(faster);
                let speed = player.speed();
                self.say(format!("{speed} times as fast as it was"));
            }
            _ if moved => return self.wanted(),
            Wind::Step { .. } | Wind::End { .. } => self.say("No record there"),
            Wind::Gap { .. } => self.say("No gap there"),
            Wind::Host => self.say("No other host"),
            Wind::Jump => {}
        }
        Reaction::DRAW
    }

    /// Goes to a time that has been typed; an error is what would be right.
    pub(super) fn jump(&mut self, text: &str) -> Result<Reaction, when::Error> {
        let Some(replay) = &mut self.replay else { return Ok(Reaction::NOTHING) };
        let us = replay.time(text)?;
        let moved = replay.player.jump(us);
        self.prompt = None;
        Ok(if moved { self.wanted() } else { Reaction::DRAW })
    }

    /// The record that the player is at.
    fn wanted(&self) -> Reaction {
        self.replay.as_ref().map_or(Reaction::NOTHING, |replay| Reaction {
            draw: false,
            effect: Some(Effect::Show(replay.player.at())),
        })
    }
}
