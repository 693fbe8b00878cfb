//! Bracketed paste: all bytes between `ESC [ 200 ~` and `ESC [ 201 ~` are text.

/// Longest text that is accepted: enough for a filter of a thousand addresses.
pub(super) const MAX_BYTES: usize = 64 * 1024;

/// End marker of bracketed paste.
const END: &[u8] = b"\x1b[201~";

/// Why a pasted text is discarded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PasteError {
    /// It is longer than 64 KiB. A part of it could be a filter that means something else.
    #[error("the pasted text is longer than 64 KiB; paste less")]
    TooLong,
    /// Its end marker did not come.
    #[error("the end of the pasted text is missing; paste it again")]
    CutOff,
}

/// A text that is being pasted.
#[derive(Debug, Default)]
pub(super) struct Paste {
    text: Vec<u8>,
    /// Number of bytes of [`END`] that the last bytes match.
    matched: usize,
    is_too_long: bool,
}

impl Paste {
    /// Takes a byte, and returns whether it completes the end marker.
    pub(super) fn take(&mut self, byte: u8) -> bool {
        if byte == END[self.matched] {
            self.matched += 1;
            return self.matched == END.len();
        }
        let matched = std::mem::take(&mut self.matched);
        self.keep(&END[..matched]);
        if byte == END[0] {
            self.matched = 1;
        } else {
            self.keep(&[byte]);
        }
        false
    }

    fn keep(&mut self, bytes: &[u8]) {
        if self.text.len() + bytes.len() > MAX_BYTES {
            self.is_too_long = true;
            self.text = Vec::new();
        } else if !self.is_too_long {
            self.text.extend_from_slice(bytes);
        }
    }

    /// The text without invalid UTF-8.
    pub(super) fn text(self) -> Result<String, PasteError> {
        if self.is_too_long {
            return Err(PasteError::TooLong);
        }
        Ok(self.text.utf8_chunks().map(|chunk| chunk.valid()).collect())
    }
}
