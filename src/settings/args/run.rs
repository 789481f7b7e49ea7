//! `walbook run`

use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use bytesize::ByteSize;
use chrono_tz::Tz;
use clap::parser::ValueSource;
use clap::{ArgMatches, Args, ValueEnum, ValueHint};

use super::heading::{CLUSTER, COMMIT, COUNTING, INPUT, KAFKA, RECOVERY, SERVING};
use super::{AccessArgs, SlotSourceArgs, StoreArgs};
use crate::change::GroupLimit;
use crate::parse::DayFrom;
use crate::settings::values;
use crate::store::BookLocation;

/// `walbook run`
#[derive(Debug, Args)]
pub struct RunArgs {
    /// The book: a directory that is empty, does not exist yet, or is a book already
    ///
    /// Or a place on an object store, if walbook was built with `--features object-store`: s3://bucket/prefix, gs://bucket/prefix or
    /// az://container/prefix.
    #[arg(env = "WALBOOK_BOOK", value_parser = values::book(), value_hint = ValueHint::DirPath)]
    pub book: BookLocation,
    /// A file to read instead of topics or a slot; - is standard input
    ///
    /// Holds values as a topic holds them (one a line, or JSON of any layout), what pg_recvlogical or psql prints, or rows of COPY;
    /// each may be compressed by gzip or zstd. Standard input is always read to its end; a compressed file needs --until-end.
    #[arg(long, env = "WALBOOK_INPUT", value_name = "FILE", value_hint = ValueHint::FilePath, help_heading = INPUT)]
    pub input: Option<PathBuf>,
    /// Stop at the end that the input had when the run started
    #[arg(long, env = "WALBOOK_UNTIL_END", help_heading = INPUT)]
    pub until_end: bool,
    /// Exit with code 1 if a record could not be read
    ///
    /// After everything was committed, rejects too, when the run ends at the end of its input or by a signal. In a cluster all
    /// processes do so if one of them could not read a record. Not with --supervise.
    #[arg(long, env = "WALBOOK_FAIL_ON_REJECTS", help_heading = INPUT)]
    pub fail_on_rejects: bool,
    /// Kafka's brokers, separated by commas
    #[arg(long, env = "WALBOOK_BROKERS", value_name = "HOST:PORT,…", help_heading = KAFKA)]
    pub brokers: Option<String>,
    /// The topics to read, separated by commas
    #[arg(long, env = "WALBOOK_TOPIC", value_delimiter = ',', value_name = "TOPIC,…", help_heading = KAFKA)]
    pub topic: Vec<String>,
    /// Start of a new topic: earliest or latest
    ///
    /// For a topic that is new to the book: earliest is its first record, latest its end.
    #[arg(
        long, env = "WALBOOK_FROM", default_value = "earliest", value_name = "START", hide_possible_values = true,
        help_heading = KAFKA
    )]
    pub from: StartAt,
    /// Consumer group that receives the committed offsets
    ///
    /// It serves lag dashboards; the run never reads it back [default: walbook- and the book's id]
    #[arg(long, env = "WALBOOK_GROUP", value_name = "NAME", help_heading = KAFKA)]
    pub group: Option<String>,
    /// A setting of librdkafka; may be repeated
    ///
    /// In the variable, semicolons separate several settings.
    #[arg(
        short = 'X', long = "set", env = "WALBOOK_SET", hide_env_values = true, value_name = "KEY=VALUE",
        help_heading = KAFKA
    )]
    pub set: Vec<String>,
    /// The slot to read instead of topics.
    #[command(flatten)]
    pub slot: SlotSourceArgs,
    /// Time zone in which days begin
    ///
    /// An IANA name, fixed when a book is made [default: the book's own, UTC for a new book]
    #[arg(
        long, env = "WALBOOK_TIME_ZONE", value_name = "NAME", value_parser = values::time_zone,
        help_heading = COUNTING
    )]
    pub time_zone: Option<Tz>,
    /// Which time decides the day
    ///
    /// Fixed when a book is made [default: the book's own, auto for a new book]
    #[arg(long, env = "WALBOOK_DAY_FROM", value_name = "RULE", value_parser = values::day_rule(), help_heading = COUNTING)]
    pub day_from: Option<DayFrom>,
    /// The most groups and distinct values of all views
    ///
    /// They are in memory. Changes that would make more end the run with code 2, before they are committed.
    #[arg(
        long, env = "WALBOOK_VIEW_MAX_GROUPS", default_value_t = GroupLimit::DEFAULT, value_name = "N",
        help_heading = COUNTING
    )]
    pub view_max_groups: u64,
    /// Time between two commits
    #[arg(
        long, env = "WALBOOK_COMMIT_INTERVAL", default_value = "10s", value_parser = humantime::parse_duration,
        value_name = "TIME", help_heading = COMMIT
    )]
    pub commit_interval: Duration,
    /// Commit early when a worker's files have this size
    #[arg(long, env = "WALBOOK_COMMIT_BYTES", default_value = "128MB", value_name = "SIZE", help_heading = COMMIT)]
    pub commit_bytes: ByteSize,
    /// Days whose small files are merged, or off
    ///
    /// closed-days: a day that is over, and to which nothing came for an hour; of a day that still grows many old small files. Answers stay the
    /// same. off: none; walbook compact does it at any time.
    #[arg(
        long, env = "WALBOOK_COMPACT", default_value = "closed-days", value_name = "DAYS", hide_possible_values = true,
        help_heading = COMMIT
    )]
    pub compact: CompactDays,
    /// Days before today that keep events and rejects
    ///
    /// Older ones are pruned by the run; without it all keep them. Counts and views have all days. Today is at the latest the day after the
    /// newest change. What comes late to an older day is pruned with the next day. Rejects without a timestamp, which all rejects of slots
    /// and files are, are on no day and stay. walbook prune does it at any time.
    #[arg(long, env = "WALBOOK_RETAIN_DAYS", value_name = "N", help_heading = COMMIT)]
    pub retain_days: Option<u32>,
    /// How long entries of the log are kept, or off
    ///
    /// Older ones are swept by the run, in the background, when there are many: a base stands for them, answers stay the same, and starts and verify
    /// read fewer files. Versions before 4 of the book's format stop at it. off: all are kept.
    #[arg(long, env = "WALBOOK_KEEP_LOG", default_value = "7d", value_name = "TIME", help_heading = COMMIT)]
    pub keep_log: KeepLog,
    /// Keep events, counts and views as Delta tables too
    ///
    /// on: readers of Delta Lake see them at one entry of the log. Turned off again, the tables stay as they are. docs/delta.md says more.
    #[arg(
        long, env = "WALBOOK_DELTA", default_value = "off", value_name = "on|off", hide_possible_values = true,
        help_heading = COMMIT
    )]
    pub delta: DeltaSwitch,
    /// The least time between two versions of a Delta table
    #[arg(
        long, env = "WALBOOK_DELTA_INTERVAL", default_value = "1m", value_parser = humantime::parse_duration,
        value_name = "TIME", help_heading = COMMIT
    )]
    pub delta_interval: Duration,
    /// Worker threads in this process [default: one per core]
    #[arg(short = 'w', long, env = "WALBOOK_WORKERS", value_name = "N", help_heading = CLUSTER)]
    pub workers: Option<usize>,
    /// Processes in the cluster
    ///
    /// Each is started with the same settings except -p.
    #[arg(short = 'n', long, env = "WALBOOK_PROCESSES", default_value_t = 1, value_name = "N", help_heading = CLUSTER)]
    pub processes: usize,
    /// Index of this process, from 0
    #[arg(short = 'p', long, env = "WALBOOK_PROCESS", default_value_t = 0, value_name = "INDEX", help_heading = CLUSTER)]
    pub process: usize,
    /// A file with one host:port per process
    ///
    /// The same file for all processes.
    #[arg(long, env = "WALBOOK_HOSTS", value_name = "FILE", value_hint = ValueHint::FilePath, help_heading = CLUSTER)]
    pub hosts: Option<PathBuf>,
    /// A file with a secret that all processes share
    ///
    /// At least 16 bytes. Each proves to the others that it has the secret, which is never sent; who has it not is refused.
    #[arg(
        long, env = "WALBOOK_CLUSTER_TOKEN_FILE", value_name = "FILE", value_hint = ValueHint::FilePath,
        help_heading = CLUSTER
    )]
    pub cluster_token_file: Option<PathBuf>,
    /// This process's certificate, for TLS between processes
    ///
    /// In PEM form, with those between it and the authority; for the host of its line in the hosts file.
    #[arg(
        long, env = "WALBOOK_CLUSTER_CERT", value_name = "FILE", value_hint = ValueHint::FilePath, help_heading = CLUSTER
    )]
    pub cluster_cert: Option<PathBuf>,
    /// The certificate's key
    #[arg(
        long, env = "WALBOOK_CLUSTER_KEY", value_name = "FILE", value_hint = ValueHint::FilePath, help_heading = CLUSTER
    )]
    pub cluster_key: Option<PathBuf>,
    /// The authority that signed all processes' certificates
    #[arg(
        long, env = "WALBOOK_CLUSTER_CA", value_name = "FILE", value_hint = ValueHint::FilePath, help_heading = CLUSTER
    )]
    pub cluster_ca: Option<PathBuf>,
    /// Allow plain connections to other machines
    ///
    /// Without TLS, connections between processes stay on this machine, unless the network between them is trusted.
    #[arg(long, env = "WALBOOK_CLUSTER_INSECURE", help_heading = CLUSTER)]
    pub cluster_insecure: bool,
    /// How its object store is reached.
    #[command(flatten)]
    pub store: StoreArgs,
    /// Start the run again each time it fails
    ///
    /// The run is a process of its own. After a failure (exit code 1, 5, or a signal that killed it) it is started again, after 0.1 s or
    /// more, at most 30 s while it commits nothing; after wrong settings (2), missing data (3) or a fence (4) it is not. Not with
    /// --fail-on-rejects, and not for an input that comes only once, such as standard input or a pipe.
    #[arg(long, env = "WALBOOK_SUPERVISE", help_heading = RECOVERY)]
    pub supervise: bool,
    /// Wait until no other run has the book, then take it over
    ///
    /// That is when the other run ends in order, or gives no sign of life for the time of --lease-timeout. A cluster of several
    /// processes may stand by too. With --serve all requests are answered with 503 until then.
    #[arg(long, env = "WALBOOK_STANDBY", help_heading = RECOVERY)]
    pub standby: bool,
    /// Silence of a run after which a standby takes over
    ///
    /// The run renews its lease at least five times in this time; a standby waits for it, and for three renewals of the run. From 1s to 1h.
    #[arg(
        long, env = "WALBOOK_LEASE_TIMEOUT", default_value = "15s", value_parser = humantime::parse_duration,
        value_name = "TIME", help_heading = RECOVERY
    )]
    pub lease_timeout: Duration,
    /// The process that supervises this one, which must end when that does.
    #[arg(long, value_name = "PROCESS", hide = true)]
    pub supervised_by: Option<u32>,
    /// Serve the page and the HTTP API while running
    ///
    /// In a cluster the first process serves.
    #[arg(
        long, env = "WALBOOK_SERVE", value_parser = values::address, value_name = "ADDRESS:PORT",
        help_heading = SERVING
    )]
    pub serve: Option<SocketAddr>,
    /// Which clients the server accepts.
    #[command(flatten)]
    pub access: AccessArgs,
    /// The origins that are named with the highest priority.
    #[arg(skip)]
    pub origin: Vec<OriginKind>,
    /// The ids of the flags that were typed.
    #[arg(skip)]
    pub typed: Vec<String>,
}

