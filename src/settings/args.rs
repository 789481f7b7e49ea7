//! The command line as it is typed.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use bytesize::ByteSize;
use clap::{Args, Parser, Subcommand, ValueEnum};

use super::{OriginKind, address};
use crate::change::{Day, Lsn, Operation};
use crate::parse::DayFrom;
use crate::query::{Format, GroupBy, Pattern};

/// Keeps the day book of a PostgreSQL write-ahead log: counts per table, day and operation, exactly once, in Parquet.
#[derive(Debug, Parser)]
#[command(name = "walbook", version, max_term_width = 110)]
#[command(
    after_help = "Exit codes: 0 done; 1 failed while running; 2 wrong usage or settings; 3 data is missing, with the \
exact range; 4 fenced: another run owns the book.\nEvery flag has a key in the settings file and an environment variable; \
the flag wins, then the environment, then the file."
)]
pub struct WalbookArgs {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
    /// A TOML file with settings: keys are the long flags' names; a table named after a command holds for that command only
    #[arg(long, global = true, env = "WALBOOK_CONFIG", value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// How log lines on standard error look
    #[arg(long, global = true, env = "WALBOOK_LOG_FORMAT", default_value = "human")]
    pub log_format: LogFormat,
    /// Which log lines are shown: error, warn, info, debug, or a filter of the tracing crate
    #[arg(long, global = true, env = "WALBOOK_LOG", default_value = "info", value_name = "FILTER")]
    pub log: String,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// The main job with nothing installed: an in-process broker, a small shop's changes over two weeks, the real run
    Demo(DemoArgs),
    /// PostgreSQL's replication slot → Kafka, nothing lost, nothing twice
    Capture(Box<CaptureArgs>),
    /// Kafka, or a file → book, exactly once
    Run(Box<RunArgs>),
    /// Counts from a book, while it is being written or not
    Query(QueryArgs),
    /// Raw changes from a book, newest first
    Events(EventsArgs),
    /// The page and the HTTP API over a book, while it is being written or not
    Serve(ServeArgs),
    /// Recounts a book: events against counts and log, offsets, sizes, rows, checksums
    Verify(VerifyArgs),
    /// Makes, shows or drops a replication slot of PostgreSQL
    Slot(SlotArgs),
    /// Looks at server, role, tables, slot, topic and book, and says what would hurt and what mends it
    Doctor(DoctorArgs),
}

/// How log lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people.
    Human,
    /// One JSON object a line.
    Json,
}

