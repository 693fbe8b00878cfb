//! Parsers of the host's files: processes, containers, pods and addresses. Does no I/O.

pub mod cgroup;
pub mod cni;
pub mod hosts;
pub mod kubernetes;
pub mod manifest;
pub mod process;
pub mod runtime;
pub mod secrets;
