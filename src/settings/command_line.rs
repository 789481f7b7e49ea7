//! The whole command line: the definitions of [`super::args`], with what is the same for all commands.

use clap::{Arg, ArgAction, Command, CommandFactory};

use super::args::WalbookArgs;
use super::args::heading::GLOBAL;
use super::examples::examples;

/// What the process's exit codes mean.
pub const EXIT_CODES: [&str; 6] = [
    "0 done",
    "1 failed while running",
    "2 wrong usage or settings",
    "3 data is missing; the message names the exact range",
    "4 fenced: another run owns the book",
    "5 another process of the cluster is gone",
];

/// The command line, for parsing, for shell completions and for manual pages.
pub fn command_line() -> Command {
    let command = WalbookArgs::command()
        .disable_help_flag(true)
        .disable_version_flag(true)
        .arg(option("help", 'h', ArgAction::Help, "Print help: -h a line per option, --help everything").global(true))
        .arg(option("version", 'V', ArgAction::Version, "Print the version"));
    let names: Vec<String> = command.get_subcommands().map(|command| command.get_name().to_owned()).collect();
    names.into_iter().fold(complete(command), |command, name| command.mut_subcommand(name, complete))
}

fn option(name: &'static str, short: char, action: ArgAction, help: &'static str) -> Arg {
    Arg::new(name).short(short).long(name).action(action).help(help).help_heading(GLOBAL)
}

/// Adds the environment variables and the examples to the help of one command.
fn complete(command: Command) -> Command {
    let header = *command.get_styles().get_header();
    let mut text = format!("{header}Examples:{header:#}");
    for (what, line) in examples(command.get_name()) {
        text += &format!("\n  {what}:\n    {line}");
    }
    if command.has_subcommands() {
        text += &format!("\n\n{header}Exit codes:{header:#}\n  {}", EXIT_CODES.join("\n  "));
        text += "\n\nEach flag is also a key in the settings file and an environment variable; the flag wins, then the \
                 variable, then the file.";
    }
    command.mut_args(name_variable).after_help(text)
}

/// Names an option's variable in `--help` only: clap would show it, with its value, in `-h` too.
fn name_variable(argument: Arg) -> Arg {
    let Some(variable) = argument.get_env().map(|variable| variable.to_string_lossy().into_owned()) else {
        return argument;
    };
    let help = argument.get_long_help().or(argument.get_help()).map(ToString::to_string).unwrap_or_default();
    argument.hide_env(true).long_help(format!("{help}\n\n[env: {variable}]"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The width that the help is written for.
    const COLUMNS: usize = 100;

    fn help(name: &str, flag: &str) -> String {
        let words: Vec<&str> = ["walbook", name, flag].into_iter().filter(|word| !word.is_empty()).collect();
        command_line().term_width(COLUMNS).try_get_matches_from(words).expect_err("help ends parsing").to_string()
    }

    fn names() -> Vec<String> {
        let command = command_line();
        let names = command.get_subcommands().map(|command| command.get_name().to_owned());
        names.chain([String::new()]).collect()
    }

    #[test]
    fn short_help_has_one_line_per_option() {
        for name in names() {
            let help = help(&name, "-h");
            let (options, _) = help.split_once("Examples:").expect("examples");
            // The options, and nothing that continues one of them on the next line.
            let continued = options.lines().find(|line| line.starts_with("        "));
            let continued = continued.filter(|line| !line.trim_start().starts_with("--"));
            assert_eq!(continued, None, "{name}:\n{help}");
            assert!(options.lines().all(|line| line.chars().count() <= COLUMNS), "{name}:\n{help}");
        }
    }

    #[test]
    fn long_help_explains_more_and_names_the_variables() {
        for name in names().iter().filter(|name| !name.is_empty()) {
            let (short, long) = (help(name, "-h"), help(name, "--help"));
            assert!(long.lines().count() > short.lines().count() && long.contains("[env: WALBOOK_LOG]"), "{long}");
            assert!(!short.contains("[env: "), "{short}");
        }
        let run = help("run", "--help");
        assert!(run.contains("In the variable, semicolons separate several settings."), "{run}");
        assert!(run.contains("[env: WALBOOK_COMMIT_INTERVAL]") && run.contains("[default: 10s]"), "{run}");
    }

    #[test]
    fn options_stand_under_headings_and_global_ones_come_last() {
        let headings = |name: &str| -> Vec<String> {
            let help = help(name, "-h");
            let lines = help.lines().filter(|line| line.ends_with(':') && !line.starts_with(' '));
            lines.map(|line| line.trim_end_matches(':').to_owned()).collect()
        };
        assert_eq!(
            headings("run"),
            [
                "Arguments",
                "Input",
                "Kafka",
                "PostgreSQL",
                "Counting",
                "Commit",
                "Cluster",
                "Object store",
                "Recovery",
                "Serving",
                "Logging",
                "Global options",
                "Examples"
            ]
        );
        for name in names().iter().filter(|name| !name.is_empty()) {
            let headings = headings(name);
            assert!(headings.ends_with(&["Logging", "Global options", "Examples"].map(str::to_owned)), "{headings:?}");
        }
    }

    /// The words of a line; those in double quotes are one.
    fn shell_words(line: &str) -> Vec<String> {
        let parts = line.split('"').enumerate().flat_map(|(number, part)| match number % 2 {
            0 => part.split_whitespace().collect(),
            _ => vec![part],
        });
        parts.map(str::to_owned).collect()
    }

    #[test]
    fn every_command_has_two_examples_that_parse() {
        for name in names() {
            let name = if name.is_empty() { "walbook" } else { &name };
            let examples = examples(name);
            assert!(examples.len() >= 2, "{name}");
            for (_, line) in examples {
                // Up to a pipe or a redirection, and without what the shell takes away.
                let plain = line.replace("source <(", "").replace([')', '\''], "");
                let words = shell_words(plain.split(['|', '>']).next().unwrap_or_default());
                let parsed = command_line().try_get_matches_from(words);
                let is_help = |error: &clap::Error| error.kind() == clap::error::ErrorKind::DisplayHelp;
                assert!(parsed.as_ref().err().is_none_or(is_help), "{line}: {}", parsed.expect_err("an error"));
            }
        }
    }

    #[test]
    fn a_misspelling_suggests_the_nearest() {
        for (line, suggestion) in [
            ("veryfy book", "verify"),
            ("run book --comit-interval 1s", "--commit-interval"),
            ("query book --by table,dat", "day"),
            ("query book --op isnert", "insert"),
            ("query book --format josn", "json"),
            ("events book --format csw", "csv"),
            ("run book --input f --day-from comit", "commit"),
            ("run book --input f --from earlyest", "earliest"),
            ("run book --input f --time-zone Europe/Wienna", "Europe/Vienna"),
            ("verify book --format tabel", "table"),
            ("slot drp --postgres x", "drop"),
            ("completions bsh", "bash"),
            ("query book --log-format jso", "json"),
        ] {
            let words = ["walbook"].into_iter().chain(line.split_whitespace());
            let message = command_line().try_get_matches_from(words).expect_err("a misspelling").to_string();
            let tip = message.split_once("similar").or(message.split_once("did you mean")).unwrap_or_default().1;
            assert!(tip.contains(suggestion), "{line}: {message}");
        }
        let upper = ["walbook", "query", "book", "--op", "INSERT"];
        assert!(command_line().try_get_matches_from(upper).is_ok(), "an operation as the events table has it");
    }
}
