//! Rules that the files of the repository keep: those of ARCHITECTURE.md, and the contract of the BPF object. No test here
//! runs flowtop.

mod architecture;
mod object;
