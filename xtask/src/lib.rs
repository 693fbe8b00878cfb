//! What `cargo xtask` and the object contract test both need: where the committed BPF object came from.
//!
//! The commands themselves are in `main.rs` and its modules.

pub mod provenance;
