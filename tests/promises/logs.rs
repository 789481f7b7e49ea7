//! Every log line has the form that was asked for, also those of libraries, and none is on standard output.

use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;
use walbook::demo::{Broker, Shop};
use walbook::query::{Filter, counts};

/// How long a run reads a broker that is gone.
const AWAY: Duration = Duration::from_secs(4);

#[test]
fn librdkafka_logs_as_walbook_does() {
    let folder = tempfile::tempdir().expect("a temporary directory");
    let book = folder.path().join("book");
    let broker = Broker::start("shop", 2).expect("a mock cluster needs nothing");
    broker.produce(Shop::new(1, 1_795_362_400_000_000).history(300)).expect("records are accepted");
    broker.flush().expect("records arrive");
    let mut command = Command::new(env!("CARGO_BIN_EXE_walbook"));
    command.arg("run").arg(&book).args(["--brokers", &broker.bootstrap_servers(), "--topic", "shop"]);
    command.args(["--log-format", "json", "--log", "debug", "--commit-interval", "200ms"]);
    // librdkafka's lines of all kinds, also of what it does at an end.
    command.args(["-X", "debug=broker,cgrp,queue", "-X", "socket.connection.setup.timeout.ms=1000"]);
    let run = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the binary is built");
    let begin = Instant::now();
    while !counts(&book, &Filter::default(), &[]).is_ok_and(|answer| !answer.rows.is_empty()) {
        assert!(begin.elapsed() < Duration::from_secs(60), "nothing is committed");
        thread::sleep(Duration::from_millis(50));
    }
    drop(broker);
    thread::sleep(AWAY);
    let stopped = Command::new("kill").arg(run.id().to_string()).status();
    assert!(stopped.expect("kill starts").success());
    let ended = run.wait_with_output().expect("it is our child");
    let (out, log) = (String::from_utf8_lossy(&ended.stdout), String::from_utf8_lossy(&ended.stderr));
    assert_eq!(out, "", "log lines on standard output");
    let mut of_librdkafka = 0;
    for line in log.lines().filter(|line| !line.starts_with("walbook: ")) {
        let line: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        of_librdkafka += usize::from(line["target"] == "librdkafka");
    }
    assert!(of_librdkafka > 10, "{log}");
}
