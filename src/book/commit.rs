//! The operator that commits, on worker 0: one entry each time the frontier passes the end of a commit.
//!
//! The entry is put and redone on a thread of its own while the operator holds the capability of the first epoch that
//! is not durable. So the frontier of its output, probed, means *committed*.

use std::collections::{BTreeMap, VecDeque};
use std::error::Error;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::Instant;

use timely::dataflow::channels::pact::{Exchange, Pipeline};
use timely::dataflow::operators::generic::OutputBuilder;
use timely::dataflow::operators::generic::builder_rc::OperatorBuilder;
use timely::dataflow::{Scope, StreamVec};
use timely::progress::Antichain;
use timely::progress::frontier::MutableAntichain;
use timely::progress::operate::FrontierInterest;
use timely::scheduling::SyncActivator;

use super::{CommitContents, CommitOutcome, Committer, CountDelta, State};
use crate::change::{CommitNumber, CountKey, Epoch, Interval, Order, Partition, PartitionTally, SealedFile, Tally};
use crate::process::{Progress, Shutdown};

/// The book that is committed to, and who else hears of it.
pub struct Committing {
    /// Puts entries and redoes them.
    pub committer: Committer,
    /// Asked before each commit whether what was read may be committed; an error ends the run.
    pub permit: Box<dyn FnMut() -> Result<(), Box<dyn Error + Send + Sync>> + Send>,
    /// Told of each commit when it is redone: information for others, never read back.
    pub announce: Box<dyn FnMut(&State) + Send>,
}

/// What a commit is made of, each in the epoch in which it came about.
pub struct Parts<'scope> {
    /// Sealed files of events and rejects.
    pub files: StreamVec<'scope, Epoch, SealedFile>,
    /// Totals as the arrangement tells them: `+1` a total that begins to hold, `-1` one that ends to.
    pub totals: StreamVec<'scope, Epoch, ((CountKey, isize), Epoch, isize)>,
    /// What the records of each partition were.
    pub tallies: StreamVec<'scope, Epoch, PartitionTally>,
    /// What was read of each partition.
    pub positions: StreamVec<'scope, Epoch, (Partition, Interval)>,
}

/// Commits all that came in the epochs of a commit, once they have passed on all workers. Gives the numbers of commits.
pub fn commit_epochs<'scope>(
    scope: Scope<'scope, Epoch>,
    parts: Parts<'scope>,
    orders: StreamVec<'scope, Epoch, Order>,
    committing: Option<Committing>,
    progress: Progress,
    shutdown: Shutdown,
) -> StreamVec<'scope, Epoch, CommitNumber> {
    let mut builder = OperatorBuilder::new("CommitEpochs".to_owned(), scope);
    let (commits_out, commits) = builder.new_output::<Vec<CommitNumber>>();
    let mut commits_out = OutputBuilder::from(commits_out);
    let held = [(0, Antichain::from_elem(Default::default()))];
    let mut files = builder.new_input_connection(parts.files, Exchange::new(|_: &SealedFile| 0), held.clone());
    let to_first = Exchange::new(|_: &((CountKey, isize), Epoch, isize)| 0);
    let mut totals = builder.new_input_connection(parts.totals, to_first, held.clone());
    let to_first = Exchange::new(|_: &PartitionTally| 0);
    let mut tallies = builder.new_input_connection(parts.tallies, to_first, held.clone());
    let to_first = Exchange::new(|_: &(Partition, Interval)| 0);
    let mut positions = builder.new_input_connection(parts.positions, to_first, held);
    let mut orders = builder.new_input_connection(orders, Pipeline, []);
    builder.set_notify_for(4, FrontierInterest::Never);

    let wake = scope.worker().sync_activator_for(builder.operator_info().address.to_vec());
    builder.build(move |mut capabilities| {
        let mut held = capabilities.pop().filter(|_| committing.is_some());
        let thread = committing.map(|committing| start_committing(committing, wake, progress, shutdown.clone()));
        let mut gathered: BTreeMap<Epoch, Gathered> = BTreeMap::new();
        let mut commit: CommitNumber = 0;
        // Ends of commits that the frontier has not passed: the commit and the first epoch after it.
        let mut ends: VecDeque<(CommitNumber, Epoch)> = VecDeque::new();
        // Ends of commits that the thread has: the first epoch after each, none for the last.
        let mut under_way: VecDeque<Option<Epoch>> = VecDeque::new();
        // The data has ended and all of it is with the thread. Ticks still come: the leader ends only when all is durable.
        let mut last_sent = false;
        move |frontiers| {
            orders.for_each(|_stamp, orders| {
                for order in orders.drain(..) {
                    match order {
                        Order::Start(start) => commit = start.commit,
                        Order::Tick(tick) if tick.commit != commit => {
                            ends.push_back((commit, tick.epoch));
                            commit = tick.commit;
                        }
                        Order::Tick(_) | Order::Partitions(_) | Order::Stop => {}
                    }
                }
            });
            let at = |epoch: Option<&Epoch>| *epoch.expect("parts come at an epoch");
            files.for_each(|stamp, files| {
                gathered.entry(at(stamp.least())).or_default().files.append(files);
            });
            totals.for_each(|_stamp, totals| {
                for ((key, total), epoch, diff) in totals.drain(..) {
                    gathered.entry(epoch).or_default().totals.push((key, total, diff));
                }
            });
            tallies.for_each(|stamp, tallies| {
                gathered.entry(at(stamp.least())).or_default().tallies.append(tallies);
            });
            positions.for_each(|stamp, positions| {
                gathered.entry(at(stamp.least())).or_default().positions.append(positions);
            });
            let Some((jobs, done)) = &thread else { return };
            if shutdown.has_failed() {
                return;
            }
            let data = &frontiers[..4];
            let mut passed = None;
            if last_sent {
                ends.clear();
            }
            while ends.front().is_some_and(|(_, end)| data.iter().all(|frontier| !frontier.less_than(end))) {
                passed = ends.pop_front();
            }
            if let Some((commit, end)) = passed {
                let rest = gathered.split_off(&end);
                send(jobs, commit, std::mem::replace(&mut gathered, rest));
                under_way.push_back(Some(end));
            }
            if ends.is_empty() && !last_sent && data.iter().all(MutableAntichain::is_empty) {
                send(jobs, commit, std::mem::take(&mut gathered));
                under_way.push_back(None);
                last_sent = true;
            }
            let mut commits_out = commits_out.activate();
            while let Ok(committed) = done.try_recv() {
                let capability = held.as_mut().expect("it is held until the last commit is durable");
                if let Some(commit) = committed {
                    commits_out.session(&*capability).give(commit);
                }
                match under_way.pop_front().expect("the thread answers what it was sent") {
                    Some(end) => capability.downgrade(&end),
                    None => held = None,
                }
            }
        }
    });
    commits
}

