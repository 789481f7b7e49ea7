//! Compressed inputs mean what their text means: the same records at the same offsets, from a file or a pipe. One that is cut short
//! or damaged never ends as if it had been whole.

use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;

use super::world::{World, until, wait};

type Compress = fn(&[u8]) -> Vec<u8>;

fn gzip(text: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(text).expect("memory");
    encoder.finish().expect("memory")
}

fn zstd(text: &[u8]) -> Vec<u8> {
    zstd::encode_all(text, 1).expect("memory")
}

const BOTH: [(Compress, &str); 2] = [(gzip, "gzip"), (zstd, "zstd")];

/// Transactions of five inserts, of which one has a line break in its value.
fn transactions(numbers: std::ops::Range<u64>) -> String {
    let mut text = String::new();
    for xid in numbers {
        writeln!(text, "BEGIN {xid}").expect("memory");
        for change in 0..5 {
            writeln!(text, "table public.t: INSERT: id[integer]:{change} v[text]:'{xid}\nCOMMIT {xid}'")
                .expect("memory");
        }
        writeln!(text, "COMMIT {xid} (at 2026-11-22 12:00:00+00)").expect("memory");
    }
    text
}

fn world(bytes: &[u8]) -> World {
    let world = World::new("");
    fs::write(world.input(), bytes).expect("a file can be written");
    world
}

fn offsets(world: &World) -> Vec<i64> {
    world.events().iter().map(|event| event.offset).collect()
}

#[test]
fn members_and_frames_are_the_text_that_they_hold() {
    let text = format!("\u{feff}{}", transactions(0..50));
    let plain = world(text.as_bytes());
    plain.run(&[]).expect(0, &[]);
    assert_eq!(plain.total(), 250);
    for (compress, _) in BOTH {
        // Cut inside of a line.
        let (one, two) = text.as_bytes().split_at(1234);
        for bytes in [compress(text.as_bytes()), [compress(one), compress(b""), compress(two)].concat()] {
            let (file, piped) = (world(&bytes), World::new(""));
            file.run(&[]).expect(0, &[]);
            piped.pipe(&bytes).expect(0, &[]);
            for world in [file, piped] {
                assert_eq!((offsets(&world), world.rejects()), (offsets(&plain), vec![]));
                assert_eq!(world.position().0, text.len() as i64);
                world.verify();
            }
        }
    }
}

#[test]
fn a_file_that_grew_by_a_member_is_continued_where_its_text_was_read() {
    for (compress, _) in BOTH {
        let (one, two) = (transactions(0..10), transactions(10..20));
        let world = world(&compress(one.as_bytes()));
        world.run(&[]).expect(0, &[]);
        assert_eq!((world.total(), world.position().0), (50, one.len() as i64));
        let both = one + &two;
        // Appended, compressed anew as a whole, and not compressed any more: its text is the same.
        for (bytes, total) in [
            ([compress(&both.as_bytes()[..both.len() - two.len()]), compress(two.as_bytes())].concat(), 100),
            (compress(both.as_bytes()), 100),
            (both.clone().into_bytes(), 100),
        ] {
            fs::write(world.input(), &bytes).expect("a file can be written");
            world.run(&[]).expect(0, &[]);
            assert_eq!((world.total(), world.position().0), (total, both.len() as i64));
        }
        world.verify();
        fs::write(world.input(), compress(&both.as_bytes()[..1000])).expect("a file can be written");
        world.run(&[]).expect(3, &["bytes 1000 to"]);
        fs::write(world.input(), compress(both.replace("public.t", "public.u").as_bytes()))
            .expect("a file can be written");
        world.run(&[]).expect(3, &["another file"]);
    }
}

#[test]
fn a_killed_run_of_a_compressed_file_loses_nothing_and_repeats_nothing() {
    for (compress, _) in BOTH {
        let text = transactions(0..40_000);
        let world = world(&compress(text.as_bytes()));
        let (mut kills, mut total) = (0, 0);
        while kills < 4 && total < 200_000 {
            let mut run = world.start(&["--until-end", "--commit-interval", "20ms"]);
            let before = total;
            until("it commits more, or ends", || {
                total = world.total();
                total > before || run.try_wait().expect("it is our child").is_some()
            });
            run.kill().expect("it is our child");
            run.wait().expect("it is our child");
            kills += 1;
        }
        world.run(&[]).expect(0, &[]);
        assert_eq!((world.total(), world.position().0), (200_000, text.len() as i64));
        let mut offsets = offsets(&world);
        offsets.dedup();
        assert_eq!(offsets.len(), 200_000);
        world.verify();
    }
}

