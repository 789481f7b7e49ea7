//! The first line of a log entry or a checkpoint, with the right digest behind it.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|line: &[u8]| walbook::book::fuzz_log_line(line));
