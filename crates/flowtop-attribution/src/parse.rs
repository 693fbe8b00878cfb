//! Texts of the host → what they say of processes, containers, pods and addresses. Nothing is read in here.

pub mod cgroup;
pub mod cni;
pub mod kubernetes;
pub mod manifest;
pub mod process;
pub mod secrets;
