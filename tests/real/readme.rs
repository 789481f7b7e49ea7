//! Every command of the README and of the pages in docs/ runs as it stands there, in its order, in one empty directory.
//!
//! Blocks of ```sh are run by bash, blocks of ```python by the Python that has the readers; others are only for the eye. `walbook`
//! is on the path, and the servers' addresses are in the variables that the README names. A command may succeed and count
//! nothing, so the answers that its reader came for are compared too.

use std::env;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::database::Database;
use crate::environment;

/// A command, and the ends of the lines that its block must print, however wide the columns are.
type Answer = (&'static str, &'static [&'static str]);

#[test]
fn readme_commands_run() {
    let through_kafka: &[&str] = &[
        "shop customers INSERT 100",
        "shop customers TRUNCATE 1",
        "shop order INSERT 1000",
        "shop order UPDATE 300",
        "shop order DELETE 10",
        "shop order TRUNCATE 1",
    ];
    let second_round = &["shop customers INSERT 101", "shop customers UPDATE 1", "shop order INSERT 1000"];
    let answers: &[Answer] = &[
        ("walbook run book --brokers", through_kafka),
        ("walbook query direct", &["shop customers INSERT 1"]),
        ("walbook --config walbook.toml query book", second_round),
        ("walbook query recorded", &["shop customers INSERT 1"]),
    ];
    run_page("README.md", answers);
}

#[test]
fn commands_for_those_who_leave_connect_run() {
    let both_topics = &["leaving customers INSERT 100", "leaving customers UPDATE 30"];
    run_page("docs/leaving-connect.md", &[("walbook query book --by table,op", both_topics)]);
}

fn run_page(page: &str, answers: &[Answer]) {
    let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(page)).expect("the page is there");
    let blocks = blocks(&text);
    assert!(blocks.iter().any(|block| block.language == "sh"), "{page} has no commands");
    let folder = environment::folder("page");
    let binary = Path::new(env!("CARGO_BIN_EXE_walbook")).parent().expect("a binary has a folder");
    let postgres = environment::postgres_program("psql");
    let postgres = postgres.parent().expect("a program has a folder");
    let path = env::var("PATH").expect("there is a PATH");
    let path = format!("{}:{}:{path}", binary.display(), postgres.display());

    for (command, _) in answers {
        assert!(blocks.iter().any(|block| block.text.contains(command)), "{page} does not say {command:?}");
    }

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
        let printed = String::from_utf8_lossy(&output.stdout);
        let lines: Vec<String> =
            printed.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
        for (command, rows) in answers.iter().filter(|(command, _)| block.text.contains(command)) {
            for row in *rows {
                let is_there = lines.iter().any(|line| line == row || line.ends_with(&format!(" {row}")));
                assert!(is_there, "{page}:{}: {command} did not answer {row:?}:\n{printed}", block.line);
            }
        }
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
