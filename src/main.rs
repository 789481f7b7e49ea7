//! The `walbook` command: parse, dispatch, exit code.

use std::panic::PanicHookInfo;
use std::process::ExitCode;

use walbook::cluster;
use walbook::commands;
use walbook::settings::{ParseEnd, parse};

fn main() -> ExitCode {
    // A panic anywhere ends the process: a worker's panic would leave its siblings waiting.
    let tell = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        if cluster::is_lost_peer(panic) {
            eprintln!("walbook: another process of the cluster is gone, so this one ends too; start all of them again");
            std::process::exit(1);
        }
        if let Some(message) = decoder_panic(panic) {
            eprintln!(
                "walbook: a Parquet file of the book is damaged, and its decoder gave up ({message}); \
                 `walbook verify BOOK` names the file"
            );
            std::process::exit(1);
        }
        tell(panic);
        std::process::abort();
    }));
    let args = match parse(std::env::args_os()) {
        Ok(args) => args,
        // Prints help to standard output with exit code 0, mistakes to standard error with 2.
        Err(ParseEnd::Clap(error)) => error.exit(),
        Err(ParseEnd::File(error)) => {
            eprintln!("walbook: {error}");
            return ExitCode::from(2);
        }
    };
    match commands::execute(args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("walbook: {error:#}");
            ExitCode::from(commands::exit_code(&error))
        }
    }
}

/// The message of a panic in the decoder of Parquet files; `None` for any other.
///
/// A file's footer is read before its bytes are compared with the log, or each question would read the whole book; and
/// the decoder trusts a footer's lengths.
fn decoder_panic(panic: &PanicHookInfo<'_>) -> Option<String> {
    let file = panic.location()?.file();
    let is_in = |name: &str| file.split(['/', '\\']).any(|part| part.starts_with(name));
    // What a run writes is its own: a panic there is no damage.
    if !(is_in("parquet-") || is_in("arrow-")) || file.contains("writer") {
        return None;
    }
    let text = panic.payload().downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| panic.payload().downcast_ref::<&str>().copied());
    Some(text.unwrap_or("no message").to_owned())
}

#[cfg(test)]
mod tests {
    use std::panic::{catch_unwind, set_hook, take_hook};
    use std::sync::mpsc::channel;

    use arrow_array::Int32Array;

    use super::decoder_panic;

    #[test]
    fn only_the_decoders_panics_are_damage() {
        let (tell, heard) = channel();
        let before = take_hook();
        set_hook(Box::new(move |panic| tell.send(decoder_panic(panic)).expect("the test listens")));
        let theirs = catch_unwind(|| Int32Array::from(vec![1]).value(7));
        let ours = catch_unwind(|| panic!("ours"));
        set_hook(before);
        assert!(theirs.is_err() && ours.is_err());
        let heard: Vec<Option<String>> = heard.iter().collect();
        assert!(heard[0].as_ref().is_some_and(|message| message.contains('7')), "{heard:?}");
        assert_eq!(heard[1], None);
    }
}
