//! The functional core: samples in, rows and text out. No clock, file, socket, terminal or BPF in here.

pub mod btf;
pub mod filter;
#[cfg(test)]
mod fixture;
pub mod flow;
pub mod json;
pub mod ledger;
pub mod number;
pub mod plan;
pub mod recycle;
pub mod rows;
pub mod text;
pub mod window;
pub mod wire;
