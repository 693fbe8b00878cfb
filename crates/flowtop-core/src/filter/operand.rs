//! Values behind keywords: ports, protocols, processes, states, namespaces.
//!
//! Not in here: where a value may stand (`parse`), and addresses (`address`).

use alloc::format;
use core::ops::RangeInclusive;

use super::error::FilterError;
use super::expr::{Expr, Test, Word};
use super::glob::Glob;
use super::lexer::{Lexeme, Token};
use super::parse::{Head, Parser};
use super::state;
use super::words::{self, Kind, Named, Protocol};

/// Bytes that the kernel keeps of a process's name.
const COMM_BYTES: usize = 15;

impl<'a> Parser<'a> {
    /// The question that a value and the words before it ask.
    pub(super) fn operand(&mut self, head: Head<'a>) -> Result<Expr, FilterError> {
        let token = self.advance();
        let Some(word) = head.protocol.foreign() else { return self.question_about(head, token) };
        // The names of another protocol are not looked up; everything else has to be well-formed.
        if !matches!(token.lexeme, Lexeme::Name(_)) {
            self.question_about(head, token)?;
        }
        Ok(self.never(word, head.written.unwrap_or(token)))
    }

    fn question_about(&mut self, head: Head<'a>, token: &'a Token<'a>) -> Result<Expr, FilterError> {
        let test = match head.kind {
            Kind::Host | Kind::Net => return self.place(head, token),
            Kind::Port => self.port(token).map(|port| Test::Port(head.ends, port..=port)),
            Kind::PortRange => self.port_range(token).map(|range| Test::Port(head.ends, range)),
            Kind::Proto => return self.ip_protocol(head.protocol, token),
            Kind::Pid => number(token, head.kind).map(Test::Pid),
            Kind::Comm => comm(token).map(Test::Comm),
            Kind::Named(Named::User) => return self.user(token),
            Kind::Named(named) => pattern(token, head.kind).map(|glob| Test::Named(named, glob)),
            Kind::State => return self.tcp_state(token),
            Kind::Netns => self.netns(token).map(Test::Netns),
        };
        test.map(Expr::from)
    }

    fn port(&self, token: &Token<'_>) -> Result<u16, FilterError> {
        match &token.lexeme {
            Lexeme::Number(number) => port_number(*number, token),
            Lexeme::Name(name) => self.port_named(name, token),
            _ => Err(FilterError::wrong(token, Kind::Port)),
        }
    }

    /// A range; a single port is one, and two in the wrong order are turned around, as in pcap.
    fn port_range(&self, token: &Token<'_>) -> Result<RangeInclusive<u16>, FilterError> {
        let (first, last) = match &token.lexeme {
            Lexeme::Number(number) => {
                let port = port_number(*number, token)?;
                (port, port)
            }
            Lexeme::Name(name) => self.two_ports(name, token)?,
            _ => return Err(FilterError::wrong(token, Kind::PortRange)),
        };
        Ok(first.min(last)..=first.max(last))
    }

    /// `A-B`. A service may have a `-` in its name, so the one that has ports on both sides of it counts.
    fn two_ports(&self, text: &str, token: &Token<'_>) -> Result<(u16, u16), FilterError> {
        let halves = text.match_indices('-').map(|(at, _)| (&text[..at], &text[at + 1..]));
        let mut error = FilterError::wrong(token, Kind::PortRange);
        for (first, last) in halves {
            match (self.port_named(first, token), self.port_named(last, token)) {
                (Ok(first), Ok(last)) => return Ok((first, last)),
                (Err(problem), _) | (_, Err(problem)) => error = problem,
            }
        }
        Err(error)
    }

    /// A service, or a number in decimal.
    fn port_named(&self, name: &str, token: &Token<'_>) -> Result<u16, FilterError> {
        if is_number(name) {
            return port_number(name.parse().unwrap_or(u32::MAX), token);
        }
        let unknown = || match name.split_once('-') {
            Some((first, last)) if is_number(first) && is_number(last) => {
                format!("`{name}` is a range; write `portrange {name}`")
            }
            _ => format!("`{name}` is no TCP service that this host knows; write the number of the port"),
        };
        self.names.service(name).ok_or_else(|| FilterError::at(token, unknown()))
    }

