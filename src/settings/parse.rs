//! Parsing: the command line, the environment and the settings file.

use std::ffi::OsString;
use std::process::ExitCode;

use clap::FromArgMatches;
use clap::error::{ContextKind, ContextValue};

use super::SettingsError;
use super::args::{Command, WalbookArgs};
use super::command_line::command_line;
use super::file::with_file;

/// The end of a process whose command line names no work to do.
pub enum ParseEnd {
    /// Help or the version was asked for, or clap refused the command line.
    Clap(clap::Error),
    /// The settings file is wrong.
    File(SettingsError),
}

impl ParseEnd {
    /// Prints help to standard output, or what is wrong to standard error; returns 0 or 2.
    pub fn print(&self) -> ExitCode {
        match self {
            ParseEnd::Clap(error) if !error.use_stderr() => {
                // A reader that closes the pipe early is no error.
                let _ = error.print();
                return ExitCode::SUCCESS;
            }
            // As all other messages of the program begin.
            ParseEnd::Clap(error) => {
                anstream::eprint!("{}", error.render().ansi().to_string().replacen("error:", "walbook:", 1));
            }
            ParseEnd::File(error) => anstream::eprintln!("walbook: {error}"),
        }
        ExitCode::from(2)
    }
}

/// Parses the command line, the environment and, if one is named, the settings file.
///
/// # Errors
/// [`ParseEnd`], also when help or the version was asked for.
pub fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<WalbookArgs, ParseEnd> {
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    let mut command = command_line();
    if let Some(path) = config_path(&arguments) {
        command = with_file(command, &path).map_err(ParseEnd::File)?;
    }
    let matches = command.try_get_matches_from_mut(arguments);
    let matches = matches.map_err(|error| ParseEnd::Clap(with_near_command(error, &command)))?;
    let parsed = WalbookArgs::from_arg_matches(&matches);
    let mut parsed = parsed.map_err(|error| ParseEnd::Clap(error.format(&mut command)))?;
    if let (Command::Run(run), Some((_, matches))) = (&mut parsed.command, matches.subcommand()) {
        run.note_sources(matches);
    }
    Ok(parsed)
}

/// Suggests a command for a short misspelt one: clap's measure of similarity finds none for `rnu`.
fn with_near_command(mut error: clap::Error, command: &clap::Command) -> clap::Error {
    let has_suggestion = error.get(ContextKind::SuggestedSubcommand).is_some();
    if let (false, Some(ContextValue::String(typed))) = (has_suggestion, error.get(ContextKind::InvalidSubcommand)) {
        let distance = |name: &&str| strsim::damerau_levenshtein(name, typed);
        let near = command.get_subcommands().map(clap::Command::get_name).min_by_key(distance);
        if let Some(near) = near.filter(|near| distance(near) * 2 <= near.len()).map(str::to_owned) {
            error.insert(ContextKind::SuggestedSubcommand, ContextValue::Strings(vec![near]));
        }
    }
    error
}

/// The file that `--config` or its variable names; found before clap parses, because the file changes what clap parses.
fn config_path(arguments: &[OsString]) -> Option<OsString> {
    for (index, argument) in arguments.iter().enumerate() {
        if argument == "--config" {
            return arguments.get(index + 1).cloned();
        }
        if let Some(path) = argument.to_str().and_then(|argument| argument.strip_prefix("--config=")) {
            return Some(path.into());
        }
    }
    std::env::var_os("WALBOOK_CONFIG")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_misspelt_command_suggests_the_near_one() {
        for (typed, suggestion) in [("rnu", "'run'"), ("mna", "'man'"), ("xyz", "")] {
            let Err(ParseEnd::Clap(error)) = parse(["walbook", typed].map(OsString::from)) else { panic!("{typed}") };
            assert_eq!(error.to_string().contains("similar"), !suggestion.is_empty(), "{error}");
            assert!(error.to_string().contains(suggestion), "{error}");
        }
    }
}
