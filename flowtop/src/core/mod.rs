//! The functional core: samples in, rows and text out. No clock, file, socket, terminal or BPF in here.

pub mod btf;
pub mod column;
pub mod config_toml;
pub mod csv;
pub mod demo;
pub mod filter;
#[cfg(test)]
pub(crate) mod fixture;
pub mod flow;
pub mod group;
pub mod iftoprc;
pub mod interface;
pub mod json;
pub mod label;
pub mod ledger;
pub mod link;
pub mod names;
pub mod number;
pub mod owner;
pub mod parts;
pub mod plan;
pub mod record;
pub mod recycle;
pub mod retention;
pub mod rows;
pub mod sampler;
pub mod schedule;
pub mod scope;
pub mod segment;
pub mod settings;
pub mod text;
pub mod top;
pub mod ui;
pub mod view;
pub mod window;
pub mod wire;
