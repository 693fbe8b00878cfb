//! Text with the colours of a terminal → a picture as SVG.

use std::fmt::Write as _;

use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

/// Size of a cell, in the units of the picture.
const CELL: (f64, f64) = (8.4, 18.0);
const MARGIN: f64 = 10.0;
const BACKGROUND: &str = "#16181d";
const FOREGROUND: &str = "#d4d7dd";
/// The 16 colours that every terminal has its own idea of.
const ANSI: [&str; 16] = [
    "#000000", "#cc5555", "#55aa55", "#cdaa55", "#5577cc", "#aa55aa", "#55aaaa", "#cccccc", "#666666",
    "#ff7777", "#77dd77", "#ffdd77", "#7799ff", "#dd77dd", "#77dddd", "#ffffff",
];

#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Style {
    fg: Option<String>,
    bg: Option<String>,
    bold: bool,
    underline: bool,
    reverse: bool,
}

impl Style {
    fn ink(&self) -> &str {
        let (fg, bg) = (self.fg.as_deref().unwrap_or(FOREGROUND), self.bg.as_deref().unwrap_or(BACKGROUND));
        if self.reverse { bg } else { fg }
    }

    fn paper(&self) -> Option<&str> {
        if self.reverse { Some(self.fg.as_deref().unwrap_or(FOREGROUND)) } else { self.bg.as_deref() }
    }

    /// Takes the parameters of one `ESC [ … m`.
    fn take(&mut self, parameters: &str) {
        let mut numbers = parameters.split(';').map(|number| number.parse::<u8>().unwrap_or(0));
        while let Some(number) = numbers.next() {
            match number {
                0 => *self = Self::default(),
                1 => self.bold = true,
                4 => self.underline = true,
                7 => self.reverse = true,
                22 => self.bold = false,
                24 => self.underline = false,
                27 => self.reverse = false,
                30..=37 => self.fg = Some(colour(number - 30)),
                38 => self.fg = extended(&mut numbers),
                39 => self.fg = None,
                40..=47 => self.bg = Some(colour(number - 40)),
                48 => self.bg = extended(&mut numbers),
                49 => self.bg = None,
                90..=97 => self.fg = Some(colour(number - 82)),
                100..=107 => self.bg = Some(colour(number - 92)),
                _ => {}
            }
        }
    }
}

/// The parameters behind SGR 38 and 48: `5;n` of xterm's palette, or `2;r;g;b`.
fn extended(numbers: &mut impl Iterator<Item = u8>) -> Option<String> {
    match numbers.next()? {
        5 => numbers.next().map(colour),
        2 => Some(format!("#{:02x}{:02x}{:02x}", numbers.next()?, numbers.next()?, numbers.next()?)),
        _ => None,
    }
}

/// RGB of one of xterm's 256 colours.
fn colour(n: u8) -> String {
    let step = |n: u8| if n == 0 { 0 } else { 55 + 40 * n };
    match n {
        0..16 => ANSI[usize::from(n)].to_owned(),
        16..232 => {
            let n = n - 16;
            format!("#{:02x}{:02x}{:02x}", step(n / 36), step(n / 6 % 6), step(n % 6))
        }
        _ => {
            let grey = 8 + 10 * (n - 232);
            format!("#{grey:02x}{grey:02x}{grey:02x}")
        }
    }
}

/// Characters of one style that follow each other.
struct Run {
    column: usize,
    columns: usize,
    text: String,
    style: Style,
}

/// The picture of a screen, as `tmux capture-pane -p -e` prints it.
pub fn picture(screen: &str) -> String {
    let mut style = Style::default();
    let lines: Vec<Vec<Run>> = screen.lines().map(|line| runs(line, &mut style)).collect();
    let columns = lines.iter().flatten().map(|run| run.column + run.columns).max().unwrap_or_default();
    let (width, height) =
        (columns as f64 * CELL.0 + 2.0 * MARGIN, lines.len() as f64 * CELL.1 + 2.0 * MARGIN);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width:.1} {height:.1}\" \
         font-family=\"'DejaVu Sans Mono', Menlo, Consolas, 'Noto Sans Mono CJK SC', monospace\" font-size=\"14\">\n\
         <rect width=\"100%\" height=\"100%\" rx=\"6\" fill=\"{BACKGROUND}\"/>\n"
    );
    for (line, runs) in lines.iter().enumerate() {
        for run in runs {
            write_run(&mut svg, MARGIN + line as f64 * CELL.1, run);
        }
    }
    svg + "</svg>\n"
}

