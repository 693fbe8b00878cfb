//! Questions about the layer below IP and about single packets. A TCP socket knows neither, but of some the answer is
//! the same for every packet of TCP: it is sent to one station, and it is in IPv4 or IPv6.

use alloc::format;
use alloc::string::{String, ToString as _};

use super::error::FilterError;
use super::expr::{Expr, Test};
use super::lexer::{Lexeme, Token};
use super::parse::Parser;
use super::words::{Keyword, Kind, Layer, Protocol};

/// The types of Ethernet frames that hold IP.
const IPV4: u32 = 0x0800;
const IPV6: u32 = 0x86dd;

impl<'a> Parser<'a> {
    /// What stands behind `ether`, `link` and their like.
    pub(super) fn link(&mut self, start: &'a Token<'a>) -> Result<Expr, FilterError> {
        let token = self.peek();
        match token.lexeme {
            Lexeme::Keyword(Keyword::Cast(word)) => {
                self.advance();
                Ok(self.never(&format!("ether {word}"), token))
            }
            Lexeme::Keyword(Keyword::Kind(Kind::Proto)) => {
                self.advance();
                self.frame_type(start)
            }
            Lexeme::Keyword(Keyword::Src | Keyword::Dst | Keyword::Kind(Kind::Host)) => self.station(start),
            _ => Err(FilterError::refused(start, Layer::Link)),
        }
    }

    /// `ether proto`.
    fn frame_type(&mut self, start: &Token<'_>) -> Result<Expr, FilterError> {
        let token = self.advance();
        let number = match &token.lexeme {
            Lexeme::Number(number) => *number,
            Lexeme::Name(name) if name == "ip" => IPV4,
            Lexeme::Name(name) if name == "ip6" => IPV6,
            Lexeme::Keyword(Keyword::Protocol(Protocol::Ip)) => IPV4,
            Lexeme::Keyword(Keyword::Protocol(Protocol::Ip6)) => IPV6,
            Lexeme::Keyword(Keyword::Protocol(_)) | Lexeme::Name(_) => {
                let word = token.text.trim_start_matches('\\');
                return Ok(self.never(&format!("ether proto \\{word}"), start));
            }
            _ => return Err(FilterError::missing(token, "a type of frame", "ether proto 0x0800")),
        };
        Ok(match number {
            IPV4 => Test::Ip.into(),
            IPV6 => Test::Ip6.into(),
            number => self.never(&format!("ether proto {number}"), start),
        })
    }

    /// `ether host`, with or without ends. A group address, such as the one for all stations, is none of a TCP packet.
    fn station(&mut self, start: &Token<'_>) -> Result<Expr, FilterError> {
        let mut written = String::from("ether");
        while let Lexeme::Keyword(Keyword::Src | Keyword::Dst | Keyword::Kind(Kind::Host))
        | Lexeme::Or
        | Lexeme::And = self.peek().lexeme
        {
            let token = self.advance();
            written = format!("{written} {}", plain(token));
        }
        let token = self.advance();
        if token.lexeme != Lexeme::Mac {
            return Err(FilterError::missing(token, "a link-layer address", "ether host 00:11:22:33:44:55"));
        }
        written = format!("{written} {}", token.text);
        if is_group(token.text) {
            return Ok(self.never(&written, start));
        }
        Ok(self.unknown(written, FilterError::refused(start, Layer::Link)))
    }

    /// A word about a packet or a frame, with the number that may stand behind it.
    pub(super) fn refused(&mut self, token: &Token<'_>, layer: Layer) -> Result<Expr, FilterError> {
        let error = FilterError::refused(token, layer);
        if !["less", "greater", "vlan", "mpls"].contains(&token.text) {
            return Err(error);
        }
        self.advance();
        let mut written = token.text.to_string();
        if let Lexeme::Number(number) = self.peek().lexeme {
            self.advance();
            written = format!("{written} {number}");
        }
        Ok(self.unknown(written, error))
    }
}

/// `and` and `or` in letters.
fn plain<'a>(token: &Token<'a>) -> &'a str {
    match token.lexeme {
        Lexeme::And => "and",
        Lexeme::Or => "or",
        _ => token.text,
    }
}

/// Whether a link-layer address is one of several stations: the lowest bit of its first byte is set.
fn is_group(mac: &str) -> bool {
    let first = match mac.split_once([':', '-']) {
        Some((first, _)) => first,
        None if mac.contains('.') && mac.split('.').count() == 6 => mac.split('.').next().unwrap_or_default(),
        None => mac.get(..2).unwrap_or_default(),
    };
    u8::from_str_radix(first, 16).is_ok_and(|byte| byte & 1 == 1)
}
