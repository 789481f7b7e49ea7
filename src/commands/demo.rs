//! `walbook demo`: the main job with nothing installed.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::answers::{print, rejects_command};
use super::{serve, signals};
use crate::book;
use crate::book::{BookError, ViewChange, change_view};
use crate::change::{CountKey, Day, Failure, GroupLimit, WithContext};
use crate::cluster::{ClusterOptions, ClusterShape};
use crate::control::{Progress, Shutdown};
use crate::demo::{Broker, Shop, VIEWS};
use crate::query;
use crate::query::{Filter, Format, GroupBy, ViewQuery};
use crate::run;
use crate::run::{KafkaInput, KafkaOrigin, LEASE_TIMEOUT, MakeOrigin, RunOptions};
use crate::server::{Access, Server};
use crate::settings::args::{AccessArgs, DemoArgs};
use crate::source::kafka::{KafkaSettings, StartFrom, write_log_lines};
use crate::store::BookLocation;

const TOPIC: &str = "shop";
const PARTITIONS: i32 = 4;
/// The port of the page, if it is free.
const PORT: u16 = 8321;
const WORKERS: usize = 2;
/// Transactions in the two weeks before the demo begins.
const HISTORY: u64 = 30_000;
/// The seed of the shop; any number works.
const SEED: u64 = 20_261_122;
/// The time between two commits; live counts do not wait for them.
const COMMIT_INTERVAL: Duration = Duration::from_secs(10);
/// The size of a worker's files that ends a commit early: the two weeks are committed before the interval has passed.
const COMMIT_BYTES: u64 = 1 << 20;
/// How often the shop's changes are sent while the demo runs. Each time makes a batch in the mock broker, which searches all
/// of its batches for each fetch.
const SEND_INTERVAL: Duration = Duration::from_secs(1);
/// The time between two transactions of the shop, in microseconds.
const TRANSACTION_INTERVAL: i64 = 100_000;
/// How long the shop's transactions may be late, in microseconds.
const LONGEST_PAUSE: i64 = 5_000_000;
/// After how many times the counts are printed again.
const SENDS_PER_TABLE: u32 = 10;
/// How many days the table shows.
const DAYS: i64 = 2;

/// Runs the demo: once over the two weeks, or until a signal ends it.
pub(super) fn demo(args: DemoArgs) -> Result<(), Failure> {
    let temporary = match &args.dir {
        Some(_) => None,
        None => Some(tempfile::Builder::new().prefix("walbook-demo-").tempdir().context("could not make a directory")?),
    };
    let dir = args.dir.as_deref().or(temporary.as_ref().map(|dir| dir.path())).expect("one of them is set");
    ensure_new(dir)?;
    let (shutdown, progress) = (Shutdown::new(), Progress::new());
    signals::listen(&shutdown).context("could not listen to signals")?;

    let broker = Broker::start(TOPIC, PARTITIONS)?;
    write_log_lines(broker.client());
    let mut shop = Shop::new(SEED, now_micros());

    // The mock broker answers an empty fetch only after this time, even if records arrive meanwhile.
    let fetch_wait = ("fetch.wait.max.ms".to_owned(), "250".to_owned());
    let input = KafkaInput {
        kafka: KafkaSettings { brokers: broker.bootstrap_servers(), passed: vec![fetch_wait] },
        topics: vec![TOPIC.to_owned()],
        from: StartFrom::Earliest,
        group: None,
    };
    let until_end = args.once;
    let make_origin: MakeOrigin = Arc::new(move || Ok(Arc::new(KafkaOrigin::new(input.clone(), until_end)) as _));
    let options = RunOptions {
        book: dir.into(),
        shape: ClusterShape::single(WORKERS),
        cluster: ClusterOptions::default(),
        commit_interval: COMMIT_INTERVAL,
        commit_bytes: COMMIT_BYTES,
        view_max_groups: GroupLimit::DEFAULT,
        time_zone: None,
        day_from: None,
        fail_on_rejects: false,
        standby: false,
        compacts: true,
        keep_log: None,
        retain_days: None,
        delta_interval: None,
        lease_timeout: LEASE_TIMEOUT,
    };
    declare_views(&options)?;
    if args.once {
        fill(&broker, &mut shop, dir)?;
        run::start(&options, make_origin, None, &shutdown, &progress)?;
    } else {
        let (server, access) = listen(args.listen)?;
        println!("The page is at {}, and fills while records arrive.\n", serve::page(&server));
        let (run_shutdown, run_progress) = (shutdown.clone(), progress.clone());
        let run = move || run::start(&options, make_origin, Some((server, access)), &run_shutdown, &run_progress);
        let run = thread::Builder::new().name("run".to_owned()).spawn(run)?;
        fill(&broker, &mut shop, dir)?;
        let (mut sends, mut sent_to) = (0, now_micros());
        while !shutdown.is_requested() && !run.is_finished() {
            thread::sleep(SEND_INTERVAL);
            // After a machine slept, what it missed is left out.
            sent_to = sent_to.max(now_micros() - LONGEST_PAUSE);
            while sent_to + TRANSACTION_INTERVAL <= now_micros() {
                sent_to += TRANSACTION_INTERVAL;
                broker.produce(shop.live(sent_to))?;
            }
            sends += 1;
            // The first table follows the first commit, soon after the start.
            if sends % SENDS_PER_TABLE == SENDS_PER_TABLE / 2 && progress.commit() > 0 {
                print_counts(dir)?;
            }
        }
        broker.flush()?;
        run.join().expect("a panic ends the process")?;
    }
    // Clients that are still ending would log that their broker is gone; it ends with the process.
    std::mem::forget(broker);
    print_counts(dir)?;
    print_rejects(dir)?;
    if args.once {
        compare(dir, &shop)?;
    }
    let report = book::verify(dir, &mut |_| {})?;
    print(|out| report.print_table(out))?;
    if !report.ok {
        return Err(Failure::new("the book failed its verification: see the checks that failed"));
    }
    Ok(())
}

