//! The slot that was named; or, when none was, those of all that need something.

use super::Finding;
use super::server::ServerFacts;
use crate::slot::{Advice, Level, SlotSurvey};

const SUBJECT: &str = "slot";

/// What there is to say of `slots`, all of the server; `wanted` is the slot that was named.
pub(super) fn judge(
    slots: &[SlotSurvey],
    wanted: Option<&str>,
    database: &str,
    server: &ServerFacts,
    has_standbys: bool,
) -> Vec<Finding> {
    let Some(wanted) = wanted else {
        let needy = slots.iter().map(|slot| (slot, slot.advice())).filter(|(_, advice)| advice.level > Level::Well);
        // Nobody said that any of them matters.
        let mut findings: Vec<Finding> = needy
            .map(|(slot, advice)| {
                Finding::advised(SUBJECT, &slot.status.name, Advice { level: Level::Warning, ..advice })
            })
            .collect();
        if findings.is_empty() {
            let seen = format!("{} on this server, none needs anything (--slot names one)", slots.len());
            findings.push(Finding::ok(SUBJECT, "slots", seen));
        }
        return findings;
    };
    let Some(slot) = slots.iter().find(|slot| slot.status.name == wanted) else {
        return vec![
            Finding::problem(SUBJECT, wanted, "there is no slot of that name on this server")
                .mend(format!("walbook slot create --slot {wanted}")),
        ];
    };
    let mut findings = Vec::new();
    let health = slot.advice();
    // A lost slot is told once.
    if slot.status.lost_reason().is_none() {
        findings.push(match slot.status.check(database) {
            Ok(()) => Finding::ok(SUBJECT, "plugin", "test_decoding, in this database"),
            Err(error) => Finding::problem(SUBJECT, "plugin", error.to_string())
                .mend("walbook slot create --slot NAME".to_owned()),
        });
    }
    findings.push(Finding::advised(SUBJECT, "health", health));
    if has_standbys && !server.is_standby {
        findings.push(match slot.status.failover {
            Some(true) => Finding::ok(SUBJECT, "failover", "standbys that sync slots keep a copy of it"),
            Some(false) => Finding::warning(
                SUBJECT,
                "failover",
                "there are standbys, and none keeps a copy of it: after a promotion it is gone, and with it what was not read",
            )
            .mend(format!("drop it and make it again when everything is read: walbook slot create --slot {wanted}")),
            None => Finding::warning(
                SUBJECT,
                "failover",
                "there are standbys, and before PostgreSQL 17 none keeps a copy of a slot: after a promotion it is gone, and with it what was not read",
            ),
        });
    }
    findings
}
