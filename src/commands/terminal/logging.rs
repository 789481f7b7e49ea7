//! Log lines on standard error.

use std::io;

use tracing_subscriber::EnvFilter;

use super::progress_line;
use crate::settings::SettingsError;
use crate::settings::args::LogFormat;

/// Starts writing log lines; called once.
///
/// # Errors
/// [`SettingsError::Wrong`] for a filter that cannot be read.
pub(in crate::commands) fn begin(format: LogFormat, filter: &str) -> Result<(), SettingsError> {
    let filter = EnvFilter::try_new(filter)
        .map_err(|error| SettingsError::Wrong(format!("--log {filter:?}: not a level or a filter: {error}")))?;
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(progress_line::stderr);
    match format {
        LogFormat::Human => lines.with_target(false).with_ansi(io::IsTerminal::is_terminal(&io::stderr())).init(),
        LogFormat::Json => lines.json().init(),
    }
    Ok(())
}
