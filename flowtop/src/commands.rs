//! One module for each command. `live` prints reports (`-t`); the interactive view is in `tui`.

pub mod doctor;
pub mod live;
pub mod record;
pub mod replay;
pub mod report;
pub mod watch;