/// Produces the two weeks before the demo.
fn fill(broker: &Broker, shop: &mut Shop, dir: &Path) -> Result<(), Failure> {
    let produced = broker.produce(shop.history(HISTORY))?;
    broker.flush()?;
    broker.check_nothing_dropped()?;
    println!(
        "{produced} records of a small shop, from two weeks, are in topic {TOPIC:?} ({PARTITIONS} partitions) at {}.",
        broker.bootstrap_servers()
    );
    println!("{WORKERS} workers read them into the book {}.", dir.display());
    let [first, second] = VIEWS.map(|(name, _)| name);
    println!("It keeps two views, {first} and {second}: `walbook query {} --view {first}`.\n", dir.display());
    Ok(())
}

/// Creates the book and declares the views in it, so that the run keeps them from its first commit on.
fn declare_views(options: &RunOptions) -> Result<(), Failure> {
    run::create_book(options)?;
    let store = options.book.shared();
    let no_book = || BookError::NoBook { path: options.book.location().to_path() };
    for (_, declaration) in VIEWS {
        change_view(&store, &run::versions(), &ViewChange::Declare(declaration.to_owned()), &no_book)?;
    }
    Ok(())
}

/// Listens on the address that was set, else on the usual port, else on any free one.
fn listen(address: Option<SocketAddr>) -> Result<(Server, Access), Failure> {
    let access = AccessArgs::default();
    if let Some(address) = address {
        return serve::listen(address, &access);
    }
    let at = |port| serve::listen(SocketAddr::from((Ipv4Addr::LOCALHOST, port)), &access);
    at(PORT).or_else(|_| at(0))
}

/// The demo creates its own book: it could not continue an older one, whose topic is gone.
fn ensure_new(dir: &Path) -> Result<(), Failure> {
    let is_empty = match dir.read_dir() {
        Ok(mut entries) => entries.next().is_none(),
        Err(_) => !dir.exists(),
    };
    if is_empty {
        return Ok(());
    }
    let message =
        format!("--dir {}: the demo creates a new book, so the directory must be empty or not exist", dir.display());
    Err(crate::settings::SettingsError::Wrong(message).into())
}

fn now_micros() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
}

/// Prints the counts of the last days.
fn print_counts(dir: &Path) -> Result<(), Failure> {
    let today = now_micros() / (24 * 3_600 * 1_000_000);
    let filter = Filter { from: Some(Day::from_days(today + 1 - DAYS).expect("today is a day")), ..Filter::default() };
    let answer = query::counts(dir, &filter, &[GroupBy::Day, GroupBy::Table, GroupBy::Op])?;
    print(|out| {
        answer.print(Format::Table, out)?;
        writeln!(out)
    })
}

/// Prints the reasons of the rejects, with their numbers.
fn print_rejects(dir: &Path) -> Result<(), Failure> {
    let rejects = query::rejects(dir)?;
    let total: u64 = rejects.iter().map(|(_, count)| count).sum();
    println!(
        "{total} records could not be read; they are kept with their bytes ({}):",
        rejects_command(&BookLocation::from(dir))
    );
    for (reason, count) in rejects {
        println!("{count:>8}  {reason}");
    }
    println!();
    Ok(())
}

/// Compares the book with the counts and the rows of views that the shop expects.
fn compare(dir: &Path, shop: &Shop) -> Result<(), Failure> {
    let expected = shop.expected_counts();
    let answer = query::counts(dir, &Filter::default(), &[GroupBy::Day, GroupBy::Table, GroupBy::Op])?;
    let counted: u64 = answer.rows.iter().map(|row| row.count).sum();
    let rejects: u64 = query::rejects(dir)?.iter().map(|(_, count)| count).sum();
    let same = answer.rows.len() == expected.counts.len()
        && answer.rows.iter().all(|row| {
            let key = row.day.zip(row.table.as_deref()).zip(row.op).map(|((day, name), op)| CountKey {
                day,
                table: Arc::new(name.clone()),
                op,
            });
            key.is_some_and(|key| expected.counts.get(&key) == Some(&row.count))
        });
    if !same || rejects != expected.rejects {
        let (made, refused) = (expected.events(), expected.rejects);
        return Err(Failure::new(format!(
            "the book has {counted} changes and {rejects} rejects, the shop made {made} and {refused}"
        )));
    }
    let expected_views = shop.expected_views();
    for ((name, _), expected) in VIEWS.iter().zip(expected_views.csv()) {
        let mut rows = Vec::new();
        query::view(dir, name, &ViewQuery::default())?.print(Format::Csv, &mut rows)?;
        if rows != expected.as_bytes() {
            let rows = String::from_utf8_lossy(&rows).into_owned();
            return Err(Failure::new(format!("view {name} has these rows:\n{rows}\nthe shop made:\n{expected}")));
        }
    }
    let rows = expected_views.rows();
    println!(
        "The book's {counted} changes and {rejects} rejects, and the {rows} rows of its views, are exactly those that the shop made.\n"
    );
    Ok(())
}
