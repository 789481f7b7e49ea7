//! The settings file: its values become the defaults of the flags of the same name.
//!
//! *Why our own*: figment and config merge into a struct of their own, so that `--help` would show other defaults than the
//! ones that hold, and clap could not check the values or say which source a value came from.

use std::ffi::OsStr;
use std::fs;
use std::path::Path;

use clap::{Arg, ArgAction, Command};
use toml::{Table, Value};

use super::SettingsError;
use super::values::{did_you_mean, nearest};

/// Sets the defaults of the command line from a file.
///
/// # Errors
/// [`SettingsError::File`] when it cannot be read, or a key or the form of a value is wrong.
pub(super) fn with_file(mut command: Command, path: &OsStr) -> Result<Command, SettingsError> {
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
            // The command's own table wins.
            if own.get(name).and_then(Value::as_table).is_some_and(|table| table.keys().any(|own| same_name(own, key)))
            {
                continue;
            }
            command = set_in(command, name, &id, value).map_err(&wrong)?;
        }
        if !known {
            let flags = commands.iter().filter_map(|name| command.find_subcommand(name)).flat_map(keys);
            let suggestion =
                did_you_mean(nearest(key, flags.chain(keys(&command)).chain(commands.iter().map(String::as_str))));
            return Err(wrong(format!("no flag is named {key:?}{suggestion}")));
        }
    }
    for (name, table) in &own {
        for (key, value) in table.as_table().expect("it was partitioned by that") {
            let sub = command.find_subcommand(name).expect("it was just listed");
            let Some(id) = argument_named(sub, key) else {
                let suggestion = did_you_mean(nearest(key, keys(sub)));
                return Err(wrong(format!("walbook {name} has no flag named {key:?}{suggestion}")));
            };
            command = set_in(command, name, &id, value).map_err(&wrong)?;
        }
    }
    Ok(command)
}

fn same_name(left: &str, right: &str) -> bool {
    left.replace('_', "-") == right.replace('_', "-")
}

/// The argument that a key sets.
fn argument_named(command: &Command, key: &str) -> Option<String> {
    let is_it = |argument: &&Arg| key_of(argument).is_some_and(|name| same_name(name, key));
    command.get_arguments().find(is_it).map(|argument| argument.get_id().to_string())
}

/// The keys that a command's arguments have in the file.
fn keys(command: &Command) -> impl Iterator<Item = &str> {
    command.get_arguments().filter_map(key_of)
}

/// An argument's key: its long flag or, for a positional one such as BOOK, its name.
fn key_of(argument: &Arg) -> Option<&str> {
    let name = argument.get_long().unwrap_or(argument.get_id().as_str());
    (!["help", "version", "config"].contains(&name)).then_some(name)
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

/// Sets an argument's default from the file.
trait TryMapArg: Sized {
    fn try_map_arg(self, id: &str, value: &Value) -> Result<Self, String>;
}

impl TryMapArg for Command {
    fn try_map_arg(self, id: &str, value: &Value) -> Result<Command, String> {
        let texts = texts(value).ok_or_else(|| {
            format!("the value of {id:?} must be a string, a number, true, false, or a list or table of these")
        })?;
        Ok(self.mut_arg(id, |argument| {
            let argument = argument.required(false);
            match argument.get_action() {
                ArgAction::Append => argument.default_values(texts),
                // A flag without a value: clap accepts "true" and "false" as its default.
                _ => argument.default_value(texts.into_iter().next_back().unwrap_or_default()),
            }
        }))
    }
}

/// A value as it would be typed; a table becomes `key=value` words.
fn texts(value: &Value) -> Option<Vec<String>> {
    let plain = |value: &Value| match value {
        Value::String(text) => Some(text.clone()),
        Value::Integer(number) => Some(number.to_string()),
        Value::Float(number) => Some(number.to_string()),
        Value::Boolean(boolean) => Some(boolean.to_string()),
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
    use std::ffi::OsString;
    use std::io::Write;

    use crate::query::Format;
    use crate::settings::args::{Command, WalbookArgs};
    use crate::settings::{OriginSettings, ParseEnd, RunSettings, parse};

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
    fn the_file_sets_what_no_flag_sets() {
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
    fn flags_win_over_the_file_when_they_name_another_origin() {
        let origin = |file: &str, arguments: &[&str]| {
            let all = [&["run", "BOOK"], arguments].concat();
            let Command::Run(run) = parse_with(file, &all).expect("valid settings").command else {
                panic!("run was typed");
            };
            RunSettings::new(*run).map(|settings| settings.origin).map_err(|error| error.to_string())
        };
        let topics = "brokers = \"b:1\"\ntopic = \"x\"\nset = { a = 1 }\n";
        assert!(matches!(origin(topics, &[]), Ok(OriginSettings::Kafka(_))));
        assert!(
            matches!(origin(topics, &["--input", "f"]), Ok(OriginSettings::Input(input)) if input.path.as_os_str() == "f")
        );
        assert!(matches!(origin("input = \"f\"", &["--brokers", "b:1", "--topic", "t"]), Ok(OriginSettings::Kafka(_))));
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
        assert_eq!(query.log_format, crate::settings::args::LogFormat::Json);
    }

    #[test]
    fn an_unknown_key_is_refused_with_the_nearest_one() {
        let refused = |file: &str| parse_with(file, &["query", "BOOK"]).expect_err("a wrong key");
        for (file, suggestion) in [
            ("brokerz = \"b:1\"", "no flag is named \"brokerz\"; did you mean \"brokers\"?"),
            ("[qery]\nformat = \"csv\"", "no flag is named \"qery\"; did you mean \"query\"?"),
            ("[query]\nformt = \"csv\"", "walbook query has no flag named \"formt\"; did you mean \"format\"?"),
            ("xyz = 1", "no flag is named \"xyz\""),
        ] {
            assert!(refused(file).ends_with(suggestion), "{}", refused(file));
        }
        assert!(refused("format = \"josn\"").contains("similar value exists: 'json'"), "a value of the file");
        assert!(refused("[query]\nbrokers = \"b:1\"").contains("\"brokers\""), "a flag of other commands");
        assert!(parse_with("workers = \"many\"", &["run", "B", "--brokers", "b:1", "--topic", "t"]).is_err());
        assert!(parse_with("not toml", &["query", "BOOK"]).is_err());
    }
}
