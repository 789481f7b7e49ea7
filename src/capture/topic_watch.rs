//! Whether topics are still the ones that were claimed, checked at an interval while they are written.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use tracing::{debug, info};

use super::CaptureError;
use crate::source::kafka::{Admin, Copies, KafkaError, Topic, Topics};

/// How often to check.
const INTERVAL: Duration = Duration::from_secs(5);
/// When to check again after an answer that would end a session: a broker that has just started may not know all topics.
const CONFIRM_INTERVAL: Duration = Duration::from_secs(2);

/// Watches topics until it is dropped. A producer would continue in another topic of the same name without an error.
pub(super) struct TopicWatch {
    topic: String,
    changed: Arc<AtomicBool>,
    /// Why records are not accepted, according to the last examination.
    reason: Arc<Mutex<Option<String>>>,
    /// Requests an examination; the watch ends when it is dropped.
    examine: Sender<()>,
}

impl TopicWatch {
    /// Starts to watch topics, by name and id. An empty id stands for the first one that is seen, at once.
    pub(super) fn start(topics: Arc<Topics>, admin: Arc<Admin>, watched: [(String, String); 2]) -> TopicWatch {
        let (examine, requests) = channel();
        let (changed, reason) = (Arc::new(AtomicBool::new(false)), Arc::new(Mutex::new(None)));
        let (found, found_reason) = (Arc::clone(&changed), Arc::clone(&reason));
        let topic = watched[0].0.clone();
        let check = move || {
            let mut watched = watched.map(|(name, id)| WatchedTopic { name, id, is_doubted: false });
            loop {
                for topic in &mut watched {
                    if topic.is_another(topics.describe_topic(&topic.name)) {
                        found.store(true, Ordering::Relaxed);
                    }
                }
                let interval = if watched.iter().any(|topic| topic.is_doubted) { CONFIRM_INTERVAL } else { INTERVAL };
                match requests.recv_timeout(interval) {
                    Err(RecvTimeoutError::Timeout) => {}
                    Err(RecvTimeoutError::Disconnected) => return,
                    Ok(()) => {
                        let reason = watched.iter().find_map(|topic| missing_copies(&topics, &admin, &topic.name));
                        *found_reason.lock().unwrap_or_else(PoisonError::into_inner) = reason;
                    }
                }
            }
        };
        // Never joined: an answer may take long, and a session that ends does not need it.
        thread::Builder::new().name("topic_watch".to_owned()).spawn(check).expect("a thread can be started");
        TopicWatch { topic, changed, reason, examine }
    }

    /// Fails if a topic is gone, or another one.
    ///
    /// # Errors
    /// [`CaptureError::TopicChanged`].
    pub(super) fn check(&self) -> Result<(), CaptureError> {
        match self.changed.load(Ordering::Relaxed) {
            true => Err(CaptureError::TopicChanged { topic: self.topic.clone() }),
            false => Ok(()),
        }
    }

    /// Checks the topics now, because they accept no record: whether they are the same, and whether copies are missing.
    pub(super) fn examine(&self) {
        // The thread runs until this is dropped.
        let _ = self.examine.send(());
    }

    /// Why records are not accepted, according to the last examination, if it found a reason.
    pub(super) fn reason(&self) -> Option<String> {
        self.reason.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// The partition of a topic that has no leader, or fewer copies in sync than it needs to accept a record. librdkafka tries such a
/// record again and again, and reports nothing.
fn missing_copies(topics: &Topics, admin: &Admin, name: &str) -> Option<String> {
    let copies = topics.copies(name).ok()?;
    if let Some(Copies { partition, all, .. }) = copies.iter().find(|copies| !copies.has_leader) {
        return Some(format!(
            "LEADER_NOT_AVAILABLE: partition {partition} of topic {name:?} has no leader among its {all} copies"
        ));
    }
    let minimum: usize = admin.topic_settings(name).ok()?.get("min.insync.replicas")?.parse().ok()?;
    let partition = copies.iter().find(|copies| copies.in_sync < minimum)?;
    Some(format!(
        "NOT_ENOUGH_REPLICAS: partition {} of topic {name:?} has {} of {} copies in sync, and min.insync.replicas is {minimum}",
        partition.partition, partition.in_sync, partition.all
    ))
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
