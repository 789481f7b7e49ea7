//! The bytes of an input file: where records end, however the bytes arrive.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| walbook::source::file::fuzz_records(bytes));