/// Where to start in a new topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum StartAt {
    /// At the first record that the topic still holds.
    Earliest,
    /// At its end.
    Latest,
}

/// Whether a run writes Delta tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum DeltaSwitch {
    /// It does.
    On,
    /// It does not.
    Off,
}

/// Which days a run compacts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum CompactDays {
    /// Those that are over, and many small files of others.
    ClosedDays,
    /// None.
    Off,
}

/// How long entries of the log are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeepLog(Option<Duration>);

impl KeepLog {
    /// The time; `None` for ever.
    pub fn time(self) -> Option<Duration> {
        self.0
    }
}

impl FromStr for KeepLog {
    type Err = String;

    fn from_str(text: &str) -> Result<KeepLog, String> {
        match text {
            "off" => Ok(KeepLog(None)),
            time => humantime::parse_duration(time)
                .map(Some)
                .map(KeepLog)
                .map_err(|error| format!("{error}, or is it off?")),
        }
    }
}

/// The kind of an origin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OriginKind {
    /// `--brokers`, `--topic`
    Kafka,
    /// `--postgres`, `--slot`
    Slot,
    /// `--input`
    Input,
}

impl OriginKind {
    /// The kinds with the flags that name them.
    const FLAGS: [(OriginKind, &[&str]); 3] = [
        (OriginKind::Kafka, &["brokers", "topic"]),
        (OriginKind::Slot, &["postgres", "slot"]),
        (OriginKind::Input, &["input"]),
    ];

