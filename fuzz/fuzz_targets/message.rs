//! A message of PostgreSQL's protocol: a tag and a body.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| walbook::postgres::fuzz_message(bytes));
