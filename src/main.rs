//! The `walbook` command: parse, dispatch, exit code.

use std::process::ExitCode;

use walbook::cluster;
use walbook::commands;
use walbook::process;
use walbook::settings::{ParseEnd, parse};

fn main() -> ExitCode {
    // A panic anywhere ends the process: a worker's panic would leave its siblings waiting.
    let tell = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        if cluster::is_lost_peer(panic) {
            eprintln!("walbook: another process of the cluster is gone, so this one ends too; start all of them again");
            std::process::exit(1);
        }
        if process::is_guarded() {
            // Whoever guards it makes it an error.
            return;
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
