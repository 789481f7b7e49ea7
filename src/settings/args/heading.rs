//! Headings of the help, in the order in which a command shows them.

pub(super) const INPUT: &str = "Input";
pub(super) const KAFKA: &str = "Kafka";
pub(super) const POSTGRESQL: &str = "PostgreSQL";
pub(super) const FILTER: &str = "Filter";
pub(super) const COUNTING: &str = "Counting";
pub(super) const VIEW: &str = "View";
pub(super) const COMMIT: &str = "Commit";
pub(super) const CLUSTER: &str = "Cluster";
pub(super) const STORE: &str = "Object store";
pub(super) const RECOVERY: &str = "Recovery";
pub(super) const SERVING: &str = "Serving";
pub(super) const OUTPUT: &str = "Output";
pub(super) const LOGGING: &str = "Logging";
pub(in crate::settings) const GLOBAL: &str = "Global options";
