//! The parameters of an HTTP request.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|query: &str| walbook::server::fuzz_parameters(query));
