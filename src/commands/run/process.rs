//! The run itself, in this process.

use std::sync::Arc;
use std::time::Instant;

use tracing::info;

use super::reject_report::RejectReport;
use super::supervised::supervise_run;
use crate::book::log::entry::SourceKind;
use crate::change::{Failure, FailureKind, WithContext};
use crate::commands::terminal::progress_line::{ProgressLine, RecordRate};
use crate::commands::{serve, signals};
use crate::control::{Progress, RejectCounts, Shutdown};
use crate::run;
use crate::run::{FileOrigin, KafkaOrigin, MakeOrigin, Origin, SlotOrigin};
use crate::settings::args::RunArgs;
use crate::settings::{OriginSettings, RunSettings};
use crate::supervise::die_with;

/// Runs until the end, a signal or a failure; with `--supervise` in a process of its own.
pub(in crate::commands) fn run(args: RunArgs) -> Result<(), Failure> {
    let (supervise, supervised_by) = (args.supervise, args.supervised_by);
    let settings = RunSettings::new(args)?;
    match supervised_by {
        Some(supervisor) => die_with(supervisor)?,
        None if supervise => return supervise_run(&settings),
        None => {}
    }
    run_in_this_process(settings)
}

fn run_in_this_process(settings: RunSettings) -> Result<(), Failure> {
    let RunSettings { origin, until_end, options, serve } = settings;
    // The first process of a cluster serves.
    let serve = serve.filter(|_| options.shape.is_leader());
    let server = serve.map(|(address, access)| serve::listen(address, &access)).transpose()?;
    let (shutdown, progress) = (Shutdown::new(), Progress::new());
    signals::listen_for_run(&shutdown).context("could not listen to signals")?;
    let line = progress_line(progress.clone(), shutdown.clone());
    let report = RejectReport::start(&progress, source_kind(&origin), options.book.location());
    let begin = Instant::now();
    let of_origin = shutdown.clone();
    let make_origin: MakeOrigin = Arc::new(move || make_origin(&origin, until_end, &of_origin));
    let ended = run::start(&options, make_origin, server, &shutdown, &progress);
    drop(line);
    let RejectCounts { rejects, .. } = progress.rejects();
    report.finish(&progress.rejects());
    match ended {
        Err(failure) if failure.kind() == FailureKind::Requested => {
            info!("{}", failure.chain());
            return Ok(());
        }
        ended => ended?,
    }
    let seconds = begin.elapsed().as_secs_f64();
    let (records, changes) = (progress.records(), progress.changes());
    info!(
        records,
        changes,
        rejects,
        commit = progress.commit(),
        seconds,
        "done: everything that was read is committed"
    );
    Ok(())
}

fn source_kind(settings: &OriginSettings) -> SourceKind {
    match settings {
        OriginSettings::Kafka(_) => SourceKind::Kafka,
        OriginSettings::Slot(_) => SourceKind::Slot,
        OriginSettings::Input(_) => SourceKind::File,
    }
}

fn make_origin(settings: &OriginSettings, until_end: bool, shutdown: &Shutdown) -> Result<Arc<dyn Origin>, Failure> {
    Ok(match settings {
        OriginSettings::Kafka(input) => Arc::new(KafkaOrigin::new(input.clone(), until_end)),
        OriginSettings::Slot(slot) => Arc::new(SlotOrigin::new((**slot).clone(), until_end, shutdown)),
        OriginSettings::Input(input) => Arc::new(FileOrigin::new(&input.path, &input.spill_folder, until_end)?),
    })
}

/// Shows how far the run is, while it reads.
fn progress_line(progress: Progress, shutdown: Shutdown) -> ProgressLine {
    let mut rate = RecordRate::new();
    ProgressLine::start(move || {
        let records = progress.records();
        let (rate, commit) = (rate.per_second(records), progress.commit());
        let lag = progress.lag().map_or_else(String::new, |lag| format!("lag {lag}, "));
        shutdown.has_work().then(|| format!("{records} records, {rate} records/s, {lag}last commit {commit}"))
    })
}
