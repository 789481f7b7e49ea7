//! The operator that turns rows into sealed files.
//!
//! Rows are encoded on the worker; what a commit still holds when it ends is encoded, closed and synced on a thread of
//! its own, while the operator keeps the commit's capability. So a passed frontier downstream means *sealed*.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use timely::dataflow::channels::pact::Pipeline;
use timely::dataflow::operators::Capability;
use timely::dataflow::operators::generic::OutputBuilder;
use timely::dataflow::operators::generic::builder_rc::OperatorBuilder;
use timely::dataflow::{Scope, StreamVec};
use timely::progress::Antichain;
use timely::progress::operate::FrontierInterest;
use timely::scheduling::SyncActivator;

use super::writer::FileNaming;
use super::{Gather, RowFormat, TableError};
use crate::change::{CommitNumber, Epoch, Order, Rows, SealedFile, Wish};
use crate::process::Shutdown;
use crate::store::{Store, layout};

/// Where sealed files go, and what ends a commit early.
#[derive(Clone)]
pub struct FileOutput {
    /// Where the book lives.
    pub store: Arc<dyn Store>,
    /// Which table, and how it is written.
    pub format: RowFormat,
    /// Version of the parser that makes the rows.
    pub parser: u32,
    /// A worker asks for the commit's end when its files have grown to this many bytes.
    pub commit_bytes: u64,
    /// Told when a file cannot be written.
    pub shutdown: Shutdown,
}

/// What [`seal_files`] gives.
pub struct Sealed<'scope> {
    /// The files of each commit, in its first epoch with rows.
    pub files: StreamVec<'scope, Epoch, SealedFile>,
    /// Wishes for the end of a commit.
    pub wishes: StreamVec<'scope, Epoch, Wish>,
}

/// Gathers each commit's rows into files and seals them when the commit's epochs have passed.
pub fn seal_files<'scope>(
    scope: Scope<'scope, Epoch>,
    rows: StreamVec<'scope, Epoch, Rows>,
    orders: StreamVec<'scope, Epoch, Order>,
    output: FileOutput,
) -> Sealed<'scope> {
    let mut builder = OperatorBuilder::new(format!("SealFiles {}", output.format.table.folder()), scope);
    let (files_out, files) = builder.new_output::<Vec<SealedFile>>();
    let (wishes_out, wishes) = builder.new_output::<Vec<Wish>>();
    let (mut files_out, mut wishes_out) = (OutputBuilder::from(files_out), OutputBuilder::from(wishes_out));
    let held = [(0, Antichain::from_elem(Default::default())), (1, Antichain::from_elem(Default::default()))];
    let mut rows = builder.new_input_connection(rows, Pipeline, held);
    // Orders hold no output back, or `--until-end` would wait for itself.
    let mut orders = builder.new_input_connection(orders, Pipeline, []);
    builder.set_notify_for(1, FrontierInterest::Never);

    let worker = scope.index();
    let wake = scope.worker().sync_activator_for(builder.operator_info().address.to_vec());
    builder.build(move |_initial| {
        let (jobs, sealed) = start_sealing(output.store.clone(), wake);
        let mut naming: Option<FileNaming> = None;
        let mut current: CommitNumber = 0;
        // The first epoch after a commit.
        let mut ends: BTreeMap<CommitNumber, Epoch> = BTreeMap::new();
        let mut open: BTreeMap<CommitNumber, Open> = BTreeMap::new();
        let mut sealing: BTreeMap<CommitNumber, Capability<Epoch>> = BTreeMap::new();
        move |frontiers| {
            orders.for_each(|_stamp, orders| {
                for order in orders.drain(..) {
                    match order {
                        Order::Start(start) => {
                            current = start.commit;
                            if let Err(error) = look_for_staging(&*output.store, &start.generation) {
                                output.shutdown.fail(error);
                            }
                            naming = Some(FileNaming {
                                store: output.store.clone(),
                                book: start.book,
                                generation: start.generation,
                                worker,
                                format: output.format.clone(),
                                parser: output.parser,
                            });
                        }
                        Order::Tick(tick) if tick.commit != current => {
                            ends.insert(current, tick.epoch);
                            current = tick.commit;
                        }
                        Order::Tick(_) | Order::Partitions(_) | Order::Stop => {}
                    }
                }
            });
            if output.shutdown.has_failed() {
                return;
            }
            let mut files_out = files_out.activate();
            let mut wishes_out = wishes_out.activate();
            rows.for_each_stamp(|stamp, batches| {
                for rows in batches.flat_map(|batch| batch.drain(..)) {
                    let commit = rows.commit;
                    let open = open.entry(commit).or_insert_with(|| Open {
                        files: stamp.retain_least(0).expect("rows come at an epoch"),
                        wishes: Some(stamp.retain_least(1).expect("rows come at an epoch")),
                        gather: Gather::new(naming.clone().expect("rows come after the start"), commit),
                    });
                    if let Err(error) = open.gather.push(rows) {
                        output.shutdown.fail(error);
                        return;
                    }
                    if open.gather.bytes() >= output.commit_bytes
                        && let Some(capability) = open.wishes.take()
                    {
                        wishes_out.session(&capability).give(Wish::Full(commit));
                    }
                }
            });
            while let Some(first) = open.first_entry() {
                let passed = |end: &Epoch| !frontiers[0].less_than(end);
                if !(frontiers[0].is_empty() || ends.get(first.key()).is_some_and(passed)) {
                    break;
                }
                let (commit, open) = first.remove_entry();
                sealing.insert(commit, open.files);
                // The thread ends only after a failure, which stops this worker as well.
                let _ = jobs.send(open.gather);
            }
            while let Ok((commit, files)) = sealed.try_recv() {
                match files {
                    Ok(mut files) => {
                        let capability = sealing.remove(&commit).expect("a sealed commit was being sealed");
                        files_out.session(&capability).give_container(&mut files);
                    }
                    Err(error) => output.shutdown.fail(error),
                }
            }
            ends.retain(|_, end| frontiers[0].less_than(end));
        }
    });
    Sealed { files, wishes }
}

