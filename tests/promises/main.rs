//! What walbook promises, each promise a file; everything runs without a
//! service: on the real dataflow and the real book, over a topic in memory and a disk that crashes at will.

mod architecture;
mod book;
mod cluster;
mod compaction;
mod counts_match_the_loop;
mod demo_truth;
mod deploy;
mod exactly_once;
mod formats;
mod inputs;
mod instructions;
mod leader_epochs;
mod logs;
mod parse;
mod processes;
mod pruning;
mod readers;
mod reading;
mod recovery;
mod server;
#[path = "../support/mod.rs"]
mod support;
mod sweep;
mod transactions;
