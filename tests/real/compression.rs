//! Compressed topics, each codec a producer may have chosen.

use crate::book::Book;
use crate::succession::{inserted, inserts};
use crate::topic::Topic;
use crate::truth::assert_same;

#[test]
fn every_codec_is_read() {
    let topics: Vec<Topic> = ["none", "gzip", "snappy", "lz4", "zstd"]
        .into_iter()
        .map(|codec| {
            let topic = Topic::create(&format!("codec_{codec}"), 2);
            topic.producer(&[("compression.type", codec)]).produce(inserts(5000, 2));
            let book = Book::new("codec");
            book.run_to_end(&[&topic], &["-w", "2"]);
            assert_same(codec, &book.counts(), &inserted(5000));
            book.verify();
            topic
        })
        .collect();
    let book = Book::new("codecs");
    book.run_to_end(&topics.iter().collect::<Vec<_>>(), &["-w", "3"]);
    assert_same("all codecs", &book.counts(), &inserted(25_000));
    book.verify();
}
