//! `walbook demo`: the main job with nothing installed.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, bail, ensure};

use super::answers::print;
use super::run::run_book;
use super::serve::Serving;
use super::signals;
use crate::book;
use crate::change::{CountKey, Day, TableName};
use crate::cluster::Peers;
use crate::demo::{Broker, Shop};
use crate::process::{Progress, Shutdown};
use crate::query::{self, Filter, Format, GroupBy};
use crate::settings::args::{AccessArgs, DemoArgs};
use crate::settings::{KafkaOrigin, Origin, RunSettings};
use crate::source::kafka::{KafkaSettings, StartFrom};

const TOPIC: &str = "shop";
const PARTITIONS: i32 = 4;
/// Where the page is, if nobody else is there.
const PORT: u16 = 8321;
const WORKERS: usize = 2;
/// Transactions in the two weeks before the demo begins.
const HISTORY: u64 = 30_000;
/// Chooses the shop; any number would do.
const SEED: u64 = 20_261_122;
/// How long a commit takes records: shorter than a real run's, so that the counts are seen to move.
const COMMIT_INTERVAL: Duration = Duration::from_secs(2);
/// How often the shop does something while the demo goes on.
const PAUSE: Duration = Duration::from_millis(100);
/// After how many pauses the counts are printed again.
const PAUSES_PER_TABLE: u32 = 50;
/// How many days the table shows.
const DAYS: i64 = 2;

/// Runs the demo: once over what is there, or on and on until it is asked to end.
pub(super) fn demo(args: DemoArgs) -> anyhow::Result<()> {
    let temporary = match &args.dir {
        Some(_) => None,
        None => Some(tempfile::Builder::new().prefix("walbook-demo-").tempdir().context("could not make a directory")?),
    };
    let dir = args.dir.as_deref().or(temporary.as_ref().map(|dir| dir.path())).expect("one of them is there");
    ensure_new(dir)?;
    let (shutdown, progress) = (Shutdown::new(), Progress::new());
    signals::listen(&shutdown).context("could not listen to signals")?;

    let broker = Broker::start(TOPIC, PARTITIONS)?;
    let mut shop = Shop::new(SEED, now_micros());

    // The mock broker lets a request rest although records have come.
    let patience = ("fetch.wait.max.ms".to_owned(), "100".to_owned());
    let settings = RunSettings {
        book: dir.to_owned(),
        origin: Origin::Kafka(KafkaOrigin {
            kafka: KafkaSettings { brokers: broker.bootstrap_servers(), passed: vec![patience] },
            topics: vec![TOPIC.to_owned()],
            from: StartFrom::Earliest,
            group: None,
        }),
        peers: Peers::single(WORKERS),
        until_end: args.once,
        commit_interval: COMMIT_INTERVAL,
        commit_bytes: u64::MAX,
        time_zone: None,
        day_from: None,
        serve: None,
    };
    if args.once {
        fill(&broker, &mut shop, dir)?;
        run_book(&settings, None, &shutdown, &progress)?;
    } else {
        let serving = serve(args.listen)?;
        println!("The page is at {}, and fills while the records come.\n", serving.page());
        let (end, told) = (shutdown.clone(), progress.clone());
        let run = move || run_book(&settings, Some(serving), &end, &told);
        let run = thread::Builder::new().name("run".to_owned()).spawn(run)?;
        fill(&broker, &mut shop, dir)?;
        let mut pauses = 0;
        while !shutdown.is_requested() && !run.is_finished() {
            thread::sleep(PAUSE);
            broker.produce(shop.live(now_micros()))?;
            pauses += 1;
            // The first table comes with the first commit, soon after the start.
            if pauses % PAUSES_PER_TABLE == PAUSES_PER_TABLE / 2 && progress.commit() > 0 {
                print_counts(dir)?;
            }
        }
        broker.flush()?;
        run.join().expect("a panic ends the process")?;
    }
    // Clients that are still ending would complain of a broker that is gone; it ends with the process.
    std::mem::forget(broker);
    print_counts(dir)?;
    print_rejects(dir)?;
    if args.once {
        compare(dir, &shop)?;
    }
    let report = book::verify(dir, &mut |_| {})?;
    print(|out| report.print_table(out))?;
    ensure!(report.ok, "the book does not hold what it promises: see the checks that failed");
    Ok(())
}

