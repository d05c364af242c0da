//! The command line of `giliran` as a whole: for its help, for completions of shells, and for man pages.
//!
//! Contract: the commands that are roles are read by their own definition; here they stand so that they are found.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use clap::{Arg, Args, Command, value_parser};
use clap_mangen::Man;

use super::Lab;
use super::ctl::Ctl;
use crate::app::cli::{
    Balancer, Driver, EXPLAIN, Failure, NamedBackEnds, PlainFolder, Proxy, Role, STYLES, Server, Suite, print,
};

/// The name of the program.
pub(super) const PROGRAM: &str = "giliran";

/// The command that asks a running role.
pub(super) const CTL: &str = "ctl";

/// The section of the manual that programs are in.
const SECTION: &str = "1";

const ABOUT: &str = "A server for a folder, a reverse proxy and a load balancer, in two concurrency models";

const EXAMPLES: &str = "Examples:
  giliran serve dist --listing
  giliran proxy --route /api/=127.0.0.1:3000 --default 127.0.0.1:8081
  giliran balance --listen :8080 --mode http 127.0.0.1:3000 127.0.0.1:3001 --status 127.0.0.1:8891
  giliran ctl backends
  giliran ctl drain balance 127.0.0.1:3000
  giliran suite

giliran COMMAND -h shows the flags that are used most, giliran COMMAND --help all of them.";

/// The shells that completions are made for.
#[derive(Clone, Copy, Debug, Eq, PartialEq, clap::ValueEnum)]
pub(super) enum Shell {
    /// `source <(giliran completions bash)`
    Bash,
    /// `giliran completions zsh > DIR/_giliran`, DIR being in fpath
    Zsh,
    /// `giliran completions fish > ~/.config/fish/completions/giliran.fish`
    Fish,
}

/// All commands.
pub(super) fn command(lab: &Lab) -> Command {
    let shell = Arg::new("shell").value_name("SHELL").required(true).value_parser(value_parser!(Shell));
    let dir = Arg::new("dir").value_name("DIR").value_parser(value_parser!(PathBuf));
    Command::new(PROGRAM)
        .about(ABOUT)
        .version(env!("CARGO_PKG_VERSION"))
        .styles(STYLES)
        .after_help(EXAMPLES)
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommand(Role::SERVE.command::<Server<PlainFolder>>())
        .subcommand(Role::PROXY.command::<Proxy>())
        .subcommand(Role::BALANCE.command::<Balancer<Driver, NamedBackEnds>>())
        .subcommand(Role::WHOLE_SUITE.command::<Suite>())
        .subcommand((lab.command)("giliran lab"))
        .subcommand(Role::EXPLAIN_PROXY.explain_command::<Proxy>().name(EXPLAIN))
        .subcommand(
            Ctl::augment_args(Command::new(CTL)).about(Ctl::ABOUT).long_about(None).after_help(Ctl::EXAMPLES),
        )
        .subcommand(
            Command::new("completions")
                .about("Prints the completions of a shell for this program")
                .arg(shell.help("Shell that they are for")),
        )
        .subcommand(
            Command::new("man")
                .about("Prints the manual page of this program, or writes those of all commands to a folder")
                .arg(dir.help(
                    "Folder to write giliran.1, giliran-serve.1 and so on to; it is made if it is not there",
                ))
                .after_help("Example:\n  giliran man | man -l -\n  giliran man ~/.local/share/man/man1"),
        )
}

/// What the shell reads to complete commands, flags and values.
pub(super) fn completions(mut command: Command, shell: Shell) -> String {
    let mut text = Vec::new();
    let shell = match shell {
        Shell::Bash => clap_complete::Shell::Bash,
        Shell::Zsh => clap_complete::Shell::Zsh,
        Shell::Fish => clap_complete::Shell::Fish,
    };
    clap_complete::generate(shell, &mut command, PROGRAM, &mut text);
    String::from_utf8_lossy(&text).into_owned()
}

/// Prints the page of the program, or writes the pages of all commands to a folder.
pub(super) fn man(lab: &Lab, folder: Option<&PathBuf>) -> Result<(), Failure> {
    // A command of its own: the one that has read the arguments has `help` among its commands already.
    let command = command(lab).disable_help_subcommand(true);
    let Some(folder) = folder else {
        let mut page = Vec::new();
        return match write_page(&command, PROGRAM, &mut page) {
            Ok(()) => print(&String::from_utf8_lossy(&page)),
            Err(error) => Err(Failure::Runtime(format!("man: {error}"))),
        };
    };
    let written = fs::create_dir_all(folder).and_then(|()| write_pages(command, PROGRAM, folder));
    written.map_err(|error| Failure::Runtime(format!("man {}: {error}", folder.display())))
}

fn write_pages(mut command: Command, name: &str, folder: &Path) -> io::Result<()> {
    command.build();
    let mut page = Vec::new();
    write_page(&command, name, &mut page)?;
    fs::write(folder.join(format!("{name}.{SECTION}")), page)?;
    command.get_subcommands().filter(|one| !one.is_hide_set() && one.get_name() != "help").try_for_each(
        |one| {
            let name = format!("{name}-{}", one.get_name());
            write_pages(one.clone(), &name, folder)
        },
    )
}

/// The page of a command whose name in the manual is `name`.
fn write_page(command: &Command, name: &str, page: &mut Vec<u8>) -> io::Result<()> {
    // Of a flag that `-h` does not show, a page would have the name only.
    let command = command.clone().display_name(name.to_owned()).mut_args(|arg| arg.hide_short_help(false));
    Man::new(command).title(name.to_uppercase()).section(SECTION).render(page)
}
