//! Whether topics are still the ones that were claimed, asked now and then while they are written.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::Duration;

use tracing::{debug, info};

use crate::source::kafka::{KafkaError, Topic, Topics};

/// How often to ask.
const LOOK: Duration = Duration::from_secs(10);
/// When to ask again after an answer that would end a session: a broker that has just started may not know all topics.
const LOOK_AGAIN: Duration = Duration::from_secs(3);

/// Looks at topics until it is dropped. A producer would go on in another topic of the same name without a word.
pub(super) struct Watch {
    changed: Arc<AtomicBool>,
    _until_dropped: Sender<()>,
}

impl Watch {
    /// Begins to look at topics, by name and id. Where the id is empty, it is the first one that is seen: at once.
    pub(super) fn begin(topics: Arc<Topics>, watched: [(String, String); 2]) -> Watch {
        let (until_dropped, dropped) = channel();
        let changed = Arc::new(AtomicBool::new(false));
        let found = Arc::clone(&changed);
        let look = move || {
            let mut sights = watched.map(|(name, id)| Sight { name, id, is_doubted: false });
            loop {
                for sight in &mut sights {
                    if sight.is_another(topics.describe_topic(&sight.name)) {
                        found.store(true, Ordering::Relaxed);
                    }
                }
                let pause = if sights.iter().any(|sight| sight.is_doubted) { LOOK_AGAIN } else { LOOK };
                if dropped.recv_timeout(pause) != Err(RecvTimeoutError::Timeout) {
                    return;
                }
            }
        };
        // Nobody waits for it: an answer may take long, and a session that ends needs none.
        thread::Builder::new().name("watch".to_owned()).spawn(look).expect("a thread can be started");
        Watch { changed, _until_dropped: until_dropped }
    }

    /// Whether a topic is gone, or another one.
    pub(super) fn has_changed(&self) -> bool {
        self.changed.load(Ordering::Relaxed)
    }
}

/// What is known of one topic.
struct Sight {
    name: String,
    id: String,
    /// Whether the last answer said that it is not the one that was claimed.
    is_doubted: bool,
}

impl Sight {
    /// Whether two answers in a row say that the topic is gone, or another one.
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
                // No answer says nothing about the topic.
                debug!(%error, "could not ask whether topic {:?} is still the same", self.name);
                return false;
            }
        };
        let is_believed = !is_the_same && self.is_doubted;
        self.is_doubted = !is_the_same;
        if self.is_doubted && !is_believed {
            info!(topic = self.name, "the broker says that the topic is gone or another one; asking again");
        }
        is_believed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_two_answers_in_a_row_are_believed() {
        let topic = |id: &str| Ok(Topic { id: id.to_owned(), partitions: 1 });
        let gone = || Err(KafkaError::NoTopic { topic: "t".to_owned(), brokers: "b".to_owned() });
        let silent = || Err(KafkaError::Settings { message: "no answer".to_owned() });
        let begun = |id: &str| Sight { name: "t".to_owned(), id: id.to_owned(), is_doubted: false };

        let mut sight = begun("a");
        for answer in [topic("a"), gone(), topic("a"), topic("b"), topic("a"), gone(), topic(""), silent(), gone()] {
            assert!(!sight.is_another(answer));
        }
        assert!(!sight.is_another(silent()) && sight.is_another(gone()));

        let mut another = begun("a");
        assert!(!another.is_another(topic("b")) && another.is_another(topic("b")));

        let mut learnt = begun("");
        assert!(!learnt.is_another(topic("")) && !learnt.is_another(topic("a")) && !learnt.is_another(topic("b")));
        assert!(learnt.is_another(gone()));
    }
}
