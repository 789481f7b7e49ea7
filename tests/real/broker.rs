//! Kafka brokers of a test's own, which may be killed and started again in their place.

use std::fs::{self, File};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::environment;
use crate::gate::Gate;
use crate::topic::Topic;

const TIMEOUT: Duration = Duration::from_secs(120);

/// One node of Kafka; dropped, it is killed and gone.
pub(crate) struct Broker {
    folder: TempDir,
    /// Its number in its cluster.
    pub(crate) id: i32,
    port: u16,
    process: Option<Child>,
}

impl Broker {
    /// Makes a broker like the one of `./test`, which is its own controller, and starts it.
    pub(crate) fn start(name: &str) -> Broker {
        let mut broker = Broker::make(name, 1, &free_address(), None);
        broker.launch();
        broker
    }

    /// The same, and clients find it only through a gate.
    pub(crate) fn start_behind(name: &str, gate: &Gate) -> Broker {
        let mut broker = Broker::make(name, 1, &free_address(), Some(gate));
        broker.launch();
        broker
    }

    /// Starts a cluster of three nodes, which keeps its controller and its first broker when one of the others is killed.
    pub(crate) fn cluster(name: &str) -> [Broker; 3] {
        let controller = free_address();
        let mut nodes = [1, 2, 3].map(|id| Broker::make(name, id, &controller, None));
        nodes.iter_mut().for_each(Broker::spawn);
        nodes.iter_mut().for_each(Broker::await_listening);
        nodes
    }

    /// Makes node `id` of a cluster whose controller, node 1, listens at `controller`.
    fn make(name: &str, id: i32, controller: &str, gate: Option<&Gate>) -> Broker {
        let broker = Broker { folder: environment::folder(name), id, port: environment::free_port(), process: None };
        let listen = broker.addresses();
        let advertised = match gate {
            Some(gate) => gate.lead_to(listen.parse().expect("an address")).to_string(),
            None => listen.clone(),
        };
        let (roles, listeners) = match id {
            1 => ("broker,controller", format!("PLAINTEXT://{listen},CONTROLLER://{controller}")),
            _ => ("broker", format!("PLAINTEXT://{listen}")),
        };
        let others = fs::read_to_string(environment::kafka_properties().join("server.properties"))
            .expect("./test has written it");
        // Of a key that stands twice the last one counts. A killed broker is to be believed in again soon.
        let properties = format!(
            "{others}\n\
             process.roles={roles}\n\
             node.id={id}\n\
             controller.quorum.voters=1@{controller}\n\
             listeners={listeners}\n\
             advertised.listeners=PLAINTEXT://{advertised}\n\
             log.dirs={}\n\
             broker.session.timeout.ms=2000\n\
             broker.heartbeat.interval.ms=500\n",
            broker.data().display()
        );
        fs::write(broker.folder.path().join("server.properties"), properties).expect("the folder is ours");
        let formatted = broker
            .java(&["kafka.tools.StorageTool", "format", "-t", "walbook-test-cluster-0", "-c"])
            .arg(broker.folder.path().join("server.properties"))
            .output()
            .expect("Java is there");
        assert!(formatted.status.success(), "{}", String::from_utf8_lossy(&formatted.stderr));
        broker
    }

    /// Its log directory.
    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// Loses what it has of a partition, as with a disk; it must not be running.
    pub(crate) fn lose(&self, topic: &str, partition: i32) {
        assert!(self.process.is_none(), "the broker runs");
        fs::remove_dir_all(self.data().join(format!("{topic}-{partition}"))).expect("the partition is on this broker");
    }

    /// Makes this node alone hold the state of transactions, so that they continue when another one is killed.
    pub(crate) fn hold_transactions(&self) {
        let state = Topic { name: "__transaction_state".to_owned(), brokers: self.addresses(), partitions: 1 };
        state.make_on(&[self.id], &[("cleanup.policy", "compact")]);
    }

    /// Where clients find it.
    pub(crate) fn addresses(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Ends it as a power cut of its machine's process table would: nothing is handed over or flushed by it.
    pub(crate) fn kill(&mut self) {
        let mut process = self.process.take().expect("it runs");
        process.kill().expect("a child can be killed");
        process.wait().expect("a child can be waited for");
    }

    /// Ends it in good order.
    pub(crate) fn stop(&mut self) {
        let mut process = self.process.take().expect("it runs");
        let asked = Command::new("kill").args(["-s", "TERM", &process.id().to_string()]).status();
        assert!(asked.is_ok_and(|status| status.success()), "could not stop the broker");
        let began = Instant::now();
        while process.try_wait().expect("a child can be waited for").is_none() {
            if began.elapsed() > TIMEOUT {
                let _ = process.kill();
                panic!("the broker does not stop:\n{}", self.said());
            }
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// Starts it where it stands, and waits until it listens.
    pub(crate) fn launch(&mut self) {
        self.spawn();
        self.await_listening();
    }

    fn spawn(&mut self) {
        let log = File::options().create(true).append(true).open(self.folder.path().join("log")).expect("it is ours");
        let errors = log.try_clone().expect("a file can be shared");
        let mut kafka = self.java(&["kafka.Kafka"]);
        kafka.arg(self.folder.path().join("server.properties")).stdin(Stdio::null()).stdout(log).stderr(errors);
        self.process = Some(kafka.spawn().expect("Java is there"));
    }

    fn await_listening(&mut self) {
        let began = Instant::now();
        while TcpStream::connect(self.addresses()).is_err() {
            let process = self.process.as_mut().expect("it was started");
            let has_ended = process.try_wait().expect("a child can be waited for").is_some();
            assert!(!has_ended && began.elapsed() < TIMEOUT, "Kafka does not start:\n{}", self.said());
            thread::sleep(Duration::from_millis(50));
        }
    }

    fn java(&self, arguments: &[&str]) -> Command {
        let logging = environment::kafka_properties().join("log4j2.properties");
        let mut java = Command::new("java");
        java.args([
            "-Xms128m",
            "-Xmx512m",
            "-XX:+UseSerialGC",
            "-XX:TieredStopAtLevel=1",
            "-Djava.net.preferIPv4Stack=true",
        ])
        .arg(format!("-Dlog4j2.configurationFile={}", logging.display()))
        .arg("-cp")
        .arg(environment::kafka_jars().join("*"))
        .args(arguments)
        .current_dir(self.folder.path());
        java
    }

    fn said(&self) -> String {
        let said = fs::read(self.folder.path().join("log")).unwrap_or_default();
        let said = String::from_utf8_lossy(&said);
        let lines: Vec<&str> = said.lines().collect();
        lines[lines.len().saturating_sub(30)..].join("\n")
    }
}

fn free_address() -> String {
    format!("127.0.0.1:{}", environment::free_port())
}

impl Drop for Broker {
    fn drop(&mut self) {
        if let Some(mut process) = self.process.take() {
            // A failure here would hide the test's own.
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}
