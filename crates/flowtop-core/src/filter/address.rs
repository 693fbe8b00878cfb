//! Addresses behind `host` and `net`, in pcap's notations.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::error::FilterError;
use super::expr::{Expr, Test, Word};
use super::lexer::{Lexeme, Token};
use super::net::{Net, ones_v4, ones_v6};
use super::parse::{Head, Parser};
use super::words::{Keyword, Kind, Protocol};

impl<'a> Parser<'a> {
    /// `host` and `net`.
    pub(super) fn place(&mut self, head: Head<'a>, token: &'a Token<'a>) -> Result<Expr, FilterError> {
        let net = match &token.lexeme {
            Lexeme::Name(name) if head.kind == Kind::Host => return self.host_named(head, token, name),
            Lexeme::Dotted => self.dotted(head.kind, token)?,
            Lexeme::Number(number) => self.number(head.kind, *number)?,
            Lexeme::Ip6(addr) => self.with_prefix_v6(head.kind, token, *addr)?,
            _ => return Err(FilterError::wrong(token, head.kind)),
        };
        check_family(head.protocol, token)?;
        Ok(Test::Addr(head.ends, net).into())
    }

    /// Every address of a host, of the family that is asked for.
    fn host_named(&self, head: Head<'_>, token: &Token<'_>, name: &str) -> Result<Expr, FilterError> {
        let fail = |message: String| FilterError::at(token, message);
        if name.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') {
            return Err(fail(format!("`{name}` is no IPv4 address; write one like `192.0.2.1`")));
        }
        let addrs = self.names.addresses(name).map_err(|why| fail(format!("host `{name}`: {why}")))?;
        let mut tests: Vec<Expr> = Vec::new();
        for addr in addrs.into_iter().filter(|addr| is_of_family(*addr, head.protocol)) {
            let test = Test::Addr(head.ends, Net::host(addr)).into();
            if !tests.contains(&test) {
                tests.push(test);
            }
        }
        let all = tests.into_iter().reduce(|all, one| all.joined(Word::Or, one));
        all.ok_or_else(|| fail(format!("host `{name}` has no address of this family; write another name")))
    }

    /// `10.1`, `10.1.2.3`, with a prefix length or a mask behind it or without. Short ones are networks.
    fn dotted(&mut self, kind: Kind, token: &Token<'_>) -> Result<Net, FilterError> {
        let (addr, ones) = ipv4(token)?;
        let (mask, behind) = if self.takes(&Lexeme::Slash) {
            let prefix_bits = self.prefix_bits(32)?;
            (ones_v4(prefix_bits), format!("/{prefix_bits}"))
        } else if self.takes(&Lexeme::Keyword(Keyword::Mask)) {
            let (mask, _) = ipv4(self.advance())?;
            (mask.to_bits(), format!(" mask {mask}"))
        } else {
            return Ok(Net::V4 { addr: addr.to_bits(), mask: ones_v4(ones) });
        };
        let right = Ipv4Addr::from_bits(addr.to_bits() & mask);
        if kind != Kind::Net {
            return Err(FilterError::at(
                token,
                format!("a mask makes it a network: write `net {right}{behind}`"),
            ));
        }
        let stray = || format!("`{}` has bits outside its mask; write `net {right}{behind}`", token.text);
        Net::masked_v4(addr, mask).ok_or_else(|| FilterError::at(token, stray()))
    }

    /// A number is an address of 32 bits; behind `net` its first byte that is not zero comes first.
    fn number(&self, kind: Kind, number: u32) -> Result<Net, FilterError> {
        if kind != Kind::Net {
            return Ok(Net::V4 { addr: number, mask: u32::MAX });
        }
        let next = self.peek();
        if matches!(next.lexeme, Lexeme::Slash | Lexeme::Keyword(Keyword::Mask)) {
            let message = "a mask needs an address with dots before it; write one like `net 10.0.0.0/8`";
            return Err(FilterError::at(next, message));
        }
        let zero_bits = if number == 0 { 0 } else { number.leading_zeros() / 8 * 8 };
        Ok(Net::V4 { addr: number << zero_bits, mask: u32::MAX << zero_bits })
    }

    fn with_prefix_v6(&mut self, kind: Kind, token: &Token<'_>, addr: Ipv6Addr) -> Result<Net, FilterError> {
        let prefix_bits = if self.takes(&Lexeme::Slash) { self.prefix_bits(128)? } else { 128 };
        let stray = || {
            let right = Ipv6Addr::from_bits(addr.to_bits() & ones_v6(prefix_bits));
            format!("`{}` has bits behind its prefix; write `net {right}/{prefix_bits}`", token.text)
        };
        let net = Net::prefixed_v6(addr, prefix_bits).ok_or_else(|| FilterError::at(token, stray()))?;
        if kind != Kind::Net && prefix_bits != 128 {
            let message = format!("a prefix length makes it a network: write `net {addr}/{prefix_bits}`");
            return Err(FilterError::at(token, message));
        }
        Ok(net)
    }

    fn prefix_bits(&mut self, most: u8) -> Result<u8, FilterError> {
        let token = self.advance();
        if token.lexeme == Lexeme::Dotted {
            let message = format!("a mask has a word of its own: write `mask {}` instead of `/`", token.text);
            return Err(FilterError::at(token, message));
        }
        let Lexeme::Number(number) = token.lexeme else {
            return Err(FilterError::missing(token, "a prefix length", "net 10.0.0.0/8"));
        };
        let too_long = || format!("`{}` is no prefix length here; write 0 to {most}", token.text);
        let fits = u8::try_from(number).ok().filter(|bits| *bits <= most);
        fits.ok_or_else(|| FilterError::at(token, too_long()))
    }
}

fn is_of_family(addr: IpAddr, protocol: Protocol) -> bool {
    match protocol {
        Protocol::Ip => addr.is_ipv4(),
        Protocol::Ip6 => addr.is_ipv6(),
        _ => true,
    }
}

/// An address of one to four decimal bytes, and how many bits of it are written.
fn ipv4(token: &Token<'_>) -> Result<(Ipv4Addr, u8), FilterError> {
    if token.lexeme != Lexeme::Dotted {
        return Err(FilterError::missing(token, "a mask", "net 10.0.0.0 mask 255.0.0.0"));
    }
    let (mut bytes, mut ones) = ([0; 4], 0);
    for (byte, text) in bytes.iter_mut().zip(token.text.split('.')) {
        let wrong = || format!("`{}` is no IPv4 address; write one like `192.0.2.1`", token.text);
        *byte = text.parse().map_err(|_| FilterError::at(token, wrong()))?;
        ones += 8;
    }
    Ok((bytes.into(), ones))
}

/// `ip` goes with IPv4 only, `ip6` with IPv6 only; pcap says so of other protocols too, but they have been told.
fn check_family(protocol: Protocol, token: &Token<'_>) -> Result<(), FilterError> {
    let is_v6 = matches!(token.lexeme, Lexeme::Ip6(_));
    let (word, right) = match (protocol, is_v6) {
        (Protocol::Ip, true) => ("ip", "ip6"),
        (Protocol::Ip6, false) => ("ip6", "ip"),
        _ => return Ok(()),
    };
    let message = format!("`{}` is no address of `{word}`; write `{right}`, or neither", token.text);
    Err(FilterError::at(token, message))
}
