//! The output of `walbook slot status`.

use std::io::{self, Write};
use std::time::Duration;

use bytesize::ByteSize;
use serde_json::{Value, json};

use crate::replication::{LagTime, SlotHealth, SlotSurvey};

/// One block of lines per slot.
///
/// # Errors
/// Those of `out`.
pub fn print_table(surveys: &[SlotSurvey], out: &mut dyn Write) -> io::Result<()> {
    if surveys.is_empty() {
        writeln!(out, "there are no slots on this server")?;
    }
    for (index, survey) in surveys.iter().enumerate() {
        if index > 0 {
            writeln!(out)?;
        }
        for (name, value) in lines(survey) {
            writeln!(out, "{name:<20} {value}")?;
        }
    }
    Ok(())
}

/// `{"slots": [{…}]}`
///
/// # Errors
/// Those of `out`.
pub fn print_json(surveys: &[SlotSurvey], out: &mut dyn Write) -> io::Result<()> {
    let slots: Vec<Value> = surveys.iter().map(object).collect();
    writeln!(out, "{:#}", json!({ "slots": slots }))
}

fn lines(survey: &SlotSurvey) -> Vec<(&'static str, String)> {
    let status = &survey.status;
    let or_none = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
    let yes_or_no = |value: bool| if value { "yes" } else { "no" }.to_owned();
    let size = |bytes: i64| ByteSize::b(bytes.unsigned_abs()).to_string();
    let lag_time = match survey.lag_time {
        Some(LagTime::Measured(Duration::ZERO)) => "none".to_owned(),
        Some(LagTime::Measured(lag)) => format!("about {}", duration_text(lag)),
        Some(LagTime::Unread(unread)) => format!("not read for {}", duration_text(unread)),
        None => "time unknown".to_owned(),
    };
    let mut lines = vec![
        ("slot", status.name.clone()),
        ("plugin", status.plugin.clone().unwrap_or_else(|| "none: a physical slot".to_owned())),
        ("database", or_none(status.database.clone())),
        ("active", status.active_pid.as_ref().map_or("no".to_owned(), |pid| format!("yes, pid {pid}"))),
        ("two_phase", yes_or_no(status.two_phase)),
        ("failover", status.failover.map_or("no: the server is older than 17".to_owned(), yes_or_no)),
        ("restart_lsn", or_none(status.restart_lsn.map(|lsn| lsn.to_string()))),
        ("confirmed_flush_lsn", or_none(status.confirmed_flush_lsn.map(|lsn| lsn.to_string()))),
        ("lag", or_none(survey.lag_bytes().map(|bytes| format!("{}, {lag_time}", size(bytes))))),
        ("retained WAL", or_none(survey.retained_bytes().map(size))),
        ("wal_status", or_none(status.wal_status.clone())),
        ("safe_wal_size", status.safe_wal_size.map_or("no limit".to_owned(), size)),
    ];
    if let Some(reason) = &status.invalidation_reason {
        lines.push(("invalidation_reason", reason.clone()));
    }
    if let Some(spill) = survey.spilled {
        lines.push(("decoding spilled", format!("{} transactions, {}", spill.transactions, size(spill.bytes))));
    }
    let SlotHealth { severity, text, command } = survey.health();
    lines.push((severity.as_str(), text));
    lines.extend(command.map(|command| ("do", command)));
    lines
}

fn object(survey: &SlotSurvey) -> Value {
    let status = &survey.status;
    let lsn = |lsn: Option<crate::change::Lsn>| lsn.map(|lsn| lsn.to_string());
    let seconds = |kind: fn(LagTime) -> Option<Duration>| survey.lag_time.and_then(kind).map(|lag| lag.as_secs_f64());
    let health = survey.health();
    json!({
        "slot": status.name,
        "plugin": status.plugin,
        "database": status.database,
        "active": status.active_pid.is_some(),
        "pid": status.active_pid.as_ref().and_then(|pid| pid.parse::<i64>().ok()),
        "two_phase": status.two_phase,
        "failover": status.failover,
        "restart_lsn": lsn(status.restart_lsn),
        "confirmed_flush_lsn": lsn(status.confirmed_flush_lsn),
        "current_lsn": survey.current_lsn.to_string(),
        "lag_bytes": survey.lag_bytes(),
        "lag_seconds": seconds(|lag| match lag { LagTime::Measured(lag) => Some(lag), LagTime::Unread(_) => None }),
        "unread_seconds": seconds(|lag| match lag { LagTime::Unread(lag) => Some(lag), LagTime::Measured(_) => None }),
        "retained_bytes": survey.retained_bytes(),
        "wal_status": status.wal_status,
        "safe_wal_size": status.safe_wal_size,
        "invalidation_reason": status.invalidation_reason,
        "spilled": survey.spilled.map(|spill| json!({"transactions": spill.transactions, "bytes": spill.bytes})),
        "state": health.severity.as_str(),
        "advice": health.text,
        "command": health.command,
    })
}

/// Seconds below two minutes, then minutes, hours, days.
fn duration_text(time: Duration) -> String {
    match time.as_secs() {
        0..10 => format!("{:.1} s", time.as_secs_f64()),
        seconds @ 10..120 => format!("{seconds} s"),
        seconds @ 120..7200 => format!("{} min", seconds / 60),
        seconds @ 7200..172_800 => format!("{} h", seconds / 3600),
        seconds => format!("{} days", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_printed_in_one_unit() {
        for (seconds, text) in [(0, "0.0 s"), (119, "119 s"), (7199, "119 min"), (7200, "2 h"), (172_800, "2 days")] {
            assert_eq!(duration_text(Duration::from_secs(seconds)), text);
        }
    }
}
