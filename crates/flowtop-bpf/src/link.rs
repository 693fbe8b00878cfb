//! Linking: writes facts of the running kernel as numbers into the instructions of the object, before it is loaded.
//!
//! The programs move a placeholder into a register for every offset and constant, and call a placeholder where a
//! `struct sock` is taken for one of TCP (see `flowtop_common::placeholder`). Done here because neither aya nor rustc
//! knows of constants of this kind, nor of the kernel functions that a program may call (kfuncs).

use flowtop_common::{Constant, Field, placeholder};
use thiserror::Error;

/// How a `struct sock *` becomes a `struct tcp_sock *`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cast {
    /// `bpf_skc_to_tcp_sock`, a call at every event.
    Helper,
    /// `bpf_rdonly_cast`, which the verifier replaces by nothing (Linux 6.2). BTF type numbers.
    Kfunc {
        /// BTF id of the function.
        func_id: u32,
        /// BTF id of `struct tcp_sock`.
        tcp_sock_id: u32,
    },
}

/// Everything that is written into the object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link<'a> {
    /// Offset in bytes of each [`Field`], in its order.
    pub offsets: &'a [u32],
    /// Value of each [`Constant`], in its order.
    pub constants: [u32; Constant::COUNT],
    pub cast: Cast,
}

/// The object and this program are not of the same build.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("the BPF object wants the number {0:#x}, which flowtop does not know; run `cargo xtask ebpf`")]
pub struct Unknown(u32);

/// Length of an instruction in bytes; programs lie at multiples of it.
const INSTRUCTION_BYTES: usize = 8;
/// `dst = imm`, 64 bits: the first byte of an instruction.
const MOVE: u8 = 0xb7;
/// `call imm`.
const CALL: u8 = 0x85;
/// `BPF_PSEUDO_KFUNC_CALL` in the upper half of the second byte: the number is a BTF type number.
const KFUNC: u8 = 2 << 4;
/// An atomic operation on 64 bits in memory (`BPF_STX | BPF_ATOMIC | BPF_DW`).
const ATOMIC: u8 = 0xdb;
/// Operation of [`ATOMIC`]: compare and exchange (`BPF_CMPXCHG`, Linux 5.12).
const EXCHANGE: u32 = 0xf1;
/// Operation of [`ATOMIC`]: add (`BPF_ADD`), which every kernel has.
const ADD: u32 = 0;
/// `BPF_FUNC_skc_to_tcp_sock`.
const SKC_TO_TCP_SOCK: u32 = 137;

impl Link<'_> {
    /// Writes the numbers into `object` and returns in how many places.
    ///
    /// # Errors
    /// A placeholder that stands for nothing.
    pub fn apply(&self, object: &mut [u8]) -> Result<usize, Unknown> {
        let (instructions, _) = object.as_chunks_mut::<INSTRUCTION_BYTES>();
        let mut places = 0;
        for code in instructions {
            if !self.has_exchange() && is_exchange(*code) {
                code[4..].copy_from_slice(&ADD.to_le_bytes());
            }
            let [opcode, registers, 0, 0, number @ ..] = *code else { continue };
            let (registers, number) = match (opcode, u32::from_le_bytes(number)) {
                (CALL, placeholder::CAST) if registers == 0 => self.call(),
                (MOVE, number) if registers < 16 && is_placeholder(number) => {
                    (registers, self.number(number)?)
                }
                _ => continue,
            };
            let [a, b, c, d] = number.to_le_bytes();
            *code = [opcode, registers, 0, 0, a, b, c, d];
            places += 1;
        }
        Ok(places)
    }

    /// Whether the kernel knows the instruction that exchanges. It came with the cookies of sockets in tracing programs, and
    /// programs use it only where they have those. A kernel before that refuses it even where it is never reached.
    fn has_exchange(&self) -> bool {
        self.constants[Constant::Cookies as usize] != 0
    }

    fn call(&self) -> (u8, u32) {
        match self.cast {
            Cast::Helper => (0, SKC_TO_TCP_SOCK),
            Cast::Kfunc { func_id, .. } => (KFUNC, func_id),
        }
    }

    fn number(&self, wanted: u32) -> Result<u32, Unknown> {
        let of = |numbers: &[u32], first: u32| {
            wanted.checked_sub(first).and_then(|index| numbers.get(index as usize).copied())
        };
        let constant = of(&self.constants, placeholder::CONSTANTS);
        constant.or_else(|| of(self.offsets, placeholder::FIELDS)).ok_or(Unknown(wanted))
    }
}

