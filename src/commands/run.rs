//! `walbook run`: records → book, exactly once.

use std::collections::BTreeMap;
use std::io::{self, IsTerminal, Write};
use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Context;
use tracing::info;

use super::exit::unpack;
use super::origin::{self, Leading};
use super::serve::Serving;
use super::signals;
use crate::book::entry::{BookSettings, TopicEntry, Versions};
use crate::book::{Book, BookError, Committing, State, log};
use crate::change::Start;
use crate::cluster::{self, Clock, ClockSettings, Leader, Run};
use crate::live::ClosedEpoch;
use crate::parse::PARSER_VERSION;
use crate::process::{Progress, Shutdown};
use crate::query::Totals;
use crate::server::ServedRun;
use crate::settings::args::RunArgs;
use crate::settings::{Origin, RunSettings, SettingsError};
use crate::source::MakeSource;
use crate::store::{Disk, Store};
use crate::table::{FileOutput, RowFormat};

/// Empties the terminal's line.
const CLEAR: &str = "\r\x1b[K";
/// How often the progress line is drawn.
const REDRAW: Duration = Duration::from_secs(1);

/// Runs until the end, a signal or a failure.
pub(super) fn run(args: RunArgs) -> anyhow::Result<()> {
    let settings = RunSettings::new(args)?;
    // The first process of a cluster serves.
    let serve = settings.serve.as_ref().filter(|_| settings.peers.is_leader());
    let serving = serve.map(|(address, access)| Serving::begin(*address, access)).transpose()?;
    let (shutdown, progress) = (Shutdown::new(), Progress::new());
    signals::listen(&shutdown).context("could not listen to signals")?;
    let drawing = io::stderr().is_terminal();
    if drawing {
        draw_progress(progress.clone(), shutdown.clone());
    }
    let begin = Instant::now();
    let ended = run_book(&settings, serving, &shutdown, &progress);
    if drawing {
        // A terminal that is gone needs no clearing.
        let _ = write!(io::stderr(), "{CLEAR}");
    }
    ended?;
    let seconds = begin.elapsed().as_secs_f64();
    let (records, changes) = (progress.records(), progress.changes());
    info!(records, changes, commit = progress.commit(), seconds, "done: everything that was read is committed");
    Ok(())
}

/// The run itself, for `run` and `demo`.
pub(super) fn run_book(
    settings: &RunSettings,
    serving: Option<Serving>,
    shutdown: &Shutdown,
    progress: &Progress,
) -> anyhow::Result<()> {
    origin::check(&settings.origin)?;
    let store: Arc<dyn Store> = Arc::new(Disk::new(&settings.book));
    let (leader, listener, source, end) = match settings.peers.is_leader() {
        true => {
            let Led { leader, listener, source, finish } = lead(settings, serving, &store, shutdown, progress)?;
            let generation = leader.1.committer.generation().to_owned();
            (Some(leader), listener, source, Some((finish, generation)))
        }
        false => (None, None, origin::follow(&settings.origin), None),
    };
    let output = |format| FileOutput {
        store: Arc::clone(&store),
        format,
        parser: PARSER_VERSION,
        commit_bytes: settings.commit_bytes,
        shutdown: shutdown.clone(),
    };
    let run = Run {
        peers: settings.peers.clone(),
        leader,
        listener,
        source,
        events: output(RowFormat::events()),
        rejects: output(RowFormat::rejects()),
        progress: progress.clone(),
        shutdown: shutdown.clone(),
    };
    let ended = cluster::run(run).map_err(unpack);
    match end {
        None => ended,
        Some((finish, generation)) => match ended {
            Ok(()) => finish(),
            Err(error) => Err(fenced_first(&*store, &generation, error)),
        },
    }
}

/// What a run failed of, unless another run has taken the book meanwhile: then that is why it finds its source in other hands.
fn fenced_first(store: &dyn Store, generation: &str, error: anyhow::Error) -> anyhow::Error {
    let newest = log::newest(store).ok().flatten().and_then(|newest| log::read_entry(store, newest).ok().flatten());
    match newest {
        Some(newest) if newest.entry.generation != generation => {
            let (entry, other) = (newest.entry.entry, newest.entry.generation);
            BookError::Fenced { reason: format!("entry {entry} is of generation {other}; seen before that: {error:#}") }
                .into()
        }
        _ => error,
    }
}

/// What the leading process has prepared.
struct Led {
    leader: (Leader, Committing),
    listener: Option<Sender<ClosedEpoch>>,
    source: Arc<MakeSource>,
    finish: Box<dyn FnOnce() -> anyhow::Result<()>>,
}

