//! Several processes work as one, and die as one.

use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use crate::book::{Book, Running};
use crate::certificates::Certificates;
use crate::client::{ask, get};
use crate::dice::Dice;
use crate::environment;
use crate::kills::workload;
use crate::lines::{self, Shape};
use crate::topic::{Record, Topic};
use crate::truth::assert_same;

pub(crate) const PARTITIONS: i32 = 4;
const DAY: (i64, &str) = (1_790_000_000_000, "2026-09-21");

/// Starts two processes of two workers each.
fn start(book: &Book, topic: &Topic, hosts: &Path, arguments: &[&str]) -> [Running; 2] {
    let hosts = hosts.to_str().expect("temporary folders have plain names");
    ["0", "1"]
        .map(|index| book.run(&[topic], &[&["-n", "2", "-p", index, "-w", "2", "--hosts", hosts], arguments].concat()))
}

/// A hosts file of two free ports.
pub(crate) fn hosts(folder: &Path) -> PathBuf {
    hosts_of(folder, 2)
}

/// A hosts file of so many free ports.
pub(crate) fn hosts_of(folder: &Path, processes: usize) -> PathBuf {
    let listener = |_| TcpListener::bind("127.0.0.1:0").expect("there are free ports");
    let listeners: Vec<TcpListener> = (0..processes).map(listener).collect();
    let address = |listener: &TcpListener| listener.local_addr().expect("it is bound").to_string();
    let addresses: Vec<String> = listeners.iter().map(address).collect();
    let path = folder.join("hosts");
    fs::write(&path, addresses.join("\n") + "\n").expect("the folder is ours");
    path
}

#[test]
fn two_processes_share_the_work_and_die_together() {
    let mut dice = Dice::throw("cluster");
    let (lines, truth_of_one) = workload("cluster");
    let topic = Topic::create_with("cluster", PARTITIONS, &[("max.message.bytes", "20000000")]);
    let rounds = 10;
    for _ in 0..rounds {
        topic.produce(lines::records(&lines, Shape::Connect, PARTITIONS, DAY.0));
    }
    let truth = truth_of_one.on_day(DAY.1).times(rounds);
    let folder = environment::folder("hosts");

    let book = Book::new("cluster");
    for victim in [0, 1] {
        let [zero, one] = start(&book, &topic, &hosts(folder.path()), &["--commit-interval", "100ms"]);
        thread::sleep(dice.between(Duration::from_millis(500), Duration::from_millis(4000)));
        let (killed, survivor) = if victim == 0 { (zero, one) } else { (one, zero) };
        killed.kill();
        // A process that dies before it has connected is waited for during a minute.
        let ended = survivor.wait(Duration::from_secs(90));
        ended.expect_code(5);
        ended.expect_said(&["of the cluster"]);
    }

    let processes = start(&book, &topic, &hosts(folder.path()), &["--until-end"]);
    for process in processes {
        process.wait(Duration::from_secs(120)).expect_code(0);
    }
    assert_same("after two deaths", &book.counts(), &truth);
    book.verify();

    let whole = Book::new("cluster_whole");
    for process in start(&whole, &topic, &hosts(folder.path()), &["--until-end"]) {
        process.wait(Duration::from_secs(120)).expect_code(0);
    }
    assert_same("undisturbed", &whole.counts(), &truth);
    whole.verify();
}

#[test]
fn rejects_of_all_processes_are_counted_by_the_first_and_fail_all() {
    let topic = Topic::create("cluster_rejects", PARTITIONS);
    let record = |number: i32| Record {
        partition: number % PARTITIONS,
        time: DAY.0,
        key: None,
        value: Some(if number % PARTITIONS == 0 { "table public.t: INSERT: id[integer]:1" } else { "odd" }.into()),
        headers: Vec::new(),
    };
    topic.produce((0..40).map(record));
    let (folder, book) = (environment::folder("hosts"), Book::new("cluster_rejects"));
    let [zero, one] = start(&book, &topic, &hosts(folder.path()), &["--until-end", "--fail-on-rejects"]);
    let ended = zero.wait(Duration::from_secs(120));
    ended.expect_code(1);
    // How many records were known when it was said depends on whose epoch was closed first.
    ended.expect_said(&[
        "records could not be read; to list them",
        "30 records could not be read, and --fail-on-rejects",
    ]);
    let ended = one.wait(Duration::from_secs(120));
    ended.expect_code(1);
    ended.expect_said(&["process 0 (", "30 records could not be read, and --fail-on-rejects"]);
    assert_eq!(book.query(&[])["rejects"]["in_range"], 30);
    assert_eq!(book.counts().total(), 10);
    book.verify();
}