/// `walbook run`
#[derive(Debug, Args)]
pub struct RunArgs {
    /// The book: a directory that is empty, absent or a book already
    #[arg(env = "WALBOOK_BOOK")]
    pub book: PathBuf,
    /// Kafka's brokers: host:port, several with commas
    #[arg(long, env = "WALBOOK_BROKERS", value_name = "HOST:PORT,…")]
    pub brokers: Option<String>,
    /// The topics to read, several with commas
    #[arg(long, env = "WALBOOK_TOPIC", value_delimiter = ',', value_name = "TOPIC,…")]
    pub topic: Vec<String>,
    /// A slot to read instead of topics.
    #[command(flatten)]
    pub slot: SlotSourceArgs,
    /// A file to read instead, - for standard input: values as topics hold them, one a line, or what pg_recvlogical prints
    #[arg(long, env = "WALBOOK_INPUT", value_name = "FILE")]
    pub input: Option<PathBuf>,
    /// The places that are named most strongly.
    #[arg(skip)]
    pub origin: Vec<OriginKind>,
    /// What was typed as a flag.
    #[arg(skip)]
    pub typed: Vec<String>,
    /// Worker threads in this process [default: one per core]
    #[arg(short = 'w', long, env = "WALBOOK_WORKERS", value_name = "N")]
    pub workers: Option<usize>,
    /// Processes in the cluster; each is started with the same settings but -p
    #[arg(short = 'n', long, env = "WALBOOK_PROCESSES", default_value_t = 1, value_name = "N")]
    pub processes: usize,
    /// This process's index, from 0
    #[arg(short = 'p', long, env = "WALBOOK_PROCESS", default_value_t = 0, value_name = "INDEX")]
    pub process: usize,
    /// A file with one host:port per process, the same for all; the network between them must be trusted
    #[arg(long, env = "WALBOOK_HOSTS", value_name = "FILE")]
    pub hosts: Option<PathBuf>,
    /// Stop at the end that there is at the start; standard input is always read to its end
    #[arg(long, env = "WALBOOK_UNTIL_END")]
    pub until_end: bool,
    /// How long a commit takes records
    #[arg(long, env = "WALBOOK_COMMIT_INTERVAL", default_value = "10s", value_parser = humantime::parse_duration, value_name = "TIME")]
    pub commit_interval: Duration,
    /// End a commit early when a worker's files have grown to this size
    #[arg(long, env = "WALBOOK_COMMIT_BYTES", default_value = "128MB", value_name = "SIZE")]
    pub commit_bytes: ByteSize,
    /// The zone in which days begin, fixed when a book is made [default: the book's, UTC for a new one]
    #[arg(long, env = "WALBOOK_TIME_ZONE", value_name = "IANA NAME")]
    pub time_zone: Option<String>,
    /// Which instant decides the day, fixed when a book is made: auto, commit or kafka [default: the book's, auto for a new one]
    #[arg(long, env = "WALBOOK_DAY_FROM", value_name = "RULE")]
    pub day_from: Option<DayFrom>,
    /// Where to begin in a topic that is new to the book
    #[arg(long, env = "WALBOOK_FROM", default_value = "earliest")]
    pub from: From,
    /// Kafka's group that is told how far the book is, for lag dashboards; never read back [default: walbook- and the book's id]
    #[arg(long, env = "WALBOOK_GROUP", value_name = "NAME")]
    pub group: Option<String>,
    /// A setting of librdkafka; may be given several times. In the variable, semicolons stand between them
    #[arg(short = 'X', long = "set", env = "WALBOOK_SET", hide_env_values = true, value_name = "KEY=VALUE")]
    pub set: Vec<String>,
    /// Serve the page and the HTTP API here while running; in a cluster the first process does
    #[arg(long, env = "WALBOOK_SERVE", value_parser = address::read, value_name = "ADDRESS:PORT")]
    pub serve: Option<SocketAddr>,
    /// Who may ask it.
    #[command(flatten)]
    pub access: AccessArgs,
}

/// A replication slot, and the way to it.
#[derive(Debug, Args)]
pub struct SlotSourceArgs {
    /// The PostgreSQL server and database: postgresql://user@host:port/database; a password may also stand in PGPASSWORD or ~/.pgpass
    #[arg(long, env = "WALBOOK_POSTGRES", hide_env_values = true, value_name = "URL")]
    pub postgres: Option<String>,
    /// The logical replication slot; it must decode with test_decoding
    #[arg(long, env = "WALBOOK_SLOT", value_name = "NAME")]
    pub slot: Option<String>,
    /// Make the slot if it is not there and nothing was read from it before; a failover slot where the server has them
    #[arg(long, env = "WALBOOK_CREATE_SLOT")]
    pub create_slot: bool,
    /// A further option of test_decoding; may be given several times, or several with commas
    #[arg(long, env = "WALBOOK_PLUGIN_OPTION", value_delimiter = ',', value_name = "KEY=VALUE")]
    pub plugin_option: Vec<String>,
    /// Where transactions wait for their end that are too large for memory; a disk with room for the largest [default: the system's folder for temporary files]
    #[arg(long, env = "WALBOOK_SPILL_DIR", value_name = "DIR")]
    pub spill_dir: Option<PathBuf>,
}

