//! Whether a topic is still the one that was claimed, asked now and then while it is written.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::Duration;

use tracing::debug;

use crate::source::kafka::{KafkaError, Topics};

/// How often to ask.
const LOOK: Duration = Duration::from_secs(10);

/// Looks at a topic until it is dropped. A producer would go on in another topic of the same name without a word.
pub(super) struct Watch {
    changed: Arc<AtomicBool>,
    _until_dropped: Sender<()>,
}

impl Watch {
    /// Begins to look at `topic`, whose id was `id`.
    pub(super) fn begin(topics: Arc<Topics>, topic: String, id: String) -> Watch {
        let (until_dropped, dropped) = channel();
        let changed = Arc::new(AtomicBool::new(false));
        let found = Arc::clone(&changed);
        let look = move || {
            while dropped.recv_timeout(LOOK) == Err(RecvTimeoutError::Timeout) {
                match topics.describe_topic(&topic) {
                    Ok(now) if now.id == id || now.id.is_empty() => {}
                    Ok(_) | Err(KafkaError::NoTopic { .. }) => found.store(true, Ordering::Relaxed),
                    Err(error) => debug!(%error, "could not ask whether the topic is still the same"),
                }
            }
        };
        // Nobody waits for it: an answer may take long, and a session that ends needs none.
        thread::Builder::new().name("watch".to_owned()).spawn(look).expect("a thread can be started");
        Watch { changed, _until_dropped: until_dropped }
    }

    /// Whether the topic is gone, or another one.
    pub(super) fn has_changed(&self) -> bool {
        self.changed.load(Ordering::Relaxed)
    }
}
