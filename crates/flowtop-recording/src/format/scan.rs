//! The frames in some bytes, whatever else is in there. Every frame that is intact is found, and what lies between is
//! told as damage: neighbouring bytes that cannot be read are one.

use memchr::memmem;

use super::frame::{Cause, Damage, Frame, MAGIC};

/// A frame, or bytes that are none.
#[derive(Clone, Debug)]
pub enum Found<'a> {
    /// A frame whose checksums are right.
    Frame(Frame<'a>),
    /// Bytes that cannot be read.
    Damage(Damage),
}

/// Goes through bytes from one frame to the next.
pub fn scan(bytes: &[u8]) -> impl Iterator<Item = Found<'_>> {
    Scan { bytes, at: 0, next: None }
}

struct Scan<'a> {
    bytes: &'a [u8],
    at: usize,
    /// The frame behind damage that has been told, if it has been read already.
    next: Option<Frame<'a>>,
}

impl<'a> Iterator for Scan<'a> {
    type Item = Found<'a>;

    fn next(&mut self) -> Option<Found<'a>> {
        if let Some(frame) = self.next.take() {
            return Some(self.pass(frame));
        }
        if self.at >= self.bytes.len() {
            return None;
        }
        match self.frame_at(self.at) {
            Ok(frame) => Some(self.pass(frame)),
            Err(damage) => Some(Found::Damage(self.pass_damage(damage.cause))),
        }
    }
}

impl<'a> Scan<'a> {
    fn frame_at(&self, at: usize) -> Result<Frame<'a>, Damage> {
        Frame::parse(&self.bytes[at..], at as u64)
    }

    fn pass(&mut self, frame: Frame<'a>) -> Found<'a> {
        self.at += frame.head().frame_bytes;
        Found::Frame(frame)
    }

    /// Goes on to the next frame that can be read, or to the end. Frames of a newer version are damage of their own.
    fn pass_damage(&mut self, cause: Cause) -> Damage {
        let from = self.at;
        if let (Cause::Newer(_), Err(damage)) = (cause, self.frame_at(from)) {
            self.at += usize::try_from(damage.bytes).unwrap_or(usize::MAX);
            return damage;
        }
        self.at = self.bytes.len();
        for found in memmem::find_iter(&self.bytes[from + 1..], &MAGIC) {
            let at = from + 1 + found;
            match self.frame_at(at) {
                Ok(frame) => self.next = Some(frame),
                Err(Damage { cause: Cause::Newer(_), .. }) => {}
                Err(_) => continue,
            }
            self.at = at;
            break;
        }
        Damage { offset: from as u64, bytes: (self.at - from) as u64, cause }
    }
}