/// Produces the two weeks before the demo.
fn fill(broker: &Broker, shop: &mut Shop, dir: &Path) -> anyhow::Result<()> {
    let produced = broker.produce(shop.history(HISTORY))?;
    broker.flush()?;
    broker.check_nothing_forgotten()?;
    println!(
        "{produced} records of a small shop, two weeks of them, are in topic {TOPIC:?} ({PARTITIONS} partitions) at {}.",
        broker.bootstrap_servers()
    );
    println!("{WORKERS} workers read them into the book {}.\n", dir.display());
    Ok(())
}

/// Takes the address of the page; any free port where nothing was asked for and the usual one is taken.
fn serve(listen: Option<SocketAddr>) -> anyhow::Result<Serving> {
    let access = AccessArgs::default();
    if let Some(address) = listen {
        return Serving::begin(address, &access);
    }
    let at = |port| Serving::begin(SocketAddr::from((Ipv4Addr::LOCALHOST, port)), &access);
    at(PORT).or_else(|_| at(0))
}

/// The demo makes a book of its own: the topic that an older one was made from is gone.
fn ensure_new(dir: &Path) -> anyhow::Result<()> {
    let is_empty = match dir.read_dir() {
        Ok(mut entries) => entries.next().is_none(),
        Err(_) => !dir.exists(),
    };
    if is_empty {
        return Ok(());
    }
    let message =
        format!("--dir {}: the demo makes a new book, so the directory must be empty or absent", dir.display());
    Err(crate::settings::SettingsError::Wrong(message).into())
}

fn now_micros() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
}

/// Prints the counts of the last days.
fn print_counts(dir: &Path) -> anyhow::Result<()> {
    let today = now_micros() / (24 * 3_600 * 1_000_000);
    let filter = Filter { from: Some(Day::from_days(today + 1 - DAYS)?), ..Filter::default() };
    let answer = query::counts(dir, &filter, &[GroupBy::Day, GroupBy::Table, GroupBy::Op])?;
    print(|out| {
        answer.print(Format::Table, out)?;
        writeln!(out)
    })
}

/// Prints what could not be read, and why.
fn print_rejects(dir: &Path) -> anyhow::Result<()> {
    let rejects = query::rejects(dir)?;
    let total: u64 = rejects.iter().map(|(_, count)| count).sum();
    println!("{total} records could not be read; they are kept with their bytes under rejects/:");
    for (reason, count) in rejects {
        println!("{count:>8}  {reason}");
    }
    println!();
    Ok(())
}

/// Compares the book with what the shop knows it did.
fn compare(dir: &Path, shop: &Shop) -> anyhow::Result<()> {
    let truth = shop.truth();
    let answer = query::counts(dir, &Filter::default(), &[GroupBy::Day, GroupBy::Table, GroupBy::Op])?;
    let found: u64 = answer.rows.iter().map(|row| row.count).sum();
    let rejects: u64 = query::rejects(dir)?.iter().map(|(_, count)| count).sum();
    let same = answer.rows.len() == truth.counts.len()
        && answer.rows.iter().all(|row| {
            let key = row.day.zip(row.table.as_deref()).zip(row.op).map(|((day, name), op)| {
                let TableName { schema, table } = name.clone();
                CountKey { day, schema, table, op }
            });
            key.is_some_and(|key| truth.counts.get(&key) == Some(&row.count))
        });
    if !same || rejects != truth.rejects {
        bail!(
            "the book has {found} changes and {rejects} rejects, the shop made {} and {}",
            truth.events(),
            truth.rejects
        );
    }
    println!("The book's {found} changes and {rejects} rejects are exactly those that the shop made.\n");
    Ok(())
}
