//! Rounds in which each contestant runs once, in an order that the seed chooses, each when the machine has come to rest.

use std::rc::Rc;

use super::Bench;
use super::order::order_of;
use crate::Outcome;
use crate::contestants::Contestant;
use crate::load::{RecordPlan, Tables, Topic};
use crate::measure::settling::settle;
use crate::report::markdown::rate;
use crate::report::{Figure, Row, Run, Standing};

/// A contestant with what it reads.
pub(crate) struct Entrant<'e> {
    name: String,
    /// Runs it in a round.
    run: Box<dyn Fn(usize) -> Outcome<Run> + 'e>,
}

impl<'e> Entrant<'e> {
    pub(crate) fn new(name: impl Into<String>, run: impl Fn(usize) -> Outcome<Run> + 'e) -> Entrant<'e> {
        Entrant { name: name.into(), run: Box::new(run) }
    }
}

impl Bench<'_> {
    /// A contestant that reads a topic.
    pub(crate) fn entrant(&self, contestant: impl Contestant + 'static, topic: &Rc<Topic>) -> Entrant<'_> {
        let topic = Rc::clone(topic);
        Entrant::new(contestant.name(), move |_| contestant.run(self.environment, &topic))
    }

    /// The same, with what sets its topic apart before its name.
    pub(crate) fn labelled(
        &self,
        label: &str,
        contestant: impl Contestant + 'static,
        topic: &Rc<Topic>,
    ) -> Entrant<'_> {
        let entrant = self.entrant(contestant, topic);
        Entrant { name: format!("{label}: {}", entrant.name), ..entrant }
    }

    /// Runs all entrants in each of so many rounds. One that fails runs again in the next round.
    pub(crate) fn compete(&self, row: &mut Row, entrants: &[Entrant<'_>], rounds: u32) {
        row.standings =
            entrants.iter().map(|entrant| Standing { contestant: entrant.name.clone(), runs: Vec::new() }).collect();
        for round in 0..rounds as usize {
            for index in order_of(self.arguments.seed, round, entrants.len()) {
                let is_idle = settle();
                let run = (entrants[index].run)(round);
                let standing = &mut row.standings[index];
                let run = run.unwrap_or_else(|error| Run::failed(error.to_string()));
                standing.runs.push(Run { began_busy: !is_idle, ..run });
                report_progress(round, standing);
            }
        }
    }

    /// Makes the topic of a plan.
    pub(crate) fn topic(&self, name: &str, plan: &RecordPlan) -> Outcome<Rc<Topic>> {
        self.environment.require_disk(plan.disk_bytes())?;
        eprintln!("producing {}", describe(plan));
        Ok(Rc::new(Topic::fill(&self.environment.brokers, name, plan)?))
    }

    /// Makes the topics of some plans, if there is room for all of them.
    pub(crate) fn topics(&self, name: &str, plans: &[RecordPlan]) -> Outcome<Vec<Rc<Topic>>> {
        self.environment.require_disk(plans.iter().map(RecordPlan::disk_bytes).sum())?;
        plans.iter().map(|plan| self.topic(name, plan)).collect()
    }

    /// The plan of most rows.
    pub(crate) fn plan(&self) -> RecordPlan {
        RecordPlan::pgbench(self.arguments.seed, self.arguments.records)
    }

    /// The same with four times the records: where the start of a contestant must be a small part of its run.
    pub(crate) fn fourfold_plan(&self) -> RecordPlan {
        RecordPlan { records: self.arguments.records * 4, ..self.plan() }
    }
}

fn report_progress(round: usize, standing: &Standing) {
    let Some(run) = standing.runs.last() else { return };
    let result = match (&run.failed, &run.wrong) {
        (Some(reason), _) => format!("failed: {reason}"),
        (None, Some(wrong)) => format!("wrong: {wrong}"),
        (None, None) => {
            let stream = standing.figures(Figure::StreamRate).pop().flatten();
            format!("{} records/s, {:.2} CPU-s", stream.map_or_else(|| "–".to_owned(), rate), run.cpu_seconds)
        }
    };
    eprintln!("round {}, {}: {:.2} s, {result}", round + 1, standing.contestant, run.wall_seconds);
}

/// What a plan's topic holds.
pub(crate) fn describe(plan: &RecordPlan) -> String {
    let tables = match plan.tables {
        Tables::Pgbench => "pgbench's 4 tables".to_owned(),
        Tables::Numbered(tables) => format!("{tables} tables"),
    };
    let days = if plan.days == 1 { "1 day".to_owned() } else { format!("{} days in random order", plan.days) };
    let mut text = format!(
        "{} records of {} B ({:?}), {tables}, {days}, {} partition{}, compression {}",
        rate(plan.records as f64),
        plan.bytes,
        plan.shape,
        plan.partitions,
        if plan.partitions == 1 { "" } else { "s" },
        plan.compression.name()
    );
    if plan.rejects > 0 {
        text.push_str(&format!(", {} % rejects", plan.rejects / 10));
    }
    text
}
