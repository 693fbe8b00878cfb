//! Reads the files that [`crate::parse`] parses: which ones, how much of them, and how often.

pub mod addresses;
pub mod cgroups;
pub mod descriptors;
pub mod files;
pub mod manifests;
pub mod names;
pub mod namespaces;
pub mod process;
pub mod processes;
pub mod runtimes;
pub mod uts;