#[test]
fn a_process_that_does_not_answer_ends_all_of_them() {
    let (lines, truth_of_one) = workload("cluster_still");
    let topic = Topic::create_with("cluster_still", PARTITIONS, &[("max.message.bytes", "20000000")]);
    let produce = || topic.produce(lines::records(&lines, Shape::Connect, PARTITIONS, DAY.0));
    produce();
    let folder = environment::folder("hosts");
    let book = Book::new("cluster_still");
    for victim in [1, 0] {
        let arguments = ["--commit-interval", "1s", "--serve", "127.0.0.1:0"];
        let [mut zero, mut one] = start(&book, &topic, &hosts(folder.path()), &arguments);
        zero.await_said("reading cluster_still");
        let page = zero.page();
        one.await_said("are connected");
        book.await_total(truth_of_one.on_day(DAY.1).total(), &mut one);
        let (stopped, other) = if victim == 1 { (one, zero) } else { (zero, one) };
        stopped.signal("STOP");
        let begin = Instant::now();
        if victim == 1 {
            expect_named(page);
        }
        let ended = other.wait(Duration::from_secs(30));
        ended.expect_code(5);
        ended.expect_said(&[
            &format!("process {victim} ("),
            "of the cluster does not answer: nothing came from it for 10 s",
        ]);
        assert!(begin.elapsed() < Duration::from_secs(15), "it took {:?}", begin.elapsed());
        stopped.signal("CONT");
        stopped.wait(Duration::from_secs(15)).expect_code(5);
    }
    produce();
    for process in start(&book, &topic, &hosts(folder.path()), &["--until-end"]) {
        process.wait(Duration::from_secs(120)).expect_code(0);
    }
    assert_same("after two silent processes", &book.counts(), &truth_of_one.on_day(DAY.1).times(2));
    book.verify();
}

/// Waits until process 1 is named as one that does not answer.
#[track_caller]
fn expect_named(page: SocketAddr) {
    let begin = Instant::now();
    let health = loop {
        let health = ask(page, "GET", "/healthz", &[]);
        if health.status == 503 {
            break health;
        }
        assert!(begin.elapsed() < Duration::from_secs(9), "{}", health.text());
        thread::sleep(Duration::from_millis(50));
    };
    assert!(health.text().contains("process 1 (127.0.0.1:"), "{}", health.text());
    assert!(health.text().contains("has not answered for"), "{}", health.text());
    let status = get(page, "/api/status").json();
    let answers = [0, 1].map(|process: usize| status["cluster"]["processes"][process]["answers"].clone());
    assert_eq!(answers, [true, false], "{status:#}");
    assert!(get(page, "/metrics").text().contains("walbook_cluster_peer_answers{process=\"1\"} 0\n"));
}

