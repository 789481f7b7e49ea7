//! What a server that answers large downloads keeps in memory: of those that were read nothing, of those that are not read
//! what docs/api.md says.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use super::client::{ask, get, send};
use crate::readers::loop_of_rows::{folder, open};
use crate::readers::random::Rows;

/// Rows of the book, with so many bytes each: a download has some 20 MB.
const ROWS: u64 = 20_000;
const ROW_BYTES: usize = 1_000;
/// Downloads one after the other, and clients that read nothing.
const DOWNLOADS: usize = 6;
const SLOW_READERS: usize = 40;
/// Bytes of unread answers, by docs/api.md.
const UNREAD: u64 = 192 << 20;
/// What two answers need while they are made, beside what the process needs by itself.
const WORK: u64 = 150 << 20;
/// What may be left of answers that were read.
const KEPT: u64 = 100 << 20;

struct Served {
    process: Child,
    address: SocketAddr,
}

impl Served {
    fn start(book: &std::path::Path) -> Served {
        let mut command = Command::new(env!("CARGO_BIN_EXE_walbook"));
        command.args(["serve", "--listen", "127.0.0.1:0"]).arg(book).stdout(Stdio::piped());
        let mut process = command.spawn().expect("the binary is built");
        let mut line = String::new();
        BufReader::new(process.stdout.as_mut().expect("it is piped")).read_line(&mut line).expect("a line");
        let address = line.trim().rsplit("http://").next().and_then(|page| page.trim_end_matches('/').parse().ok());
        Served { process, address: address.unwrap_or_else(|| panic!("no address in {line:?}")) }
    }

    /// Bytes in memory now.
    fn resident(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.process.id())).expect("it runs");
        let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        resident.and_then(|text| text.split_whitespace().next()?.parse::<u64>().ok()).expect("a number") << 10
    }

    /// Waits until no more than `most` bytes are in memory.
    #[track_caller]
    fn expect_at_most(&self, most: u64, what: &str) {
        let begin = Instant::now();
        while self.resident() > most {
            assert!(begin.elapsed() < Duration::from_secs(10), "{} MB {what}", self.resident() >> 20);
            thread::sleep(Duration::from_millis(50));
        }
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[test]
fn downloads_leave_nothing_behind_and_slow_readers_are_bounded() {
    let folder = folder();
    let mut rows = Rows::new(5);
    let mut contents = rows.commit(ROWS, 1);
    let mut noise = fastrand::Rng::with_seed(5);
    for (_, event) in &mut contents.events {
        event.data.extend(std::iter::repeat_with(|| noise.alphanumeric()).take(ROW_BYTES));
    }
    open(folder.path()).commit(contents).expect("a commit");
    let served = Served::start(folder.path());
    get(served.address, "/api/counts");
    let before = served.resident();

    for format in ["csv", "parquet"] {
        let path = format!("/api/events?format={format}&limit=100000");
        let mut most = 0;
        for _ in 0..DOWNLOADS {
            let bytes = get(served.address, &path).body.len();
            most = most.max(served.resident());
            assert!(bytes as u64 > ROWS * ROW_BYTES as u64 / 2, "{format}: {bytes} bytes");
        }
        println!("{format}: {} MB before, {} MB at most", before >> 20, most >> 20);
        served.expect_at_most(before + KEPT, &format!("after downloads as {format}"));
    }

    let unread: Vec<TcpStream> =
        (0..SLOW_READERS).map(|_| send(served.address, "GET", "/api/events?format=csv&limit=100000", &[])).collect();
    let mut most = 0;
    for stream in &unread {
        let mut line = [0; 12];
        // Each has its answer, or was refused.
        while (&*stream).read_exact(&mut line).is_err() {}
        most = most.max(served.resident());
    }
    println!("{} MB with slow readers", most >> 20);
    assert!(most < before + UNREAD + WORK, "{} MB with slow readers", most >> 20);
    assert_eq!(ask(served.address, "GET", "/healthz", &[]).status, 200);
    drop(unread);
    served.expect_at_most(before + KEPT, "after slow readers");
}