fn runs(line: &str, style: &mut Style) -> Vec<Run> {
    let mut runs = Vec::<Run>::new();
    let (mut rest, mut column) = (line, 0);
    while let Some(c) = rest.chars().next() {
        if let Some((parameters, after)) = rest.strip_prefix("\x1b[").and_then(|rest| rest.split_once('m')) {
            style.take(parameters);
            rest = after;
            continue;
        }
        rest = &rest[c.len_utf8()..];
        let columns = c.width().unwrap_or_default();
        // Blocks are drawn one by one, blanks are only coloured.
        let joins = |run: &Run| run.style == *style && !is_block(c) && !run.text.ends_with(is_block);
        match runs.last_mut().filter(|run| joins(run)) {
            Some(run) => {
                run.text.push(c);
                run.columns += columns;
            }
            None => runs.push(Run { column, columns, text: c.to_string(), style: style.clone() }),
        }
        column += columns;
    }
    runs
}

fn is_block(c: char) -> bool {
    ('\u{2581}'..='\u{258f}').contains(&c)
}

fn write_run(svg: &mut String, top: f64, run: &Run) {
    let (x, width) = (MARGIN + run.column as f64 * CELL.0, run.columns as f64 * CELL.0);
    if let Some(paper) = run.style.paper() {
        rect(svg, (x, top, width, CELL.1), paper);
    }
    match run.text.chars().next() {
        Some(c) if is_block(c) => {
            let eighths = f64::from(u32::from(c) - 0x2580);
            // The lower eighths come first, then the left ones, from seven down to one.
            let block = if eighths <= 8.0 {
                (x, top + CELL.1 * (1.0 - eighths / 8.0), width, CELL.1 * eighths / 8.0)
            } else {
                (x, top, width * (16.0 - eighths) / 8.0, CELL.1)
            };
            rect(svg, block, run.style.ink());
        }
        _ => write_words(svg, x, top, run),
    }
}

/// Words with more than one blank between them are written each at its own column: fonts differ in width, and columns
/// of numbers must not.
fn write_words(svg: &mut String, x: f64, top: f64, run: &Run) {
    let ink = run.style.ink();
    let weight = if run.style.bold { " font-weight=\"bold\"" } else { "" };
    let line = if run.style.underline { " text-decoration=\"underline\"" } else { "" };
    let (y, mut column) = (top + CELL.1 * 0.75, 0);
    for words in run.text.split("  ") {
        let blanks = words.len() - words.trim_start().len();
        let (at, words_width) = (column + blanks, words.width());
        column += words_width + 2;
        let words = words.trim();
        if words.is_empty() {
            continue;
        }
        let (x, width) = (x + at as f64 * CELL.0, words.width() as f64 * CELL.0);
        let text = words.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
        let _ = writeln!(
            svg,
            "<text x=\"{x:.1}\" y=\"{y:.1}\" textLength=\"{width:.1}\" lengthAdjust=\"spacingAndGlyphs\" \
             xml:space=\"preserve\" fill=\"{ink}\"{weight}{line}>{text}</text>"
        );
    }
}

fn rect(svg: &mut String, (x, y, width, height): (f64, f64, f64, f64), fill: &str) {
    let _ = writeln!(
        svg,
        "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{height:.1}\" fill=\"{fill}\"/>"
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_are_xterms() {
        assert_eq!(
            [16, 24, 231, 232, 255].map(colour),
            ["#000000", "#005f87", "#ffffff", "#080808", "#eeeeee"]
        );
    }

    #[test]
    fn words_stand_at_their_columns() {
        let picture = picture(" 12Kb   3b 4b  数 5");
        let xs: Vec<_> =
            picture.split("<text x=\"").skip(1).map(|rest| rest.split('"').next().unwrap()).collect();
        assert_eq!(xs, [1, 8, 15].map(|column| format!("{:.1}", MARGIN + f64::from(column) * CELL.0)));
    }

    #[test]
    fn a_style_goes_on_until_it_is_changed() {
        let picture = picture("a\x1b[1;38;5;24mb<\x1b[0mc\n\x1b[48;2;1;2;3m \u{258c}");
        assert!(picture.contains("fill=\"#d4d7dd\">a</text>"), "{picture}");
        assert!(picture.contains("fill=\"#005f87\" font-weight=\"bold\">b&lt;</text>"), "{picture}");
        assert!(picture.contains("fill=\"#d4d7dd\">c</text>"), "{picture}");
        assert_eq!(picture.matches("fill=\"#010203\"").count(), 2, "{picture}");
        assert!(picture.contains("width=\"4.2\" height=\"18.0\" fill=\"#d4d7dd\""), "{picture}");
    }
}
