//! Effect of each key and click on the state.

use super::REFRESH_MS;
use super::State;
use super::effect::{Effect, Reaction};
use super::input::Key;
use super::keys::{Action, Move, Section, UNKNOWN_KEY, Wind, binding};
use super::prompt::{Ask, Prompt};
use flowtop_core::names::Names;
use flowtop_core::rows::key::{Cell, RowKey};
use flowtop_core::view::{Change, Sort};
use flowtop_core::window::Window;

impl State {
    /// Does what the table says about a key.
    pub(super) fn press_binding(&mut self, key: Key, names: &dyn Names) -> Reaction {
        let Some(binding) =
            binding(key).filter(|its| self.replay.is_some() || its.section != Section::Replay)
        else {
            self.say(UNKNOWN_KEY);
            return Reaction::DRAW;
        };
        // The rows of a replay pause with its time.
        if self.replay.is_some() && binding.action == Action::View(Change::Pause) {
            return self.wind(Wind::Play);
        }
        let reaction = self.act(binding.action, names);
        if let Some(message) = binding.messages.get(self.which_message(binding.action)) {
            self.say(*message);
        }
        reaction
    }

    /// Which of its messages an action gives, when it is done.
    fn which_message(&self, action: Action) -> usize {
        let (view, grouping) = (&self.view, &self.view.grouping);
        match action {
            Action::View(change) => match change {
                Change::HostNames => view.host_names.into(),
                Change::ServiceNames => view.service_names.into(),
                Change::HideSource => grouping.hide_source.into(),
                Change::HideDestination => grouping.hide_destination.into(),
                Change::SourcePort | Change::DestinationPort | Change::Ports => grouping.ports as usize,
                Change::Order => view.order_frozen.into(),
                Change::Pause => view.paused.into(),
                Change::Sort(_) => 0,
            },
            Action::LineDisplay => view.line_display as usize,
            Action::Bars => self.look.bars.into(),
            Action::BarWindow => self.look.window as usize,
            Action::Totals => self.look.totals.into(),
            Action::LogScale => self.look.scale.is_log.into(),
            Action::Cost => self.own_cost.is_shown().into(),
            // Nothing selected, nothing said.
            Action::Pin => self.selected.as_ref().map_or(usize::MAX, |key| self.pinned.contains(key).into()),
            _ => 0,
        }
    }

    fn act(&mut self, action: Action, names: &dyn Names) -> Reaction {
        match action {
            Action::View(change) => self.change(change, names),
            Action::LineDisplay => {
                self.view.line_display = self.view.line_display.next();
                self.refresh_rows(names);
            }
            Action::Bars => self.look.bars = !self.look.bars,
            Action::BarWindow => self.next_window(),
            Action::Totals => self.look.totals = !self.look.totals,
            Action::LogScale => self.look.scale.is_log = !self.look.scale.is_log,
            Action::Cost => self.own_cost.toggle(),
            Action::Filter => self.ask(Ask::Filter),
            Action::ScreenFilter => self.ask(Ask::ScreenFilter),
            Action::Search => self.ask(Ask::Search),
            Action::Threshold => self.ask(Ask::Threshold),
            Action::Save => self.ask(Ask::SaveTo),
            Action::Shell => {}
            Action::Scroll { down } => return self.scroll(down),
            Action::Move(to) => {
                self.go(to);
                self.refresh_detail(names);
                return Reaction::DRAW;
            }
            Action::Replay(wind) => return self.wind(wind),
            Action::Detail => return self.toggle_detail(names),
            Action::By { forward } => return self.regroup(forward, names),
            Action::Pin => self.pin(names),
            Action::Refresh { faster } => return self.change_refresh(faster),
            Action::Help => self.help = if self.help.is_some() { None } else { Some(0) },
            Action::Close => return self.close(),
            Action::Redraw => return Reaction::effect(Effect::Redraw),
            Action::Suspend => return Reaction::effect(Effect::Suspend),
            Action::Quit => return Reaction::effect(Effect::Quit),
        }
        self.settle();
        Reaction::DRAW
    }

    fn change(&mut self, change: Change, names: &dyn Names) {
        self.view.change(change);
        self.refresh_rows(names);
        self.refresh_detail(names);
    }

    /// iftop's order: 10 s, 40 s, 2 s.
    fn next_window(&mut self) {
        self.look.window = match self.look.window {
            Window::S2 => Window::S10,
            Window::S10 => Window::S40,
            Window::S40 => Window::S2,
        };
    }

    fn ask(&mut self, ask: Ask) {
        let text = match ask {
            Ask::Filter => self.filters.net.clone(),
            Ask::ScreenFilter => self.filters.screen.as_ref().map_or("", |screen| screen.as_str()).to_owned(),
            Ask::Search => self.filters.search.clone(),
            Ask::Threshold if self.filters.threshold > 0.0 => format!("{:.0}", self.filters.threshold),
            Ask::Threshold | Ask::Time => String::new(),
            Ask::SaveTo => format!("flowtop-{}.txt", self.time.replace(':', "")),
        };
        self.prompt = Some(Prompt::new(ask, &text));
    }

    fn last(&self) -> usize {
        self.table.len().saturating_sub(1)
    }

    /// Moves the rows; help, where it is open.
    fn scroll(&mut self, down: bool) -> Reaction {
        if let Some(line) = &mut self.help {
            *line = if down { line.saturating_add(1) } else { line.saturating_sub(1) };
            return Reaction::DRAW;
        }
        self.offset = if down { (self.offset + 1).min(self.last()) } else { self.offset.saturating_sub(1) };
        self.sort_visible();
        Reaction::DRAW
    }

