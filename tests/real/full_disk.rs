//! A full disk ends the run with a clear error; nothing wrong becomes visible, and with space the next run continues.

use std::ops::Range;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::book::Book;
use crate::environment;
use crate::lines::{self, Shape};
use crate::succession::inserted;
use crate::topic::{Record, Topic};
use crate::truth::assert_same;

/// What fits on the disk, and what does not.
const FIRST: i32 = 2_000;
const ALL: i32 = 200_000;

/// A small disk in a mount namespace of its own, which ends with the process that holds it.
struct SmallDisk {
    holder: Child,
    launcher: Vec<String>,
    path: String,
}

impl SmallDisk {
    fn mount(folder: &str) -> SmallDisk {
        // A user namespace of its own lets any user mount.
        let namespaces =
            if is_root() { ["--mount"].as_slice() } else { ["--user", "--map-root-user", "--mount"].as_slice() };
        let holder = Command::new("unshare")
            .args(namespaces)
            .args(["sh", "-c", &format!("mount -t tmpfs -o size=12m none {folder} && echo mounted && exec cat")])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("unshare is there");
        let mut disk = SmallDisk { launcher: Vec::new(), path: folder.to_owned(), holder };
        let mut said = String::new();
        std::io::BufRead::read_line(
            &mut std::io::BufReader::new(disk.holder.stdout.as_mut().expect("it is piped")),
            &mut said,
        )
        .expect("a pipe can be read");
        assert_eq!(said, "mounted\n", "a small disk cannot be mounted here, not even in a namespace");
        let target = disk.holder.id().to_string();
        let enter = if is_root() {
            vec!["nsenter", "--mount"]
        } else {
            vec!["nsenter", "--user", "--preserve-credentials", "--mount"]
        };
        disk.launcher = enter.into_iter().chain(["--target", &target]).map(str::to_owned).collect();
        disk
    }

    fn inside(&self, command: &str) -> String {
        let (program, arguments) = self.launcher.split_first().expect("nsenter comes first");
        let output =
            Command::new(program).args(arguments).args(["sh", "-c", command]).output().expect("nsenter is there");
        assert!(output.status.success(), "{command}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    fn resize(&self, size: &str) {
        self.inside(&format!("mount -o remount,size={size} {}", self.path));
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // It is only ours to end; its mount goes with it.
        let _ = self.holder.kill();
        let _ = self.holder.wait();
    }
}

#[test]
fn a_full_disk_ends_the_run_and_with_space_the_next_one_continues() {
    let topic = Topic::create("full_disk", 2);
    let folder = environment::folder("small_disk");
    let disk = SmallDisk::mount(&folder.path().to_string_lossy());
    let book = Book::behind("full_disk", disk.launcher.clone(), folder.path().join("book"));
    topic.produce(noise(0..FIRST));
    book.run_to_end(&[&topic], &["-w", "2"]);

    topic.produce(noise(FIRST..ALL));
    let mut committed = FIRST.into();
    for _ in 0..3 {
        let ended = book
            .run(&[&topic], &["-w", "2", "--until-end", "--commit-bytes", "500000", "--commit-interval", "200ms"])
            .wait(Duration::from_secs(120));
        ended.expect_code(1);
        assert!(ended.stderr.to_lowercase().contains("no space left"), "{}", ended.stderr);
        assert!(!ended.stderr.contains("panicked"), "{}", ended.stderr);
        // Whatever was committed stays so, even where its counts file found no space.
        let total = book.counts().total();
        assert!((committed..ALL.into()).contains(&total), "{total} changes after {committed}");
        committed = total;
        let partial = format!("find {path}/book/events {path}/book/counts -name '*.inprogress'", path = disk.path);
        assert_eq!(disk.inside(&partial), "");
    }
    println!("{committed} changes fitted");

    disk.resize("200m");
    book.run_to_end(&[&topic], &["-w", "3"]);
    assert_same("with space", &book.counts(), &inserted(ALL.into()));
    book.verify();
}

/// Inserts of text that does not compress, so that a small disk is full before they are all read.
fn noise(ids: Range<i32>) -> impl Iterator<Item = Record> {
    let mut state = 1_u64;
    ids.map(move |id| {
        let mut word = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            format!("{state:016x}")
        };
        let text: String = (0..12).map(|_| word()).collect();
        let line = format!("table public.t: INSERT: id[integer]:{id} v[text]:'{text}'");
        let value = lines::plain(Shape::Connect, &line);
        Record { partition: id % 2, time: 1_790_000_000_000, value: Some(value), ..Record::default() }
    })
}

fn is_root() -> bool {
    let output = Command::new("id").arg("-u").output().expect("id is there");
    output.stdout == b"0\n"
}
