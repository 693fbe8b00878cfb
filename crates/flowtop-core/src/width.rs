//! Texts cut to columns of a terminal: a character of East Asia takes two, a combining one none.

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::String;

use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

/// A text in at most `width` columns; where it is wider, its middle is left out.
#[must_use]
pub fn cut_middle(text: &str, width: usize, ascii: bool) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    let gap = if ascii { "~" } else { "…" };
    let room = width.saturating_sub(1);
    let head = cut_end(text, room.div_ceil(2));
    let tail = cut_start(text, room - head.width());
    if width == 0 { String::new() } else { format!("{head}{gap}{tail}") }
}

/// The beginning of a text, in at most `width` columns.
#[must_use]
pub fn cut_end(text: &str, width: usize) -> &str {
    let mut used = 0;
    for (at, c) in text.char_indices() {
        used += c.width().unwrap_or_default();
        if used > width {
            return &text[..at];
        }
    }
    text
}

/// The end of a text, in at most `width` columns.
fn cut_start(text: &str, width: usize) -> &str {
    let mut used = 0;
    for (at, c) in text.char_indices().rev() {
        used += c.width().unwrap_or_default();
        if used > width {
            return &text[at + c.len_utf8()..];
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wide_characters_take_two_columns() {
        assert_eq!(cut_middle("数据库服务器", 12, false), "数据库服务器");
        assert_eq!(cut_middle("数据库服务器", 8, false), "数据…器");
        assert_eq!(cut_end("数据库", 3), "数");
    }
}
