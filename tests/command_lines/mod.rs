//! The command lines of iftop's users, with `flowtop` for `iftop`.

/// A command line and how it ends.
pub struct Line {
    /// Its number in the list of those that were collected, and a letter if that one was several.
    pub id: &'static str,
    /// The line as typed, without the prompt.
    pub text: &'static str,
    /// stderr of a line that flowtop refuses; `None` for one that runs.
    pub error: Option<&'static str>,
}

/// The lines of `lines.tsv`.
pub fn lines() -> Vec<Line> {
    let rows = include_str!("lines.tsv").lines().skip(1);
    let line = |row: &'static str| {
        let [id, text, outcome] = row.split('\t').collect::<Vec<_>>()[..] else {
            panic!("{row} has not three columns")
        };
        Line { id, text, error: (outcome != "runs").then_some(outcome) }
    };
    rows.map(line).collect()
}

impl Line {
    /// The arguments as a shell splits them: blanks, single and double quotes.
    pub fn args(&self) -> Vec<String> {
        let (mut words, mut quote, mut in_word) = (Vec::<String>::new(), None, false);
        for c in self.text.chars() {
            match (c, quote) {
                (' ', None) => in_word = false,
                ('\'' | '"', None) => quote = Some(c),
                (c, Some(open)) if c == open => quote = None,
                (c, _) if in_word => words.last_mut().unwrap().push(c),
                (c, _) => {
                    words.push(c.to_string());
                    in_word = true;
                }
            }
        }
        assert_eq!(words.remove(0), "flowtop", "{}", self.id);
        words
    }
}
