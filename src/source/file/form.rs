//! How the records of an input are split.

/// How records are split.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FileForm {
    /// Lines, which may continue inside of quotes.
    Lines,
    /// Lines of which the first are rows with tabs that psql or COPY may have written, without a difference.
    TabRows,
    /// Rows with tabs in COPY's text form, each of one line.
    CopyText,
    /// Lines under CSV's header of one column: a line in quotes is a field of CSV, and no JSON string.
    Column,
    /// JSON values: printed over several lines, or the elements of an array.
    Values,
}