fn is_exchange(code: [u8; INSTRUCTION_BYTES]) -> bool {
    let [opcode, _, _, _, number @ ..] = code;
    opcode == ATOMIC && u32::from_le_bytes(number) == EXCHANGE
}

fn is_placeholder(number: u32) -> bool {
    const { assert!(Field::COUNT < (placeholder::CONSTANTS - placeholder::FIELDS) as usize) };
    number >> 16 == placeholder::FIELDS >> 16
}

#[cfg(test)]
mod tests {
    use super::*;

    const OFFSETS: [u32; Field::COUNT] = [0x0102; Field::COUNT];
    const LINK: Link<'_> =
        Link { offsets: &OFFSETS, constants: [0x7fff_ffff; Constant::COUNT], cast: Cast::Helper };

    fn code(opcode: u8, registers: u8, number: u32) -> [u8; INSTRUCTION_BYTES] {
        let [a, b, c, d] = number.to_le_bytes();
        [opcode, registers, 0, 0, a, b, c, d]
    }

    fn linked(link: &Link<'_>, code: &[[u8; INSTRUCTION_BYTES]]) -> Result<Vec<u8>, Unknown> {
        let mut object = code.concat();
        link.apply(&mut object).map(|_| object)
    }

    #[test]
    fn offsets_and_constants_go_where_their_placeholders_are() {
        let field = placeholder::FIELDS + Field::WriteSeq as u32;
        let constant = placeholder::CONSTANTS + Constant::CacheMask as u32;
        let object = linked(&LINK, &[code(MOVE, 3, field), code(MOVE, 9, constant)]);
        assert_eq!(object, Ok([code(MOVE, 3, 0x0102), code(MOVE, 9, 0x7fff_ffff)].concat()));
    }

    #[test]
    fn the_call_becomes_a_helper_or_a_kernel_function() {
        let place = [code(CALL, 0, placeholder::CAST)];
        assert_eq!(linked(&LINK, &place), Ok(code(CALL, 0, 137).to_vec()));
        let link = Link { cast: Cast::Kfunc { func_id: 0x0102_0304, tcp_sock_id: 9 }, ..LINK };
        assert_eq!(linked(&link, &place), Ok(vec![0x85, 0x20, 0, 0, 4, 3, 2, 1]));
    }

    #[test]
    fn a_kernel_without_exchange_gets_none() {
        let exchange = [[ATOMIC, 0x21, 8, 0, 0xf1, 0, 0, 0], [0xc3, 0x21, 8, 0, 0xf1, 0, 0, 0]];
        assert_eq!(linked(&LINK, &exchange), Ok(exchange.concat()));
        let mut link = LINK;
        link.constants[Constant::Cookies as usize] = 0;
        let added = [[ATOMIC, 0x21, 8, 0, 0, 0, 0, 0], exchange[1]];
        assert_eq!(linked(&link, &exchange), Ok(added.concat()));
    }

    #[test]
    fn everything_else_stays() {
        let others = [
            code(CALL, 0, 5),
            code(CALL, 0x10, placeholder::CAST),
            code(MOVE, 1, 5),
            code(0xb4, 1, placeholder::FIELDS),
            [MOVE, 1, 1, 0, 0, 0, 0x66, 0x6c],
        ];
        assert_eq!(linked(&LINK, &others), Ok(others.concat()));
    }

    #[test]
    fn an_unknown_placeholder_is_an_error() {
        let beyond = placeholder::CONSTANTS + u32::try_from(Constant::COUNT).unwrap();
        assert_eq!(linked(&LINK, &[code(MOVE, 1, beyond)]), Err(Unknown(beyond)));
        let beyond = placeholder::FIELDS + u32::try_from(Field::COUNT).unwrap();
        assert_eq!(linked(&LINK, &[code(MOVE, 1, beyond)]), Err(Unknown(beyond)));
    }
}
