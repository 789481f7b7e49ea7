//! `walbook doctor`: looks at everything that was named.

use anyhow::bail;

use super::answers::print;
use crate::doctor::examine;
use crate::settings::args::{DoctorArgs, ReportFormat};
use crate::settings::patient;
use crate::slot::Level;

/// Prints what was found; an error when there is a problem.
pub(super) fn doctor(args: DoctorArgs) -> anyhow::Result<()> {
    let format = args.format;
    let examination = examine(&patient(args)?);
    print(|out| match format {
        ReportFormat::Table => examination.print_table(out),
        ReportFormat::Json => examination.print_json(out),
    })?;
    if !examination.ok {
        bail!("there are problems: {}", examination.count(Level::Problem));
    }
    Ok(())
}
