//! The processes of a cluster in status, health and metrics of the one that serves.

use std::io::{Read, Write};
use std::net::{Shutdown as Direction, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;
use walbook::change::End;
use walbook::cluster::{Cluster, ClusterOptions, ClusterShape, Contacts};
use walbook::control::Shutdown;

use super::client::{Response, ask, get};
use super::described::Description;
use super::played::{Played, await_status, up_to};
use crate::readers::loop_of_rows::folder;
use crate::support::book_builder::BookBuilder;

/// A network between two processes that can become silent without closing a connection.
struct Network {
    address: SocketAddr,
    is_silent: Arc<AtomicBool>,
}

impl Network {
    /// One through which an address is reached.
    fn to(address: String) -> Network {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let network = Network {
            address: listener.local_addr().expect("it is bound"),
            is_silent: Arc::new(AtomicBool::new(false)),
        };
        let is_silent = Arc::clone(&network.is_silent);
        thread::spawn(move || {
            for from in listener.incoming() {
                let from = from.expect("a connection");
                // Nothing listens there yet: the process that dialled tries again.
                let Ok(to) = TcpStream::connect(&address) else { continue };
                for (from, to) in [(&from, &to), (&to, &from)] {
                    let (from, to) = (from.try_clone().expect("a socket"), to.try_clone().expect("a socket"));
                    let is_silent = Arc::clone(&is_silent);
                    thread::spawn(move || carry(from, to, &is_silent));
                }
            }
        });
        network
    }

    fn set_silent(&self) {
        self.is_silent.store(true, Ordering::Relaxed);
    }
}

fn carry(mut from: TcpStream, mut to: TcpStream, is_silent: &AtomicBool) {
    let mut bytes = [0; 4096];
    while let Ok(count @ 1..) = from.read(&mut bytes) {
        if !is_silent.load(Ordering::Relaxed) && to.write_all(&bytes[..count]).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Direction::Both);
}

/// A leading process that serves, and another one.
struct TwoProcesses {
    leading: Cluster,
    other: Cluster,
    shutdown: Shutdown,
    /// Where the hosts file has the other one.
    address: String,
    network: Network,
}

impl TwoProcesses {
    fn form() -> TwoProcesses {
        let free = || {
            let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
            listener.local_addr().expect("it is bound").to_string()
        };
        let (leading, address) = (free(), free());
        let network = Network::to(leading.clone());
        let form = |process: usize, first: String| {
            let shape = ClusterShape { workers: 2, process, addresses: vec![first, address.clone()] };
            let shutdown = Shutdown::new();
            let options = ClusterOptions { form_timeout: Duration::from_secs(20), ..ClusterOptions::default() };
            let formed = Cluster::form(&shape, &options, &shutdown).map_err(|failure| failure.chain());
            (formed.expect("it forms"), shutdown)
        };
        let ((leading, shutdown), (other, _)) = thread::scope(|scope| {
            let other = scope.spawn(|| form(1, network.address.to_string()));
            (form(0, leading), other.join().expect("no panic"))
        });
        TwoProcesses { leading, other, shutdown, address: address.clone(), network }
    }

    fn contacts(&self) -> Contacts {
        self.leading.contacts().expect("there are two").clone()
    }

    /// The other process in messages.
    fn name(&self) -> String {
        format!("process 1 ({})", self.address)
    }
}

/// Asks for the health until it is as expected.
#[track_caller]
fn await_health(address: SocketAddr, status: u16, within: Duration) -> Response {
    let begin = Instant::now();
    loop {
        let answer = ask(address, "GET", "/healthz", &[]);
        if answer.status == status {
            return answer;
        }
        assert!(begin.elapsed() < within, "{} {}", answer.status, answer.text());
        thread::sleep(Duration::from_millis(20));
    }
}

/// The value of a metric.
#[track_caller]
fn metric(address: SocketAddr, name: &str) -> f64 {
    let metrics = get(address, "/metrics");
    let line = metrics.text().lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line.unwrap_or_else(|| panic!("no {name} in {}", metrics.text())).parse().expect("a number")
}

#[test]
fn a_process_that_does_not_answer_is_named_before_the_run_ends() {
    let folder = folder();
    let mut book = BookBuilder::open(folder.path(), "UTC", &[("shop", 1)]).expect("a book");
    book.commit(up_to(99)).expect("a commit");
    let processes = TwoProcesses::form();
    let run = Played::serve_in_cluster(folder.path(), End::at(100), processes.contacts());
    let description = Description::of(run.address);
    await_status(run.address, "live", |status| status["state"] == "live");
    let status = description.check(run.address, "/api/status", &[]);
    let cluster = &status["cluster"];
    assert_eq!((&cluster["process"], &cluster["leader"]), (&0.into(), &0.into()), "{cluster:#}");
    assert!(cluster["run"].as_str().is_some_and(|run| !run.is_empty()) && cluster["since"].is_string());
    let process = |status: &Value, index: usize| status["cluster"]["processes"][index].clone();
    for index in 0..2 {
        let process = process(&status, index);
        assert_eq!((&process["process"], &process["workers"]), (&index.into(), &2.into()));
        assert_eq!((&process["answers"], &process["source_error"]), (&true.into(), &Value::Null));
        assert!(process["since"].is_string() && process["last_contact_ms"].as_u64().is_some_and(|ms| ms < 3_000));
    }
    assert_eq!(process(&status, 1)["address"], processes.address.as_str());
    assert_eq!(get(run.address, "/healthz").text(), "ok\n");
    assert_eq!(metric(run.address, "walbook_cluster_processes"), 2.0);
    assert_eq!(metric(run.address, "walbook_cluster_peer_answers{process=\"1\"}"), 1.0);
    assert!(metric(run.address, "walbook_cluster_peer_last_contact_seconds{process=\"1\"}") < 3.0);

    processes.network.set_silent();
    let begin = Instant::now();
    let health = unhealthy(&description, run.address);
    assert!(begin.elapsed() > Duration::from_secs(2), "two heartbeats may be late: {:?}", begin.elapsed());
    let words = format!("{} has not answered for 3 s", processes.name());
    assert_eq!((&health["error"]["code"], &health["error"]["message"]), (&"no_answer".into(), &words.into()));
    let status = description.check(run.address, "/api/status", &[]);
    assert_eq!((&process(&status, 0)["answers"], &process(&status, 1)["answers"]), (&true.into(), &false.into()));
    assert!(process(&status, 1)["last_contact_ms"].as_u64().is_some_and(|ms| (3_000..10_000).contains(&ms)));
    assert!(status["state_reason"].as_str().is_some_and(|why| why.starts_with(&processes.name())), "{status:#}");
    assert_eq!(metric(run.address, "walbook_cluster_peer_answers{process=\"1\"}"), 0.0);
    assert!(metric(run.address, "walbook_cluster_peer_last_contact_seconds{process=\"1\"}") >= 3.0);
    assert!(!processes.shutdown.has_failed(), "it has not ended yet");
}

/// Waits until the health is bad, and compares it with its description.
fn unhealthy(description: &Description, address: SocketAddr) -> Value {
    await_health(address, 503, Duration::from_secs(9));
    description.check(address, "/healthz", &[])
}

#[test]
fn a_process_that_does_not_reach_its_source_is_named_while_it_lasts() {
    let folder = folder();
    let mut book = BookBuilder::open(folder.path(), "UTC", &[("shop", 1)]).expect("a book");
    book.commit(up_to(99)).expect("a commit");
    let processes = TwoProcesses::form();
    let run = Played::serve_in_cluster(folder.path(), End::at(100), processes.contacts());
    await_status(run.address, "live", |status| status["state"] == "live");
    let other = processes.other.contacts().expect("there are two");
    let connected = "walbook_cluster_peer_source_connected{process=\"1\"}";
    other.report_source_reached();
    assert_eq!(metric(run.address, connected), 1.0);

    let ago = |seconds| Instant::now().checked_sub(Duration::from_secs(seconds)).expect("the machine is up for longer");
    other.report_source_lost(ago(1), "the broker is away".to_owned());
    let lost = |status: &Value| status["cluster"]["processes"][1]["source_error"] == "the broker is away";
    let status = await_status(run.address, "reported", lost);
    assert_eq!(status["state"], "live", "one second is nothing");
    assert_eq!(get(run.address, "/healthz").text(), "ok\n");

    let health = await_health(run.address, 503, Duration::from_secs(10));
    let message = health.json()["error"]["message"].as_str().expect("a message").to_owned();
    let words = format!("{} has not reached what it reads for", processes.name());
    assert!(message.starts_with(&words) && message.ends_with(" s"), "without the error: {message}");
    let status = await_status(run.address, "disconnected", |status| status["state"] == "disconnected");
    assert!(status["state_reason"].as_str().is_some_and(|why| why.starts_with(&words)), "{status:#}");
    assert!(status["state_reason"].as_str().is_some_and(|why| why.ends_with("s: the broker is away")), "{status:#}");
    assert_eq!(metric(run.address, connected), 0.0);
    assert_eq!(metric(run.address, "walbook_source_connected"), 0.0);

    // What the leading process does not reach either is no fault of one process.
    run.ends(Err("connection refused".to_owned()));
    await_health(run.address, 200, Duration::from_secs(20));
    // That only the leading process does not reach it is one.
    let begin = Instant::now();
    let health = loop {
        other.report_source_reached();
        let health = ask(run.address, "GET", "/healthz", &[]);
        if health.status == 503 {
            break health.json();
        }
        assert!(begin.elapsed() < Duration::from_secs(10), "{}", health.text());
        thread::sleep(Duration::from_millis(100));
    };
    let message = health["error"]["message"].as_str().expect("a message");
    assert!(message.starts_with("process 0 (") && message.ends_with(" s"), "{message}");
    let status = get(run.address, "/api/status").json();
    let errors = [0, 1].map(|process: usize| status["cluster"]["processes"][process]["source_error"].clone());
    assert_eq!(errors, ["connection refused".into(), Value::Null], "{status:#}");

    run.ends(Ok(End::at(100)));
    await_health(run.address, 200, Duration::from_secs(5));
    await_status(run.address, "live again", |status| status["state"] == "live");
}

#[test]
fn a_run_of_one_process_has_no_cluster() {
    let folder = folder();
    let mut book = BookBuilder::open(folder.path(), "UTC", &[("shop", 1)]).expect("a book");
    book.commit(up_to(99)).expect("a commit");
    let run = Played::serve(folder.path(), walbook::book::log::entry::SourceKind::Kafka, End::at(100));
    assert_eq!(get(run.address, "/api/status").json()["cluster"], Value::Null);
    assert!(!get(run.address, "/metrics").text().contains("walbook_cluster"));
}
