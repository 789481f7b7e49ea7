//! The settings file, laid under the command line: its values are the defaults of the flags of the same name.

use std::ffi::OsString;
use std::fs;
use std::path::Path;

use clap::{Arg, ArgAction, Command, CommandFactory, FromArgMatches};
use toml::{Table, Value};

use super::SettingsError;
use super::args::{self, WalbookArgs};

/// Why nothing was parsed.
pub enum ParseEnd {
    /// clap's own answer: an error, or help and version.
    Clap(clap::Error),
    /// The settings file is wrong.
    File(SettingsError),
}

/// Parses the command line, the environment and, if one is named, the settings file.
///
/// # Errors
/// clap's answer, or what is wrong with the file.
pub fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<WalbookArgs, ParseEnd> {
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    let mut command = WalbookArgs::command();
    if let Some(path) = config_path(&arguments) {
        command = with_file(command, &path).map_err(ParseEnd::File)?;
    }
    let matches = command.try_get_matches_from_mut(arguments).map_err(ParseEnd::Clap)?;
    let parsed = WalbookArgs::from_arg_matches(&matches);
    let mut parsed = parsed.map_err(|error| ParseEnd::Clap(error.format(&mut command)))?;
    if let (args::Command::Run(run), Some((_, matches))) = (&mut parsed.command, matches.subcommand()) {
        run.note(matches);
    }
    Ok(parsed)
}

/// The file that `--config` or its variable names, whatever else may be wrong.
fn config_path(arguments: &[OsString]) -> Option<OsString> {
    for (place, argument) in arguments.iter().enumerate() {
        if argument == "--config" {
            return arguments.get(place + 1).cloned();
        }
        if let Some(path) = argument.to_str().and_then(|argument| argument.strip_prefix("--config=")) {
            return Some(path.into());
        }
    }
    std::env::var_os("WALBOOK_CONFIG")
}

fn with_file(mut command: Command, path: &OsString) -> Result<Command, SettingsError> {
    let wrong = |message: String| SettingsError::File { path: Path::new(path).display().to_string(), message };
    let text = fs::read_to_string(path).map_err(|error| wrong(error.to_string()))?;
    let table: Table = text.parse().map_err(|error: toml::de::Error| wrong(error.to_string()))?;
    let commands: Vec<String> = command.get_subcommands().map(|command| command.get_name().to_owned()).collect();
    let (own, shared): (Table, Table) =
        table.into_iter().partition(|(key, value)| commands.contains(key) && value.is_table());

    for (key, value) in &shared {
        let mut known = false;
        let top = argument_named(&command, key);
        if let Some(id) = top {
            command = command.try_map_arg(&id, value).map_err(&wrong)?;
            known = true;
        }
        for name in &commands {
            let sub = command.find_subcommand(name).expect("it was just listed");
            let Some(id) = argument_named(sub, key) else { continue };
            known = true;
            // The command's own table says it better.
            if own.get(name).and_then(Value::as_table).is_some_and(|table| table.keys().any(|own| same_name(own, key)))
            {
                continue;
            }
            command = set_in(command, name, &id, value).map_err(&wrong)?;
        }
        if !known {
            return Err(wrong(format!("no flag is named {key:?}")));
        }
    }
    for (name, table) in &own {
        for (key, value) in table.as_table().expect("it was partitioned by that") {
            let sub = command.find_subcommand(name).expect("it was just listed");
            let Some(id) = argument_named(sub, key) else {
                return Err(wrong(format!("walbook {name} has no flag named {key:?}")));
            };
            command = set_in(command, name, &id, value).map_err(&wrong)?;
        }
    }
    Ok(command)
}

fn same_name(left: &str, right: &str) -> bool {
    left.replace('_', "-") == right.replace('_', "-")
}

/// The argument whose long flag (or, for BOOK, name) a key means.
fn argument_named(command: &Command, key: &str) -> Option<String> {
    let is_it = |argument: &&Arg| {
        let name = argument.get_long().unwrap_or(argument.get_id().as_str());
        same_name(name, key) && name != "help" && name != "config"
    };
    command.get_arguments().find(is_it).map(|argument| argument.get_id().to_string())
}

fn set_in(command: Command, name: &str, id: &str, value: &Value) -> Result<Command, String> {
    let mut failed = None;
    let command = command.mut_subcommand(name, |sub| match sub.clone().try_map_arg(id, value) {
        Ok(sub) => sub,
        Err(error) => {
            failed = Some(error);
            sub
        }
    });
    failed.map_or(Ok(command), Err)
}

/// Gives an argument a default from the file.
trait TryMapArg: Sized {
    fn try_map_arg(self, id: &str, value: &Value) -> Result<Self, String>;
}

impl TryMapArg for Command {
    fn try_map_arg(self, id: &str, value: &Value) -> Result<Command, String> {
        let texts = texts(value).ok_or_else(|| {
            format!("the value of {id:?} must be a text, a number, true or false, or a list or table of these")
        })?;
        Ok(self.mut_arg(id, |argument| {
            let argument = argument.required(false);
            match argument.get_action() {
                ArgAction::Append => argument.default_values(texts),
                // A flag without value: clap takes "true" and "false" as its default.
                _ => argument.default_value(texts.into_iter().next_back().unwrap_or_default()),
            }
        }))
    }
}

