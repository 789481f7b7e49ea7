//! Every command of the README and of the pages in docs/ runs as it stands there, in its order, in one empty directory.
//!
//! Blocks of ```sh are run by bash, blocks of ```python by the Python that has the readers; others are only for the eye. `walbook`
//! is on the path, and the servers' addresses are in the variables that the README names.

use std::env;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::database::Database;
use crate::environment;

#[test]
fn readme_commands_run() {
    run_page("README.md");
}

#[test]
fn commands_for_those_who_leave_connect_run() {
    run_page("docs/leaving-connect.md");
}

fn run_page(page: &str) {
    let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(page)).expect("the page is there");
    let blocks = blocks(&text);
    assert!(blocks.iter().any(|block| block.language == "sh"), "{page} has no commands");
    let folder = environment::folder("page");
    let binary = Path::new(env!("CARGO_BIN_EXE_walbook")).parent().expect("a binary has a folder");
    let postgres = environment::postgres_program("psql");
    let postgres = postgres.parent().expect("a program has a folder");
    let path = env::var("PATH").expect("there is a PATH");
    let path = format!("{}:{}:{path}", binary.display(), postgres.display());

    // One page's changes are not another's.
    let database = Database::bare(&environment::postgres(), "page");

    for block in blocks {
        let mut command = match block.language.as_str() {
            "sh" => Command::new("bash"),
            "python" => Command::new(environment::python()),
            _ => continue,
        };
        let script = folder.path().join(format!("line-{}", block.line));
        let text =
            if block.language == "sh" { format!("set -euo pipefail\n{}", block.text) } else { block.text.clone() };
        fs::write(&script, text).expect("the folder is ours");
        let output = command
            .arg(&script)
            .current_dir(folder.path())
            .env("PATH", &path)
            .env("BROKERS", environment::brokers())
            .env("POSTGRES", database.url())
            .stdin(Stdio::null())
            .output()
            .expect("the shell starts");
        println!("{page}:{}:\n{}{}", block.line, block.text, String::from_utf8_lossy(&output.stdout));
        assert!(
            output.status.success(),
            "{page}:{}: {}\n{}\n{}\n{}",
            block.line,
            output.status,
            block.text,
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
    }
}

/// A fenced block.
struct Block {
    line: usize,
    language: String,
    text: String,
}

fn blocks(markdown: &str) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut open: Option<Block> = None;
    let mut in_comment = false;
    for (number, line) in markdown.lines().enumerate() {
        in_comment |= open.is_none() && line.starts_with("<!--");
        if in_comment {
            in_comment = !line.ends_with("-->");
            continue;
        }
        match (&mut open, line.strip_prefix("```")) {
            (Some(_), Some(_)) => blocks.extend(open.take()),
            (Some(block), None) => block.text += &format!("{line}\n"),
            (None, Some(language)) => {
                open = Some(Block { line: number + 1, language: language.trim().to_owned(), text: String::new() })
            }
            (None, None) => {}
        }
    }
    assert!(open.is_none(), "a block of the page is not closed");
    blocks
}
