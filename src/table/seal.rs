//! The operator that turns rows into sealed files.
//!
//! Rows are encoded on the worker; what a commit still holds when it ends is encoded, closed and synced in the
//! background, while the operator keeps the commit's capability. So a passed frontier downstream means *sealed*.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use timely::dataflow::channels::pact::Pipeline;
use timely::dataflow::operators::Capability;
use timely::dataflow::operators::generic::OutputBuilder;
use timely::dataflow::operators::generic::builder_rc::OperatorBuilder;
use timely::dataflow::{Scope, StreamVec};
use timely::progress::Antichain;
use timely::progress::operate::FrontierInterest;
use timely::scheduling::SyncActivator;

use super::writer::FileNaming;
use super::{CommitBuffer, RowFormat, TableError};
use crate::change::{CommitNumber, Epoch, LeaderCommand, Rows, SealedFile, TickRequest};
use crate::control::{Background, Host, Shutdown};
use crate::store::{Store, has_newer_generation, layout};

/// Where sealed files go, and what ends a commit early.
#[derive(Clone)]
pub struct FileOutput {
    /// Where the book lives.
    pub store: Arc<dyn Store>,
    /// Which table, and how it is written.
    pub format: RowFormat,
    /// Version of the parser that produces the rows.
    pub parser: u32,
    /// A worker asks for the commit's end when its files have grown to this many bytes.
    pub commit_bytes: u64,
    /// Fails when a file cannot be written.
    pub shutdown: Shutdown,
}

impl FileOutput {
    /// Ends the run; a staging folder that is gone may be the work of a newer run.
    fn fail(&self, error: TableError, naming: Option<&FileNaming>) {
        self.shutdown.fail(match (error, naming) {
            (TableError::StagingGone { path }, Some(naming)) => gone(&*self.store, &naming.generation, path),
            (error, _) => error,
        });
    }
}

/// Why a run's staging folder is gone.
fn gone(store: &dyn Store, generation: &str, path: String) -> TableError {
    match has_newer_generation(store, generation) {
        Ok(true) => TableError::Fenced { path },
        Ok(false) => TableError::StagingGone { path },
        Err(error) => TableError::writing(&path, error),
    }
}

/// The outputs of [`seal_files`].
pub struct Sealed<'scope> {
    /// The files of each commit, in its first epoch with rows.
    pub files: StreamVec<'scope, Epoch, SealedFile>,
    /// Requests to end a commit.
    pub tick_requests: StreamVec<'scope, Epoch, TickRequest>,
}

