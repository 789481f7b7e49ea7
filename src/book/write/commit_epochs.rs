//! The operator that commits, on worker 0: one entry each time the frontier passes the end of a commit.
//!
//! The entry is put and redone in the background while the operator holds the capability of the first epoch that
//! is not durable. So the frontier of its output, probed, means *committed*.

use std::collections::{BTreeMap, VecDeque};
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex, PoisonError};

use timely::dataflow::channels::pact::{Exchange, Pipeline};
use timely::dataflow::operators::generic::OutputBuilder;
use timely::dataflow::operators::generic::builder_rc::OperatorBuilder;
use timely::dataflow::{Scope, StreamVec};
use timely::progress::Antichain;
use timely::progress::frontier::MutableAntichain;
use timely::progress::operate::FrontierInterest;
use timely::scheduling::SyncActivator;

use crate::book::{CommitContents, CommitOutcome, Committer, CountDelta, Entry, State};
use crate::change::{
    CommitNumber, CommittedTransaction, CountKey, Epoch, EpochSummary, Failure, Interval, LeaderCommand, LeaderEpoch,
    Partition, PartitionRead, SealedFile, Tally,
};
use crate::control::{Background, Process};

/// A commit in the log, and the state of the book after it.
pub struct CommittedEntry {
    /// The entry.
    pub entry: Arc<Entry>,
    /// The log folded up to it.
    pub state: Arc<State>,
    /// The first epoch that is not in it.
    pub end: Epoch,
}

/// The book that is committed to, and what happens before and after each commit.
pub struct Committing {
    /// Puts entries and redoes them; shared with what merges files in the background.
    pub committer: Arc<Mutex<Committer>>,
    /// Called before each commit: whether what was read may be committed. An error ends the run.
    pub precommit_check: Box<dyn FnMut() -> Result<(), Failure> + Send>,
    /// Called after each commit when it is redone: information for other systems, never read back.
    pub on_committed: Box<dyn FnMut(&State) + Send>,
    /// Receives each commit when it is redone, if the process serves the book.
    pub commits: Option<Sender<CommittedEntry>>,
}

/// Commits all of the epochs of a commit, once they have passed on all workers. Gives the numbers of commits.
pub fn commit_epochs<'scope>(
    scope: Scope<'scope, Epoch>,
    files: StreamVec<'scope, Epoch, SealedFile>,
    epochs: StreamVec<'scope, Epoch, Arc<EpochSummary>>,
    commands: StreamVec<'scope, Epoch, LeaderCommand>,
    committing: Option<Committing>,
    process: Process,
) -> StreamVec<'scope, Epoch, CommitNumber> {
    let mut builder = OperatorBuilder::new("CommitEpochs".to_owned(), scope);
    let (commits_out, commits) = builder.new_output::<Vec<CommitNumber>>();
    let mut commits_out = OutputBuilder::from(commits_out);
    let held = [(0, Antichain::from_elem(Default::default()))];
    let mut files = builder.new_input_connection(files, Exchange::new(|_: &SealedFile| 0), held.clone());
    let mut epochs = builder.new_input_connection(epochs, Pipeline, held);
    let mut commands = builder.new_input_connection(commands, Pipeline, []);
    builder.set_notify_for(2, FrontierInterest::Never);

    let wake = scope.worker().sync_activator_for(builder.operator_info().address.to_vec());
    let shutdown = process.shutdown.clone();
    builder.build(move |mut capabilities| {
        let mut held = capabilities.pop().filter(|_| committing.is_some());
        let task = committing.map(|committing| start_committing(committing, wake, process));
        let mut parts: BTreeMap<Epoch, EpochParts> = BTreeMap::new();
        let mut commit: CommitNumber = 0;
        // Ends of commits that the frontier has not passed: the commit and the first epoch after it.
        let mut ends: VecDeque<(CommitNumber, Epoch)> = VecDeque::new();
        // Ends of commits that the task has: the first epoch after each, none for the last.
        let mut in_progress: VecDeque<Option<Epoch>> = VecDeque::new();
        // The data has ended and all of it is with the task. Ticks still come: the leader ends only when all is durable.
        let mut last_sent = false;
        move |frontiers| {
            commands.for_each(|_stamp, commands| {
                for command in commands.drain(..) {
                    match command {
                        LeaderCommand::Start(start) => commit = start.commit,
                        LeaderCommand::Tick(tick) if tick.commit != commit => {
                            ends.push_back((commit, tick.epoch));
                            commit = tick.commit;
                        }
                        LeaderCommand::Tick(_) | LeaderCommand::Partitions(_) | LeaderCommand::Stop => {}
                    }
                }
            });
            let at = |epoch: Option<&Epoch>| *epoch.expect("parts come at an epoch");
            files.for_each(|stamp, files| parts.entry(at(stamp.least())).or_default().files.append(files));
            epochs.for_each(|stamp, epochs| parts.entry(at(stamp.least())).or_default().summary = epochs.pop());
            let Some(task) = &task else { return };
            if shutdown.has_failed() {
                return;
            }
            let data = &frontiers[..2];
            let mut passed = None;
            if last_sent {
                ends.clear();
            }
            while ends.front().is_some_and(|(_, end)| data.iter().all(|frontier| !frontier.less_than(end))) {
                passed = ends.pop_front();
            }
            if let Some((commit, end)) = passed {
                let open = parts.split_off(&end);
                task.send((merge(commit, std::mem::replace(&mut parts, open)), end));
                in_progress.push_back(Some(end));
            }
            if ends.is_empty() && !last_sent && data.iter().all(MutableAntichain::is_empty) {
                task.send((merge(commit, std::mem::take(&mut parts)), Epoch::MAX));
                in_progress.push_back(None);
                last_sent = true;
            }
            let mut commits_out = commits_out.activate();
            while let Some(committed) = task.try_recv() {
                let capability = held.as_mut().expect("it is held until the last commit is durable");
                if let Some(commit) = committed {
                    commits_out.session(&*capability).give(commit);
                }
                match in_progress.pop_front().expect("the task answers what it was sent") {
                    Some(end) => capability.downgrade(&end),
                    None => held = None,
                }
            }
        }
    });
    commits
}

