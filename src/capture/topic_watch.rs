//! Whether topics are still the ones that were claimed, checked at an interval while they are written.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::Duration;

use tracing::{debug, info};

use crate::source::kafka::{KafkaError, Topic, Topics};

/// How often to check.
const INTERVAL: Duration = Duration::from_secs(10);
/// When to check again after an answer that would end a session: a broker that has just started may not know all topics.
const CONFIRM_INTERVAL: Duration = Duration::from_secs(3);

/// Watches topics until it is dropped. A producer would continue in another topic of the same name without an error.
pub(super) struct TopicWatch {
    changed: Arc<AtomicBool>,
    _until_dropped: Sender<()>,
}

impl TopicWatch {
    /// Starts to watch topics, by name and id. An empty id stands for the first one that is seen, at once.
    pub(super) fn start(topics: Arc<Topics>, watched: [(String, String); 2]) -> TopicWatch {
        let (until_dropped, dropped) = channel();
        let changed = Arc::new(AtomicBool::new(false));
        let found = Arc::clone(&changed);
        let check = move || {
            let mut watched = watched.map(|(name, id)| WatchedTopic { name, id, is_doubted: false });
            loop {
                for topic in &mut watched {
                    if topic.is_another(topics.describe_topic(&topic.name)) {
                        found.store(true, Ordering::Relaxed);
                    }
                }
                let interval = if watched.iter().any(|topic| topic.is_doubted) { CONFIRM_INTERVAL } else { INTERVAL };
                if dropped.recv_timeout(interval) != Err(RecvTimeoutError::Timeout) {
                    return;
                }
            }
        };
        // Never joined: an answer may take long, and a session that ends does not need it.
        thread::Builder::new().name("topic_watch".to_owned()).spawn(check).expect("a thread can be started");
        TopicWatch { changed, _until_dropped: until_dropped }
    }

    /// Whether a topic is gone, or another one.
    pub(super) fn has_changed(&self) -> bool {
        self.changed.load(Ordering::Relaxed)
    }
}

/// What is known of one topic.
struct WatchedTopic {
    name: String,
    id: String,
    /// Whether according to the last answer it is not the one that was claimed.
    is_doubted: bool,
}

impl WatchedTopic {
    /// Whether according to two answers in a row the topic is gone, or another one.
    fn is_another(&mut self, answer: Result<Topic, KafkaError>) -> bool {
        let is_the_same = match answer {
            Ok(now) if self.id.is_empty() || now.id.is_empty() || now.id == self.id => {
                if self.id.is_empty() {
                    self.id = now.id;
                }
                true
            }
            Ok(_) | Err(KafkaError::NoTopic { .. }) => false,
            Err(error) => {
                // A failed request is no answer.
                debug!(%error, "could not ask whether topic {:?} is still the same", self.name);
                return false;
            }
        };
        let is_confirmed = !is_the_same && self.is_doubted;
        self.is_doubted = !is_the_same;
        if self.is_doubted && !is_confirmed {
            info!(topic = self.name, "according to the broker the topic is gone or another one; checking again");
        }
        is_confirmed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_topic_has_changed_only_after_two_answers_in_a_row() {
        let topic = |id: &str| Ok(Topic { id: id.to_owned(), partitions: 1 });
        let gone = || Err(KafkaError::NoTopic { topic: "t".to_owned(), brokers: "b".to_owned() });
        let silent = || Err(KafkaError::Settings { message: "no answer".to_owned() });
        let watched = |id: &str| WatchedTopic { name: "t".to_owned(), id: id.to_owned(), is_doubted: false };

        let mut claimed = watched("a");
        for answer in [topic("a"), gone(), topic("a"), topic("b"), topic("a"), gone(), topic(""), silent(), gone()] {
            assert!(!claimed.is_another(answer));
        }
        assert!(!claimed.is_another(silent()) && claimed.is_another(gone()));

        let mut another = watched("a");
        assert!(!another.is_another(topic("b")) && another.is_another(topic("b")));

        let mut learnt = watched("");
        assert!(!learnt.is_another(topic("")) && !learnt.is_another(topic("a")) && !learnt.is_another(topic("b")));
        assert!(learnt.is_another(gone()));
    }
}
