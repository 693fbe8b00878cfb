//! What files of the host say about processes, containers and pods.

pub mod cgroup;
pub mod cni;
pub mod kubernetes;
pub mod manifest;
pub mod process;
pub mod secrets;