    /// `user`, by name or by number. A user that has a name is known by it.
    fn user(&self, token: &Token<'_>) -> Result<Expr, FilterError> {
        let asked = Expr::from(Test::Named(Named::User, pattern(token, Kind::Named(Named::User))?));
        let Lexeme::Number(number) = token.lexeme else { return Ok(asked) };
        let Some(name) = self.names.user(number) else { return Ok(asked) };
        Ok(asked.joined(Word::Or, Test::Named(Named::User, Glob::exactly(&name)).into()))
    }

    /// `proto`: TCP in both families or one, or what never matches.
    fn ip_protocol(&mut self, family: Protocol, token: &Token<'_>) -> Result<Expr, FilterError> {
        let number = match &token.lexeme {
            Lexeme::Number(number) => *number,
            Lexeme::Name(name) => words::protocol_number(name).ok_or_else(|| {
                FilterError::at(token, format!("`{name}` is no protocol above IP; write its number"))
            })?,
            _ => return Err(FilterError::wrong(token, Kind::Proto)),
        };
        Ok(match (number, family) {
            (6, Protocol::Ip) => Test::Ip.into(),
            (6, Protocol::Ip6) => Test::Ip6.into(),
            (6, _) => self.always(token),
            (other, _) => self.never(&format!("proto {other}"), token),
        })
    }

    fn tcp_state(&mut self, token: &Token<'_>) -> Result<Expr, FilterError> {
        let number = match &token.lexeme {
            Lexeme::Name(name) => state::number(name),
            _ => None,
        };
        let unknown = || format!("`{}` is no TCP state; write one of {}", token.text, state::list());
        let number = number.ok_or_else(|| FilterError::at(token, unknown()))?;
        if state::is_counted(number) {
            return Ok(Test::State(number).into());
        }
        let why = format!(
            "`{}` never matches, because flowtop counts a connection from ESTABLISHED on; write one of {}",
            token.text,
            state::list()
        );
        Ok(self.constant(Test::Never(format!("state {}", state::name(number))), FilterError::at(token, why)))
    }

    fn netns(&self, token: &Token<'_>) -> Result<u32, FilterError> {
        match &token.lexeme {
            Lexeme::Name(name) if name == "self" => Ok(self.names.own_netns()),
            _ => number(token, Kind::Netns),
        }
    }
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn port_number(number: u32, token: &Token<'_>) -> Result<u16, FilterError> {
    let too_large = || format!("`{}` is no port; the largest one is 65535", token.text);
    number.try_into().map_err(|_| FilterError::at(token, too_large()))
}

fn number(token: &Token<'_>, kind: Kind) -> Result<u32, FilterError> {
    match token.lexeme {
        Lexeme::Number(number) => Ok(number),
        _ => Err(FilterError::wrong(token, kind)),
    }
}

/// A pattern. Unquoted, it is whatever the text looks like: a process may be called `80`.
fn pattern(token: &Token<'_>, kind: Kind) -> Result<Glob, FilterError> {
    let glob = match &token.lexeme {
        Lexeme::Quoted(text) => Glob::parse(text),
        _ => Glob::parse(token.text),
    };
    if glob.is_empty() {
        let message = format!("the name is empty; write one like `{}`, or `*` for any", kind.example());
        return Err(FilterError::at(token, message));
    }
    Ok(glob)
}

/// Parses the name of a process.
fn comm(token: &Token<'_>) -> Result<Glob, FilterError> {
    let glob = pattern(token, Kind::Comm)?;
    if glob.shortest_chars() > COMM_BYTES {
        let message = format!(
            "`{}` never matches, because the kernel keeps {COMM_BYTES} bytes of a name; cut it there",
            token.text
        );
        return Err(FilterError::at(token, message));
    }
    Ok(glob)
}
