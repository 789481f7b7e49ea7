//! What is written to the terminal beside answers: log lines, and a line of progress.

pub(super) mod logging;
pub(super) mod progress_line;
