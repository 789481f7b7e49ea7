//! Answers that were given a moment ago: many look at the same page.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::counts::Format;
use super::memory::Held;
use super::moment::Moment;

/// Bytes that are kept for one moment.
const MOST_BYTES: usize = 32 << 20;

/// About what else it costs to keep an answer.
const OVERHEAD: usize = 256;

/// A question: its path, its parameters as they came, and how the answer is written.
pub(super) type Question = (&'static str, String, Format);

/// The answers about one moment; the next moment begins without any.
#[derive(Default)]
pub(super) struct Recent(Mutex<Kept>);

#[derive(Default)]
struct Kept {
    given: Option<Given>,
    is_over: bool,
}

struct Given {
    moment: Arc<Moment>,
    answers: HashMap<Question, Held>,
    bytes: usize,
}

impl Recent {
    /// The answer to a question about a moment, if it was given.
    pub(super) fn find(&self, moment: &Arc<Moment>, question: &Question) -> Option<Held> {
        let kept = self.kept();
        kept.given.as_ref().filter(|given| Arc::ptr_eq(&given.moment, moment))?.answers.get(question).cloned()
    }

    /// Forgets all answers, and those that come late: nobody asks any more.
    pub(super) fn end(&self) {
        *self.kept() = Kept { given: None, is_over: true };
    }

    /// Keeps an answer.
    pub(super) fn keep(&self, moment: &Arc<Moment>, question: Question, answer: &Held) {
        let mut kept = self.kept();
        if kept.is_over {
            return;
        }
        if kept.given.as_ref().is_none_or(|given| !Arc::ptr_eq(&given.moment, moment)) {
            kept.given = Some(Given { moment: Arc::clone(moment), answers: HashMap::new(), bytes: 0 });
        }
        let Some(given) = kept.given.as_mut() else { return };
        // A question may be longer than its answer.
        let bytes = answer.bytes().len() + question.1.len() + OVERHEAD;
        if given.bytes + bytes <= MOST_BYTES && !given.answers.contains_key(&question) {
            given.bytes += bytes;
            given.answers.insert(question, answer.clone());
        }
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
