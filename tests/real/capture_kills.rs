//! `kill -9` of a capture, crashes of PostgreSQL and of Kafka: the topic holds each committed change once, in order.

use std::thread;
use std::time::Duration;

use crate::book::Book;
use crate::broker::Broker;
use crate::capture::Capture;
use crate::captured::{Captured, OPTIONS, SETTINGS};
use crate::database::Database;
use crate::dice::Dice;
use crate::environment;
use crate::server::Server;
use crate::topic::Topic;
use crate::truth::assert_same;
use crate::workload::{TABLES, Workload};

const DAY: &str = "a day";

/// What happens to a running capture.
#[derive(Clone, Copy, Debug)]
enum Fault {
    Killed,
    ServerCrashed,
    BrokerKilled,
    BrokerRestarted,
}

#[test]
fn a_killed_capture_loses_nothing_and_repeats_nothing() {
    let mut dice = Dice::throw("capture_kills");
    let (kills, crashes) = if environment::is_long() { (100, 10) } else { (8, 3) };
    let mut server = Server::start("capture_kills", &[]);
    let mut broker = Broker::start("capture_kills");
    let database = Database::create_to_survive(&server.url(), "capture_kills", TABLES);
    let topic = Topic::nowhere(broker.addresses(), "capture_kills", 4);
    let capture = Capture::new(&database, &topic);
    capture.first();

    let mut faults = vec![Fault::Killed; kills];
    faults.extend([Fault::ServerCrashed].repeat(crashes));
    faults.extend([Fault::BrokerKilled, Fault::BrokerRestarted, Fault::BrokerKilled].into_iter().cycle().take(crashes));
    dice.shuffle(&mut faults);

    let workload = Workload::start(&database.url(), 4, &mut dice);
    let mut running = capture.start(&[]);
    for fault in faults {
        thread::sleep(dice.between(Duration::from_millis(50), Duration::from_millis(2500)));
        running.expect_alive();
        match fault {
            Fault::Killed => {
                running.kill();
                running = capture.start(&[]);
            }
            Fault::ServerCrashed => server.restart_immediate(),
            Fault::BrokerKilled => {
                broker.kill();
                broker.launch();
            }
            Fault::BrokerRestarted => {
                broker.stop();
                broker.launch();
            }
        }
    }
    thread::sleep(Duration::from_secs(2));
    running.signal("TERM");
    running.wait(Duration::from_secs(10)).expect_code(0);
    let transactions = workload.finish();
    capture.once(&[]);

    let captured = Captured::read(&topic);
    let mut written = 0;
    topic.each_record(&[("isolation.level", "read_uncommitted")], |_| written += 1);
    println!(
        "{transactions} transactions, {} records, {} more in aborted transactions",
        captured.len(),
        written - captured.len()
    );
    let truth = database.surviving_truth(DAY);
    assert_same("the topic", &captured.counts(DAY), &truth);
    captured.assert_same_as(&Captured::of_lines(&database.take("null", SETTINGS, OPTIONS)));

    let book = Book::new("capture_kills");
    book.run_to_end(&[&topic], &["-w", "2"]);
    assert_same("the book", &book.counts().on_day(DAY), &truth);
    book.verify();
}
