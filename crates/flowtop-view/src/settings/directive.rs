//! Directives of `.iftoprc` and what their values mean for settings.

/// A directive of `.iftoprc` and what its value means for the setting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Directive {
    /// The directive takes the setting's value.
    Same(&'static str),
    /// `yes` or `true` switches the setting on, all else off.
    On(&'static str),
    /// `yes` or `true` switches the setting off, all else on.
    Off(&'static str),
    /// `yes` or `true` stands for the unit bytes, all else for bits.
    Bytes(&'static str),
}

impl Directive {
    /// As it is written in the file.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Same(name) | Self::On(name) | Self::Off(name) | Self::Bytes(name) => name,
        }
    }

    /// The setting's value that iftop's text stands for.
    #[must_use]
    pub fn translate(self, text: &str) -> String {
        let yes = matches!(text, "yes" | "true");
        match self {
            Self::Same(_) => text.to_owned(),
            Self::On(_) => yes.to_string(),
            Self::Off(_) => (!yes).to_string(),
            Self::Bytes(_) => if yes { "bytes" } else { "bits" }.to_owned(),
        }
    }
}