#[test]
fn a_compressed_file_that_is_not_whole_is_an_error_before_a_book_is_made() {
    for (compress, name) in BOTH {
        let bytes = compress(transactions(0..2000).as_bytes());
        let mut damaged = bytes.clone();
        damaged[bytes.len() / 2] ^= 0x55;
        damaged[bytes.len() / 2 + 1] ^= 0xFF;
        for bytes in [&bytes[..bytes.len() - 1], &bytes[..bytes.len() / 2], &bytes[..5], &damaged] {
            let world = world(bytes);
            world.run(&[]).expect(3, &[name, "behind byte", "nothing of it was read", "--input - <"]);
            assert!(!world.book().exists());
        }
        // It was whole when the book was made.
        let world = world(&bytes);
        world.run(&[]).expect(0, &[]);
        fs::write(world.input(), &bytes[..bytes.len() - 9]).expect("a file can be written");
        let in_book = format!("everything before byte {} is in the book", world.position().0);
        world.run(&[]).expect(3, &[name, "ends too early", &in_book]);
        assert_eq!(world.total(), 10_000);
        world.verify();
    }
}

#[test]
fn what_is_whole_of_a_broken_stream_is_in_the_book_and_the_run_fails() {
    for (compress, name) in BOTH {
        let text = transactions(0..2000);
        let bytes = compress(text.as_bytes());
        let two = [&bytes[..], &bytes].concat();
        for (bytes, least) in [
            (&two[..two.len() - 1], 10_000),
            (&two[..bytes.len() + 9], 10_000),
            (&bytes[..bytes.len() - 1], 1),
            (&bytes[..30], 0),
        ] {
            let world = World::new("");
            let ended = world.pipe(bytes);
            let position = world.position().0;
            let from = format!("all records that are whole before byte {position} are in the book");
            let words = if position > 0 { &[name, "ends too early", &from][..] } else { &[name, "ends too early"] };
            ended.expect(3, words);
            let total = world.total();
            // Whole transactions, and all of them.
            assert!(total >= least && total <= 20_000 && total.is_multiple_of(5), "{total} of {least}");
            assert_eq!(text.repeat(2)[..position as usize].matches("INSERT").count() as u64, total);
            if position > 0 {
                assert_eq!(world.rejects(), []);
                world.verify();
            }
        }
        let world = World::new("");
        world.pipe(&[&bytes[..], b"rubbish behind it"].concat()).expect(3, &[name, "damaged", "before byte"]);
        assert_eq!((world.total(), world.position().0), (10_000, text.len() as i64));
    }
}

#[test]
fn a_frame_that_needs_a_dictionary_is_refused_and_says_how_to_unpack_it() {
    let bytes = b"\x28\xB5\x2F\xFD\x21\x07\x01\x09\0\0x";
    let world = world(bytes);
    let words = ["a dictionary", "zstd -d -c -D"];
    world.run(&[]).expect(2, &words);
    world.pipe(bytes).expect(2, &words);
    assert!(!world.book().exists());
}

#[test]
fn a_compressed_file_is_not_followed() {
    for (compress, name) in BOTH {
        let world = world(&compress(transactions(0..2).as_bytes()));
        wait(world.start(&[])).expect(2, &[name, "cannot be followed", "--until-end"]);
        assert!(!world.book().exists());
        world.run(&[]).expect(0, &[]);
        assert_eq!(world.total(), 10);
        // One that was empty when it was followed.
        let later = self::world(b"");
        let run = later.start(&["--commit-interval", "100ms"]);
        until("it has begun", || later.position().1 > 0);
        fs::write(later.input(), compress(transactions(0..2).as_bytes())).expect("a file can be written");
        wait(run).expect(2, &[name, "--until-end"]);
        later.run(&[]).expect(0, &[]);
        assert_eq!(later.total(), 10);
    }
}

#[test]
fn what_compressed_bytes_hold_is_looked_at_like_any_input() {
    let utf16: Vec<u8> = transactions(0..2).encode_utf16().flat_map(u16::to_le_bytes).collect();
    let aligned = include_bytes!("../../data/inputs/psql_aligned.txt");
    let csv = include_bytes!("../../data/inputs/psql_csv.txt");
    for (compress, name) in BOTH {
        for (text, words) in [
            (&utf16[..], ["UTF-16", "iconv"]),
            (aligned, ["aligned", "psql --csv"]),
            (&compress(csv), [name, "unpack"]),
        ] {
            let world = world(&compress(text));
            world.run(&[]).expect(2, &words);
            world.pipe(&compress(text)).expect(2, &words);
            assert!(!world.book().exists(), "{words:?}");
        }
        let world = world(&compress(csv));
        world.run(&[]).expect(0, &[]);
        assert_eq!((world.total(), world.rejects()), (6, vec![]));
        // The same text under another name would count twice.
        let plain = world.input().with_extension("csv");
        fs::write(&plain, csv).expect("a file can be written");
        wait(world.start_from(plain.to_str().expect("a plain path"), &["--until-end"]))
            .expect(2, &["would count twice"]);
    }
}
