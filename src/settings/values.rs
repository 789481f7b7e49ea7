//! Values as they are typed: names out of a list, addresses, time zones; and the nearest name to a misspelt one.

use std::error::Error;
use std::net::{SocketAddr, ToSocketAddrs};
use std::path::PathBuf;
use std::str::FromStr;

use chrono_tz::{TZ_VARIANTS, Tz};
use clap::builder::{OsStringValueParser, PossibleValue, PossibleValuesParser, TypedValueParser};

use crate::change::Operation;
use crate::parse::DayFrom;
use crate::query::{Format, GroupBy, RowKey};
use crate::store::BookLocation;

/// How alike two names must be, of 1, for one to be suggested for the other; as clap does for flags.
const SIMILAR: f64 = 0.7;

/// `BOOK`: an address of an object store, or the path of a directory, which need not be text.
pub(super) fn book() -> impl TypedValueParser<Value = BookLocation> {
    OsStringValueParser::new().try_map(BookLocation::parse)
}

/// A directory where no address of an object store is possible.
pub(super) fn directory() -> impl TypedValueParser<Value = PathBuf> {
    book().try_map(|book| match book {
        BookLocation::Directory(path) => Ok(path),
        BookLocation::Bucket(bucket) => Err(format!("{bucket} is on an object store: name a directory")),
    })
}

/// `--op`
pub(super) fn operation() -> impl TypedValueParser<Value = Operation> {
    one_of(&[("insert", ""), ("update", ""), ("delete", ""), ("truncate", "")])
}

/// `--by`
pub(super) fn group_by() -> impl TypedValueParser<Value = GroupBy> {
    one_of(&[("day", ""), ("table", "Schema and table"), ("op", "Operation")])
}

/// `--format` of answers.
pub(super) fn format() -> impl TypedValueParser<Value = Format> {
    one_of(&[
        ("table", "Aligned columns for people"),
        ("csv", "A header row, then one row a line"),
        ("json", "One JSON object"),
    ])
}

/// `--cursor`
///
/// # Errors
/// What is wrong, for the user.
pub(super) fn cursor(text: &str) -> Result<RowKey, String> {
    text.parse().map_err(|()| "expected a cursor that an earlier answer has printed".to_owned())
}

/// `--day-from`
pub(super) fn day_rule() -> impl TypedValueParser<Value = DayFrom> {
    one_of(&[
        ("auto", "The commit time where records carry it, else Kafka's timestamp"),
        ("commit", "The commit time; records without it are rejects"),
        ("kafka", "Kafka's timestamp"),
    ])
}

/// A parser that knows all names of a type, so that clap can list, complete and suggest them.
fn one_of<T>(names: &[(&'static str, &'static str)]) -> impl TypedValueParser<Value = T> + use<T>
where
    T: FromStr<Err: Into<Box<dyn Error + Send + Sync>>> + Clone + Send + Sync + 'static,
{
    let value = |(name, help): &(&'static str, &'static str)| match help.is_empty() {
        true => PossibleValue::new(*name),
        false => PossibleValue::new(*name).help(*help),
    };
    PossibleValuesParser::new(names.iter().map(value).collect::<Vec<_>>()).try_map(|name| name.parse::<T>())
}

/// Reads `127.0.0.1:8321`, `[::1]:8321` or `localhost:8321`; of the addresses of a name, the first.
///
/// # Errors
/// What is wrong, for the user.
pub(super) fn address(text: &str) -> Result<SocketAddr, String> {
    let form = "expected an address and a port, as in 127.0.0.1:8321";
    let mut addresses = text.to_socket_addrs().map_err(|error| format!("{form} ({error})"))?;
    addresses.next().ok_or_else(|| format!("the name has no address; {form}"))
}

/// Reads the IANA name of a time zone.
///
/// # Errors
/// That there is none of this name, with the nearest one.
pub(super) fn time_zone(text: &str) -> Result<Tz, String> {
    text.parse::<Tz>().map_err(|_| {
        let names = || TZ_VARIANTS.iter().map(|zone| zone.name());
        let city = |name: &&str| name.rsplit('/').next().is_some_and(|city| city.eq_ignore_ascii_case(text));
        let suggestion = did_you_mean(names().find(city).or_else(|| nearest(text, names())));
        format!("no time zone of that name; expected an IANA name like Europe/Vienna or UTC{suggestion}")
    })
}

/// The candidate most similar to a misspelt name, if any is similar enough.
pub(super) fn nearest<'a>(name: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let name = name.to_lowercase();
    let similarity = |candidate: &'a str| (strsim::jaro(&name, &candidate.to_lowercase()), candidate);
    let similar = candidates.map(similarity).filter(|(similarity, _)| *similarity > SIMILAR);
    similar.max_by(|left, right| left.0.total_cmp(&right.0)).map(|(_, candidate)| candidate)
}

/// The end of a message about a misspelt name.
pub(super) fn did_you_mean(suggestion: Option<&str>) -> String {
    suggestion.map_or_else(String::new, |suggestion| format!("; did you mean {suggestion:?}?"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_and_names_with_a_port_are_read() {
        for text in ["127.0.0.1:8321", "[::1]:8321", "localhost:8321"] {
            let address = address(text).expect("an address");
            assert!(address.ip().is_loopback() && address.port() == 8321, "{text}: {address}");
        }
        for text in ["8321", "localhost", "127.0.0.1:99999", "", ":"] {
            assert!(address(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_misspelt_time_zone_suggests_the_nearest() {
        assert_eq!(time_zone("Europe/Vienna"), Ok(Tz::Europe__Vienna));
        for (text, zone) in
            [("vienna", "Europe/Vienna"), ("Europe/Wienna", "Europe/Vienna"), ("america/new_york", "America/New_York")]
        {
            let message = time_zone(text).expect_err("no zone");
            assert!(message.ends_with(&format!("did you mean {zone:?}?")), "{message}");
        }
        assert!(!time_zone("12345").expect_err("no zone").contains("did you mean"));
    }
}
