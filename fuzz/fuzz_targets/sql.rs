//! The text of an expression or of a view.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| walbook::sql::fuzz_sql(text));
