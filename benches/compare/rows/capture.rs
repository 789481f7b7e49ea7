//! A backlog of a PostgreSQL slot, read by walbook and by PostgreSQL's own client.

use super::Bench;
use super::competition::Entrant;
use crate::Outcome;
use crate::contestants::capture::Database;
use crate::report::{LeftOut, Row};

/// The readers, by the names of their slots.
const READERS: [&str; 3] = ["received", "captured", "direct"];

pub(super) fn capture(bench: &Bench<'_>, row: &mut Row, left_out: &mut Vec<LeftOut>) -> Outcome<()> {
    let transactions: u64 = if bench.arguments.full { 250_000 } else { 100_000 };
    // The server has slots for ten rounds.
    let rounds = bench.arguments.rounds_of(3).min(10);
    row.input =
        format!("{transactions} transactions of pgbench with 4 changes each, already in the WAL; a slot for each run");
    left_out.push(LeftOut {
        what: "Debezium".to_owned(),
        why: "it needs a Kafka Connect worker of its own, which this benchmark does not install".to_owned(),
    });
    let slot = |reader: &str, round: usize| format!("{reader}_{}_{round}", std::process::id());
    let slots: Vec<String> = (0..rounds as usize).flat_map(|round| READERS.map(|reader| slot(reader, round))).collect();
    eprintln!("running {transactions} transactions of pgbench");
    let database = Database::with_backlog(bench.environment, &slots, transactions)?;
    let entrants = [
        Entrant::new("pg_recvlogical into a file", |round| database.receive(&slot("received", round))),
        Entrant::new("walbook capture into Kafka", |round| database.capture(&slot("captured", round))),
        Entrant::new("walbook run into a book, -w 2", |round| database.run_direct(&slot("direct", round))),
    ];
    bench.compete(row, &entrants, rounds);
    Ok(())
}