/// Makes sure that this process sees the folder that the leader has made for the run.
fn look_for_staging(store: &dyn Store, generation: &str) -> Result<(), TableError> {
    let staging = layout::staging_folder(generation);
    let sees = |path: &str| store.exists(path).map_err(|error| TableError::writing(&staging, error));
    if sees(&staging)? {
        return Ok(());
    }
    // Where the run's own fence is seen, it is the same book, and a newer run has swept the folder away.
    let is_same_book = match layout::fence_of(generation) {
        Some(fence) => sees(&layout::entry_path(fence))?,
        None => false,
    };
    Err(if is_same_book { TableError::Fenced { path: staging } } else { TableError::Unseen { path: staging } })
}

/// A commit that takes rows.
struct Open {
    files: Capability<Epoch>,
    /// Until the wish is made.
    wishes: Option<Capability<Epoch>>,
    gather: Gather,
}

type SealResult = (CommitNumber, Result<Vec<SealedFile>, TableError>);

/// Starts the thread that closes and syncs files; it ends with the operator.
fn start_sealing(store: Arc<dyn Store>, wake: SyncActivator) -> (Sender<Gather>, Receiver<SealResult>) {
    let (jobs, todo) = channel::<Gather>();
    let (done, sealed) = channel();
    thread::Builder::new()
        .name("seal".to_owned())
        .spawn(move || {
            for gather in todo {
                let (commit, staging) = (gather.commit(), gather.staging());
                let files = gather.seal().and_then(|files| {
                    // Names before descriptors: an entry must not name what a crash could still take away.
                    store.sync_folder(&staging).map_err(|error| TableError::writing(&staging, error))?;
                    Ok(files)
                });
                if done.send((commit, files)).is_err() || wake.activate().is_err() {
                    return;
                }
            }
        })
        .expect("a thread can be started");
    (jobs, sealed)
}
