//! All counts at a commit or a closed epoch, and the answers and sums that are kept about them for later requests.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::book::{AnswerLevel, CompleteTo};
use crate::change::Day;
use crate::query::{AnswerHead, Filter, RangeSums, RejectCount, Totals};
use crate::server::http::answer_format::AnswerFormat;
use crate::server::http::response_budget::BudgetedBytes;

/// Bytes of answers that are kept about one set of counts.
const MAX_ANSWER_BYTES: usize = 32 << 20;
/// About what else it costs to keep an answer.
const ANSWER_OVERHEAD: usize = 256;
/// Ranges of days whose sums are kept; the least recently used are dropped first.
const MAX_RANGES: usize = 16;

/// All counts at a commit or at a closed epoch.
pub(in crate::server) struct CountsSnapshot {
    /// The counts.
    pub(in crate::server) totals: Totals,
    /// What they are complete to.
    pub(in crate::server) complete_to: CompleteTo,
    /// The IANA name of the zone of their days.
    pub(in crate::server) time_zone: String,
    /// By day: the rejects up to the newest commit.
    pub(in crate::server) rejects: Arc<BTreeMap<Day, u64>>,
}

impl CountsSnapshot {
    /// What precedes the rows of an answer in JSON.
    pub(in crate::server) fn json_head(&self, filter: &Filter) -> Vec<u8> {
        self.head(filter).json().into_bytes()
    }

    /// What an answer says about itself.
    pub(in crate::server) fn head(&self, filter: &Filter) -> AnswerHead<'_> {
        let CountsSnapshot { complete_to, time_zone, .. } = self;
        AnswerHead {
            complete_to,
            time_zone,
            rejects: self.rejects(filter),
            bad_values: None,
            next: None,
            columns: None,
        }
    }

    /// The rejects on the days of a filter.
    pub(in crate::server) fn rejects(&self, filter: &Filter) -> RejectCount {
        RejectCount::new(&self.rejects, filter)
    }

    /// Whether these counts survive a crash.
    pub(in crate::server) fn is_durable(&self) -> bool {
        matches!(self.complete_to.level, AnswerLevel::Durable)
    }

    /// What they are complete to, as JSON.
    pub(in crate::server) fn complete_to(&self) -> serde_json::Value {
        serde_json::json!(self.complete_to)
    }
}

/// A question: its path, its parameters as they came, and the format of the answer.
pub(in crate::server) type Question = (&'static str, String, AnswerFormat);

/// Answers and sums that were computed for earlier requests: many clients look at the same page.
///
/// There is one for live counts and one for durable counts.
#[derive(Default)]
pub(in crate::server) struct CountsCache(Mutex<Cached>);

#[derive(Default)]
struct Cached {
    /// Answers about the newest counts that were asked about.
    answers: Option<CachedAnswers>,
    /// Sums over ranges of days, the most recently used first.
    sums: VecDeque<Arc<RangeSums>>,
    is_closed: bool,
}

struct CachedAnswers {
    counts: Arc<CountsSnapshot>,
    by_question: HashMap<Question, BudgetedBytes>,
    bytes: usize,
}

impl Cached {
    fn remove_sums(&mut self, filter: &Filter) -> Option<Arc<RangeSums>> {
        let index = self.sums.iter().position(|sums| sums.is_over(filter))?;
        self.sums.remove(index)
    }
}

impl CountsCache {
    /// The kept answer to a question about these counts.
    pub(in crate::server) fn answer(&self, counts: &Arc<CountsSnapshot>, question: &Question) -> Option<BudgetedBytes> {
        let cached = self.cached();
        let answers = cached.answers.as_ref().filter(|answers| Arc::ptr_eq(&answers.counts, counts))?;
        answers.by_question.get(question).cloned()
    }

    /// Keeps an answer; those about other counts are dropped.
    pub(in crate::server) fn keep_answer(
        &self,
        counts: &Arc<CountsSnapshot>,
        question: Question,
        answer: &BudgetedBytes,
    ) {
        let mut cached = self.cached();
        if cached.is_closed {
            return;
        }
        let answers = cached.answers.take().filter(|answers| Arc::ptr_eq(&answers.counts, counts));
        let empty = || CachedAnswers { counts: Arc::clone(counts), by_question: HashMap::new(), bytes: 0 };
        let answers = cached.answers.insert(answers.unwrap_or_else(empty));
        // A question may be longer than its answer.
        let bytes = answer.bytes().len() + question.1.len() + ANSWER_OVERHEAD;
        if answers.bytes + bytes <= MAX_ANSWER_BYTES && !answers.by_question.contains_key(&question) {
            answers.bytes += bytes;
            answers.by_question.insert(question, answer.clone());
        }
    }

    /// Whether the sums over the days of a filter are known for counts not much older than the newest.
    pub(in crate::server) fn has_sums(&self, filter: &Filter) -> bool {
        self.cached().sums.iter().any(|sums| sums.is_over(filter))
    }

    /// The sums over the days of a filter, brought up to date with `totals`.
    pub(in crate::server) fn sums(&self, totals: &Totals, filter: &Filter) -> Arc<RangeSums> {
        // Not under the lock: a concurrent request for the same range starts from nothing, and its result is as good.
        let known = self.cached().remove_sums(filter);
        let mut sums = known.unwrap_or_else(|| Arc::new(RangeSums::over(filter)));
        Arc::make_mut(&mut sums).update_to(totals);
        let mut cached = self.cached();
        if !cached.is_closed {
            cached.remove_sums(filter);
            cached.sums.push_front(Arc::clone(&sums));
            cached.sums.truncate(MAX_RANGES);
        }
        sums
    }

    /// Drops everything and keeps nothing from now on: no client can ask about these counts any more.
    pub(in crate::server) fn close(&self) {
        *self.cached() = Cached { is_closed: true, ..Cached::default() };
    }

    fn cached(&self) -> MutexGuard<'_, Cached> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
