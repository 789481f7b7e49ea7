//! A counts file: bytes that do not carry their own digest are refused before anything is decoded.

#![no_main]

use libfuzzer_sys::fuzz_target;
use walbook::book::CountsFile;
use walbook::change::Day;

fuzz_target!(|bytes: &[u8]| {
    let _ = CountsFile::read(Day::EPOCH, bytes::Bytes::copy_from_slice(bytes));
});
