//! `walbook completions` and `walbook man`: generated from the definitions that parse the command line.

use std::fs;
use std::io::{self, Write};

use clap::Command;
use clap_complete::generate;
use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, roman};

use super::answers::print;
use crate::change::{Failure, WithContext};
use crate::settings::args::{CompletionsArgs, ManArgs};
use crate::settings::{EXIT_CODES, command_line, examples};

/// Prints the completion script of a shell.
pub(super) fn completions(args: &CompletionsArgs) -> Result<(), Failure> {
    let mut script = Vec::new();
    generate(args.shell, &mut command_line(), "walbook", &mut script);
    print(|out| out.write_all(&script))
}

/// Prints all manual pages, or writes each into a file of its own.
pub(super) fn man(args: &ManArgs) -> Result<(), Failure> {
    let Some(dir) = &args.out_dir else {
        return print(|out| pages().iter().try_for_each(|page| page.write(out)));
    };
    fs::create_dir_all(dir).context(format!("could not create {}", dir.display()))?;
    for page in pages() {
        let (path, mut text) = (dir.join(page.man.get_filename()), Vec::new());
        page.write(&mut text)?;
        fs::write(&path, text).context(format!("could not write {}", path.display()))?;
    }
    Ok(())
}

/// The manual page of one command.
struct ManualPage {
    command: Command,
    man: Man,
}

/// The page of the program itself, then one for each command.
fn pages() -> Vec<ManualPage> {
    let mut program = command_line().disable_help_subcommand(true);
    program.build();
    let commands = program.get_subcommands().cloned().collect::<Vec<_>>();
    [program].into_iter().chain(commands).map(ManualPage::new).collect()
}

impl ManualPage {
    fn new(command: Command) -> ManualPage {
        let source = format!("walbook {}", env!("CARGO_PKG_VERSION"));
        ManualPage { man: Man::new(command.clone()).source(source), command }
    }

    /// Writes the page in sections, because clap_mangen would print the examples as one paragraph.
    fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        self.man.render_title(out)?;
        self.man.render_name_section(out)?;
        self.man.render_synopsis_section(out)?;
        self.man.render_description_section(out)?;
        self.man.render_options_section(out)?;
        let mut rest = Roff::new();
        if self.command.has_subcommands() {
            self.man.render_subcommands_section(out)?;
            rest.control("SH", ["EXIT STATUS"]);
            for code in EXIT_CODES {
                rest.control("TP", ["4"]);
                let (number, meaning) = code.split_once(' ').expect("a number and its meaning");
                rest.text([bold(number)]).text([roman(meaning)]);
            }
        }
        rest.control("SH", ["EXAMPLES"]);
        for (text, line) in examples(self.command.get_name()) {
            rest.control("TP", ["4"]).text([roman(format!("{text}:"))]).text([bold(*line)]);
        }
        rest.to_writer(out)
    }
}

#[cfg(test)]
mod tests {
    use std::process::{self, Stdio};

    use clap::ValueEnum;
    use clap_complete::Shell;

    use super::*;

    fn script(shell: Shell) -> String {
        let mut script = Vec::new();
        generate(shell, &mut command_line(), "walbook", &mut script);
        String::from_utf8(script).expect("a script is text")
    }

    /// All commands with their visible long flags.
    fn commands() -> Vec<(String, Vec<String>)> {
        let mut program = command_line().disable_help_subcommand(true);
        program.build();
        let flags = |command: &Command| {
            let visible = command.get_arguments().filter(|flag| !flag.is_hide_set());
            visible.filter_map(|flag| flag.get_long().map(str::to_owned)).collect()
        };
        program.get_subcommands().map(|command| (command.get_name().to_owned(), flags(command))).collect()
    }

    #[test]
    fn bash_accepts_its_completion_script() {
        let bash = process::Command::new("bash").arg("-n").stdin(Stdio::piped()).spawn();
        let mut bash = bash.expect("bash is installed");
        bash.stdin.take().expect("a pipe").write_all(script(Shell::Bash).as_bytes()).expect("bash reads the script");
        assert!(bash.wait().expect("bash ends").success());
    }

    #[test]
    fn each_shells_script_knows_every_command_and_flag() {
        for shell in Shell::value_variants() {
            let script = script(*shell);
            for (command, flags) in commands() {
                assert!(script.contains(&command), "{shell}: {command}");
                for flag in flags {
                    assert!(script.contains(&flag), "{shell}: {command} --{flag}");
                }
            }
        }
    }

    #[test]
    fn the_manual_has_a_page_per_command_with_every_flag() {
        // As man prints it: roff writes a hyphen as \-.
        let text = |page: &ManualPage| {
            let mut text = Vec::new();
            page.write(&mut text).expect("a buffer accepts everything");
            String::from_utf8(text).expect("a page is text").replace("\\-", "-")
        };
        let pages: Vec<(String, String)> = pages().iter().map(|page| (page.man.get_filename(), text(page))).collect();
        let (name, program) = &pages[0];
        assert_eq!(name, "walbook.1");
        assert!(program.contains("EXIT STATUS") && program.contains("another run owns the book"), "{program}");
        assert_eq!(pages.len(), commands().len() + 1);
        for (command, flags) in commands() {
            assert!(program.contains(&format!("walbook-{command}(1)")), "{program}");
            let name = format!("walbook-{command}.1");
            let (_, page) = pages.iter().find(|(found, _)| *found == name).expect("a page per command");
            for flag in flags {
                assert!(page.contains(&format!("--{flag}")), "{command} --{flag}: {page}");
            }
            let (_, line) = examples(&command)[0];
            assert!(page.contains("EXAMPLES") && page.contains(line), "{command}: {page}");
        }
    }
}
