//! `walbook serve`: the page and the API over a book; and the same beside a run.

use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::Path;
use std::thread;

use anyhow::Context;
use tracing::info;

use super::signals;
use crate::process::Shutdown;
use crate::server::{Access, ServedRun, Server, ServerSettings, Token, listen_on};
use crate::settings::args::{AccessArgs, ServeArgs};

/// Serves until a signal ends the process.
pub(super) fn serve(args: &ServeArgs) -> anyhow::Result<()> {
    // Nothing is at work, so a signal ends the process at once.
    signals::listen(&Shutdown::new()).context("could not listen to signals")?;
    let Serving { server, access } = Serving::begin(args.listen, &args.access)?;
    let page = page(server.address());
    server.serve_book(ServerSettings { book: args.book.clone(), access })?;
    writeln!(io::stdout(), "The page is at {page}")?;
    loop {
        thread::park();
    }
}

/// A server that has its address, and waits for a book.
pub(super) struct Serving {
    server: Server,
    access: Access,
}

impl Serving {
    /// Takes the address and reads the token, before anything else is begun.
    pub(super) fn begin(address: SocketAddr, args: &AccessArgs) -> anyhow::Result<Serving> {
        let token = args.token_file.as_deref().map(Token::read).transpose()?;
        let access = Access { token, names: args.allow_host.clone() };
        access.check(address, args.insecure)?;
        Ok(Serving { server: listen_on(address)?, access })
    }

    /// Where the page is.
    pub(super) fn page(&self) -> String {
        page(self.server.address())
    }

    /// Serves beside a run that has opened the book.
    pub(super) fn serve_run(self, book: &Path, run: ServedRun) -> anyhow::Result<()> {
        let page = self.page();
        self.server.serve_run(ServerSettings { book: book.to_owned(), access: self.access }, run)?;
        info!("the page is at {page}");
        Ok(())
    }
}

fn page(address: SocketAddr) -> String {
    format!("http://{address}/")
}
