//! Lines of CSV, in reports on recordings and in live ones. Fields are written and quoted by [`Value::write_csv`].

use std::io;

use flowtop_core::value::Value;

/// A line after another, all of which begin with the same fields.
pub struct Line {
    /// Each field with a comma behind it.
    text: String,
    front_bytes: usize,
}

impl Line {
    /// Of lines that begin with these fields.
    #[must_use]
    pub fn after(front: &[Value]) -> Self {
        let mut line = Self { text: String::new(), front_bytes: 0 };
        for value in front {
            line.push(|field| value.write_csv(field));
        }
        line.front_bytes = line.text.len();
        line
    }

    /// Adds the field that `write` writes.
    pub fn push(&mut self, write: impl FnOnce(&mut String)) {
        write(&mut self.text);
        self.text.push(',');
    }

    /// Writes the line with its end, and begins the next one.
    ///
    /// # Errors
    /// What `out` does not take.
    pub fn end(&mut self, out: &mut impl io::Write) -> io::Result<()> {
        self.text.pop();
        self.text.push('\n');
        out.write_all(self.text.as_bytes())?;
        self.text.truncate(self.front_bytes);
        Ok(())
    }
}