/// What a commit gets from one epoch.
#[derive(Default)]
struct EpochParts {
    files: Vec<SealedFile>,
    summary: Option<Arc<EpochSummary>>,
}

/// Merges the epochs of a commit, also when there is nothing in them.
fn merge(commit: CommitNumber, epochs: BTreeMap<Epoch, EpochParts>) -> CommitContents {
    let mut read: BTreeMap<Partition, (Interval, Tally)> = BTreeMap::new();
    let mut leader_epochs: BTreeMap<Partition, LeaderEpoch> = BTreeMap::new();
    let mut last_transactions: BTreeMap<String, CommittedTransaction> = BTreeMap::new();
    let mut all_totals: Vec<(CountKey, isize, isize)> = Vec::new();
    let mut files = Vec::new();
    let mut commit_time = None;
    let mut views = Vec::new();
    for parts in epochs.into_values() {
        files.extend(parts.files);
        let EpochSummary { totals, positions, tallies, views: changed } =
            parts.summary.map(Arc::unwrap_or_clone).unwrap_or_default();
        // Epochs come in order, so what is known of the last record stays: also that its leader epoch is not known.
        for tallied in tallies.iter().filter(|tallied| tallied.tally.records() > 0) {
            leader_epochs.remove(&tallied.partition);
        }
        for PartitionRead { partition, interval, leader_epoch, last_transaction } in positions {
            leader_epochs.extend(leader_epoch.map(|last| (partition.clone(), last)));
            last_transactions.extend(last_transaction.map(|last| (partition.topic.clone(), last)));
            read.entry(partition)
                .and_modify(|(all, _)| *all = all.chain(interval).expect("positions of a partition chain"))
                .or_insert((interval, Tally::default()));
        }
        for tallied in tallies {
            let (_, sum) = read.get_mut(&tallied.partition).expect("an epoch with records has a position that moved");
            sum.add(&tallied.tally);
            commit_time = commit_time.max(tallied.commit_time);
        }
        all_totals.extend(totals);
        views.push(changed);
    }
    files.sort();
    CommitContents {
        commit,
        commit_time,
        last_transactions,
        positions: read.into_iter().map(|(partition, (interval, tally))| (partition, interval, tally)).collect(),
        leader_epochs,
        files,
        deltas: deltas(all_totals),
        views,
    }
}