#[test]
fn a_cluster_that_is_fenced_ends_with_one_code() {
    let (lines, truth_of_one) = workload("cluster_fenced");
    let topic = Topic::create_with("cluster_fenced", PARTITIONS, &[("max.message.bytes", "20000000")]);
    topic.produce(lines::records(&lines, Shape::Connect, PARTITIONS, DAY.0));
    let (folder, book) = (environment::folder("hosts"), Book::new("cluster_fenced"));
    let [mut zero, mut one] = start(&book, &topic, &hosts(folder.path()), &["--commit-interval", "200ms"]);
    let truth = truth_of_one.on_day(DAY.1);
    book.await_total(truth.total(), &mut zero);

    // A leader that waits for its own followers does not touch the book.
    let fences = book.fences();
    let alone = hosts(folder.path());
    let alone = alone.to_str().expect("temporary folders have plain names");
    let mut leader = book.run(&[&topic], &["-n", "2", "-p", "0", "-w", "2", "--hosts", alone]);
    leader.await_said("waits for the others");
    thread::sleep(Duration::from_secs(2));
    assert_eq!(book.fences(), fences);
    zero.expect_alive();
    one.expect_alive();
    leader.signal("TERM");
    leader.wait(Duration::from_secs(30));

    let mut single = book.run(&[&topic], &["--commit-interval", "200ms"]);
    single.await_said("reading cluster_fenced");
    // Something to commit, so that the cluster learns of the newer run.
    topic.produce(lines::records(&lines, Shape::Connect, PARTITIONS, DAY.0));
    for process in [zero, one] {
        let ended = process.wait(Duration::from_secs(60));
        ended.expect_code(4);
    }
    book.await_total(2 * truth.total(), &mut single);
    single.signal("TERM");
    single.wait(Duration::from_secs(60)).expect_code(0);
    assert_same("after a fence", &book.counts(), &truth.times(2));
    book.verify();
}

#[test]
fn processes_are_protected_by_certificates_and_a_secret() {
    let (lines, truth_of_one) = workload("cluster_tls");
    let topic = Topic::create_with("cluster_tls", PARTITIONS, &[("max.message.bytes", "20000000")]);
    topic.produce(lines::records(&lines, Shape::Connect, PARTITIONS, DAY.0));
    let (folder, certificates) = (environment::folder("hosts"), Certificates::new());
    let extensions = "subjectAltName=IP:127.0.0.1\nextendedKeyUsage=serverAuth,clientAuth\n";
    for authority in ["ca", "other_ca"] {
        certificates.make_self_signed(authority, &format!("/CN={authority}"));
    }
    certificates.make_signed("node", "ca", "/CN=node", extensions);
    certificates.make_signed("stranger", "other_ca", "/CN=stranger", extensions);
    let token = folder.path().join("token");
    fs::write(&token, "the secret of this cluster\n").expect("the folder is ours");
    let file = |name: &str| certificates.path(name).display().to_string();
    let protected = |name: &str| -> Vec<String> {
        let token = token.display().to_string();
        let (cert, key) = (file(&format!("{name}.crt")), file(&format!("{name}.key")));
        let flags = [
            ("--cluster-token-file", token),
            ("--cluster-cert", cert),
            ("--cluster-key", key),
            ("--cluster-ca", file("ca.crt")),
        ];
        flags.into_iter().flat_map(|(flag, value)| [flag.to_owned(), value]).collect()
    };
    let start = |book: &Book, of_one: &[String]| {
        let hosts = hosts(folder.path());
        let hosts = hosts.to_str().expect("temporary folders have plain names");
        let (node, cluster) = (protected("node"), ["-n", "2", "-w", "2", "--hosts", hosts, "--until-end"]);
        let process = |index: &str, security: &[String]| {
            let security: Vec<&str> = security.iter().map(String::as_str).collect();
            book.run(&[&topic], &[&cluster, ["-p", index].as_slice(), &security].concat())
        };
        [process("0", &node), process("1", of_one)]
    };
    let book = Book::new("cluster_tls");
    for process in start(&book, &protected("node")) {
        process.wait(Duration::from_secs(120)).expect_code(0);
    }
    assert_same("through TLS", &book.counts(), &truth_of_one.on_day(DAY.1));
    book.verify();

    // Neither another authority's certificate nor none at all: the first waits on, and the other cannot come in.
    let refused = Book::new("cluster_tls_refused");
    for of_one in [protected("stranger"), Vec::new()] {
        let [mut zero, one] = start(&refused, &of_one);
        zero.await_said("is refused");
        assert!(refused.log().is_empty(), "nothing is written");
        one.kill();
        zero.kill();
    }
}
