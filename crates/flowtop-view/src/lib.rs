//! Settings, outputs and the state of the screen: everything that a user sets and sees.
//!
//! [`settings`] holds every setting once, whether it comes from the command line, [`config_toml`] or [`iftoprc`]. [`text`],
//! [`json`] and [`csv`] write what was counted; [`top`] and [`watch`] say what is most and what went over a threshold. The
//! screen is a [`state`] that events update, and [`draw`] puts it into cells.
//!
//! Nothing in here reads a clock or a file, or writes to a terminal: see `clippy.toml`.

#![forbid(unsafe_code)]

pub mod config_toml;
pub mod csv;
pub mod draw;
pub mod iftoprc;
pub mod json;
pub mod settings;
pub mod state;
pub mod text;
pub mod top;
pub mod watch;