/// `walbook capture`
#[derive(Debug, Args)]
pub struct CaptureArgs {
    /// Where changes come from.
    #[command(flatten)]
    pub source: SlotSourceArgs,
    /// Kafka's brokers: host:port, several with commas
    #[arg(long, env = "WALBOOK_BROKERS", value_name = "HOST:PORT,…")]
    pub brokers: String,
    /// The topic to write to; it belongs to this slot alone. Its position is kept in TOPIC.walbook-position
    #[arg(long, env = "WALBOOK_TOPIC", value_name = "TOPIC")]
    pub topic: String,
    /// Make the topic if it is not there
    #[arg(long, env = "WALBOOK_CREATE_TOPIC")]
    pub create_topic: bool,
    /// Partitions of a topic that is made: a table's changes stay in one, in order; with one, all changes are in order
    #[arg(long, env = "WALBOOK_PARTITIONS", default_value_t = 1, value_name = "N")]
    pub partitions: i32,
    /// End when everything that the server has at the start is in the topic
    #[arg(long, env = "WALBOOK_ONCE", conflicts_with = "until_lsn")]
    pub once: bool,
    /// End when everything up to this LSN is in the topic
    #[arg(long, env = "WALBOOK_UNTIL_LSN", value_name = "LSN")]
    pub until_lsn: Option<Lsn>,
    /// For a topic that has records and no position: everything up to this LSN is in it
    #[arg(long, env = "WALBOOK_ASSUME_POSITION", value_name = "LSN")]
    pub assume_position: Option<Lsn>,
    /// A setting of librdkafka; may be given several times. In the variable, semicolons stand between them
    #[arg(short = 'X', long = "set", env = "WALBOOK_SET", hide_env_values = true, value_name = "KEY=VALUE")]
    pub set: Vec<String>,
}

/// Where to begin in a new topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum From {
    /// At the first record that is there.
    Earliest,
    /// At the end.
    Latest,
}

/// Which changes to look at.
#[derive(Debug, Args)]
pub struct FilterArgs {
    /// First day
    #[arg(long, env = "WALBOOK_FROM_DAY", value_name = "DAY")]
    pub from: Option<Day>,
    /// Last day, inclusive
    #[arg(long, env = "WALBOOK_TO_DAY", value_name = "DAY")]
    pub to: Option<Day>,
    /// Tables whose schema.table matches; * and ? stand for any text and any character
    #[arg(long, env = "WALBOOK_TABLE", value_name = "PATTERN")]
    pub table: Option<Pattern>,
    /// Only one operation: insert, update, delete or truncate
    #[arg(long, env = "WALBOOK_OP", value_name = "OP")]
    pub op: Option<Operation>,
}

/// `walbook query`
#[derive(Debug, Args)]
pub struct QueryArgs {
    /// The book
    #[arg(env = "WALBOOK_BOOK")]
    pub book: PathBuf,
    /// Which changes.
    #[command(flatten)]
    pub filter: FilterArgs,
    /// What to sum by, in the order of the columns: day, table, op
    #[arg(long, env = "WALBOOK_BY", value_delimiter = ',', default_value = "day,table,op")]
    pub by: Vec<GroupBy>,
    /// How to print: table, csv or json
    #[arg(long, env = "WALBOOK_FORMAT", default_value = "table")]
    pub format: Format,
}

/// `walbook events`
#[derive(Debug, Args)]
pub struct EventsArgs {
    /// The book
    #[arg(env = "WALBOOK_BOOK")]
    pub book: PathBuf,
    /// Which changes.
    #[command(flatten)]
    pub filter: FilterArgs,
    /// At most so many, the newest
    #[arg(long, env = "WALBOOK_LIMIT", default_value_t = 100, value_name = "N")]
    pub limit: usize,
    /// How to print: table, csv or json
    #[arg(long, env = "WALBOOK_FORMAT", default_value = "table")]
    pub format: Format,
}

/// `walbook serve`
#[derive(Debug, Args)]
pub struct ServeArgs {
    /// The book
    #[arg(env = "WALBOOK_BOOK")]
    pub book: PathBuf,
    /// Where to listen
    #[arg(long, env = "WALBOOK_LISTEN", default_value = "127.0.0.1:8321", value_parser = address::read, value_name = "ADDRESS:PORT")]
    pub listen: SocketAddr,
    /// Who may ask.
    #[command(flatten)]
    pub access: AccessArgs,
}

