//! `walbook serve`, which clients a server accepts, and `walbook demo`.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, ValueHint};

use super::StoreArgs;
use super::heading::SERVING;
use crate::settings::values;
use crate::store::BookLocation;

/// `walbook serve`
#[derive(Debug, Args)]
pub struct ServeArgs {
    /// The book
    #[arg(env = "WALBOOK_BOOK", value_parser = values::book(), value_hint = ValueHint::DirPath)]
    pub book: BookLocation,
    /// How its object store is reached.
    #[command(flatten)]
    pub store: StoreArgs,
    /// Address to listen on
    #[arg(
        long, env = "WALBOOK_LISTEN", default_value = "127.0.0.1:8321", value_parser = values::address,
        value_name = "ADDRESS:PORT", help_heading = SERVING
    )]
    pub listen: SocketAddr,
    /// Which clients the server accepts.
    #[command(flatten)]
    pub access: AccessArgs,
}

/// Which clients a server accepts.
#[derive(Clone, Debug, Default, Args)]
pub struct AccessArgs {
    /// A file whose first line is the token of all requests
    ///
    /// Requests carry it as Authorization: Bearer …. Required on any address that other machines can reach.
    #[arg(
        long, env = "WALBOOK_TOKEN_FILE", value_name = "FILE", value_hint = ValueHint::FilePath, help_heading = SERVING
    )]
    pub token_file: Option<PathBuf>,
    /// Serve other machines without a token
    ///
    /// Every machine that reaches the address can then read the whole book.
    #[arg(long, env = "WALBOOK_INSECURE", help_heading = SERVING)]
    pub insecure: bool,
    /// Further host names that browsers may use
    ///
    /// Names besides localhost by which a browser may call the server, separated by commas.
    #[arg(long, env = "WALBOOK_ALLOW_HOST", value_delimiter = ',', value_name = "NAME,…", help_heading = SERVING)]
    pub allow_host: Vec<String>,
}

/// `walbook demo`
#[derive(Debug, Args)]
pub struct DemoArgs {
    /// Directory of the book
    ///
    /// It must be empty or not exist yet [default: a temporary directory that is removed at the end]
    #[arg(long, env = "WALBOOK_DEMO_DIR", value_parser = values::directory(), value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub dir: Option<PathBuf>,
    /// Process two weeks of changes, print the counts, verify, end
    #[arg(long, env = "WALBOOK_DEMO_ONCE")]
    pub once: bool,
    /// Address of the page
    ///
    /// [default: 127.0.0.1:8321, or another port if that one is in use]
    #[arg(
        long, env = "WALBOOK_LISTEN", value_parser = values::address, value_name = "ADDRESS:PORT",
        help_heading = SERVING
    )]
    pub listen: Option<SocketAddr>,
}
