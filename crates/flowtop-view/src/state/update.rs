//! The only place where a state changes: takes an event, returns whether to draw and an effect to carry out.
//!
//! Not in here: what each key does (`ui::act`), and what rows there are then (`ui::rows`).

use std::path::PathBuf;

use super::MESSAGE_NS;
use super::OwnCost;
use super::State;
use super::effect::{Effect, Reaction};
use super::input::{Input, Key, PasteError};
use super::keys::{FILTER_INSTALLED, INVALID_REGEXP, PASTE_WITHOUT_PROMPT, UNKNOWN_KEY};
use super::prompt::{Ask, Edited};
use super::replay::Window;
use crate::settings::quantity::BitsPerSecond;
use crate::settings::value::Value as _;
use crate::state::rows::pattern;
use flowtop_core::cost::Cost;
use flowtop_core::names::Names;
use flowtop_core::scope::Scope;
use flowtop_core::wire::Sample;

#[derive(Debug)]
pub enum Event<'a> {
    /// A sample of the kernel's tables.
    Sample(&'a Sample),
    /// The ledger has been given a sample in parts.
    Fed,
    /// Cost since the last one.
    Cost(Cost),
    /// It is time for a frame, at this time of day.
    Frame(String),
    Input(Input),
    /// The screen has another size, in columns and lines.
    Resize(u16, u16),
    /// The answer to [`Effect::Filter`]: the text, and what counts from now on or why it cannot be used.
    Filter(String, Result<Option<Box<dyn Scope>>, String>),
    /// The answer to [`Effect::Save`]: the name of the file, or why there is none.
    Saved(Result<String, String>),
    /// The answer to [`Effect::Show`]: a record, or why it cannot be read.
    Window(Result<Box<Window>, String>),
    /// So many nanoseconds have passed in front of a replay.
    Pass(u64),
    /// The answer to [`Effect::Suspend`] if nothing could continue the program.
    NoShell,
}

impl State {
    /// Takes an event in. Names are asked for at once and never waited for.
    pub fn update(&mut self, event: Event<'_>, names: &dyn Names) -> Reaction {
        match event {
            Event::Sample(sample) => {
                self.ledger.apply(sample);
                self.update(Event::Fed, names)
            }
            Event::Fed => {
                self.history.take(&self.ledger);
                self.now_ns = self.ledger.at_ns();
                self.retain_departed();
                Reaction::NOTHING
            }
            Event::Cost(cost) => {
                self.own_cost = OwnCost::Shown(cost);
                Reaction::NOTHING
            }
            Event::Frame(time) => self.frame(time, names),
            Event::Input(Input::Key(key)) => self.press(key, names),
            Event::Input(Input::Alt(_)) => self.press_alt(),
            Event::Input(Input::Paste(text)) => self.paste(text, names),
            Event::Input(Input::Click { column, line }) => self.click(column, line, names),
            Event::Input(Input::Wheel { down }) => self.wheel(down),
            Event::Resize(width, height) => {
                self.size = (width, height);
                self.settle();
                Reaction::effect(Effect::Redraw)
            }
            Event::Filter(text, result) => self.install(text, result, names),
            Event::Saved(result) => self.saved(result),
            Event::Window(Ok(window)) => self.show(*window, names),
            Event::Window(Err(why)) => {
                self.say(why);
                Reaction::DRAW
            }
            Event::Pass(ns) => self.pass(ns, names),
            Event::NoShell => {
                self.say("No shell to come back from");
                Reaction::DRAW
            }
        }
    }

    fn frame(&mut self, time: String, names: &dyn Names) -> Reaction {
        self.time = time;
        self.forget_message();
        if self.view.paused {
            self.grow_footer();
        } else {
            self.refresh_rows(names);
            self.refresh_detail(names);
        }
        Reaction::DRAW
    }

    pub(super) fn forget_message(&mut self) {
        self.message.take_if(|message| self.now_ns.saturating_sub(message.since_ns) > MESSAGE_NS);
    }

    /// Computes the open pane from the newest numbers.
    pub(super) fn refresh_detail(&mut self, names: &dyn Names) {
        if let Some(key) = self.detail.as_ref().map(|detail| detail.key.clone()) {
            self.detail = Some(self.detail_of(key, &self.labels(names)));
        }
    }

    fn press(&mut self, key: Key, names: &dyn Names) -> Reaction {
        match key {
            Key::Layout { typed, .. } if self.prompt.is_some() => self.type_key(Key::Char(typed), names),
            Key::Layout { latin, .. } => self.press_binding(Key::Char(latin), names),
            Key::Ctrl('c' | 'z' | 'l') => self.press_binding(key, names),
            _ if self.prompt.is_some() => self.type_key(key, names),
            _ => self.press_binding(key, names),
        }
    }

