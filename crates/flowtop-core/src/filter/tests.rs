//! The filter language: what it takes and refuses (`syntax`), what it means (`meaning`), and what holds for every
//! expression (`laws`); that no text upsets it (`robust`); the border of `-F` and `-G` (`border`).

mod border;
mod laws;
mod meaning;
mod robust;
mod syntax;

use super::*;
use crate::flow::Tuple;

/// Names that never change.
struct Book;

impl Names for Book {
    fn addresses(&self, host: &str) -> Result<Vec<IpAddr>, Unresolved> {
        match host {
            "database.internal" => {
                Ok(["10.0.0.5", "2001:db8::5", "10.0.0.5"].map(|a| a.parse().unwrap()).into())
            }
            "v4only" | "pid" => Ok(vec!["10.0.0.6".parse().unwrap()]),
            _ => Err(Unresolved("no address is known".to_owned())),
        }
    }

    fn service(&self, name: &str) -> Option<u16> {
        let known = [("ftp-data", 20), ("ftp", 21), ("domain", 53), ("http", 80), ("https", 443)];
        known.into_iter().find(|(service, _)| *service == name).map(|(_, port)| port)
    }

    fn user(&self, number: u32) -> Option<String> {
        (number == 0).then(|| "root".to_owned())
    }

    fn own_netns(&self) -> u32 {
        4_026_531_840
    }
}

fn parse(text: &str) -> Result<Filter, FilterError> {
    Filter::parse(text, &Book)
}

fn filter(text: &str) -> Filter {
    parse(text).unwrap_or_else(|error| panic!("{error}\n{}", error.pointer(text)))
}

fn tuple(local: &str, remote: &str) -> Tuple {
    Tuple { local: local.parse().unwrap(), remote: remote.parse().unwrap() }
}
