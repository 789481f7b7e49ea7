//! The command line of `./test bench`.

use std::path::PathBuf;

use clap::Parser;

/// Compares walbook with bare consumers and with its peers
#[derive(Debug, Parser)]
#[command(name = "./test bench")]
pub(crate) struct Arguments {
    /// All rows, each with at least five rounds
    #[arg(long)]
    pub(crate) full: bool,
    /// Only these rows
    #[arg(long, value_delimiter = ',', value_name = "NAME,…")]
    pub(crate) only: Vec<String>,
    /// Rounds of each row [default: five; fewer for most rows of the short form]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) rounds: Option<u32>,
    /// Records of most topics; those of the row workers and of the contestants labelled 4× have four times as many
    #[arg(long, value_name = "N", default_value_t = 2_640_000, value_parser = clap::value_parser!(u64).range(1_000..))]
    pub(crate) records: u64,
    /// Leave out the peers that are not installed yet, instead of installing them
    #[arg(long)]
    pub(crate) no_install: bool,
    /// Where the report is written
    #[arg(long, value_name = "FOLDER", default_value = "target/bench")]
    pub(crate) out: PathBuf,
    /// Chooses the records
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(crate) seed: u64,
    /// Do not measure: read a topic and print how long it took.
    #[arg(long, value_name = "TOPIC", hide = true)]
    pub(crate) drain: Option<String>,
    /// For --drain.
    #[arg(long, hide = true)]
    pub(crate) brokers: Option<String>,
    /// For --drain.
    #[arg(long, hide = true, default_value_t = 1)]
    pub(crate) workers: usize,
    /// Passed by `cargo bench` to each benchmark.
    #[arg(long, hide = true)]
    bench: bool,
}

impl Arguments {
    /// The command that does the same again.
    pub(crate) fn command(&self) -> String {
        let mut command = "./test bench".to_owned();
        if self.full {
            command.push_str(" --full");
        }
        if !self.only.is_empty() {
            command.push_str(&format!(" --only {}", self.only.join(",")));
        }
        if let Some(rounds) = self.rounds {
            command.push_str(&format!(" --rounds {rounds}"));
        }
        if self.records != 2_640_000 {
            command.push_str(&format!(" --records {}", self.records));
        }
        if self.no_install {
            command.push_str(" --no-install");
        }
        if self.seed != 1 {
            command.push_str(&format!(" --seed {}", self.seed));
        }
        command
    }

    /// Rounds of a row; `short` are those of a slow row in the short form.
    pub(crate) fn rounds_of(&self, short: u32) -> u32 {
        self.rounds.unwrap_or(if self.full { short.max(5) } else { short })
    }
}
