//! Texts of settings that have a language of their own: filters, networks, fields, regular expressions.
//!
//! Not in here: the languages themselves, and names in a filter, which only a host knows (`filter_names`).

use regex::Regex;

use super::Wrong;
use flowtop_core::column;
use flowtop_core::filter::{self, Boundary, BoundaryError, FilterError};
use flowtop_core::rows::grouped;

/// Judges one text of the setting `name`. Host names and services in a filter are taken as known.
///
/// # Errors
/// The mistake, in one sentence.
pub fn check(name: &str, text: &str) -> Result<(), Wrong> {
    match name {
        "filter" => filter::check(text).map_err(|error| in_filter(&error, text)),
        "net" => Boundary::default().add_v4(text).map_err(Wrong::from),
        "net6" => Boundary::default().add_v6(text).map_err(Wrong::from),
        "fields" if grouped::has_field(text.trim()) => Ok(()),
        "fields" => column::parse(text).map(|_| ()).map_err(|_| {
            let right = format!("give names out of {}", column::names().join(","));
            Wrong { right, ..Wrong::default() }
        }),
        "screen-filter" => Regex::new(text).map(|_| ()).map_err(|_| Wrong {
            right: "give a regular expression, as ^10[.]|:443".to_owned(),
            warning: Some("Invalid regexp".to_owned()),
            ..Wrong::default()
        }),
        _ => Ok(()),
    }
}

/// iftop ends at a filter that is not right.
#[must_use]
pub fn in_filter(error: &FilterError, text: &str) -> Wrong {
    Wrong { right: error.to_string(), pointer: Some(error.pointer(text)), ..Wrong::default() }
}

impl From<BoundaryError> for Wrong {
    fn from(error: BoundaryError) -> Self {
        Self { right: error.to_string(), pointer: None, warning: error.warning, instead: error.instead }
    }
}