/// A value as it would be typed; a table becomes `key=value` texts.
fn texts(value: &Value) -> Option<Vec<String>> {
    let plain = |value: &Value| match value {
        Value::String(text) => Some(text.clone()),
        Value::Integer(number) => Some(number.to_string()),
        Value::Float(number) => Some(number.to_string()),
        Value::Boolean(truth) => Some(truth.to_string()),
        Value::Datetime(time) => Some(time.to_string()),
        Value::Array(_) | Value::Table(_) => None,
    };
    match value {
        Value::Array(values) => values.iter().map(plain).collect(),
        Value::Table(table) => table.iter().map(|(key, value)| Some(format!("{key}={}", plain(value)?))).collect(),
        value => Some(vec![plain(value)?]),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::super::args::Command;
    use super::*;
    use crate::query::Format;

    fn parse_with(file: &str, arguments: &[&str]) -> Result<WalbookArgs, String> {
        let mut config = tempfile::NamedTempFile::new().expect("a temporary file");
        config.write_all(file.as_bytes()).expect("it can be written");
        let path = config.path().to_str().expect("a plain path").to_owned();
        let all = ["walbook", "--config", &path].into_iter().chain(arguments.iter().copied());
        parse(all.map(OsString::from)).map_err(|end| match end {
            ParseEnd::Clap(error) => error.to_string(),
            ParseEnd::File(error) => error.to_string(),
        })
    }

    #[test]
    fn the_file_fills_what_the_flags_leave_open() {
        let file = "brokers = \"b:1\"\ntopic = [\"x\", \"y\"]\nworkers = 3\nuntil_end = true\ncommit-interval = \"2s\"\nset = { \"a.b\" = 5 }\n";
        let Command::Run(run) = parse_with(file, &["run", "BOOK", "-w", "2"]).expect("valid settings").command else {
            panic!("run was typed");
        };
        assert_eq!(
            (run.brokers.as_deref(), run.topic.join("+"), run.workers),
            (Some("b:1"), "x+y".to_owned(), Some(2))
        );
        assert_eq!((run.until_end, run.commit_interval.as_secs(), run.set), (true, 2, vec!["a.b=5".to_owned()]));
    }

    #[test]
    fn the_place_that_is_named_most_strongly_is_read() {
        use super::super::{Origin, RunSettings};
        let origin = |file: &str, arguments: &[&str]| {
            let all = [&["run", "BOOK"], arguments].concat();
            let Command::Run(run) = parse_with(file, &all).expect("valid settings").command else {
                panic!("run was typed");
            };
            RunSettings::new(*run).map(|settings| settings.origin).map_err(|error| error.to_string())
        };
        let topics = "brokers = \"b:1\"\ntopic = \"x\"\nset = { a = 1 }\n";
        assert!(matches!(origin(topics, &[]), Ok(Origin::Kafka(_))));
        assert!(matches!(origin(topics, &["--input", "f"]), Ok(Origin::Input(input)) if input.path.as_os_str() == "f"));
        assert!(matches!(origin("input = \"f\"", &["--brokers", "b:1", "--topic", "t"]), Ok(Origin::Kafka(_))));
        let refused = |file: &str, arguments: &[&str]| origin(file, arguments).expect_err("it is refused");
        assert!(refused("", &[]).contains("--input"));
        assert!(refused("", &["--brokers", "b:1"]).contains("--topic"));
        assert!(refused("", &["--topic", "t"]).contains("--brokers"));
        assert!(refused("", &["--topic", "t", "--input", "f"]).contains("one place"));
        assert!(refused(&format!("{topics}input = \"f\""), &[]).contains("one place"));
        assert!(refused("", &["--input", "f", "--from", "latest"]).contains("--from"));
        assert!(refused("", &["--input", "f", "-X", "a=b"]).contains("-X"));
        assert!(refused("", &["--input", "f", "-n", "2", "-p", "0", "--hosts", "/dev/null"]).contains("-n"));
    }

    #[test]
    fn a_commands_own_table_wins_and_holds_for_it_alone() {
        let file = "format = \"csv\"\nlog-format = \"json\"\n[run]\nfrom = \"latest\"\n[events]\nformat = \"json\"\n";
        let events = parse_with(file, &["events", "BOOK"]).expect("valid settings");
        let query = parse_with(file, &["query", "BOOK"]).expect("valid settings");
        assert!(matches!(&events.command, Command::Events(events) if events.format == Format::Json));
        assert!(
            matches!(&query.command, Command::Query(query) if query.format == Format::Csv && query.filter.from.is_none())
        );
        assert_eq!(query.log_format, super::super::args::LogFormat::Json);
    }

    #[test]
    fn a_key_that_is_no_flag_is_refused() {
        assert!(parse_with("brokerz = \"b:1\"", &["query", "BOOK"]).expect_err("a typo").contains("brokerz"));
        assert!(
            parse_with("[query]\nbrokers = \"b:1\"", &["query", "BOOK"]).expect_err("not its flag").contains("brokers")
        );
        assert!(parse_with("workers = \"many\"", &["run", "B", "--brokers", "b:1", "--topic", "t"]).is_err());
        assert!(parse_with("not toml", &["query", "BOOK"]).is_err());
    }
}
