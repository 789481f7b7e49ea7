//! `walbook slot`: makes, shows and drops replication slots.

use std::io::{self, BufRead, IsTerminal, Write};

use super::answers::print;
use crate::postgres::{Client, ConnectSettings, Purpose};
use crate::settings::SettingsError;
use crate::settings::args::{ReportFormat, SlotAction, SlotArgs};
use crate::slot::{self, PluginOptions, SlotError, SlotSettings, SlotSurvey, Spill};

/// Does what was typed with the slot.
pub(super) fn slot(args: &SlotArgs) -> anyhow::Result<()> {
    let connect = ConnectSettings::parse(&args.postgres)?;
    let named = || {
        let missing = || SettingsError::Wrong("--slot NAME is missing: which slot?".to_owned());
        args.slot.clone().filter(|slot| !slot.is_empty()).ok_or_else(missing)
    };
    match args.action {
        SlotAction::Create => create(connect, named()?),
        SlotAction::Status => status(&connect, args.slot.as_deref(), args.format),
        SlotAction::Drop => drop_slot(&connect, &named()?, args.yes),
    }
}

fn create(connect: ConnectSettings, slot: String) -> anyhow::Result<()> {
    let settings =
        SlotSettings { connect, slot, options: PluginOptions::default(), create: true, spill: Spill::default() };
    let (mut client, server) = slot::open(&settings)?;
    slot::create(&mut client, &server, &settings.slot)?;
    status(&settings.connect, Some(&settings.slot), ReportFormat::Table)
}

fn status(connect: &ConnectSettings, slot: Option<&str>, format: ReportFormat) -> anyhow::Result<()> {
    let mut client = Client::connect(connect, Purpose::Sql, &[])?;
    let surveys = SlotSurvey::take(&mut client, slot)?;
    if let (Some(slot), []) = (slot, surveys.as_slice()) {
        return Err(SlotError::NoSlot { slot: slot.to_owned() }.into());
    }
    print(|out| match format {
        ReportFormat::Table => slot::print_table(&surveys, out),
        ReportFormat::Json => slot::print_json(&surveys, out),
    })
}

fn drop_slot(connect: &ConnectSettings, slot: &str, sure: bool) -> anyhow::Result<()> {
    let mut client = Client::connect(connect, Purpose::Sql, &[])?;
    if !sure
        && !confirm(&format!("Drop slot {slot:?} at {connect}? What it has not delivered cannot be read any more."))?
    {
        return Err(SettingsError::Wrong(format!("slot {slot:?} stays: drop it with --yes")).into());
    }
    slot::drop_slot(&mut client, slot)?;
    print(|out| writeln!(out, "dropped slot {slot}"))
}

/// Asks on a terminal; without one nobody can say yes.
fn confirm(question: &str) -> anyhow::Result<bool> {
    if !io::stdin().is_terminal() || !io::stderr().is_terminal() {
        return Ok(false);
    }
    write!(io::stderr(), "{question} [y/N] ")?;
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer)?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}
