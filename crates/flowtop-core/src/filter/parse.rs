//! pcap's grammar: the tests of an expression, and how they are joined.
//!
//! Three of its rules surprise, and all are kept:
//! - `not` binds tightest; `and` and `or` rank the same and join from left to right.
//! - A value without a word before it takes the words of the question before it: `src port 80 or 443`. What stands
//!   in parentheses is passed over: in `port 80 or (tcp) or 443` the last value is a port.
//! - A list of values may stand in parentheses behind its word, `port (80 or 443)`, in one pair.
//!
//! One rule is flowtop's own: behind a word that asks for a name, as `label` or `comm`, a word of the language is a name
//! where nothing else could be read, `label pod`. pcap has no such word, and behind its own ones it is an error as there.
//!
//! Not in here: what a value means (`operand`).

use super::Names;
use super::error::FilterError;
use super::expr::{Ends, Expr, Test, Word};
use super::lexer::{self, Lexeme, Token};
use super::words::{Keyword, Kind, Protocol};
use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

/// How deep `not`, parentheses and changes between `and` and `or` may be nested. Keeps every walk over the tree
/// far from the end of the stack.
pub(super) const MAX_LEVELS: usize = 128;

/// An expression, `None` for an empty text.
pub(super) fn expression(text: &str, names: &dyn Names) -> Result<Option<Expr>, FilterError> {
    let tokens = lexer::tokens(text);
    let mut parser = Parser { tokens: &tokens, at: 0, names, levels: 0, remarks: Vec::new() };
    if parser.peek().lexeme == Lexeme::End {
        return Ok(None);
    }
    let (expr, _) = parser.list(None)?;
    match parser.peek() {
        Token { lexeme: Lexeme::End, .. } => parser.judged(expr).map(Some),
        token => Err(FilterError::behind_an_expression(token)),
    }
}

/// Reads tokens from left to right. The last one is `End` or `Bad`, and is never passed.
pub(super) struct Parser<'a> {
    tokens: &'a [Token<'a>],
    at: usize,
    pub(super) names: &'a dyn Names,
    levels: usize,
    /// What is wrong with a question, should it decide that nothing can match.
    remarks: Vec<(Test, FilterError)>,
}

/// Words before a value, such as `src host`.
#[derive(Clone, Copy)]
pub(super) struct Head<'a> {
    pub(super) protocol: Protocol,
    pub(super) ends: Ends,
    pub(super) kind: Kind,
    /// The first of the words, `None` if they are taken from the question before.
    pub(super) written: Option<&'a Token<'a>>,
}

type Parsed<'a> = Result<(Expr, Option<Head<'a>>), FilterError>;

impl<'a> Parser<'a> {
    pub(super) fn peek(&self) -> &'a Token<'a> {
        &self.tokens[self.at]
    }

    pub(super) fn advance(&mut self) -> &'a Token<'a> {
        let token = self.peek();
        self.at = (self.at + 1).min(self.tokens.len() - 1);
        token
    }

    /// The token is there and is taken.
    pub(super) fn takes(&mut self, lexeme: &Lexeme) -> bool {
        let there = self.peek().lexeme == *lexeme;
        if there {
            self.advance();
        }
        there
    }

    /// A test that never matches. Wrong only where the whole expression cannot match either.
    pub(super) fn never(&mut self, written: &str, token: &Token<'_>) -> Expr {
        let message =
            format!("`{written}` never matches, because flowtop counts TCP sockets only; remove it");
        self.constant(Test::Never(written.to_owned()), FilterError::at(token, message))
    }

    /// What is true of every TCP socket, so that its opposite is not.
    pub(super) fn always(&mut self, token: &Token<'_>) -> Expr {
        let message = "flowtop counts TCP only, and without it the filter never matches; remove it";
        self.constant(Test::Tcp, FilterError::at(token, message))
    }

    /// What a TCP socket does not know. Wrong wherever it makes a difference.
    pub(super) fn unknown(&mut self, written: String, error: FilterError) -> Expr {
        self.constant(Test::Unknown(written), error)
    }

    pub(super) fn constant(&mut self, test: Test, error: FilterError) -> Expr {
        self.remarks.push((test.clone(), error));
        test.into()
    }

    /// The expression, if it can match something and asks only what a socket knows.
    fn judged(self, expr: Expr) -> Result<Expr, FilterError> {
        let wrong = match expr.unknown() {
            Some(written) => Some(Test::Unknown(written.to_owned())),
            None if expr.constant() == Some(false) => expr.decisive().cloned(),
            None => None,
        };
        let remark = self.remarks.into_iter().find(|(test, _)| Some(test) == wrong.as_ref());
        remark.map_or(Ok(expr), |(_, error)| Err(error))
    }

