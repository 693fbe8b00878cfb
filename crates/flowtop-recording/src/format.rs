//! The binary format of a record.

mod bits;
mod columns;
mod dictionary;
mod flows;
pub mod frame;
mod limits;
pub mod missing;
mod payload;
pub mod reference;
mod row;
pub mod scan;
mod shared;
pub mod sparse;
#[cfg(test)]
mod tests;
