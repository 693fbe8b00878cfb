//! The view: screens drawn from literal states, and the program in a real terminal.

#[path = "tools/recorded.rs"]
mod recorded;
mod screens;
mod terminal;
#[allow(dead_code, reason = "each test program needs a part")]
mod tools;
