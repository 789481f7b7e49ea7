//! The promises, kept by the binary as a user runs it, against a real PostgreSQL and a real Kafka.
//!
//! `./test` starts the servers and says in `WALBOOK_TEST_…` where they are; without them every test here fails. Plain
//! `cargo test` leaves this target out. `WALBOOK_LONG=1` runs the long forms.

mod book;
mod broker;
mod bucket_proxy;
mod capture;
mod captured;
mod certificates;
#[path = "../promises/server/client.rs"]
mod client;
mod crowd;
mod database;
mod dice;
mod environment;
mod gate;
mod gateway;
mod lines;
mod network;
mod processor;
mod producer;
mod psql;
mod readers;
mod running;
mod server;
mod topic;
mod truth;
mod workload;

mod bad_topics;
mod broken_books;
mod buckets;
mod capture_blocked;
mod capture_cut;
mod capture_faults;
mod capture_form;
mod capture_kills;
mod capture_leaderless;
mod capture_refusals;
mod capture_retention;
mod capture_speed;
mod capture_succession;
mod capture_topics;
mod cluster;
mod cluster_kills;
mod cluster_reach;
mod compression;
mod connections;
mod data_loss;
mod direct_kills;
mod doctor;
mod drain;
mod ends;
mod expressions;
mod failover;
mod freshness;
mod full_disk;
mod giant_transaction;
mod http;
mod kills;
mod link_faults;
mod load;
mod many_days;
mod page;
mod reading_along;
mod readme;
mod recovery;
mod served_slot;
mod served_views;
mod set_back;
mod slots;
mod strange_records;
mod succession;
mod transactions;
mod truncation;
mod views;
