//! What the files of the repository have to keep to: the rules of ARCHITECTURE.md, and the contract of the BPF object. No
//! test here runs flowtop.

mod architecture;
mod object;
