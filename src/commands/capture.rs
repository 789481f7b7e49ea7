//! `walbook capture`: a replication slot → Kafka, nothing lost, nothing twice.

use std::io::{self, IsTerminal, Write};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::Context;
use tracing::{debug, info};

use super::signals;
use crate::capture::{Traffic, capture as capture_slot};
use crate::process::Shutdown;
use crate::settings::args::CaptureArgs;
use crate::settings::capture_settings;

/// Empties the terminal's line.
const CLEAR: &str = "\r\x1b[K";
/// How often the progress line is drawn on a terminal …
const REDRAW: Duration = Duration::from_secs(1);
/// … and how often it is logged elsewhere.
const LOG: Duration = Duration::from_secs(10);
/// How long the end may take that a signal asks for: nothing is lost by leaving at once.
const GRACE: Duration = Duration::from_millis(1600);

/// Captures until the end, a signal or a failure.
pub(super) fn capture(args: CaptureArgs) -> anyhow::Result<()> {
    let settings = capture_settings(args)?;
    let (shutdown, traffic) = (Shutdown::new(), Traffic::new());
    signals::listen_and_leave(&shutdown, GRACE).context("could not listen to signals")?;
    info!(
        slot = settings.slot.slot,
        postgres = %settings.slot.connect,
        topic = settings.topic,
        brokers = settings.kafka.brokers,
        "starting to capture"
    );
    let drawing = io::stderr().is_terminal();
    tell_progress(traffic.clone(), drawing);
    let begin = Instant::now();
    let ended = capture_slot(&settings, &shutdown, &traffic);
    if drawing {
        // A terminal that is gone needs no clearing.
        let _ = write!(io::stderr(), "{CLEAR}");
    }
    ended?;
    let seconds = begin.elapsed().as_secs_f64();
    info!(records = traffic.records(), bytes = traffic.bytes(), position = %traffic.position(), seconds, "done");
    Ok(())
}

/// Tells again and again how far the capture is, until the process ends.
fn tell_progress(traffic: Traffic, drawing: bool) {
    let every = if drawing { REDRAW } else { LOG };
    let tell = move || {
        let mut before = 0;
        loop {
            thread::sleep(every);
            let records = traffic.records();
            let rate = (records - before) / every.as_secs();
            let line = format!(
                "{records} records, {rate} records/s, {} s behind, position {}",
                behind(traffic.commit_time()),
                traffic.position()
            );
            if drawing {
                // A terminal that is gone needs no progress.
                let _ = write!(io::stderr(), "{CLEAR}{line}\r");
            } else if records > before {
                debug!("{line}");
            }
            before = records;
        }
    };
    thread::Builder::new().name("progress".to_owned()).spawn(tell).expect("a thread can be started");
}

/// Seconds since the newest captured transaction was committed, if others may wait behind it.
fn behind(commit_time: Option<i64>) -> u64 {
    let committed = commit_time.and_then(|micros| u64::try_from(micros).ok()).map(Duration::from_micros);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    committed.map_or(0, |committed| now.saturating_sub(committed).as_secs())
}