/// Writes each commit's rows to files and seals them when the commit's epochs have passed.
pub fn seal_files<'scope>(
    scope: Scope<'scope, Epoch>,
    rows: StreamVec<'scope, Epoch, Rows>,
    commands: StreamVec<'scope, Epoch, LeaderCommand>,
    output: FileOutput,
    host: &dyn Host,
) -> Sealed<'scope> {
    let mut builder = OperatorBuilder::new(format!("SealFiles {}", output.format.table.folder()), scope);
    let (files_out, files) = builder.new_output::<Vec<SealedFile>>();
    let (requests_out, tick_requests) = builder.new_output::<Vec<TickRequest>>();
    let (mut files_out, mut requests_out) = (OutputBuilder::from(files_out), OutputBuilder::from(requests_out));
    let held = [(0, Antichain::from_elem(Default::default())), (1, Antichain::from_elem(Default::default()))];
    let mut rows = builder.new_input_connection(rows, Pipeline, held);
    // Commands hold no output back, or `--until-end` would wait for itself.
    let mut commands = builder.new_input_connection(commands, Pipeline, []);
    builder.set_notify_for(1, FrontierInterest::Never);

    let worker = scope.index();
    let wake = scope.worker().sync_activator_for(builder.operator_info().address.to_vec());
    let sealer = start_sealing(host, output.store.clone(), wake);
    builder.build(move |_initial| {
        let mut naming: Option<FileNaming> = None;
        let mut current: CommitNumber = 0;
        // The first epoch after a commit.
        let mut ends: BTreeMap<CommitNumber, Epoch> = BTreeMap::new();
        let mut open: BTreeMap<CommitNumber, OpenCommit> = BTreeMap::new();
        let mut sealing: BTreeMap<CommitNumber, Capability<Epoch>> = BTreeMap::new();
        move |frontiers| {
            commands.for_each(|_stamp, commands| {
                for command in commands.drain(..) {
                    match command {
                        LeaderCommand::Start(start) => {
                            current = start.commit;
                            if let Err(error) = check_staging(&*output.store, &start.generation) {
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
                        LeaderCommand::Tick(tick) if tick.commit != current => {
                            ends.insert(current, tick.epoch);
                            current = tick.commit;
                        }
                        LeaderCommand::Tick(_) | LeaderCommand::Partitions(_) | LeaderCommand::Stop => {}
                    }
                }
            });
            if output.shutdown.has_failed() {
                return;
            }
            let mut files_out = files_out.activate();
            let mut requests_out = requests_out.activate();
            rows.for_each_stamp(|stamp, batches| {
                for rows in batches.flat_map(|batch| batch.drain(..)) {
                    let commit = rows.commit;
                    let open = open.entry(commit).or_insert_with(|| OpenCommit {
                        files: stamp.retain_least(0).expect("rows come at an epoch"),
                        tick_requests: Some(stamp.retain_least(1).expect("rows come at an epoch")),
                        buffer: CommitBuffer::new(naming.clone().expect("rows come after the start"), commit),
                    });
                    if let Err(error) = open.buffer.push(rows) {
                        output.fail(error, naming.as_ref());
                        return;
                    }
                    if open.buffer.bytes() >= output.commit_bytes
                        && let Some(capability) = open.tick_requests.take()
                    {
                        requests_out.session(&capability).give(TickRequest::Full(commit));
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
                sealer.send(open.buffer);
            }
            while let Some((commit, files)) = sealer.try_recv() {
                match files {
                    Ok(mut files) => {
                        let capability = sealing.remove(&commit).expect("a sealed commit was being sealed");
                        files_out.session(&capability).give_container(&mut files);
                    }
                    Err(error) => output.fail(error, naming.as_ref()),
                }
            }
            ends.retain(|_, end| frontiers[0].less_than(end));
        }
    });
    Sealed { files, tick_requests }
}

/// Checks that this process sees the folder that the leader has created for the run.
fn check_staging(store: &dyn Store, generation: &str) -> Result<(), TableError> {
    let staging = layout::staging_folder(generation);
    let sees = |path: &str| store.exists(path).map_err(|error| TableError::writing(&staging, error));
    if sees(&staging)? {
        return Ok(());
    }
    // If the run's own fence exists, or was swept by a newer run, it is the same book, and the folder was deleted.
    let is_same_book = match layout::fence_of(generation) {
        Some(fence) => {
            sees(&layout::entry_path(fence))?
                || is_swept(store, fence).map_err(|error| TableError::writing(&staging, error))?
        }
        None => false,
    };
    Err(if is_same_book { gone(store, generation, staging) } else { TableError::Unseen { path: staging } })
}

/// Whether a base stands for an entry of the log.
fn is_swept(store: &dyn Store, entry: u64) -> io::Result<bool> {
    match store.list(layout::BASES) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        names => Ok(names?.iter().any(|name| layout::number(name) >= Some(entry))),
    }
}

/// A commit to which rows are still added.
struct OpenCommit {
    files: Capability<Epoch>,
    /// Until the request is sent.
    tick_requests: Option<Capability<Epoch>>,
    buffer: CommitBuffer,
}

type SealResult = (CommitNumber, Result<Vec<SealedFile>, TableError>);

/// Starts the task that closes and syncs files; it ends with the operator.
fn start_sealing(host: &dyn Host, store: Arc<dyn Store>, wake: SyncActivator) -> Background<CommitBuffer, SealResult> {
    Background::start(host, "seal", wake, move |buffer: CommitBuffer| {
        let (commit, staging) = (buffer.commit(), buffer.staging());
        let files = buffer.seal().and_then(|files| {
            // Sync names before sending descriptors: an entry must not name a file that a crash could still remove.
            store.sync_folder(&staging).map_err(|error| TableError::writing(&staging, error))?;
            Ok(files)
        });
        Some((commit, files))
    })
}
