//! Records until they are rows: parsing each shape, and splitting each form of an input.

use std::fmt::Write;
use std::fs;
use std::hint::black_box;
use std::sync::Arc;
use std::sync::mpsc::channel;

use chrono_tz::Tz;
use walbook::change::{Partition, PartitionStart};
use walbook::parse::{DayFrom, DayRule, Envelope};
use walbook::source::Source;
use walbook::source::file::{FileSource, Input, MissingEnd};

use crate::case::Case;
use crate::shapes::{line, read, values};

/// Per record: opening, reading and dating a value.
pub(crate) fn parsing() -> Vec<Case> {
    let case = |(shape, value): (&str, String)| {
        Case::new(format!("parse: {shape}"), [1_000, 5_000], move |_| {
            let (value, mut envelope) = (value.clone(), Envelope::new());
            let mut days = DayRule::new(Tz::Europe__Berlin, DayFrom::Auto);
            move |records| {
                for _ in 0..records {
                    black_box(read(&mut envelope, &mut days, black_box(value.as_bytes())));
                }
            }
        })
    };
    values().into_iter().map(case).collect()
}

/// How a row is printed, by its number.
type PrintRow = fn(&mut String, u64, &str);

/// Per record: finding its end in a file, and handing it over. A transaction has eight changes.
pub(crate) fn splitting() -> Vec<Case> {
    let forms: [(&str, PrintRow); 5] = [
        ("lines of pg_recvlogical", |text, _, line| writeln!(text, "{line}").expect("a string takes all text")),
        ("rows of psql", |text, at, line| writeln!(text, "0/{:X}|7|{line}", at * 16).expect("a string takes all text")),
        ("CSV", |text, at, line| writeln!(text, "0/{:X},7,\"{line}\"", at * 16).expect("a string takes all text")),
        ("rows with tabs", |text, at, line| {
            writeln!(text, "0/{:X}\t7\t{line}", at * 16).expect("a string takes all text");
        }),
        ("JSON, one a line", |text, _, line| {
            let value = serde_json::json!({ "data": line });
            writeln!(text, "{value}").expect("a string takes all text");
        }),
    ];
    forms
        .map(|(name, print)| Case::new(format!("split: {name}"), [2_000, 6_000], move |sizes| split(sizes, print)))
        .into()
}

fn split(sizes: [u64; 2], print: PrintRow) -> impl FnOnce(u64) {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let path_of = |size: u64, folder: &tempfile::TempDir| folder.path().join(size.to_string());
    for size in sizes {
        let (mut text, line) = (String::new(), line());
        for record in 0..size {
            let line = match record % 10 {
                0 => "BEGIN 7",
                9 => "COMMIT 7",
                _ => &line,
            };
            print(&mut text, record, line);
        }
        fs::write(path_of(size, &folder), text).expect("a temporary file can be written");
    }
    move |records| {
        let path = path_of(records, &folder);
        let end = i64::try_from(fs::metadata(&path).expect("it was just written").len()).expect("a small file");
        let mut source = FileSource::new(Input::look(&path).expect("a file of records"), MissingEnd::default());
        // Polls as often as the source asks for it: how often a loop comes around is chance.
        let (wake, woken) = channel();
        source.set_waker(Arc::new(move || _ = wake.send(())));
        let partition = Partition { topic: "file".to_owned(), number: 0 };
        source.assign(&[PartitionStart::new(partition, 0, Some(end))]).expect("it can be read");
        let mut read = 0;
        while read < records {
            while let Some(batch) = source.poll_batch(usize::MAX).expect("the file is whole") {
                batch.records.for_each(&mut |record| {
                    black_box(record.value);
                    read += 1;
                });
            }
            if read < records {
                woken.recv().expect("the reader has more");
            }
        }
        assert_eq!(read, records, "each line is a record");
    }
}
