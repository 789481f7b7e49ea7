//! A step of a Kafka transaction that takes long: says why, and ends it if its topics are gone.

use std::time::Duration;

use tracing::warn;

use super::CaptureError;
use super::topic_watch::TopicWatch;

/// After how long the topics are examined, and how often from then on.
const EXAMINE_INTERVAL: Duration = Duration::from_secs(2);
/// After how long the reason is logged: the examination has an answer by then …
const FIRST_LOG: Duration = Duration::from_secs(4);
/// … and how often from then on.
const LOG_INTERVAL: Duration = Duration::from_secs(15);

/// One step that is waited for.
pub(super) struct SlowStep<'a> {
    what: &'static str,
    watch: Option<&'a TopicWatch>,
    next_examination: Duration,
    next_log: Duration,
}

impl<'a> SlowStep<'a> {
    /// A step that begins now, on the topics of `watch`.
    pub(super) fn new(what: &'static str, watch: Option<&'a TopicWatch>) -> SlowStep<'a> {
        SlowStep { what, watch, next_examination: EXAMINE_INTERVAL, next_log: FIRST_LOG }
    }

    /// Notes that the step is not done after `elapsed`; `last_error` is what librdkafka reported last.
    ///
    /// # Errors
    /// [`CaptureError::TopicChanged`] if a topic is not the one any more that is written.
    pub(super) fn wait(
        &mut self,
        elapsed: Duration,
        last_error: impl Fn() -> Option<String>,
    ) -> Result<(), CaptureError> {
        let Some(watch) = self.watch else { return Ok(()) };
        watch.check()?;
        if elapsed >= self.next_examination {
            self.next_examination = elapsed + EXAMINE_INTERVAL;
            watch.examine();
        }
        if elapsed >= self.next_log {
            self.next_log = elapsed + LOG_INTERVAL;
            let reason = watch.reason().or_else(last_error).unwrap_or_else(|| "no answer".to_owned());
            warn!(seconds = elapsed.as_secs(), reason, "could not {} yet; trying on", self.what);
        }
        Ok(())
    }
}
