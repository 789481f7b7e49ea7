//! Whether anything needs doing about a slot: what was seen, judged without a server.

use std::time::Duration;

use bytesize::ByteSize;

use super::SlotSurvey;

/// Lag, or WAL kept, from which on somebody should look.
const MUCH: i64 = 1 << 30;
/// A reader answers every few seconds; the server gives it up after a minute by default.
const SILENT: Duration = Duration::from_secs(45);

/// How urgent it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Nothing needs doing.
    Well,
    /// Somebody should look.
    Warning,
    /// Something does not work, or will not.
    Problem,
}

/// A sentence about a slot, and the command that mends it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Advice {
    /// How urgent it is.
    pub level: Level,
    /// What was seen and what it means.
    pub text: String,
    /// What mends it.
    pub command: Option<String>,
}

impl SlotSurvey {
    /// The most urgent thing to be said.
    pub fn advice(&self) -> Advice {
        let status = &self.status;
        let name = &status.name;
        let say = |level, text: String, command: Option<String>| Advice { level, text, command };
        let size = |bytes: Option<i64>| ByteSize::b(bytes.unwrap_or_default().unsigned_abs());
        let (kept, lag) = (size(self.retained_bytes()), size(self.lag_bytes()));
        let drop = || Some(format!("walbook slot drop --slot {name}"));
        // Nothing on the server tells which of the two it was.
        let read =
            || Some(format!("start its reader: walbook capture --slot {name} …, or walbook run BOOK --slot {name} …"));

        if let Some(reason) = status.lost_reason() {
            let text =
                format!("it is lost: {reason}; what was not read cannot be read any more, drop it and begin anew");
            return say(Level::Problem, text, drop());
        }
        if status.wal_status.as_deref() == Some("unreserved") {
            let text = "the next checkpoint removes WAL that it needs: read it now, or raise max_slot_wal_keep_size";
            return say(Level::Problem, text.to_owned(), read());
        }
        if status.plugin.is_some() && status.two_phase {
            let text = "it decodes prepared transactions before they are committed (two_phase), which walbook refuses: \
                        make another slot";
            return say(Level::Problem, text.to_owned(), Some("walbook slot create --slot NAME".to_owned()));
        }
        if let Some(safe) = status.safe_wal_size.filter(|safe| *safe < self.retained_bytes().unwrap_or_default() / 3) {
            let text = format!(
                "it is lost after {} more of WAL (max_slot_wal_keep_size), and keeps {kept} already: its reader must catch up",
                size(Some(safe))
            );
            return say(Level::Warning, text, read().filter(|_| status.active_pid.is_none()));
        }
        if let Some(silence) = self.silence.filter(|silence| *silence > SILENT) {
            let text = format!("its reader has not answered for {} s: is it stopped, or cut off?", silence.as_secs());
            return say(Level::Warning, text, None);
        }
        let many = self.retained_bytes().unwrap_or_default() >= MUCH;
        if status.active_pid.is_none() {
            let (level, doing) = if many { (Level::Warning, drop()) } else { (Level::Well, None) };
            let text = format!(
                "nobody reads it, and the server keeps {kept} of WAL for it{}",
                if many { ": start its reader (walbook capture or walbook run), or drop it" } else { "" }
            );
            return say(level, text, doing);
        }
        if self.lag_bytes().unwrap_or_default() >= MUCH {
            return say(Level::Warning, format!("its reader is {lag} of WAL behind: is it fast enough?"), None);
        }
        if many {
            let text = format!(
                "it is read, but the server keeps {kept} of WAL for it: is there a very long transaction? (see pg_stat_activity.xact_start)"
            );
            return say(Level::Warning, text, None);
        }
        say(Level::Well, "nothing needs doing: it is read, and its reader keeps up".to_owned(), None)
    }
}

#[cfg(test)]
mod tests {
    use super::super::{SlotStatus, SlotSurvey};
    use super::*;
    use crate::change::Lsn;

    fn survey(change: impl FnOnce(&mut SlotSurvey)) -> Advice {
        let lsn = |number| Lsn::from_i64(number);
        let mut survey = SlotSurvey {
            status: SlotStatus {
                name: "s".to_owned(),
                plugin: Some("test_decoding".to_owned()),
                database: Some("d".to_owned()),
                active_pid: Some("7".to_owned()),
                two_phase: false,
                failover: None,
                restart_lsn: lsn(900),
                confirmed_flush_lsn: lsn(1000),
                wal_status: Some("reserved".to_owned()),
                safe_wal_size: None,
                invalidation_reason: None,
            },
            current_lsn: lsn(1100).expect("an LSN"),
            version: 150_000,
            lag_time: None,
            silence: None,
            spilled: None,
        };
        change(&mut survey);
        survey.advice()
    }

    #[test]
    fn the_most_urgent_thing_is_said() {
        let far = Lsn::from_i64(1 << 33).expect("an LSN");
        let cases: [(Advice, Level, &str); 9] = [
            (survey(|_| ()), Level::Well, "nothing needs doing"),
            (survey(|s| s.status.active_pid = None), Level::Well, "nobody reads it"),
            (
                survey(|s| {
                    s.status.active_pid = None;
                    s.current_lsn = far;
                }),
                Level::Warning,
                "start its reader (walbook capture or walbook run), or drop it",
            ),
            (survey(|s| s.current_lsn = far), Level::Warning, "8.0 GiB of WAL behind"),
            (
                survey(|s| {
                    s.current_lsn = far;
                    s.status.confirmed_flush_lsn = Some(far);
                }),
                Level::Warning,
                "very long transaction",
            ),
            (survey(|s| s.silence = Some(Duration::from_secs(50))), Level::Warning, "not answered for 50 s"),
            (survey(|s| s.status.safe_wal_size = Some(10)), Level::Warning, "lost after 10 B"),
            (survey(|s| s.status.wal_status = Some("unreserved".to_owned())), Level::Problem, "read it now"),
            (survey(|s| s.status.wal_status = Some("lost".to_owned())), Level::Problem, "it is lost"),
        ];
        for (advice, level, words) in cases {
            assert_eq!(advice.level, level, "{}", advice.text);
            assert!(advice.text.contains(words), "{}", advice.text);
        }
        let invalid = survey(|s| s.status.invalidation_reason = Some("idle_timeout".to_owned()));
        assert_eq!(invalid.command.as_deref(), Some("walbook slot drop --slot s"));
        assert!(invalid.text.contains("idle_timeout"));
        assert!(survey(|s| s.status.two_phase = true).text.contains("two_phase"));
        let unreserved = survey(|s| s.status.wal_status = Some("unreserved".to_owned())).command.expect("a command");
        assert!(unreserved.contains("capture --slot s") && unreserved.contains("run BOOK --slot s"), "{unreserved}");
    }
}
