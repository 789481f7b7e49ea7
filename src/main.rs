//! The `walbook` command: parse, dispatch, exit code.

use std::process::ExitCode;

use walbook::commands;
use walbook::control;
use walbook::settings::args::Command;
use walbook::settings::parse;

fn main() -> ExitCode {
    // A panic anywhere ends the process: a worker's panic would leave its siblings waiting.
    let report = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        if control::is_catching_panics() {
            // The caller that catches it makes it an error.
            return;
        }
        report(panic);
        std::process::abort();
    }));
    let args = match parse(std::env::args_os()) {
        Ok(args) => args,
        Err(end) => return end.print(),
    };
    if serves(&args.command) {
        control::bound_allocator();
    }
    match commands::execute(args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("walbook: {}", failure.chain());
            ExitCode::from(commands::exit_code(&failure))
        }
    }
}

/// Whether clients may ask this process for more than they read.
fn serves(command: &Command) -> bool {
    match command {
        Command::Demo(_) | Command::Serve(_) => true,
        Command::Run(run) => run.serve.is_some(),
        _ => false,
    }
}
