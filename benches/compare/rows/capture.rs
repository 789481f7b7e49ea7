//! A backlog of a PostgreSQL slot, read by walbook, by PostgreSQL's own client and by Debezium.

use super::Bench;
use super::competition::Entrant;
use crate::Outcome;
use crate::contestants::PeerProgram;
use crate::contestants::capture::{Database, Plugin};
use crate::contestants::debezium::DEBEZIUM;
use crate::report::{LeftOut, Row};

pub(super) fn capture(bench: &Bench<'_>, row: &mut Row, left_out: &mut Vec<LeftOut>) -> Outcome<()> {
    let transactions: u64 = if bench.arguments.full { 250_000 } else { 100_000 };
    row.input =
        format!("{transactions} transactions of pgbench with 4 changes each, already in the WAL; a slot for each run");
    eprintln!("looking for {DEBEZIUM}");
    let debezium = match PeerProgram::install(bench.environment, DEBEZIUM, !bench.arguments.no_install) {
        Ok(program) => Some(program),
        Err(error) => {
            left_out.push(LeftOut { what: DEBEZIUM.to_owned(), why: error.to_string() });
            None
        }
    };
    eprintln!("running {transactions} transactions of pgbench");
    let database = &Database::with_backlog(bench.environment, transactions)?;
    let mut entrants = vec![
        Entrant::new("pg_recvlogical into a file", |_| {
            database.with_slot("received", Plugin::TestDecoding, |slot| database.receive(slot))
        }),
        Entrant::new("walbook capture into Kafka", |_| {
            database.with_slot("captured", Plugin::TestDecoding, |slot| database.capture(slot))
        }),
        Entrant::new("walbook run into a book, -w 2", |_| {
            database.with_slot("direct", Plugin::TestDecoding, |slot| database.run_direct(slot))
        }),
    ];
    entrants.extend(debezium.map(|program| {
        Entrant::new("debezium into Kafka", move |_| {
            database.with_slot(DEBEZIUM, Plugin::PgOutput, |slot| database.debezium(&program, slot))
        })
    }));
    bench.compete(row, &entrants, bench.arguments.rounds_of(3));
    Ok(())
}
