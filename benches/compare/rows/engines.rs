//! walbook in its forms, the floor below it, and its peers, all on the same topic.

use super::Bench;
use super::competition::describe;
use crate::Outcome;
use crate::contestants::{Drain, Peer, PeerProgram, Walbook};
use crate::report::{LeftOut, Row};

pub(super) fn workers(bench: &Bench<'_>, row: &mut Row, _: &mut Vec<LeftOut>) -> Outcome<()> {
    let plan = bench.fourfold_plan();
    row.input = describe(&plan);
    let topic = bench.topic("workers", &plan)?;
    let two_processes = Walbook { processes: 2, ..Walbook::workers(1) };
    let entrants = [
        bench.entrant(Walbook::workers(1), &topic),
        bench.entrant(Walbook::workers(2), &topic),
        bench.entrant(two_processes, &topic),
        bench.entrant(Drain { consumers: 1 }, &topic),
        bench.entrant(Drain { consumers: 2 }, &topic),
    ];
    bench.compete(row, &entrants, bench.arguments.rounds_of(3));
    Ok(())
}

/// The label of contestants that read the larger topic.
const FOURFOLD: &str = "4×";

/// Peers take half a minute each for the smaller topic: the short form has two rounds, and the larger one is for walbook and the
/// drain, which need as long for it as for a start of a JVM.
pub(super) fn peers(bench: &Bench<'_>, row: &mut Row, left_out: &mut Vec<LeftOut>) -> Outcome<()> {
    const WORKERS: usize = 2;
    let (plan, fourfold_plan) = (bench.plan(), bench.fourfold_plan());
    row.input = format!("{}; {FOURFOLD}: {}", describe(&plan), describe(&fourfold_plan));
    let mut installed = Vec::new();
    let names = match PeerProgram::readers(bench.environment) {
        Ok(names) => names,
        Err(error) => {
            left_out.push(LeftOut { what: "all peers".to_owned(), why: error.to_string() });
            Vec::new()
        }
    };
    for name in names {
        eprintln!("looking for {name}");
        match PeerProgram::install(bench.environment, &name, !bench.arguments.no_install) {
            Ok(program) => installed.push(program),
            Err(error) => left_out.push(LeftOut { what: name, why: error.to_string() }),
        }
    }
    let topics = bench.topics("peers", &[plan, fourfold_plan])?;
    let (topic, fourfold) = (&topics[0], &topics[1]);
    let peers = || installed.iter().map(|program| Peer { program: program.clone(), workers: WORKERS });
    let mut entrants =
        vec![bench.entrant(Walbook::workers(WORKERS), topic), bench.entrant(Drain { consumers: WORKERS }, topic)];
    entrants.extend(peers().map(|peer| bench.entrant(peer, topic)));
    entrants.push(bench.labelled(FOURFOLD, Walbook::workers(WORKERS), fourfold));
    entrants.push(bench.labelled(FOURFOLD, Drain { consumers: WORKERS }, fourfold));
    if bench.arguments.full {
        entrants.extend(peers().map(|peer| bench.labelled(FOURFOLD, peer, fourfold)));
    }
    bench.compete(row, &entrants, bench.arguments.rounds_of(2));
    Ok(())
}
