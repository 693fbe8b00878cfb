//! The commands, each in a file of its name; `live` is flowtop without one and with `-t`, and the view is in `tui`.

pub mod doctor;
pub mod live;
pub mod record;
pub mod replay;
pub mod report;
pub mod watch;
