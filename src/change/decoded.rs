//! What a source knows of a line besides its text.

/// What a source that follows a slot's transactions knows of one of its lines; each may be unknown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Decoded {
    /// Where the change stands in the log, as a number.
    pub lsn: Option<i64>,
    /// Where its transaction ends, as a number.
    pub commit_lsn: Option<i64>,
    /// The number of the change in its transaction; not negative.
    pub seq: Option<i32>,
    /// The transaction's number; not negative.
    pub xid: Option<i64>,
    /// When it was committed, in microseconds since 1970-01-01 UTC.
    pub commit_time: Option<i64>,
    /// Whether its transaction has no COMMIT: its recording was interrupted, and the server sends it again.
    pub unfinished: bool,
}
