//! `walbook completions` and `walbook man`

use std::path::PathBuf;

use clap::{Args, ValueHint};
use clap_complete::Shell;

/// `walbook completions`
#[derive(Debug, Args)]
pub struct CompletionsArgs {
    /// The shell
    pub shell: Shell,
}

/// `walbook man`
#[derive(Debug, Args)]
pub struct ManArgs {
    /// Write one page per command into this directory
    ///
    /// Without it, all pages go to standard output, one after the other.
    #[arg(long, env = "WALBOOK_OUT_DIR", value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub out_dir: Option<PathBuf>,
}
