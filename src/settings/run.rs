//! What a run needs, made of what was typed.

use std::path::PathBuf;
use std::thread::available_parallelism;
use std::time::Duration;

use bytesize::ByteSize;
use chrono_tz::Tz;

use super::args::RunArgs;
use super::{Origin, SettingsError};
use crate::cluster::Peers;
use crate::parse::DayFrom;

/// What a run needs.
#[derive(Debug)]
pub struct RunSettings {
    /// The book's directory.
    pub book: PathBuf,
    /// Where records come from.
    pub origin: Origin,
    /// The cluster's shape.
    pub peers: Peers,
    /// Whether to stop at the end that was there at the start.
    pub until_end: bool,
    /// How long a commit takes records.
    pub commit_interval: Duration,
    /// Size of a worker's files that ends a commit early.
    pub commit_bytes: u64,
    /// The zone asked for, if any.
    pub time_zone: Option<Tz>,
    /// The day rule asked for, if any.
    pub day_from: Option<DayFrom>,
}

impl RunSettings {
    /// Checks what was typed and reads the hosts file.
    ///
    /// # Errors
    /// [`SettingsError`] for whatever does not fit.
    pub fn new(args: RunArgs) -> Result<RunSettings, SettingsError> {
        let wrong = |message: String| Err(SettingsError::Wrong(message));
        let origin = Origin::new(&args)?;
        if !matches!(origin, Origin::Kafka(_)) && args.processes > 1 {
            return wrong("-n is for topics of Kafka: a slot or an input is read by one process".to_owned());
        }
        let workers = args.workers.unwrap_or_else(|| available_parallelism().map_or(1, usize::from));
        if workers == 0 || workers > 1000 {
            return wrong(format!("-w {workers}: between 1 and 1000 worker threads"));
        }
        if !(Duration::from_millis(100)..=Duration::from_secs(24 * 3600)).contains(&args.commit_interval) {
            return wrong("--commit-interval: between 100ms and 1day".to_owned());
        }
        if args.commit_bytes < ByteSize::kb(64) {
            return wrong("--commit-bytes: at least 64kB".to_owned());
        }
        let peers = match (args.processes, &args.hosts) {
            (0, _) => return wrong("-n 0: at least one process".to_owned()),
            (1, None) if args.process == 0 => Peers::single(workers),
            (_, None) => return wrong("-n and -p need --hosts FILE with one host:port per process".to_owned()),
            (processes, Some(hosts)) => Peers::cluster(workers, processes, args.process, hosts)?,
        };
        let time_zone = match args.time_zone.as_deref().map(str::parse::<Tz>) {
            Some(Err(_)) => {
                let name = args.time_zone.unwrap_or_default();
                return wrong(format!("--time-zone {name:?} is no IANA name like Europe/Vienna or UTC"));
            }
            Some(Ok(zone)) => Some(zone),
            None => None,
        };
        Ok(RunSettings {
            book: args.book,
            origin,
            peers,
            until_end: args.until_end,
            commit_interval: args.commit_interval,
            commit_bytes: args.commit_bytes.as_u64(),
            time_zone,
            day_from: args.day_from,
        })
    }
}
