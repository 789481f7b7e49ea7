//! `walbook doctor`: checks everything that was named.

use super::answers::print;
use super::terminal::progress_line::ProgressLine;
use crate::change::Failure;
use crate::doctor::examine;
use crate::replication::Severity;
use crate::settings::args::{DoctorArgs, ReportFormat};
use crate::settings::doctor_targets;

/// Prints the findings; an error when one of them is a problem.
pub(super) fn doctor(args: DoctorArgs) -> Result<(), Failure> {
    let format = args.format;
    let targets = doctor_targets(args)?;
    let (line, show) = ProgressLine::start_text();
    let examination = examine(&targets, &mut |what| show(format!("checking {what}")));
    drop(line);
    print(|out| match format {
        ReportFormat::Table => examination.print_table(out),
        ReportFormat::Json => examination.print_json(out),
    })?;
    if !examination.ok {
        let problems = examination.count(Severity::Problem);
        return Err(Failure::new(format!("{problems} problems were found: see their commands")));
    }
    Ok(())
}