/// What came in one epoch.
#[derive(Default)]
struct Gathered {
    files: Vec<SealedFile>,
    totals: Vec<(CountKey, isize, isize)>,
    tallies: Vec<PartitionTally>,
    positions: Vec<(Partition, Interval)>,
}

/// Puts the epochs of a commit together and hands it to the thread, also when there is nothing in it.
fn send(jobs: &Sender<CommitContents>, commit: CommitNumber, epochs: BTreeMap<Epoch, Gathered>) {
    // The thread ends only after a failure, which stops this worker as well.
    let _ = jobs.send(put_together(commit, epochs));
}

fn put_together(commit: CommitNumber, epochs: BTreeMap<Epoch, Gathered>) -> CommitContents {
    let mut read: BTreeMap<Partition, (Interval, Tally)> = BTreeMap::new();
    let mut counted: BTreeMap<CountKey, (i64, i64)> = BTreeMap::new();
    let mut files = Vec::new();
    for (epoch, gathered) in epochs {
        files.extend(gathered.files);
        for (partition, interval) in gathered.positions {
            read.entry(partition)
                .and_modify(|(all, _)| *all = all.chain(interval).expect("positions of a partition chain"))
                .or_insert((interval, Tally::default()));
        }
        for PartitionTally { partition, tally, kafka_time: _ } in gathered.tallies {
            let (_, sum) = read.get_mut(&partition).expect("an epoch with records has a position that moved");
            sum.add(&tally);
        }
        // Epoch 0 holds what the book had at the start.
        if epoch > 0 {
            for (key, total, diff) in gathered.totals {
                let (delta, after) = counted.entry(key).or_default();
                *delta += (total * diff) as i64;
                // Counts only grow, so the largest total that holds is the last one.
                if diff > 0 {
                    *after = (*after).max(total as i64);
                }
            }
        }
    }
    files.sort();
    CommitContents {
        commit,
        positions: read.into_iter().map(|(partition, (interval, tally))| (partition, interval, tally)).collect(),
        files,
        deltas: counted.into_iter().map(|(key, (added, total))| CountDelta { key, added, total }).collect(),
    }
}

/// What the thread answers for each job: the commit, if there was anything to commit.
type Answer = Option<CommitNumber>;

/// Starts the thread that puts entries and redoes them; it ends with the operator.
fn start_committing(
    committing: Committing,
    wake: SyncActivator,
    progress: Progress,
    shutdown: Shutdown,
) -> (Sender<CommitContents>, Receiver<Answer>) {
    let Committing { mut committer, mut permit, mut announce } = committing;
    let (jobs, todo) = channel::<CommitContents>();
    let (answers, done) = channel();
    thread::Builder::new()
        .name("commit".to_owned())
        .spawn(move || {
            for contents in todo {
                let commit = contents.commit;
                if !contents.positions.is_empty()
                    && let Err(error) = permit()
                {
                    return shutdown.fail(error);
                }
                let changes: i64 = contents.deltas.iter().map(|delta| delta.added).sum();
                let began = Instant::now();
                let answer = match committer.commit(contents) {
                    Ok(CommitOutcome::Committed { .. }) => Some(commit),
                    Ok(CommitOutcome::Nothing) => None,
                    Err(error) => return shutdown.fail(error),
                };
                if answer.is_some() {
                    progress.committed(commit, u64::try_from(changes).unwrap_or(0), began.elapsed());
                    announce(committer.state());
                }
                if answers.send(answer).is_err() || wake.activate().is_err() {
                    return;
                }
            }
        })
        .expect("a thread can be started");
    (jobs, done)
}
