//! A network path to a server that single processes can be cut off from: what comes from them is closed, all else passes.

use std::collections::HashSet;
use std::fs;
use std::io::copy;
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

/// The way to one server; it lasts as long as the tests.
pub(crate) struct Gate {
    /// Where clients connect.
    pub(crate) address: SocketAddr,
    shared: Arc<Mutex<Shared>>,
}

#[derive(Default)]
struct Shared {
    server: Option<SocketAddr>,
    cut_off: HashSet<u32>,
    open: Vec<TcpStream>,
}

impl Gate {
    /// A gate that leads nowhere yet.
    pub(crate) fn new() -> Gate {
        let listener = TcpListener::bind("127.0.0.1:0").expect("there are free ports");
        let gate = Gate { address: listener.local_addr().expect("it is bound"), shared: Arc::default() };
        let shared = Arc::clone(&gate.shared);
        thread::spawn(move || {
            for client in listener.incoming() {
                let client = client.expect("a connection");
                let mut shared = lock(&shared);
                if is_of(&client, &shared.cut_off) {
                    continue;
                }
                let Some(Ok(server)) = shared.server.map(TcpStream::connect) else { continue };
                let (from, to) = (clone(&client), clone(&server));
                shared.open.push(clone(&client));
                thread::spawn(move || carry(from, to));
                thread::spawn(move || carry(server, client));
            }
        });
        gate
    }

    /// Leads to a server from now on; returns where clients connect.
    pub(crate) fn lead_to(&self, server: SocketAddr) -> SocketAddr {
        lock(&self.shared).server = Some(server);
        self.address
    }

    /// Closes all connections of a process, and lets it make no other ones.
    pub(crate) fn cut_off(&self, process: u32) {
        let mut shared = lock(&self.shared);
        shared.cut_off.insert(process);
        let of_process = HashSet::from([process]);
        shared.open.retain(|client| {
            let is_cut_off = is_of(client, &of_process);
            if is_cut_off {
                let _ = client.shutdown(Shutdown::Both);
            }
            !is_cut_off
        });
    }

    /// Lets a process pass again.
    pub(crate) fn admit(&self, process: u32) {
        lock(&self.shared).cut_off.remove(&process);
    }
}

/// Whether the other end of a connection is a socket of one of these processes.
fn is_of(client: &TcpStream, processes: &HashSet<u32>) -> bool {
    let Some(inode) = client.peer_addr().ok().and_then(|address| inode_of(address.port())) else { return false };
    let socket = format!("socket:[{inode}]");
    processes.iter().any(|process| {
        let open = fs::read_dir(format!("/proc/{process}/fd")).into_iter().flatten().flatten();
        let mut targets = open.filter_map(|file| fs::read_link(file.path()).ok());
        targets.any(|target| target.as_os_str() == socket.as_str())
    })
}

/// The inode of the socket of this machine that has a local port and is connected.
fn inode_of(port: u16) -> Option<u64> {
    let sockets = fs::read_to_string("/proc/net/tcp").expect("Linux has it");
    sockets.lines().skip(1).find_map(|line| {
        // sl, local address, remote address, state, queues, timer, retransmits, uid, timeout, inode
        let fields: Vec<&str> = line.split_whitespace().collect();
        let (_, local) = fields.get(1)?.split_once(':')?;
        let is_port = u16::from_str_radix(local, 16) == Ok(port);
        const ESTABLISHED: &str = "01";
        if is_port && fields.get(3) == Some(&ESTABLISHED) { fields.get(9)?.parse().ok() } else { None }
    })
}

fn carry(mut from: TcpStream, mut to: TcpStream) {
    // Ends when either side closes.
    let _ = copy(&mut from, &mut to);
    let _ = (from.shutdown(Shutdown::Both), to.shutdown(Shutdown::Both));
}

fn clone(stream: &TcpStream) -> TcpStream {
    stream.try_clone().expect("a socket can be shared")
}

fn lock(shared: &Mutex<Shared>) -> MutexGuard<'_, Shared> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}
