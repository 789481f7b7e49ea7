//! `walbook slot`: creates, shows and drops replication slots.

use std::io::{self, BufRead, IsTerminal, Write};

use super::answers::print;
use crate::change::Failure;
use crate::postgres::{ConnectSettings, SqlClient};
use crate::replication;
use crate::replication::{PluginOptions, SlotError, SlotSettings, SlotSurvey};
use crate::settings::SettingsError;
use crate::settings::args::{ReportFormat, SlotAction, SlotArgs};
use crate::store::SpillSettings;

/// Runs the action that was typed.
pub(super) fn slot(args: &SlotArgs) -> Result<(), Failure> {
    let connect = ConnectSettings::parse(&args.postgres)?;
    let named =
        || args.slot.clone().filter(|slot| !slot.is_empty()).ok_or_else(|| SettingsError::missing("--slot NAME"));
    match args.action {
        SlotAction::Create => create(connect, named()?),
        SlotAction::Status => status(&connect, args.slot.as_deref(), args.format),
        SlotAction::Drop => drop_slot(&connect, &named()?, args.yes),
    }
}

fn create(connect: ConnectSettings, slot: String) -> Result<(), Failure> {
    let settings = SlotSettings {
        connect,
        slot,
        options: PluginOptions::default(),
        create: true,
        spill: SpillSettings::default(),
    };
    let mut open = replication::open(&settings)?;
    replication::create(&mut open.sql, &open.server, &settings.slot)?;
    status(&settings.connect, Some(&settings.slot), ReportFormat::Table)
}

fn status(connect: &ConnectSettings, slot: Option<&str>, format: ReportFormat) -> Result<(), Failure> {
    let mut client = SqlClient::connect(connect, &[])?;
    let surveys = SlotSurvey::query(&mut client, slot)?;
    if let (Some(slot), []) = (slot, surveys.as_slice()) {
        return Err(SlotError::NoSlot { slot: slot.to_owned() }.into());
    }
    print(|out| match format {
        ReportFormat::Table => replication::print_table(&surveys, out),
        ReportFormat::Json => replication::print_json(&surveys, out),
    })
}

fn drop_slot(connect: &ConnectSettings, slot: &str, is_confirmed: bool) -> Result<(), Failure> {
    let mut client = SqlClient::connect(connect, &[])?;
    if !is_confirmed && !confirm(&format!("Drop slot {slot:?} at {connect}? Changes that were not read yet are lost."))?
    {
        return Err(SettingsError::Wrong(format!(
            "slot {slot:?} was not dropped: without a terminal, --yes is required"
        ))
        .into());
    }
    replication::drop_slot(&mut client, slot)?;
    print(|out| writeln!(out, "dropped slot {slot}"))
}

/// Asks on the terminal; without one the answer is no.
fn confirm(question: &str) -> Result<bool, Failure> {
    if !io::stdin().is_terminal() || !io::stderr().is_terminal() {
        return Ok(false);
    }
    write!(io::stderr(), "{question} [y/N] ")?;
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer)?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}
