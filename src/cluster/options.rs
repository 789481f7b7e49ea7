//! What a process needs to find the others and to agree with them.

use std::time::Duration;

use super::LinkSecurity;

/// How long the processes of a cluster wait for each other.
const FORM_TIMEOUT: Duration = Duration::from_secs(60);

/// The value of a book's id, among the settings, before there is a book.
pub const UNKNOWN_BOOK: &str = "unknown, as there is no book yet,";

/// What a process needs to find the others.
#[derive(Clone, Debug)]
pub struct ClusterOptions {
    /// What protects the connections.
    pub security: LinkSecurity,
    /// Settings that must be equal in all processes, by the names under which users know them.
    pub settings: Vec<(String, String)>,
    /// How long the processes wait for each other.
    pub form_timeout: Duration,
}

impl Default for ClusterOptions {
    fn default() -> ClusterOptions {
        ClusterOptions { security: LinkSecurity::default(), settings: Vec::new(), form_timeout: FORM_TIMEOUT }
    }
}
