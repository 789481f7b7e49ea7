//! Any value: opened, read and dated without a panic, and alike by the fast and the slow readers.

#![no_main]

#[path = "../../tests/promises/parse/agreement.rs"]
mod agreement;
#[path = "../../tests/promises/parse/oracle.rs"]
mod oracle;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|value: &[u8]| {
    agreement::check("t", Some(value));
    agreement::check("__debezium-heartbeat.t", Some(value));
    if let Ok(line) = std::str::from_utf8(value) {
        agreement::check_line(line);
        let _ = walbook::parse::read_row(line);
    }
});