    /// No key has a meaning with Alt.
    fn press_alt(&mut self) -> Reaction {
        if self.prompt.is_some() {
            return Reaction::NOTHING;
        }
        self.say(UNKNOWN_KEY);
        Reaction::DRAW
    }

    /// Inserts pasted text into the prompt. Without a prompt it is ignored: its letters are not commands.
    fn paste(&mut self, text: Result<String, PasteError>, names: &dyn Names) -> Reaction {
        match (text, &mut self.prompt) {
            (Ok(text), Some(prompt)) => {
                let edited = prompt.paste(&text);
                self.edited(edited, names)
            }
            (Err(error), Some(_)) => {
                self.complain(error.to_string());
                Reaction::DRAW
            }
            (_, None) => {
                self.say(PASTE_WITHOUT_PROMPT);
                Reaction::DRAW
            }
        }
    }

    fn type_key(&mut self, key: Key, names: &dyn Names) -> Reaction {
        let Some(prompt) = &mut self.prompt else { return Reaction::NOTHING };
        let edited = prompt.press(key);
        self.edited(edited, names)
    }

    /// Acts on an edit of the prompt.
    fn edited(&mut self, edited: Edited, names: &dyn Names) -> Reaction {
        let Some(prompt) = &mut self.prompt else { return Reaction::NOTHING };
        let (ask, text, before) = (prompt.ask, prompt.text(), prompt.before.clone());
        match edited {
            Edited::Nothing => {}
            Edited::Changed => {
                prompt.error = None;
                if ask == Ask::Search {
                    self.search(&text, names);
                }
            }
            Edited::Accepted => return self.accept(ask, text, names),
            Edited::Cancelled => {
                self.prompt = None;
                if ask == Ask::Search {
                    self.search(&before, names);
                }
            }
        }
        Reaction::DRAW
    }

    fn accept(&mut self, ask: Ask, text: String, names: &dyn Names) -> Reaction {
        match ask {
            Ask::Filter => return Reaction::effect(Effect::Filter(text)),
            Ask::SaveTo | Ask::Time if text.trim().is_empty() => self.prompt = None,
            Ask::SaveTo => return Reaction::effect(Effect::Save(PathBuf::from(text))),
            Ask::Search => self.prompt = None,
            Ask::Time => match self.jump(&text) {
                Ok(reaction) => return Reaction { draw: true, ..reaction },
                Err(error) => self.complain(error.to_string()),
            },
            Ask::ScreenFilter => match pattern(&text) {
                Ok(screen) => {
                    self.filters.screen = screen;
                    self.close_prompt(names);
                }
                Err(error) => self.complain(format!("{INVALID_REGEXP}: {error}")),
            },
            Ask::Threshold => match BitsPerSecond::parse(text.trim()) {
                _ if text.trim().is_empty() => self.set_threshold(0, names),
                Ok(rate) => self.set_threshold(rate.0, names),
                Err(error) => self.complain(error.to_string()),
            },
        }
        Reaction::DRAW
    }

    fn set_threshold(&mut self, rate: u64, names: &dyn Names) {
        self.filters.threshold = rate as f64;
        self.close_prompt(names);
        self.say(if rate == 0 { "No row is hidden for its rate" } else { "Rows below the rate are hidden" });
    }

    fn close_prompt(&mut self, names: &dyn Names) {
        self.prompt = None;
        self.recent.clear();
        self.refresh_rows(names);
    }

    /// Says in the prompt why its text cannot be used.
    fn complain(&mut self, error: String) {
        if let Some(prompt) = &mut self.prompt {
            prompt.error = Some(error);
        }
    }

    fn search(&mut self, text: &str, names: &dyn Names) {
        self.filters.search = text.to_lowercase();
        self.recent.clear();
        self.offset = 0;
        self.refresh_rows(names);
    }

    fn install(
        &mut self,
        text: String,
        result: Result<Option<Box<dyn Scope>>, String>,
        names: &dyn Names,
    ) -> Reaction {
        match result {
            Ok(scope) => {
                self.ledger.set_scope(scope);
                self.filters.net = text;
                self.close_prompt(names);
                self.say(FILTER_INSTALLED);
            }
            Err(error) => self.complain(error),
        }
        Reaction::DRAW
    }

    fn saved(&mut self, result: Result<String, String>) -> Reaction {
        match result {
            Ok(file) => {
                self.prompt = None;
                self.say(format!("Saved to {file}"));
            }
            Err(error) => self.complain(error),
        }
        Reaction::DRAW
    }
}
