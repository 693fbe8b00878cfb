//! The answer of an update to the caller: whether to draw, and what else to do.

use std::path::PathBuf;

/// An effect that the caller carries out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    Quit,
    /// Give the terminal back and stop.
    Suspend,
    /// Draw every cell, whatever is thought to be there.
    Redraw,
    /// Make a filter of a text.
    Filter(String),
    /// Write what is on the screen to a new file: JSON if its name ends so, else text.
    Save(PathBuf),
    /// The time between frames changed.
    Refresh,
    /// Read a record, by its number among those of the replay.
    Show(usize),
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reaction {
    /// Whether to draw a frame.
    pub draw: bool,
    pub effect: Option<Effect>,
}

impl Reaction {
    pub(super) const NOTHING: Self = Self { draw: false, effect: None };
    pub(super) const DRAW: Self = Self { draw: true, effect: None };

    pub(super) const fn effect(effect: Effect) -> Self {
        Self { draw: true, effect: Some(effect) }
    }
}
