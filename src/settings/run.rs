//! The settings of `walbook run`, checked.

use std::fs;
use std::net::SocketAddr;
use std::thread::available_parallelism;
use std::time::Duration;

use bytesize::ByteSize;

use super::args::{AccessArgs, CompactDays, DeltaSwitch, RunArgs};
use super::{FileOriginSettings, OriginSettings, SettingsError, cluster};
use crate::run::RunOptions;

/// What a run needs.
#[derive(Debug)]
pub struct RunSettings {
    /// Where records come from.
    pub origin: OriginSettings,
    /// Whether to stop at the end that the input had at the start.
    pub until_end: bool,
    /// The book, the cluster and the commits.
    pub options: RunOptions,
    /// Where to serve the page, if anywhere, and to which clients.
    pub serve: Option<(SocketAddr, AccessArgs)>,
}

impl RunSettings {
    /// Checks what was typed and reads the hosts file.
    ///
    /// # Errors
    /// [`SettingsError`] when a setting is wrong or two of them contradict each other.
    pub fn new(args: RunArgs) -> Result<RunSettings, SettingsError> {
        let wrong = |message: String| Err(SettingsError::Wrong(message));
        let origin = OriginSettings::new(&args)?;
        if !matches!(origin, OriginSettings::Kafka(_)) && args.processes > 1 {
            return wrong(
                "-n: only Kafka topics can be read by several processes; a slot or a file is read by one".to_owned(),
            );
        }
        if args.supervise {
            check_repeatable(&args, &origin)?;
        }
        if args.standby && matches!(origin, OriginSettings::Input(_)) {
            return wrong("--standby: a file is read by one run; a standby reads topics or a slot".to_owned());
        }
        if !(Duration::from_secs(1)..=Duration::from_secs(3600)).contains(&args.lease_timeout) {
            return wrong("--lease-timeout: expected 1s to 1h".to_owned());
        }
        let workers = args.workers.unwrap_or_else(|| available_parallelism().map_or(1, usize::from));
        if workers == 0 || workers > 1000 {
            return wrong(format!("-w {workers}: expected 1 to 1000 worker threads"));
        }
        if !(Duration::from_millis(100)..=Duration::from_secs(24 * 3600)).contains(&args.commit_interval) {
            return wrong("--commit-interval: expected 100ms to 1day".to_owned());
        }
        if args.commit_bytes < ByteSize::kb(64) {
            return wrong("--commit-bytes: expected at least 64kB".to_owned());
        }
        if args.keep_log.time().is_some_and(|time| time < Duration::from_secs(3600)) {
            return wrong("--keep-log: expected at least 1h, or off".to_owned());
        }
        let has_delta = args.delta == DeltaSwitch::On;
        if has_delta && cfg!(not(feature = "delta")) {
            return wrong(
                "--delta on: this walbook was built without Delta tables; build one with `cargo build --release --features delta`".to_owned(),
            );
        }
        if !(Duration::from_secs(1)..=Duration::from_secs(24 * 3600)).contains(&args.delta_interval) {
            return wrong("--delta-interval: expected 1s to 1day".to_owned());
        }
        let shape = cluster::shape(&args, workers)?;
        let cluster = cluster::options(&args, &shape, &origin)?;
        Ok(RunSettings {
            origin,
            until_end: args.until_end,
            options: RunOptions {
                book: args.store.of(&args.book)?,
                shape,
                cluster,
                commit_interval: args.commit_interval,
                commit_bytes: args.commit_bytes.as_u64(),
                view_max_groups: args.view_max_groups,
                time_zone: args.time_zone.map(|zone| zone.name().to_owned()),
                day_from: args.day_from.map(|rule| rule.to_string()),
                fail_on_rejects: args.fail_on_rejects,
                standby: args.standby,
                compacts: args.compact == CompactDays::ClosedDays,
                keep_log: args.keep_log.time(),
                retain_days: args.retain_days,
                delta_interval: has_delta.then_some(args.delta_interval),
                lease_timeout: args.lease_timeout,
            },
            serve: args.serve.map(|address| (address, args.access)),
        })
    }
}

/// Refuses to supervise a run after which the next one would not find what it found.
fn check_repeatable(args: &RunArgs, origin: &OriginSettings) -> Result<(), SettingsError> {
    if args.fail_on_rejects {
        return Err(SettingsError::Wrong(
            "--fail-on-rejects: not with --supervise, which would start the run again, and the next run does not meet the \
             same rejects; leave one of them out: walbook rejects lists what could not be read at any time"
                .to_owned(),
        ));
    }
    let OriginSettings::Input(FileOriginSettings { path, .. }) = origin else { return Ok(()) };
    // A run says what is wrong with a path at which there is nothing.
    if path.as_os_str() == "-" || fs::metadata(path).is_ok_and(|found| !found.is_file()) {
        return Err(SettingsError::Wrong(format!(
            "--supervise: --input {} is not a regular file, and a stream comes only once: the next run could not read it again; \
             write it to a file first",
            path.display()
        )));
    }
    Ok(())
}
