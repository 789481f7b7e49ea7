//! Promises to the clients of a server: the API's answers are the book's, byte for byte, durable and live, and only clients
//! with access get them.

mod answers;
pub(crate) mod client;
mod cluster;
mod damaged;
mod described;
mod guard;
mod live;
mod memory;
mod packed;
mod played;
mod served_run;
mod slow;
mod status;
mod stream;
mod takeover;
mod view_list;
mod view_stream;
mod viewed_book;
mod views;

use std::net::SocketAddr;
use std::path::Path;

use walbook::server::{Access, ServerSettings, listen_on};

/// A server over the book in a directory; it answers until the tests end.
pub(crate) fn serve(book: &Path, access: Access) -> SocketAddr {
    let server = listen_on(any_port()).expect("a port is free");
    let address = server.address();
    server.serve_book(ServerSettings { book: book.into(), access }).expect("a book");
    address
}

/// Any port of the loopback.
fn any_port() -> SocketAddr {
    "127.0.0.1:0".parse().expect("an address")
}
