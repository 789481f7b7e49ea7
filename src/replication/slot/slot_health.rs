//! The health of a slot: judged from a survey, without a server.

use std::time::Duration;

use bytesize::ByteSize;

use crate::replication::SlotSurvey;

/// Lag, or retained WAL, from which on there is a warning.
const LARGE_WAL: i64 = 1 << 30;
/// A reader sends its status every few seconds; by default the server disconnects it after a minute.
const SILENCE_LIMIT: Duration = Duration::from_secs(45);

/// How urgent a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// No action is needed.
    Ok,
    /// It should be looked at.
    Warning,
    /// It does not work, or soon will not.
    Problem,
}

impl Severity {
    /// `ok`, `warning` or `problem`.
    pub fn as_str(self) -> &'static str {
        match self {
            Severity::Ok => "ok",
            Severity::Warning => "warning",
            Severity::Problem => "problem",
        }
    }
}

/// The most urgent finding about a slot, and the command that fixes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SlotHealth {
    /// How urgent it is.
    pub severity: Severity,
    /// The finding, and what it means.
    pub text: String,
    /// The fix.
    pub command: Option<String>,
}

impl SlotSurvey {
    /// The most urgent finding.
    pub fn health(&self) -> SlotHealth {
        let status = &self.status;
        let name = &status.name;
        let health = |severity, text: String, command: Option<String>| SlotHealth { severity, text, command };
        let size = |bytes: Option<i64>| ByteSize::b(bytes.unwrap_or_default().unsigned_abs());
        let (kept, lag) = (size(self.retained_bytes()), size(self.lag_bytes()));
        let drop_command = || Some(format!("walbook slot drop --slot {name}"));
        // The server does not know which of the two read it.
        let read_command =
            || Some(format!("start its reader: walbook capture --slot {name} …, or walbook run BOOK --slot {name} …"));

        if let Some(reason) = status.lost_reason() {
            let text = format!("it is lost: {reason}; changes that were not read are gone, drop it and start over");
            return health(Severity::Problem, text, drop_command());
        }
        if status.wal_status.as_deref() == Some("unreserved") {
            let text = "the next checkpoint removes WAL that it needs: read it now, or raise max_slot_wal_keep_size";
            return health(Severity::Problem, text.to_owned(), read_command());
        }
        if status.plugin.is_some() && status.two_phase {
            let text = "it decodes prepared transactions before they are committed (two_phase), which walbook refuses: \
                        create another slot";
            return health(Severity::Problem, text.to_owned(), Some("walbook slot create --slot NAME".to_owned()));
        }
        if let Some(safe) = status.safe_wal_size.filter(|safe| *safe < self.retained_bytes().unwrap_or_default() / 3) {
            let text = format!(
                "it is lost after {} more of WAL (max_slot_wal_keep_size), and retains {kept} already: its reader must catch up",
                size(Some(safe))
            );
            return health(Severity::Warning, text, read_command().filter(|_| status.active_pid.is_none()));
        }
        if let Some(silence) = self.silence.filter(|silence| *silence > SILENCE_LIMIT) {
            let text = format!(
                "its reader has not answered for {} s: has it stopped, or lost its network?",
                silence.as_secs()
            );
            return health(Severity::Warning, text, None);
        }
        let retains_much = self.retained_bytes().unwrap_or_default() >= LARGE_WAL;
        if status.active_pid.is_none() {
            let (severity, command) =
                if retains_much { (Severity::Warning, drop_command()) } else { (Severity::Ok, None) };
            let text = format!(
                "it has no reader, and the server retains {kept} of WAL for it{}",
                if retains_much { ": start its reader (walbook capture or walbook run), or drop it" } else { "" }
            );
            return health(severity, text, command);
        }
        if self.lag_bytes().unwrap_or_default() >= LARGE_WAL {
            return health(Severity::Warning, format!("its reader is {lag} of WAL behind: is it fast enough?"), None);
        }
        if retains_much {
            let text = format!(
                "it is read, but the server retains {kept} of WAL for it: is there a very long transaction? (see pg_stat_activity.xact_start)"
            );
            return health(Severity::Warning, text, None);
        }
        health(Severity::Ok, "no action is needed: it is read, and its reader keeps up".to_owned(), None)
    }
}

#[cfg(test)]
mod tests {
    use super::super::status::SlotStatus;
    use super::super::survey::SlotSurvey;
    use super::*;
    use crate::change::Lsn;

    fn survey(change: impl FnOnce(&mut SlotSurvey)) -> SlotHealth {
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
        survey.health()
    }

    #[test]
    fn the_most_urgent_finding_is_reported() {
        let far = Lsn::from_i64(1 << 33).expect("an LSN");
        let cases: [(SlotHealth, Severity, &str); 9] = [
            (survey(|_| ()), Severity::Ok, "no action is needed"),
            (survey(|s| s.status.active_pid = None), Severity::Ok, "it has no reader"),
            (
                survey(|s| {
                    s.status.active_pid = None;
                    s.current_lsn = far;
                }),
                Severity::Warning,
                "start its reader (walbook capture or walbook run), or drop it",
            ),
            (survey(|s| s.current_lsn = far), Severity::Warning, "8.0 GiB of WAL behind"),
            (
                survey(|s| {
                    s.current_lsn = far;
                    s.status.confirmed_flush_lsn = Some(far);
                }),
                Severity::Warning,
                "very long transaction",
            ),
            (survey(|s| s.silence = Some(Duration::from_secs(50))), Severity::Warning, "not answered for 50 s"),
            (survey(|s| s.status.safe_wal_size = Some(10)), Severity::Warning, "lost after 10 B"),
            (survey(|s| s.status.wal_status = Some("unreserved".to_owned())), Severity::Problem, "read it now"),
            (survey(|s| s.status.wal_status = Some("lost".to_owned())), Severity::Problem, "it is lost"),
        ];
        for (health, severity, words) in cases {
            assert_eq!(health.severity, severity, "{}", health.text);
            assert!(health.text.contains(words), "{}", health.text);
        }
        let invalid = survey(|s| s.status.invalidation_reason = Some("idle_timeout".to_owned()));
        assert_eq!(invalid.command.as_deref(), Some("walbook slot drop --slot s"));
        assert!(invalid.text.contains("idle_timeout"));
        assert!(survey(|s| s.status.two_phase = true).text.contains("two_phase"));
        let unreserved = survey(|s| s.status.wal_status = Some("unreserved".to_owned())).command.expect("a command");
        assert!(unreserved.contains("capture --slot s") && unreserved.contains("run BOOK --slot s"), "{unreserved}");
    }
}
