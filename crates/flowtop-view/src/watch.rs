//! `flowtop watch`: what is watched for, when that has come about, what is done then, and what is kept for it.
//!
//! Not in here: the clock, processes that are started, and files (`flowtop`'s `watch`).

pub mod action;
pub mod alert;
pub mod before;
pub mod condition;
mod scanner;
pub mod trigger;
