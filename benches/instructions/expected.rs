//! The costs that the repository holds, and whether what was measured agrees with them.

use std::collections::BTreeMap;
use std::fmt::Write;

use serde::Deserialize;

/// How far a cost may be from the expected one, in either direction.
const TOLERANCE: f64 = 0.02;
/// The same for cases whose threads race: what is in a batch, and so in an epoch, is another one each time (1.5 % in measurements
/// beside other load).
const TOLERANCE_OF_THREADS: f64 = 0.05;
/// The same for splitting, which searches large buffers: vector instructions step from one aligned address to the next, and where a buffer lies
/// depends on the size of the program, so on the length of the folder's path in it (1 572 and 1 652 for the same code in two folders).
const TOLERANCE_OF_BUFFERS: f64 = 0.08;
/// The same where the compiler, the C library or the processor is another one than at the time of the expectation.
const OTHER_TOOLCHAIN_TOLERANCE: f64 = 0.10;

/// How the cases begin that run on several threads.
const RACING: [&str; 2] = ["run:", "verify:"];

/// How the cases begin that search large buffers.
const SEARCHING: &str = "split:";

/// How to accept what was measured.
pub(crate) const UPDATE: &str = "WALBOOK_UPDATE_INSTRUCTIONS=1 ./test instructions";

/// Instructions by case, and what they were measured with.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
pub(crate) struct Costs {
    /// Compiler, target, C library, C compiler, processor.
    pub(crate) measured_with: String,
    /// By case: instructions per unit.
    pub(crate) instructions: BTreeMap<String, f64>,
}

impl Costs {
    /// Reads the file of expected costs.
    pub(crate) fn parse(text: &str) -> Result<Costs, String> {
        toml::from_str(text).map_err(|error| error.to_string())
    }

    /// The file that holds these costs.
    pub(crate) fn to_text(&self) -> String {
        let mut text = format!(
            "# Instructions per record, row, update or commit (benches/instructions). Written by\n#     {UPDATE}\n\nmeasured_with = {:?}\n\n[instructions]\n",
            self.measured_with
        );
        for (case, instructions) in &self.instructions {
            writeln!(text, "{case:?} = {instructions:.1}").expect("a string takes all text");
        }
        text
    }

    /// What differs in `measured`, a line for each; nothing if the two agree.
    pub(crate) fn differences(&self, measured: &Costs) -> Vec<String> {
        let mut differences = Vec::new();
        for (case, now) in &measured.instructions {
            let Some(before) = self.instructions.get(case) else {
                differences.push(format!("{case}: {now:.1} instructions, and no cost is expected: add it by {UPDATE}"));
                continue;
            };
            let change = now / before - 1.0;
            let advice = match change {
                _ if change.abs() <= self.tolerance(measured, case) => continue,
                _ if change > 0.0 => "find what made it slower, or say in the commit why it must be and accept it by",
                _ => "it became cheaper: keep that by",
            };
            differences.push(format!(
                "{case}: {before:.1} → {now:.1} instructions ({:+.1} %); {advice} {UPDATE}",
                change * 100.0
            ));
        }
        for case in self.instructions.keys().filter(|case| !measured.instructions.contains_key(*case)) {
            differences.push(format!("{case}: a cost is expected, and there is no such case: remove it by {UPDATE}"));
        }
        differences
    }

    /// How far the cost of a case may be from this one.
    fn tolerance(&self, measured: &Costs, case: &str) -> f64 {
        match self.measured_with == measured.measured_with {
            false => OTHER_TOOLCHAIN_TOLERANCE,
            true if case.starts_with(SEARCHING) => TOLERANCE_OF_BUFFERS,
            true if RACING.iter().any(|racing| case.starts_with(racing)) => TOLERANCE_OF_THREADS,
            true => TOLERANCE,
        }
    }
}