    /// Flags that apply to some kinds only.
    const OWN_FLAGS: [(&[OriginKind], &str, &str); 6] = [
        (&[OriginKind::Kafka], "from", "--from"),
        (&[OriginKind::Kafka], "group", "--group"),
        (&[OriginKind::Kafka], "set", "-X"),
        (&[OriginKind::Slot], "create_slot", "--create-slot"),
        (&[OriginKind::Slot], "plugin_option", "--plugin-option"),
        (&[OriginKind::Slot, OriginKind::Input], "spill_dir", "--spill-dir"),
    ];

    /// The kind in a message.
    pub(in crate::settings) fn description(self) -> &'static str {
        match self {
            OriginKind::Kafka => "Kafka topics",
            OriginKind::Slot => "a replication slot",
            OriginKind::Input => "a file or standard input",
        }
    }
}

impl RunArgs {
    /// Notes the flags that were typed, and the origins that are named: by flags, else by variables, else by the settings
    /// file. So a file or an environment that `capture` uses too may name several.
    pub(in crate::settings) fn note_sources(&mut self, matches: &ArgMatches) {
        let typed = |id: &&str| matches.value_source(id) == Some(ValueSource::CommandLine);
        self.typed = matches.ids().map(clap::Id::as_str).filter(typed).map(str::to_owned).collect();
        let highest = |flags: &[&str]| flags.iter().filter_map(|flag| matches.value_source(flag)).max();
        let named: Vec<_> =
            OriginKind::FLAGS.iter().filter_map(|(kind, flags)| Some((*kind, highest(flags)?))).collect();
        let highest = named.iter().map(|(_, source)| *source).max();
        self.origin = named.into_iter().filter(|(_, source)| Some(*source) == highest).map(|(kind, _)| kind).collect();
    }

    /// A flag that was typed although it does not apply to this kind of origin, with the kinds that it applies to.
    pub(in crate::settings) fn foreign_flag(&self, kind: OriginKind) -> Option<(&'static str, &'static [OriginKind])> {
        let is_foreign = |(kinds, id, _): &&(&[OriginKind], &str, &str)| {
            !kinds.contains(&kind) && self.typed.iter().any(|typed| typed == id)
        };
        OriginKind::OWN_FLAGS.iter().find(is_foreign).map(|(kinds, _, flag)| (*flag, *kinds))
    }
}