/// Who may ask a server.
#[derive(Clone, Debug, Default, Args)]
pub struct AccessArgs {
    /// A file whose first line is a token that requests must carry (Authorization: Bearer …); needed where others reach the address
    #[arg(long, env = "WALBOOK_TOKEN_FILE", value_name = "FILE")]
    pub token_file: Option<PathBuf>,
    /// Serve beyond the loopback without a token: everybody who reaches the address can read the book
    #[arg(long, env = "WALBOOK_INSECURE")]
    pub insecure: bool,
    /// A name besides localhost by which browsers may call the server; several with commas
    #[arg(long, env = "WALBOOK_ALLOW_HOST", value_delimiter = ',', value_name = "NAME,…")]
    pub allow_host: Vec<String>,
}

/// `walbook verify`
#[derive(Debug, Args)]
pub struct VerifyArgs {
    /// The book
    #[arg(env = "WALBOOK_BOOK")]
    pub book: PathBuf,
    /// How to print: table or json
    #[arg(long, env = "WALBOOK_FORMAT", default_value = "table")]
    pub format: ReportFormat,
}

/// How a report is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ReportFormat {
    /// For people.
    Table,
    /// One object.
    Json,
}

/// `walbook demo`
#[derive(Debug, Args)]
pub struct DemoArgs {
    /// Where the book is made [default: a temporary directory that is removed at the end]
    #[arg(long, env = "WALBOOK_DEMO_DIR", value_name = "DIR")]
    pub dir: Option<PathBuf>,
    /// Where the page is served [default: 127.0.0.1:8321, or another port if that one is taken]
    #[arg(long, env = "WALBOOK_LISTEN", value_parser = address::read, value_name = "ADDRESS:PORT")]
    pub listen: Option<SocketAddr>,
    /// Process what is there, print the counts, verify, end
    #[arg(long, env = "WALBOOK_DEMO_ONCE")]
    pub once: bool,
}

/// `walbook slot`
#[derive(Debug, Args)]
pub struct SlotArgs {
    /// What to do with it
    pub action: SlotAction,
    /// The PostgreSQL server: postgresql://user@host:port/database or key=value words; PG… variables and ~/.pgpass count
    #[arg(long, env = "WALBOOK_POSTGRES", hide_env_values = true, value_name = "URL")]
    pub postgres: String,
    /// The slot; status shows all when it is left out
    #[arg(long, env = "WALBOOK_SLOT", value_name = "NAME")]
    pub slot: Option<String>,
    /// Drop without asking
    #[arg(long, env = "WALBOOK_YES")]
    pub yes: bool,
    /// How status is printed: table or json
    #[arg(long, env = "WALBOOK_FORMAT", default_value = "table")]
    pub format: ReportFormat,
}

/// What to do with a slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum SlotAction {
    /// Make it, with test_decoding; standbys keep a copy where the server can do that (17 and newer).
    Create,
    /// Show what it keeps, how far behind it is, and whether anything needs doing.
    Status,
    /// Drop it.
    Drop,
}

/// `walbook doctor`
#[derive(Debug, Args)]
pub struct DoctorArgs {
    /// A book
    #[arg(env = "WALBOOK_BOOK")]
    pub book: Option<PathBuf>,
    /// The PostgreSQL server: postgresql://user@host:port/database or key=value words; PG… variables and ~/.pgpass count
    #[arg(long, env = "WALBOOK_POSTGRES", hide_env_values = true, value_name = "URL")]
    pub postgres: Option<String>,
    /// The slot
    #[arg(long, env = "WALBOOK_SLOT", value_name = "NAME")]
    pub slot: Option<String>,
    /// Kafka's brokers: host:port, several with commas
    #[arg(long, env = "WALBOOK_BROKERS", value_name = "HOST:PORT,…")]
    pub brokers: Option<String>,
    /// The topic
    #[arg(long, env = "WALBOOK_TOPIC", value_name = "TOPIC")]
    pub topic: Option<String>,
    /// A setting of librdkafka; may be given several times. In the variable, semicolons stand between them
    #[arg(short = 'X', long = "set", env = "WALBOOK_SET", hide_env_values = true, value_name = "KEY=VALUE")]
    pub set: Vec<String>,
    /// How to print: table or json
    #[arg(long, env = "WALBOOK_FORMAT", default_value = "table")]
    pub format: ReportFormat,
}
