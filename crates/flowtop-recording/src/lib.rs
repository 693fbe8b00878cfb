//! Recordings: their format, and what is read out of them.
//!
//! [`format`] writes a [`flowtop_core::record::Record`] as bytes and reads it, [`analysis`] reports on a period, [`replay`]
//! shows one record after another. [`when`], [`span`] and [`schedule`] are times as people write them and as recorders keep
//! them, [`segment`] and [`retention`] the names of files and how long they stay, [`mod@csv`] how CSV is quoted.
//!
//! Nothing in here reads a clock or a file: see `clippy.toml`.

#![forbid(unsafe_code)]

pub mod analysis;
pub mod csv;
pub mod format;
pub mod replay;
pub mod retention;
pub mod schedule;
pub mod segment;
pub mod span;
pub mod when;
