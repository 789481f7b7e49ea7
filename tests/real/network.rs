//! Two hosts with a cable between them: network namespaces, which end with the processes that hold them.
//!
//! Each host also reaches the brokers of the tests at their own addresses: a relay in it listens there.

use std::fs::File;
use std::io::{BufRead, BufReader, copy};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::thread;

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

/// What happens to the cable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// All packets from the first host are lost.
    FirstIsUnheard,
    /// All packets from the second host are lost.
    SecondIsUnheard,
    /// All packets are lost.
    Silent,
    /// The first host's end is down.
    Down,
}

/// A host; dropped, it ends with all of its links.
struct Host {
    holder: Child,
    /// Its end of the cable.
    link: &'static str,
    address: &'static str,
}

/// Two hosts and their cable.
pub(crate) struct Network {
    hosts: [Host; 2],
}

impl Network {
    /// Connects two new hosts; both reach these brokers.
    pub(crate) fn new(brokers: &str) -> Network {
        let hosts = [Host::new("wb0", "10.99.0.1"), Host::new("wb1", "10.99.0.2")];
        let [first, second] = hosts.each_ref().map(|host| host.holder.id().to_string());
        let cable = ["link", "add", "wb0", "netns", &first, "type", "veth", "peer", "name", "wb1", "netns", &second];
        command("ip", &cable);
        for host in &hosts {
            host.command(&["ip", "address", "add", &format!("{}/24", host.address), "dev", host.link]);
            host.command(&["ip", "link", "set", host.link, "up"]);
            host.command(&["ip", "link", "set", "lo", "up"]);
            for broker in brokers.split(',') {
                host.relay(broker.parse().expect("brokers are on the loopback"));
            }
        }
        Network { hosts }
    }

    /// The addresses of both hosts, with a port.
    pub(crate) fn addresses(&self, port: u16) -> [String; 2] {
        self.hosts.each_ref().map(|host| format!("{}:{port}", host.address))
    }

    /// What starts a program on one of the hosts.
    pub(crate) fn launcher(&self, host: usize) -> Vec<String> {
        self.hosts[host].launcher()
    }

    /// Breaks the cable.
    pub(crate) fn fail(&self, fault: Fault) {
        let [first, second] = &self.hosts;
        match fault {
            Fault::FirstIsUnheard => first.send_nowhere(second),
            Fault::SecondIsUnheard => second.send_nowhere(first),
            Fault::Silent => {
                first.send_nowhere(second);
                second.send_nowhere(first);
            }
            Fault::Down => first.command(&["ip", "link", "set", first.link, "down"]),
        }
    }

    /// Makes the cable whole.
    pub(crate) fn heal(&self) {
        for host in &self.hosts {
            host.command(&["ip", "link", "set", host.link, "up"]);
            host.command(&["ip", "neighbour", "flush", "dev", host.link, "nud", "all"]);
        }
    }
}

impl Host {
    fn new(link: &'static str, address: &'static str) -> Host {
        let mut holder = Command::new("unshare")
            .args(["--net", "sh", "-c", "echo separated && exec cat"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("unshare is there");
        let mut said = String::new();
        let stdout = holder.stdout.as_mut().expect("it is piped");
        BufReader::new(stdout).read_line(&mut said).expect("a pipe can be read");
        assert_eq!(said, "separated\n", "a network namespace cannot be made here: these tests need root");
        Host { holder, link, address }
    }

    fn launcher(&self) -> Vec<String> {
        let namespace = format!("--net=/proc/{}/ns/net", self.holder.id());
        vec!["nsenter".to_owned(), namespace]
    }

    fn command(&self, words: &[&str]) {
        let launcher = self.launcher();
        let all: Vec<&str> = launcher.iter().map(String::as_str).chain(words.iter().copied()).collect();
        command(all[0], &all[1..]);
    }

    /// Sends all packets for another host to a hardware address that nobody has.
    fn send_nowhere(&self, other: &Host) {
        let nobody = ["lladdr", "02:00:00:00:00:99", "nud", "permanent"];
        self.command(&[&["ip", "neighbour", "replace", other.address, "dev", self.link], &nobody[..]].concat());
    }

    /// Listens on this host at an address of the test's own loopback, and connects each client with what listens there.
    fn relay(&self, address: SocketAddr) {
        let namespace = File::open(format!("/proc/{}/ns/net", self.holder.id())).expect("the holder runs");
        // A thread of its own: a socket stays in the namespace in which it was made.
        let listen = move || {
            let kind = Some(LinkNameSpaceType::Network);
            move_into_link_name_space(std::os::fd::AsFd::as_fd(&namespace), kind).expect("root may enter a namespace");
            TcpListener::bind(address).expect("a new host has all ports")
        };
        let listener = thread::spawn(listen).join().expect("it listens");
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let Ok(server) = TcpStream::connect(address) else { continue };
                let (from_client, from_server) = (client.try_clone(), server.try_clone());
                pump(from_client.expect("descriptors are left"), server);
                pump(from_server.expect("descriptors are left"), client);
            }
        });
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        let _ = self.holder.kill();
        let _ = self.holder.wait();
    }
}

/// Copies from one connection to the other until its end.
fn pump(mut from: TcpStream, mut to: TcpStream) {
    thread::spawn(move || {
        // Either end may be gone.
        let _ = copy(&mut from, &mut to);
        let _ = to.shutdown(Shutdown::Both);
        let _ = from.shutdown(Shutdown::Both);
    });
}

fn command(program: &str, arguments: &[&str]) {
    let output = Command::new(program).args(arguments).output();
    let output = output.unwrap_or_else(|error| panic!("could not start {program}: {error}"));
    assert!(output.status.success(), "{program} {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
}
