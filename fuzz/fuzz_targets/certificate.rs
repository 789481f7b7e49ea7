//! A server's certificate in DER: its validity, its names, and the hash that a login is bound to.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|der: &[u8]| walbook::postgres::fuzz_certificate(der));
