//! A capture's position, as it is read from its topic.

#![no_main]

use libfuzzer_sys::fuzz_target;
use walbook::capture::Position;

fuzz_target!(|value: &[u8]| {
    if let Ok(position) = Position::from_json("topic", value) {
        let written = position.to_json();
        assert_eq!(Position::from_json("topic", &written).ok().map(|read| read.to_json()), Some(written));
    }
});
