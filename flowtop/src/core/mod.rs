//! The functional core: samples in, rows and text out. No clock, file, socket, terminal or BPF in here.

pub mod btf;
pub mod changes;
pub mod config_toml;
pub mod csv;
pub mod history;
pub mod iftoprc;
pub mod json;
pub mod link;
pub mod memory;
pub mod owner;
pub mod parts;
pub mod plan;
pub mod record;
pub mod recycle;
pub mod replay;
pub mod retention;
pub mod schedule;
pub mod segment;
pub mod settings;
pub mod span;
pub mod text;
pub mod top;
pub mod ui;
pub mod watch;
pub mod when;