/// Opens the book, takes it over and starts the clock: what only the leading process does.
fn lead(
    settings: &RunSettings,
    serving: Option<Serving>,
    store: &Arc<dyn Store>,
    shutdown: &Shutdown,
    progress: &Progress,
) -> anyhow::Result<Led> {
    let book = open_book(settings, store)?;
    if book.state().settings.day_from == "kafka" && !matches!(settings.origin, Origin::Kafka(_)) {
        let message = "the book takes days from Kafka's timestamps (--day-from kafka), and only topics of Kafka have them: \
                       use another book, or read topics";
        return Err(SettingsError::Wrong(message.to_owned()).into());
    }
    let Leading {
        name,
        source,
        until_end,
        mut plan,
        discovery,
        discover_interval,
        permit,
        mut announce,
        kind,
        ask_ends,
        quiet,
        ask_slot,
        finish,
    } = origin::lead(settings, &book, shutdown)?;
    let (time_zone, day_from) = (book.state().settings.time_zone.clone(), book.state().settings.day_from.clone());

    let mut starts = Vec::new();
    let mut committer = book.fence(|state: &State| -> anyhow::Result<BTreeMap<String, TopicEntry>> {
        let planned = plan(state)?;
        starts = planned.starts;
        Ok(planned.topics)
    })?;
    let start = Start {
        book: committer.book_id().to_owned(),
        generation: committer.generation().to_owned(),
        time_zone,
        day_from,
        commit: committer.next_commit(),
        until_end,
        partitions: starts,
    };
    let initial_counts = committer.initial_counts()?;
    // Finding the coordinator of Kafka's group takes a second: begin now, not when the first commit is there.
    announce(committer.state());
    info!(
        book = start.book,
        generation = start.generation,
        partitions = start.partitions.len(),
        workers = settings.peers.total(),
        "reading {name} into {}",
        settings.book.display()
    );
    let listener = match serving {
        Some(serving) => {
            let (listener, epochs) = channel();
            let counts = Totals::of(initial_counts.iter().map(|(key, count)| (key, *count)));
            let (commit_interval, progress) = (settings.commit_interval, progress.clone());
            let partitions = start.partitions.clone();
            let source = kind;
            let run = ServedRun {
                epochs,
                generation: start.generation.clone(),
                counts,
                partitions,
                source,
                commit_interval,
                discover_interval,
                progress,
                ask_ends,
                quiet,
                ask_slot,
            };
            serving.serve_run(&settings.book, run)?;
            Some(listener)
        }
        None => None,
    };
    let clock = ClockSettings { commit_interval: settings.commit_interval, discover_interval };
    let leader = Clock::new(clock, shutdown.clone()).start(start, initial_counts, discovery);
    Ok(Led { leader: (leader, Committing { committer, permit, announce }), listener, source, finish })
}

/// Opens the book with the zone and day rule that were asked for, else with its own, else with the defaults.
fn open_book(settings: &RunSettings, store: &Arc<dyn Store>) -> anyhow::Result<Book> {
    if let Some(parent) = settings.book.parent().filter(|parent| !parent.as_os_str().is_empty())
        && !parent.is_dir()
    {
        let message = format!("{} does not exist: a book is made in a directory that is there", parent.display());
        return Err(SettingsError::Wrong(message).into());
    }
    if settings.book.exists() && !settings.book.is_dir() {
        let message = format!("{} is a file: a book is a directory", settings.book.display());
        return Err(SettingsError::Wrong(message).into());
    }
    let own = match log::newest(&**store)? {
        Some(newest) => log::read_entry(&**store, newest)?.map(|logged| logged.entry.settings),
        None => None,
    };
    let (own_zone, own_rule) = own.map_or(("UTC".to_owned(), "auto".to_owned()), |own| (own.time_zone, own.day_from));
    let wanted = BookSettings {
        time_zone: settings.time_zone.map_or(own_zone, |zone| zone.name().to_owned()),
        day_from: settings.day_from.map_or(own_rule, |rule| rule.to_string()),
    };
    let versions = Versions {
        walbook: env!("CARGO_PKG_VERSION").to_owned(),
        parser: PARSER_VERSION,
        tzdata: chrono_tz::IANA_TZDB_VERSION.to_owned(),
    };
    Book::open(Arc::clone(store), wanted, versions).with_context(|| settings.book.display().to_string())
}

/// Draws one line about how far the run is, again and again, until the process ends.
fn draw_progress(progress: Progress, shutdown: Shutdown) {
    let draw = move || {
        let mut before = 0;
        loop {
            thread::sleep(REDRAW);
            if !shutdown.is_at_work() {
                continue;
            }
            let records = progress.records();
            let (rate, commit) = (records - before, progress.commit());
            before = records;
            let lag = progress.lag().map_or_else(String::new, |lag| format!("lag {lag}, "));
            let line = format!("{records} records, {rate} records/s, {lag}last commit {commit}");
            // A terminal that is gone needs no progress.
            let _ = write!(io::stderr(), "{CLEAR}{line}\r");
        }
    };
    thread::Builder::new().name("progress".to_owned()).spawn(draw).expect("a thread can be started");
}