    /// Terms, joined by `and` and `or`, behind a question with these words.
    fn list(&mut self, before: Option<Head<'a>>) -> Parsed<'a> {
        let (first, mut head) = self.term(before)?;
        let expr = self.joined(first, |parser| {
            let (next, next_head) = parser.behind_a_word(head)?;
            head = next_head;
            Ok(next)
        })?;
        Ok((expr, head))
    }

    /// An expression and what `and` and `or` join to it, from left to right.
    fn joined(
        &mut self,
        mut expr: Expr,
        mut next: impl FnMut(&mut Self) -> Result<Expr, FilterError>,
    ) -> Result<Expr, FilterError> {
        let (levels, mut last) = (self.levels, None);
        while let Some((word, token)) = self.word() {
            if last.replace(word).is_some_and(|last| last != word) {
                self.enter(token).map_err(|_| FilterError::at(token, turns()))?;
            }
            expr = expr.joined(word, next(self)?);
        }
        self.levels = levels;
        Ok(expr)
    }

    /// A term, or a value with the words of the term before.
    fn behind_a_word(&mut self, before: Option<Head<'a>>) -> Parsed<'a> {
        let is_value = self.is_value_ahead() || before.is_some_and(|head| self.is_lone_kind(head.kind));
        if !is_value {
            return self.term(before);
        }
        let Some(head) = before else {
            return Err(FilterError::bare(&self.tokens[self.first_value()..]));
        };
        let head = Head { written: None, ..head };
        Ok((self.value(head)?, Some(head)))
    }

    /// One question, a negated term, or a list in parentheses.
    fn term(&mut self, before: Option<Head<'a>>) -> Parsed<'a> {
        let token = self.peek();
        match &token.lexeme {
            Lexeme::Not => {
                self.advance();
                self.enter(token)?;
                let (expr, head) = self.term(before)?;
                self.levels -= 1;
                Ok((expr.negated(), head))
            }
            Lexeme::Open => {
                self.advance();
                self.enter(token)?;
                let (expr, _) = self.list(before)?;
                self.close()?;
                Ok((expr, before))
            }
            Lexeme::Keyword(_) => self.question(),
            lexeme if lexeme.is_value() => Err(FilterError::bare(&self.tokens[self.at..])),
            _ => Err(FilterError::missing(token, "an expression", "port 443")),
        }
    }

    fn question(&mut self) -> Parsed<'a> {
        let start = self.peek();
        if self.takes(&Lexeme::Keyword(Keyword::Link)) {
            return Ok((self.link(start)?, None));
        }
        let protocol = self.protocol();
        let ends = self.ends()?;
        let kind = self.kind();
        let Some(kind) = kind.or(ends.map(|_| Kind::Host)) else {
            return Ok((self.lone(protocol, start)?, None));
        };
        let head = Head {
            protocol: protocol.unwrap_or(Protocol::Any),
            ends: ends.unwrap_or(Ends::Either),
            kind,
            written: Some(start),
        };
        if (ends.is_some() && !kind.has_ends()) || !head.protocol.takes(kind) {
            return Err(FilterError::misplaced(start, kind));
        }
        Ok((self.value(head)?, Some(head)))
    }

    fn protocol(&mut self) -> Option<Protocol> {
        let Lexeme::Keyword(Keyword::Protocol(protocol)) = self.peek().lexeme else { return None };
        self.advance();
        Some(protocol)
    }

    fn kind(&mut self) -> Option<Kind> {
        let Lexeme::Keyword(Keyword::Kind(kind)) = self.peek().lexeme else { return None };
        self.advance();
        Some(kind)
    }

    /// `src`, `dst`, or both, joined.
    fn ends(&mut self) -> Result<Option<Ends>, FilterError> {
        let (ends, other) = match self.peek().lexeme {
            Lexeme::Keyword(Keyword::Src) => (Ends::Source, Keyword::Dst),
            Lexeme::Keyword(Keyword::Dst) => (Ends::Destination, Keyword::Src),
            _ => return Ok(None),
        };
        self.advance();
        let Some((word, _)) = self.word() else { return Ok(Some(ends)) };
        let token = self.peek();
        if !self.takes(&Lexeme::Keyword(other)) {
            return Err(FilterError::at(
                token,
                "`src` and `dst` only join each other here: `src or dst port 80`",
            ));
        }
        Ok(Some(if word == Word::And { Ends::Both } else { Ends::Either }))
    }

    /// A question that has no value, behind the protocol it may have.
    fn lone(&mut self, protocol: Option<Protocol>, start: &Token<'_>) -> Result<Expr, FilterError> {
        let token = self.peek();
        let test = match (protocol, &token.lexeme) {
            (_, Lexeme::Keyword(Keyword::Cast(word))) => {
                self.advance();
                return Ok(self.never(word, token));
            }
            (Some(Protocol::Ip), _) => Test::Ip,
            (Some(Protocol::Ip6), _) => Test::Ip6,
            (Some(Protocol::Tcp | Protocol::Any), _) => return Ok(self.always(start)),
            (Some(Protocol::Ported(word) | Protocol::Addressed(word) | Protocol::Other(word)), _) => {
                return Ok(self.never(word, start));
            }
            (None, Lexeme::Keyword(Keyword::Inbound)) => self.taken(Test::Inbound),
            (None, Lexeme::Keyword(Keyword::Outbound)) => self.taken(Test::Outbound),
            (None, Lexeme::Keyword(Keyword::Refused(layer))) => {
                return self.refused(token, *layer);
            }
            _ => return Err(FilterError::missing(token, "an expression", "port 443")),
        };
        Ok(test.into())
    }

    fn taken(&mut self, test: Test) -> Test {
        self.advance();
        test
    }

    /// A value, a negated one, or a list of them in parentheses.
    fn value(&mut self, head: Head<'a>) -> Result<Expr, FilterError> {
        let token = self.peek();
        match &token.lexeme {
            Lexeme::Not => {
                self.advance();
                self.enter(token)?;
                let expr = self.value(head)?;
                self.levels -= 1;
                Ok(expr.negated())
            }
            Lexeme::Open => {
                self.advance();
                self.enter(token)?;
                self.values(head)
            }
            Lexeme::Keyword(_) if self.is_name(self.at, head.kind) => self.operand(head),
            Lexeme::Keyword(_) => Err(FilterError::keyword_as_value(token, head.kind)),
            lexeme if lexeme.is_value() => self.operand(head),
            _ => Err(FilterError::missing(token, "a value", head.kind.example())),
        }
    }

    /// A list of values behind its open parenthesis. pcap lets it begin with another one for a lone number only.
    fn values(&mut self, head: Head<'a>) -> Result<Expr, FilterError> {
        let first = self.peek();
        if first.lexeme == Lexeme::Open && !self.is_number_in_parentheses() {
            return Err(FilterError::at(
                first,
                "a list of values begins with one parenthesis; remove this one",
            ));
        }
        let value = self.value(head)?;
        let expr = self.joined(value, |parser| parser.value(Head { written: None, ..head }))?;
        self.close()?;
        Ok(expr)
    }

    /// `and` or `or`, taken, with its token.
    fn word(&mut self) -> Option<(Word, &'a Token<'a>)> {
        let word = match self.peek().lexeme {
            Lexeme::And => Word::And,
            Lexeme::Or => Word::Or,
            _ => return None,
        };
        Some((word, self.advance()))
    }

    fn enter(&mut self, token: &Token<'_>) -> Result<(), FilterError> {
        self.levels += 1;
        if self.levels > MAX_LEVELS {
            let message = format!("the expression is nested more than {MAX_LEVELS} deep; make it flatter");
            return Err(FilterError::at(token, message));
        }
        Ok(())
    }

    fn close(&mut self) -> Result<(), FilterError> {
        self.levels -= 1;
        let token = self.peek();
        if self.takes(&Lexeme::Close) { Ok(()) } else { Err(FilterError::unclosed(token)) }
    }

    /// The place of the first token that is neither a parenthesis nor `not`.
    fn first_value(&self) -> usize {
        let skipped = |token: &Token<'_>| matches!(token.lexeme, Lexeme::Open | Lexeme::Not);
        let ahead = self.tokens[self.at..].iter().take_while(|token| skipped(token)).count();
        (self.at + ahead).min(self.tokens.len() - 1)
    }

    fn is_value_ahead(&self) -> bool {
        self.tokens[self.first_value()].lexeme.is_value()
    }

    /// Whether the word of the language at `place` is a name: nothing that belongs to it stands behind it.
    fn is_name(&self, place: usize, kind: Kind) -> bool {
        let behind = self.tokens.get(place + 1).map(|token| &token.lexeme);
        kind.is_name() && matches!(behind, Some(Lexeme::And | Lexeme::Or | Lexeme::Close | Lexeme::End))
    }

    /// Whether a word is ahead that would ask for a value, and has none: it is a name like the ones before it.
    fn is_lone_kind(&self, kind: Kind) -> bool {
        let place = self.first_value();
        matches!(self.tokens[place].lexeme, Lexeme::Keyword(Keyword::Kind(_))) && self.is_name(place, kind)
    }

    fn is_number_in_parentheses(&self) -> bool {
        let rest = &self.tokens[self.at..];
        let depth = rest.iter().take_while(|token| token.lexeme == Lexeme::Open).count();
        let number = rest.get(depth).is_some_and(|token| matches!(token.lexeme, Lexeme::Number(_)));
        let closed = rest.iter().skip(depth + 1).take_while(|token| token.lexeme == Lexeme::Close).count();
        number && closed >= depth
    }
}

/// Error of a chain that is nested too deep: each change between `and` and `or` is a level.
fn turns() -> String {
    format!(
        "`and` and `or` take turns more than {MAX_LEVELS} times; put what belongs together in parentheses"
    )
}

impl Lexeme {
    /// Whether it can be the value of a question.
    fn is_value(&self) -> bool {
        matches!(
            self,
            Self::Name(_)
                | Self::Number(_)
                | Self::Dotted
                | Self::Ip6(_)
                | Self::Mac
                | Self::Quoted(_)
                | Self::Pattern
        )
    }
}
