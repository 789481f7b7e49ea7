//! `walbook serve`: the page and the API over a book.

use std::io::{self, Write};
use std::net::SocketAddr;
use std::thread;

use super::signals;
use crate::change::{Failure, WithContext};
use crate::control::Shutdown;
use crate::server::{Access, Server, ServerSettings, Token, listen_on};
use crate::settings::args::{AccessArgs, ServeArgs};

/// Serves until a signal ends the process.
pub(super) fn serve(args: &ServeArgs) -> Result<(), Failure> {
    let book = args.store.of(&args.book)?;
    // No commit is in progress, so a signal ends the process at once.
    signals::listen(&Shutdown::new()).context("could not listen to signals")?;
    let (server, access) = listen(args.listen, &args.access)?;
    let page = page(&server);
    server.serve_book(ServerSettings { book, access })?;
    writeln!(io::stdout(), "The page is at {page}")?;
    loop {
        thread::park();
    }
}

/// Listens and reads the token: these fail before anything else starts.
pub(super) fn listen(address: SocketAddr, args: &AccessArgs) -> Result<(Server, Access), Failure> {
    let token = args.token_file.as_deref().map(Token::read).transpose()?;
    let access = Access { token, names: args.allow_host.clone() };
    access.check(address, args.insecure)?;
    Ok((listen_on(address)?, access))
}

/// The address of the page.
pub(super) fn page(server: &Server) -> String {
    format!("http://{}/", server.address())
}
