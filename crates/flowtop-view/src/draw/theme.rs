//! Colours, and the choice of a theme for a terminal.

use ratatui::style::{Color, Modifier, Style};

use crate::settings::choice::Theme as Choice;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Theme {
    pub header: Style,
    /// Messages of the program.
    pub message: Style,
    pub rule: Style,
    /// Heads of columns, names of numbers.
    pub dim: Style,
    /// The head that rows are sorted by, headings.
    pub accent: Style,
    /// Bars of what is sent, and of both directions.
    pub sent: Style,
    pub received: Style,
    pub selected: Style,
    pub pinned: Style,
    pub warning: Style,
    /// The line that is being typed.
    pub prompt: Style,
}

impl Theme {
    /// The styles of a choice; what it leaves open the environment decides.
    #[must_use]
    pub fn new(choice: Choice, environment: &dyn Fn(&str) -> Option<String>) -> Self {
        match choice {
            Choice::Auto => Self::new(detect(environment), environment),
            Choice::Dark => Self::dark(),
            Choice::Light => Self::light(),
            Choice::Ansi => Self::ansi(),
            Choice::Mono => Self::mono(),
        }
    }

    fn dark() -> Self {
        Self {
            header: Style::new().fg(Color::Indexed(252)).add_modifier(Modifier::BOLD),
            rule: Style::new().fg(Color::Indexed(240)),
            dim: Style::new().fg(Color::Indexed(245)),
            accent: Style::new().fg(Color::Indexed(117)).add_modifier(Modifier::BOLD),
            sent: Style::new().bg(Color::Indexed(24)),
            received: Style::new().bg(Color::Indexed(22)),
            selected: Style::new().bg(Color::Indexed(238)).add_modifier(Modifier::BOLD),
            pinned: Style::new().fg(Color::Indexed(222)),
            warning: Style::new().fg(Color::Indexed(16)).bg(Color::Indexed(215)),
            ..Self::mono()
        }
    }

    fn light() -> Self {
        Self {
            header: Style::new().fg(Color::Indexed(236)).add_modifier(Modifier::BOLD),
            rule: Style::new().fg(Color::Indexed(247)),
            dim: Style::new().fg(Color::Indexed(241)),
            accent: Style::new().fg(Color::Indexed(25)).add_modifier(Modifier::BOLD),
            sent: Style::new().bg(Color::Indexed(153)),
            received: Style::new().bg(Color::Indexed(157)),
            selected: Style::new().bg(Color::Indexed(252)).add_modifier(Modifier::BOLD),
            pinned: Style::new().fg(Color::Indexed(94)),
            warning: Style::new().fg(Color::Indexed(231)).bg(Color::Indexed(124)),
            ..Self::mono()
        }
    }

    fn ansi() -> Self {
        Self {
            rule: Style::new(),
            dim: Style::new(),
            accent: Style::new().fg(Color::Cyan).add_modifier(Modifier::BOLD),
            sent: Style::new().fg(Color::White).bg(Color::Blue),
            received: Style::new().fg(Color::Black).bg(Color::Green),
            selected: Style::new().add_modifier(Modifier::BOLD | Modifier::UNDERLINED),
            pinned: Style::new().fg(Color::Yellow),
            warning: Style::new().fg(Color::White).bg(Color::Red),
            ..Self::mono()
        }
    }

    fn mono() -> Self {
        let (plain, reversed) = (Style::new(), Style::new().add_modifier(Modifier::REVERSED));
        let bold = plain.add_modifier(Modifier::BOLD);
        Self {
            header: bold,
            message: reversed,
            rule: plain,
            dim: plain,
            accent: bold,
            sent: reversed,
            received: reversed,
            selected: bold.add_modifier(Modifier::UNDERLINED),
            pinned: bold,
            warning: reversed.add_modifier(Modifier::BOLD),
            prompt: plain,
        }
    }
}

/// Theme for a terminal, by `NO_COLOR`, `TERM`, `COLORTERM` and `COLORFGBG`.
fn detect(environment: &dyn Fn(&str) -> Option<String>) -> Choice {
    let value = |name: &str| environment(name).filter(|value| !value.is_empty());
    let term = value("TERM").unwrap_or_default();
    let is_plain =
        ["dumb", "vt52", "vt100", "vt102", "vt220"].contains(&term.as_str()) || term.ends_with("-m");
    if value("NO_COLOR").is_some() || is_plain {
        return Choice::Mono;
    }
    let has_256 = value("COLORTERM").is_some() || term.contains("256color") || term.contains("direct");
    match (has_256, value("COLORFGBG").as_deref().is_some_and(is_light)) {
        (false, _) => Choice::Ansi,
        (true, true) => Choice::Light,
        (true, false) => Choice::Dark,
    }
}

/// Whether the background, the last of the numbers, is one of the light colours.
fn is_light(foreground_and_background: &str) -> bool {
    let background =
        foreground_and_background.rsplit(';').next().and_then(|number| number.parse::<u8>().ok());
    background.is_some_and(|colour| colour == 7 || colour > 8)
}

/// Whether a locale can write more than ASCII.
#[must_use]
pub fn is_utf8(environment: &dyn Fn(&str) -> Option<String>) -> bool {
    let value = |name: &str| environment(name).filter(|value| !value.is_empty());
    let locale = value("LC_ALL").or_else(|| value("LC_CTYPE")).or_else(|| value("LANG")).unwrap_or_default();
    let locale = locale.to_lowercase();
    locale.contains("utf-8") || locale.contains("utf8")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(variables: &'static [(&str, &str)]) -> impl Fn(&str) -> Option<String> {
        |name| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
    }

    #[test]
    fn the_environment_tells_what_a_terminal_can_show() {
        for (variables, expected) in [
            (&[("TERM", "xterm-256color")][..], Choice::Dark),
            (&[("TERM", "xterm-256color"), ("COLORFGBG", "0;15")], Choice::Light),
            (&[("TERM", "xterm-256color"), ("COLORFGBG", "15;default;0")], Choice::Dark),
            (&[("TERM", "screen"), ("COLORTERM", "truecolor")], Choice::Dark),
            (&[("TERM", "linux")], Choice::Ansi),
            (&[("TERM", "vt100")], Choice::Mono),
            (&[("TERM", "xterm-256color"), ("NO_COLOR", "1")], Choice::Mono),
            (&[("TERM", "xterm-256color"), ("NO_COLOR", "")], Choice::Dark),
        ] {
            assert_eq!(detect(&of(variables)), expected, "{variables:?}");
        }
    }

    #[test]
    fn the_first_variable_of_the_locale_that_is_set_holds() {
        assert!(is_utf8(&of(&[("LANG", "de_DE.UTF-8")])));
        assert!(is_utf8(&of(&[("LC_ALL", ""), ("LC_CTYPE", "C.utf8"), ("LANG", "C")])));
        assert!(!is_utf8(&of(&[("LC_ALL", "C"), ("LANG", "de_DE.UTF-8")])));
        assert!(!is_utf8(&of(&[])));
    }
}
