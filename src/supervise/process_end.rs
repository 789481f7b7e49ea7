//! How a supervised process ended, and whether another one may do better.

use std::fmt::{self, Display, Formatter};
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;

use crate::change::FailureKind;

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ProcessEnd {
    /// With an exit code.
    Code(i32),
    /// Killed by a signal.
    Signal(i32),
}

impl ProcessEnd {
    pub(super) fn of(status: ExitStatus) -> ProcessEnd {
        match (status.code(), status.signal()) {
            (Some(code), _) => ProcessEnd::Code(code),
            (None, signal) => ProcessEnd::Signal(signal.unwrap_or(0)),
        }
    }

    /// What the end means; `None` for success.
    pub(super) fn failure_kind(self) -> Option<FailureKind> {
        match self {
            ProcessEnd::Code(0) => None,
            ProcessEnd::Code(code) => Some(FailureKind::of_exit_code(u8::try_from(code).unwrap_or(1))),
            ProcessEnd::Signal(_) => Some(FailureKind::Other),
        }
    }

    /// Whether a restart may help. One that was fenced does harm: it would take the book back from the run that has it. Only a
    /// standby may be started again then, because it waits for its turn.
    pub(super) fn is_worth_a_restart(self, waits_for_its_turn: bool) -> bool {
        match self.failure_kind() {
            Some(FailureKind::Other | FailureKind::Cluster) => true,
            Some(FailureKind::Fenced) => waits_for_its_turn,
            Some(FailureKind::Usage | FailureKind::DataLoss | FailureKind::Requested) | None => false,
        }
    }
}

impl Display for ProcessEnd {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        match self {
            ProcessEnd::Code(code) => write!(formatter, "exit code {code}"),
            ProcessEnd::Signal(signal) => write!(formatter, "signal {signal}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_a_restart_may_heal_is_started_again() {
        let restarted = |waits| {
            let codes = (0..=5).map(ProcessEnd::Code).chain([101, 255, -1].map(ProcessEnd::Code));
            let ends = codes.chain([6, 9, 15].map(ProcessEnd::Signal));
            ends.filter(|end| end.is_worth_a_restart(waits)).map(|end| end.to_string()).collect::<Vec<_>>().join(", ")
        };
        let always = "exit code 101, exit code 255, exit code -1, signal 6, signal 9, signal 15";
        assert_eq!(restarted(false), format!("exit code 1, exit code 5, {always}"));
        assert_eq!(restarted(true), format!("exit code 1, exit code 4, exit code 5, {always}"));
    }
}
