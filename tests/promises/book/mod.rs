//! The promises of a book under crashes, suspended runs, full disks and damage.

mod checkpoints;
mod crash;
mod damage;
mod formats;
mod golden;
mod lease;
mod rules;
mod sources;
pub(crate) mod world;
mod zombie;
