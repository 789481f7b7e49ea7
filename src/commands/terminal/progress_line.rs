//! One line on standard error that shows how far a command has come, drawn again and again, erased at the end.
//!
//! Only a terminal gets the line; elsewhere it is a log line of level debug now and then.
//!
//! *Why our own*: indicatif draws bars of a known length, and needs a wrapper around each log line (tracing-indicatif) to keep
//! them apart from its bars. One line that is erased before each log line needs neither.

use std::io::{self, IsTerminal, Stderr, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use tracing::{Level, debug, enabled};

/// How often the line is drawn. It is first drawn after this time, so that short work draws nothing.
const REDRAW_INTERVAL: Duration = Duration::from_millis(500);
/// How often the line is logged where there is no terminal.
const LOG_INTERVAL: Duration = Duration::from_secs(10);
/// Empties the line of the terminal that the cursor is in.
const ERASE: &str = "\r\x1b[K";
/// The width of a terminal that does not know its own.
const COLUMNS: usize = 80;

/// Whether the terminal shows the line now; global because log lines and the line share one terminal.
static IS_DRAWN: AtomicBool = AtomicBool::new(false);

/// Draws the line until it is dropped.
pub(in crate::commands) struct ProgressLine {
    drawing: Option<(Sender<()>, JoinHandle<()>)>,
}

impl ProgressLine {
    /// Starts to draw what `describe` returns; nothing while that is `None`.
    pub(in crate::commands) fn start(mut describe: impl FnMut() -> Option<String> + Send + 'static) -> ProgressLine {
        let is_terminal = io::stderr().is_terminal();
        if !is_terminal && !enabled!(Level::DEBUG) {
            return ProgressLine { drawing: None };
        }
        let (stop, stopped) = channel::<()>();
        let draw = move || {
            let interval = if is_terminal { REDRAW_INTERVAL } else { LOG_INTERVAL };
            let mut logged = None;
            while stopped.recv_timeout(interval) == Err(RecvTimeoutError::Timeout) {
                let line = describe();
                match &line {
                    Some(line) if is_terminal => draw(line),
                    Some(text) if line != logged => debug!("{text}"),
                    _ => continue,
                }
                logged = line;
            }
        };
        let thread = thread::Builder::new().name("progress".to_owned()).spawn(draw).expect("a thread can be started");
        ProgressLine { drawing: Some((stop, thread)) }
    }

    /// Starts to draw the text that was set last, and the time since now; returns the function that sets the text.
    pub(in crate::commands) fn start_text() -> (ProgressLine, impl Fn(String)) {
        let (start, text) = (Instant::now(), Arc::new(Mutex::new(None::<String>)));
        let newest = Arc::clone(&text);
        let line = ProgressLine::start(move || {
            let text = newest.lock().unwrap_or_else(PoisonError::into_inner).clone()?;
            Some(format!("{text}, {} s", start.elapsed().as_secs()))
        });
        (line, move |new| *text.lock().unwrap_or_else(PoisonError::into_inner) = Some(new))
    }
}

impl Drop for ProgressLine {
    fn drop(&mut self) {
        if let Some((stop, thread)) = self.drawing.take() {
            drop(stop);
            thread.join().expect("a panic ends the process");
            erase();
        }
    }
}

/// Standard error for the next log line, without the progress line.
pub(in crate::commands) fn stderr() -> Stderr {
    erase();
    io::stderr()
}

fn draw(line: &str) {
    let columns = rustix::termios::tcgetwinsize(io::stderr()).map_or(0, |size| usize::from(size.ws_col));
    let columns = if columns == 0 { COLUMNS } else { columns };
    IS_DRAWN.store(true, Ordering::Relaxed);
    // A terminal that is gone needs no progress.
    let _ = write!(io::stderr(), "{ERASE}{}\r", fit(line, columns));
}

fn erase() {
    if IS_DRAWN.swap(false, Ordering::Relaxed) {
        let _ = write!(io::stderr(), "{ERASE}");
    }
}

/// Cuts a line that would wrap: only the last line of a wrapped one could be erased.
fn fit(line: &str, columns: usize) -> String {
    match line.chars().count() < columns {
        true => line.to_owned(),
        false => line.chars().take(columns.saturating_sub(2)).chain(['…']).collect(),
    }
}

/// How fast a counter grows.
pub(in crate::commands) struct RecordRate {
    count: u64,
    since: Instant,
}

impl RecordRate {
    /// A counter that is at zero now.
    pub(in crate::commands) fn new() -> RecordRate {
        RecordRate { count: 0, since: Instant::now() }
    }

    /// How much the counter grew per second since the last call.
    pub(in crate::commands) fn per_second(&mut self, count: u64) -> u64 {
        let (grown, seconds) = (count.saturating_sub(self.count), self.since.elapsed().as_secs_f64());
        *self = RecordRate { count, since: Instant::now() };
        per_second(grown, seconds)
    }
}

fn per_second(count: u64, seconds: f64) -> u64 {
    (count as f64 / seconds.max(0.001)) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_fits_the_terminal() {
        assert_eq!(fit("57 records", 80), "57 records");
        assert_eq!(fit("57 records", 11), "57 records");
        assert_eq!(fit("57 records", 10), "57 recor…");
        assert_eq!(fit("Größe 57", 5), "Grö…");
        assert_eq!(fit("57 records", 0), "…");
    }

    #[test]
    fn a_rate_is_per_second() {
        assert_eq!(per_second(300, 0.5), 600);
        assert_eq!(per_second(0, 0.0), 0);
        let mut rate = RecordRate::new();
        rate.per_second(1_000);
        assert_eq!(rate.per_second(900), 0, "a counter that went back has no rate");
    }
}
