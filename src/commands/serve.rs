//! `walbook serve`: the page and the API over a book.

use std::io::{self, Write};
use std::net::SocketAddr;
use std::thread;

use anyhow::Context;

use super::signals;
use crate::process::Shutdown;
use crate::server::{Access, Server, ServerSettings, Token, listen_on};
use crate::settings::args::{AccessArgs, ServeArgs};

/// Serves until a signal ends the process.
pub(super) fn serve(args: &ServeArgs) -> anyhow::Result<()> {
    // Nothing is at work, so a signal ends the process at once.
    signals::listen(&Shutdown::new()).context("could not listen to signals")?;
    let (server, access) = begin(args.listen, &args.access)?;
    let address = server.address();
    server.serve_book(ServerSettings { book: args.book.clone(), access })?;
    tell(address, &args.access)?;
    loop {
        thread::park();
    }
}

/// Takes the address and reads the token, before anything else is begun.
pub(super) fn begin(address: SocketAddr, args: &AccessArgs) -> anyhow::Result<(Server, Access)> {
    let token = args.token_file.as_deref().map(Token::read).transpose()?;
    let access = Access { token, names: args.allow_host.clone() };
    access.check(address, args.insecure)?;
    Ok((listen_on(address)?, access))
}

/// Says where the page is.
pub(super) fn tell(address: SocketAddr, args: &AccessArgs) -> io::Result<()> {
    let token = if args.token_file.is_some() { "; it asks for the token" } else { "" };
    writeln!(io::stdout(), "The page is at http://{address}/{token}")
}
