//! Dataflows.
