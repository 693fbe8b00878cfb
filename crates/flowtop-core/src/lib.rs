//! The core of flowtop: samples of the kernel's counters in, bytes and rates per connection and per group out.
//!
//! Without the standard library, so that no clock, file, socket or terminal can be used in here: whatever happens is handed
//! in as a value, and whatever is found is handed back. The same samples give the same rows on every machine.
//!
//! | modules | what they are |
//! |---|---|
//! | [`flow`], [`moment`], [`wire`] | a connection by its 5-tuple, a time on both clocks, a sample of the kernel's table |
//! | [`ledger`], [`window`] | samples → bytes since the start, rates over 2, 10 and 40 s, both ends of a connection joined |
//! | [`scope`], [`filter`], [`interface`] | which directions of which connections count |
//! | [`owner`], [`label`], [`names`], [`who`], [`cache`] | what is known of processes, pods and addresses |
//! | [`group`], [`rows`], [`view`], [`column`], [`value`] | connections and groups as rows, their order, their fields |
//! | [`sampler`], [`record`] | samples → a window of time on one host, as a value |
//! | [`plausible`] | counters that cannot be true are refused |
//! | [`number`], [`quantity`], [`width`], [`sanitize`], [`varint`] | numbers and texts as they are written and read |
//! | [`hooks`], [`cost`], [`demo`] | the families of kernel hooks; what flowtop itself costs; made-up traffic |

#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]

extern crate alloc;

pub mod cache;
pub mod column;
pub mod cost;
pub mod coverage;
pub mod demo;
pub mod filter;
#[cfg(any(test, feature = "fixture"))]
pub mod fixture;
pub mod flow;
pub mod group;
pub mod hooks;
pub mod interface;
pub mod label;
pub mod ledger;
pub mod listeners;
pub mod moment;
pub mod names;
pub mod number;
pub mod on_wire;
pub mod owner;
pub mod plausible;
pub mod quantity;
pub mod record;
pub mod rows;
pub mod sampler;
pub mod sanitize;
pub mod scope;
pub mod trigger;
pub mod value;
pub mod varint;
pub mod view;
pub mod who;
pub mod width;
pub mod window;
pub mod wire;
