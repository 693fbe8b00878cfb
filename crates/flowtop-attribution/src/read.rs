//! Files of the host that [`crate::parse`] makes sense of: which ones, how much of them, and how often.

pub mod addresses;
pub mod cgroups;
pub mod descriptors;
pub mod files;
pub mod manifests;
pub mod names;
pub mod process;
pub mod uts;