    /// The wheel moves the rows by three.
    pub(super) fn wheel(&mut self, down: bool) -> Reaction {
        for _ in 0..3 {
            self.scroll(down);
        }
        Reaction::DRAW
    }

    /// Moves the selection, which starts at the first row on the screen; help, where it is open.
    fn go(&mut self, to: Move) {
        if self.help.is_some() {
            self.scroll(matches!(to, Move::Down | Move::PageDown | Move::Last));
            return;
        }
        let page = self.page();
        let from = self.selected.as_ref().and_then(|key| self.table.position(key));
        let at = match (to, from) {
            (Move::First, _) => 0,
            (Move::Last, _) => self.last(),
            (_, None) => self.offset,
            (Move::Up, Some(at)) => at.saturating_sub(1),
            (Move::Down, Some(at)) => at + 1,
            (Move::PageUp, Some(at)) => at.saturating_sub(page),
            (Move::PageDown, Some(at)) => at + page,
        };
        self.select(at.min(self.last()));
    }

    /// Selects a row by its place and brings it onto the screen.
    fn select(&mut self, at: usize) {
        self.table.sort_first(at + 1);
        self.selected = self.table.get(at).map(|group| group.key.clone());
        let page = self.page();
        self.offset = self.offset.clamp((at + 1).saturating_sub(page), at);
        self.sort_visible();
        self.follow();
    }

    /// The open pane is always about the selected row.
    fn follow(&mut self) {
        if let (Some(detail), Some(key)) = (&mut self.detail, &self.selected) {
            detail.key = key.clone();
        }
    }

    fn toggle_detail(&mut self, names: &dyn Names) -> Reaction {
        if self.detail.take().is_none() {
            if self.selected.is_none() {
                self.select(self.offset);
            }
            let key = self.selected.clone();
            self.detail = key.map(|key| self.detail_of(key, &self.labels(names)));
        }
        self.show_selected();
        Reaction::DRAW
    }

    /// Brings the selected row onto the screen, which may have become smaller.
    fn show_selected(&mut self) {
        match self.selected.as_ref().and_then(|key| self.table.position(key)) {
            Some(at) => self.select(at),
            None => self.settle(),
        }
    }

    fn regroup(&mut self, forward: bool, names: &dyn Names) -> Reaction {
        self.offset = 0;
        if self.view.paused || self.view.order_frozen {
            // The rows stay as they are; what they will be is chosen all the same.
            self.view.by = self.view.by.turn(forward, self.first_by);
            return self.say_rows();
        }
        loop {
            self.view.by = self.view.by.turn(forward, self.first_by);
            self.refresh_rows(names);
            if self.view.by == self.first_by || self.says_something() {
                break;
            }
        }
        self.say_rows()
    }

    fn say_rows(&mut self) -> Reaction {
        self.say(format!("Rows are {}", self.view.by.names()));
        Reaction::DRAW
    }

    /// Whether the rows tell anything apart: where no process is in a pod, one row of unknown pods does not.
    fn says_something(&self) -> bool {
        let is_unknown = |key: &RowKey| match key {
            RowKey::Ends(_) => false,
            RowKey::Common(cells) => cells.iter().all(Cell::is_unknown),
            RowKey::SummedUp => true,
        };
        !self.view.by.asks_owner() || self.table.all().any(|group| !is_unknown(group.key))
    }

    fn pin(&mut self, names: &dyn Names) {
        let Some(key) = self.selected.clone() else { return };
        if !self.pinned.remove(&key) {
            self.pinned.insert(key);
        }
        self.refresh_rows(names);
    }

    fn change_refresh(&mut self, faster: bool) -> Reaction {
        let now_ms = self.refresh.as_millis();
        let mut steps = REFRESH_MS.into_iter();
        let step = if faster {
            steps.rfind(|ms| u128::from(*ms) < now_ms)
        } else {
            steps.find(|ms| u128::from(*ms) > now_ms)
        };
        if let Some(ms) = step {
            self.refresh = std::time::Duration::from_millis(ms);
        }
        self.say(format!("Refresh every {} s", self.refresh.as_secs_f64()));
        Reaction::effect(Effect::Refresh)
    }

    fn close(&mut self) -> Reaction {
        if self.help.take().is_none() && self.detail.take().is_none() {
            self.say(UNKNOWN_KEY);
        }
        self.settle();
        Reaction::DRAW
    }

    /// A click on a head sorts, one on a row selects it.
    pub(super) fn click(&mut self, column: u16, line: u16, names: &dyn Names) -> Reaction {
        let Some(layout) = self.layout().filter(|_| self.help.is_none() && self.prompt.is_none()) else {
            return Reaction::NOTHING;
        };
        if let Some(sort) = layout.sort_at(column, line) {
            return self.press_binding(sort_key(sort), names);
        }
        let at = layout.row_at(line, self.view.line_display.lines()).map(|at| self.offset + at);
        let Some(at) = at.filter(|at| *at < self.table.len()) else { return Reaction::NOTHING };
        self.select(at);
        self.refresh_detail(names);
        Reaction::DRAW
    }
}

/// The key that does the same as a click on a head.
fn sort_key(sort: Sort) -> Key {
    let its = |binding: &&super::keys::Binding| binding.action == Action::View(Change::Sort(sort));
    super::keys::TABLE.iter().find(its).map_or(Key::Other, |binding| binding.keys[0])
}
