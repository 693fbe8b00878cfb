//! `flowtop watch`: conditions, triggers, actions, and the kept time before a firing.
//!
//! Not in here: the clock, processes that are started, and files (`flowtop`'s `watch`).

pub mod action;
pub mod alert;
pub mod before;
pub mod condition;
mod scanner;
pub mod trigger;
