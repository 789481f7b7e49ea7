//! The fuzz target's corpus, replayed.

use std::fs;
use std::path::Path;

use super::agreement::{check, check_line};

#[test]
fn the_fuzz_corpus_is_read_alike() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus/parse_value");
    let mut replayed = 0;
    for entry in fs::read_dir(&folder).expect("the corpus is part of the repository") {
        let path = entry.expect("a file of the corpus").path();
        let value = fs::read(&path).expect("a file of the corpus");
        check("t", Some(&value));
        check("__debezium-heartbeat.t", Some(&value));
        if let Ok(line) = str::from_utf8(&value) {
            check_line(line);
        }
        replayed += 1;
    }
    assert!(replayed > 50, "{replayed} files in {}", folder.display());
}
