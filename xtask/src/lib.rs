//! Provenance of the committed BPF object, shared by `cargo xtask` and the object contract test.
//!
//! The commands themselves are in `main.rs` and its modules.

pub mod provenance;
