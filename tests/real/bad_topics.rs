//! Missing topics, unreachable brokers, topics without a record.

use std::net::TcpListener;
use std::time::Duration;

use crate::book::{Book, Ended};
use crate::environment;
use crate::topic::Topic;
use crate::truth::{Counts, assert_same};

#[test]
fn an_empty_topic_makes_an_empty_book() {
    let topic = Topic::create("empty", 3);
    let book = Book::new("empty");
    let ended = book.run_to_end(&[&topic], &["-w", "2"]);
    assert!(ended.took < Duration::from_secs(15), "took {:?}", ended.took);
    assert_same("empty", &book.counts(), &Counts::default());
    assert_eq!(book.query(&[])["complete_to"]["positions"][&topic.name]["2"], 0);
    book.verify();
    // Once more, with nothing new.
    book.run_to_end(&[&topic], &[]);
    book.verify();
}

#[test]
fn a_topic_that_does_not_exist_is_an_error_and_is_not_made() {
    let book = Book::new("absent");
    let name = environment::unique("absent");
    let arguments = ["--brokers", &environment::brokers(), "--topic", &name, "--until-end"];
    let ended = book.start("run", &arguments).wait(Duration::from_secs(30));
    expect_failure(&ended, 2);
    ended.expect_said(&[&name]);
    // A topic that the brokers create on request would hide a misspelt name.
    assert!(!Topic::of_name(&name).exists());
}

#[test]
fn a_broker_that_does_not_answer_is_an_error_within_thirty_seconds() {
    let unreachable = {
        let listener = TcpListener::bind("127.0.0.1:0").expect("there are free ports");
        listener.local_addr().expect("it is bound").to_string()
    };
    let silent = TcpListener::bind("127.0.0.1:0").expect("there are free ports");
    let silent = silent.local_addr().map(|address| (silent, address.to_string())).expect("it is bound");
    for address in [&unreachable, &silent.1] {
        let book = Book::new("no_broker");
        let ended =
            book.start("run", &["--brokers", address, "--topic", "any", "--until-end"]).wait(Duration::from_secs(32));
        expect_failure(&ended, 1);
        ended.expect_said(&[address]);
    }
}

fn expect_failure(ended: &Ended, code: i32) {
    ended.expect_code(code);
    assert!(ended.stdout.is_empty(), "errors belong on stderr: {}", ended.stdout);
    assert!(!ended.stderr.contains("panicked"), "{}", ended.stderr);
}
