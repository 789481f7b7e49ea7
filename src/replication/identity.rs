//! Whether a server continues the history that was read from another one, or from itself earlier.

use super::SlotError;
use crate::change::Lsn;

/// The identity of a server's WAL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The system identifier: set by initdb, copied to standbys.
    pub system: String,
    /// The timeline: increased when a standby is promoted.
    pub timeline: u32,
}

/// Where the history left a timeline for the next one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimelineBranch {
    /// The timeline that was left.
    pub timeline: u32,
    /// The end of its part of the history.
    pub at: Lsn,
}

/// Checks that everything read up to `position` from `known` also happened on `seen`, whose WAL ends at `end`.
///
/// # Errors
/// [`SlotError::OtherHistory`] for another server, a history that left the known one before `position`, or a server that was
/// restored from an older copy.
pub fn check_history(
    position: Lsn,
    known: &Identity,
    seen: &Identity,
    branches: &[TimelineBranch],
    end: Lsn,
) -> Result<(), SlotError> {
    let other = |message: String| Err(SlotError::OtherHistory(message));
    if known.system != seen.system {
        return other(format!(
            "this is another server: everything up to {position} was read from the system with identifier {}, this one has {}",
            known.system, seen.system
        ));
    }
    if seen.timeline < known.timeline {
        return other(format!(
            "the server is on timeline {}, but everything up to {position} was read from timeline {}: it was left behind by a promotion",
            seen.timeline, known.timeline
        ));
    }
    if seen.timeline > known.timeline {
        match branches.iter().find(|branch| branch.timeline == known.timeline) {
            None => {
                return other(format!(
                    "the server's timeline {} does not descend from timeline {}, from which everything up to {position} was read",
                    seen.timeline, known.timeline
                ));
            }
            Some(TimelineBranch { at, .. }) if position > *at => {
                return other(format!(
                    "the server's history left timeline {} at {at}, but everything up to {position} was read from it: the changes from {at} to {position} ({} bytes of WAL) were read and never happened on this server",
                    known.timeline,
                    position.as_i64() - at.as_i64()
                ));
            }
            Some(_) => {}
        }
    }
    if position > end {
        return other(format!(
            "the server's WAL ends at {end}, but everything up to {position} was read: the server was restored from an older copy, and the changes from {end} to {position} ({} bytes of WAL) were read and never happened on it",
            position.as_i64() - end.as_i64()
        ));
    }
    Ok(())
}

/// Checks that a slot confirmed up to `confirmed` still delivers what comes after `position`.
///
/// # Errors
/// [`SlotError::RanAhead`] when another reader consumed what comes next, or the slot was created again.
pub fn check_not_ahead(slot: &str, position: Lsn, confirmed: Lsn) -> Result<(), SlotError> {
    match confirmed > position {
        true => Err(SlotError::RanAhead { slot: slot.to_owned(), position, confirmed }),
        false => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::change::Classified;

    fn lsn(text: &str) -> Lsn {
        text.parse().expect("an LSN")
    }

    fn check(position: &str, known: (&str, u32), seen: (&str, u32), confirmed: &str) -> Result<(), SlotError> {
        let identity = |(system, timeline): (&str, u32)| Identity { system: system.to_owned(), timeline };
        let branches =
            [TimelineBranch { timeline: 1, at: lsn("0/500") }, TimelineBranch { timeline: 2, at: lsn("0/900") }];
        check_history(lsn(position), &identity(known), &identity(seen), &branches, lsn("0/950"))?;
        check_not_ahead("s", lsn(position), lsn(confirmed))
    }

    #[test]
    fn the_same_server_continues() {
        assert!(check("0/300", ("7", 1), ("7", 1), "0/300").is_ok());
        assert!(check("0/300", ("7", 1), ("7", 1), "0/100").is_ok(), "the server repeats after a crash");
    }

    #[test]
    fn a_promotion_after_the_position_continues() {
        assert!(check("0/500", ("7", 1), ("7", 3), "0/500").is_ok());
        assert!(check("0/501", ("7", 2), ("7", 3), "0/500").is_ok());
    }

    #[test]
    fn another_history_is_refused() {
        for (position, known, seen, confirmed, words) in [
            ("0/300", ("7", 1), ("8", 1), "0/300", "another server"),
            ("0/501", ("7", 1), ("7", 2), "0/300", "from 0/500 to 0/501 (1 bytes"),
            ("0/300", ("7", 2), ("7", 1), "0/300", "left behind"),
            ("0/300", ("7", 4), ("7", 5), "0/300", "does not descend"),
            ("0/951", ("7", 1), ("7", 1), "0/300", "from 0/950 to 0/951 (1 bytes"),
            ("0/300", ("7", 1), ("7", 1), "0/340", "the 64 bytes of WAL from 0/300 to 0/340"),
        ] {
            let error = check(position, known, seen, confirmed).expect_err(words);
            assert!(error.is_data_loss(), "{error}");
            assert!(error.to_string().contains(words), "{error}");
        }
    }
}
