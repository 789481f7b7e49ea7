//! The slot that was named or, if none was, all slots that need attention.

use super::Finding;
use super::server::ServerFacts;
use crate::replication::{Severity, SlotHealth, SlotSurvey};

const SUBJECT: &str = "slot";

/// The findings for `slots`, which are all slots of the server; `wanted` is the slot that was named.
pub(super) fn judge(
    slots: &[SlotSurvey],
    wanted: Option<&str>,
    database: &str,
    server: &ServerFacts,
    has_standbys: bool,
) -> Vec<Finding> {
    let Some(wanted) = wanted else {
        let needy = slots.iter().map(|slot| (slot, slot.health())).filter(|(_, advice)| advice.severity > Severity::Ok);
        // Without a name, even a problem is a warning: the slot may not belong to walbook.
        let mut findings: Vec<Finding> = needy
            .map(|(slot, advice)| {
                Finding::of_slot(SUBJECT, &slot.status.name, SlotHealth { severity: Severity::Warning, ..advice })
            })
            .collect();
        if findings.is_empty() {
            let seen = format!("{} on this server, none needs attention (--slot names one)", slots.len());
            findings.push(Finding::ok(SUBJECT, "slots", seen));
        }
        return findings;
    };
    let Some(slot) = slots.iter().find(|slot| slot.status.name == wanted) else {
        return vec![
            Finding::problem(SUBJECT, wanted, "no slot of that name on this server")
                .fix(format!("walbook slot create --slot {wanted}")),
        ];
    };
    let mut findings = Vec::new();
    let health = slot.health();
    // A lost slot is reported once, by its health.
    if slot.status.lost_reason().is_none() {
        findings.push(match slot.status.check(database) {
            Ok(()) => Finding::ok(SUBJECT, "plugin", "test_decoding, in this database"),
            Err(error) => {
                Finding::problem(SUBJECT, "plugin", error.to_string()).fix("walbook slot create --slot NAME".to_owned())
            }
        });
    }
    findings.push(Finding::of_slot(SUBJECT, "health", health));
    if has_standbys && !server.is_standby {
        findings.push(match slot.status.failover {
            Some(true) => Finding::ok(SUBJECT, "failover", "standbys that sync slots keep a copy of it"),
            Some(false) => Finding::warning(
                SUBJECT,
                "failover",
                "there are standbys, and none keeps a copy of it: a promotion loses it, and everything not read yet",
            )
            .fix(format!("drop it and create it again when everything is read: walbook slot create --slot {wanted}")),
            None => Finding::warning(
                SUBJECT,
                "failover",
                "there are standbys, and before PostgreSQL 17 none keeps a copy of a slot: a promotion loses it, and everything not read yet",
            ),
        });
    }
    findings
}