/// How counts changed over all epochs of a commit, sorted by key.
fn deltas(mut totals: Vec<(CountKey, isize, isize)>) -> Vec<CountDelta> {
    totals.sort_unstable_by(|(one, ..), (other, ..)| one.cmp(other));
    let of_keys = totals.chunk_by(|(one, ..), (next, ..)| one == next).map(|updates| {
        let added = updates.iter().map(|(_, total, diff)| (total * diff) as i64).sum();
        // Counts only grow, so the largest total that holds is the last one.
        let total = updates.iter().filter(|(_, _, diff)| *diff > 0).map(|(_, total, _)| *total as i64).max();
        CountDelta { key: updates[0].0.clone(), added, total: total.unwrap_or(0) }
    });
    of_keys.collect()
}

/// A job of the task: what to commit, and the first epoch after it.
type CommitJob = (CommitContents, Epoch);

/// The task's answer to each job: the commit, if there was anything to commit.
type CommitReply = Option<CommitNumber>;

/// Starts the task that puts entries and redoes them; it ends with the operator.
fn start_committing(
    committing: Committing,
    wake: SyncActivator,
    process: Process,
) -> Background<CommitJob, CommitReply> {
    let Committing { committer, mut precommit_check, mut on_committed, mut commits } = committing;
    let Process { progress, shutdown, host } = process;
    let clock = Arc::clone(&host);
    Background::start(&*host, "commit", wake, move |(contents, end): CommitJob| {
        let commit = contents.commit;
        if shutdown.has_failed() {
            // What was found after it was read may be why: it must not be committed.
            return None;
        }
        if !contents.positions.is_empty()
            && let Err(error) = precommit_check()
        {
            shutdown.fail(error);
            return None;
        }
        let changes: i64 = contents.deltas.iter().map(|delta| delta.added).sum();
        let began = clock.now();
        let mut committer = committer.lock().unwrap_or_else(PoisonError::into_inner);
        if shutdown.has_failed() {
            // The committer may have failed while this waited for it, and must not be used again.
            return None;
        }
        match committer.commit(contents) {
            Ok(CommitOutcome::Committed(entry)) => {
                let duration = clock.now().duration_since(began);
                progress.record_commit(commit, u64::try_from(changes).unwrap_or(0), duration);
                on_committed(committer.state());
                // A server that has ended leaves the run alone.
                commits = commits.take().filter(|commits| {
                    let state = Arc::new(committer.state().clone());
                    commits.send(CommittedEntry { entry, state, end }).is_ok()
                });
                Some(Some(commit))
            }
            Ok(CommitOutcome::Nothing) => Some(None),
            Err(error) => {
                shutdown.fail(error);
                None
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::change::{PartitionRead, PartitionTally};

    #[test]
    fn a_leader_epoch_is_dropped_when_a_later_record_has_none() {
        let partition = Partition { topic: "t".to_owned(), number: 0 };
        let epoch = |from: i64, markers: u64, leader_epoch: Option<i32>| {
            let interval = Interval { from, to: from + 5 };
            let leader_epoch = leader_epoch.map(|epoch| LeaderEpoch { epoch, to: from + 5 });
            let read = PartitionRead { partition: partition.clone(), interval, leader_epoch, last_transaction: None };
            let tally = PartitionTally {
                partition: partition.clone(),
                tally: Tally { markers, ..Tally::default() },
                kafka_time: None,
                commit_time: None,
                rejects: Vec::new(),
            };
            let summary = EpochSummary {
                totals: Vec::new(),
                positions: vec![read],
                tallies: vec![tally],
                ..EpochSummary::default()
            };
            EpochParts { files: Vec::new(), summary: Some(Arc::new(summary)) }
        };
        let last = |epochs: [EpochParts; 2]| {
            let merged = merge(1, (1..).zip(epochs).collect());
            merged.leader_epochs.get(&partition).map(|last| (last.epoch, last.to))
        };
        assert_eq!(last([epoch(0, 5, Some(3)), epoch(5, 5, Some(4))]), Some((4, 10)));
        assert_eq!(last([epoch(0, 5, Some(3)), epoch(5, 0, None)]), Some((3, 5)), "no record follows");
        assert_eq!(last([epoch(0, 5, Some(3)), epoch(5, 5, None)]), None, "it is not that of the last record");
    }
}
