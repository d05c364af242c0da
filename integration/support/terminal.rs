//! A reader of the guide at their terminals: the commands of a page, one after another, and what they print.
//!
//! What a page says and what a test runs differ in three things only. `cargo run … --bin NAME --` is the binary
//! that cargo has built for the tests. A port is a name: a program gets a free one, which is learnt from the
//! line that it prints, and takes the page's place in every later command. The lab makes small runs and
//! writes to a folder of its own.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use super::process::Process;

/// Longest time of one command: a lesson takes half a minute, and a busy machine several times that.
const COMMAND_MAX: Duration = Duration::from_secs(240);

/// A shorter number of a command is a count, not a port.
const PORT_DIGITS_MIN: usize = 3;

/// What a fence holds, by its info string.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Kind {
    /// `console`: commands that end, with all that they print on standard output. Some fail, to show a fault.
    Ends,
    /// `console stays`: one command that runs until the page ends; at least so much is printed.
    Stays,
    /// `text log`: lines among those that the program started last has logged.
    Log,
    /// Anything else: to read, or to type once for an installation.
    Read,
}

/// One fence of a page.
#[derive(Debug)]
pub struct Fence {
    /// The number of the line that opens it.
    pub line: usize,
    /// Behind the backticks.
    pub info: String,
    pub lines: Vec<String>,
}

impl Fence {
    pub fn kind(&self) -> Kind {
        match self.info.as_str() {
            "console" => Kind::Ends,
            "console stays" => Kind::Stays,
            "text log" => Kind::Log,
            _ => Kind::Read,
        }
    }

    /// The commands, each with the lines that are expected of it.
    pub fn commands(&self) -> Vec<(&str, Vec<&str>)> {
        let mut commands: Vec<(&str, Vec<&str>)> = Vec::new();
        for line in self.lines.iter().filter(|_| matches!(self.kind(), Kind::Ends | Kind::Stays)) {
            match (line.strip_prefix("$ "), commands.last_mut()) {
                (Some(command), _) => commands.push((command, Vec::new())),
                (None, Some((_, expected))) => expected.push(line),
                (None, None) => panic!("line {}: the fence does not begin with a command", self.line),
            }
        }
        commands
    }
}

/// The fences of a page.
pub fn fences(page: &str) -> Vec<Fence> {
    let mut found: Vec<Fence> = Vec::new();
    let mut is_open = false;
    for (number, line) in page.lines().enumerate() {
        if let Some(info) = line.strip_prefix("```") {
            if !is_open {
                found.push(Fence { line: number + 1, info: info.to_owned(), lines: Vec::new() });
            }
            is_open = !is_open;
        } else if is_open && let Some(fence) = found.last_mut() {
            fence.lines.push(line.to_owned());
        }
    }
    assert!(!is_open, "a fence is not closed");
    found
}

/// True if the printed lines are the expected ones. Of an expected line `...` stands for anything; alone in
/// its line it stands for any number of lines. How wide the columns of a table are is not compared.
pub fn fits(expected: &[&str], printed: &[&str]) -> bool {
    match expected {
        [] => printed.is_empty(),
        ["...", rest @ ..] => (0..=printed.len()).any(|from| fits(rest, &printed[from..])),
        [first, rest @ ..] => {
            printed.split_first().is_some_and(|(line, others)| line_fits(first, line) && fits(rest, others))
        }
    }
}

/// The same for one line.
pub fn line_fits(expected: &str, printed: &str) -> bool {
    let narrow = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let (expected, printed) = (narrow(expected), narrow(printed));
    let Some((begin, rest)) = expected.split_once("...") else { return expected == printed };
    let Some(mut printed) = printed.strip_prefix(begin) else { return false };
    let mut parts: Vec<&str> = rest.split("...").collect();
    let end = parts.pop().unwrap_or_default();
    for part in parts {
        let Some((_, behind)) = printed.split_once(part) else { return false };
        printed = behind;
    }
    printed.ends_with(end)
}

/// The terminals of one page.
#[derive(Debug)]
pub struct Terminals {
    /// From the page's ports to those of the programs that run.
    ports: BTreeMap<String, String>,
    running: Vec<Process>,
    /// The lab's reports.
    folder: tempfile::TempDir,
}

impl Default for Terminals {
    fn default() -> Terminals {
        Terminals { ports: BTreeMap::new(), running: Vec::new(), folder: tempfile::tempdir().unwrap() }
    }
}

impl Terminals {
    /// Does what a fence says; panics if something else is printed.
    pub fn follow(&mut self, fence: &Fence) {
        for (command, expected) in fence.commands() {
            assert!(!expected.is_empty(), "line {}: what does `{command}` print?", fence.line);
            match fence.kind() {
                Kind::Stays => self.start(command, &expected),
                _ => self.run(command, &expected),
            }
        }
        if fence.kind() == Kind::Log {
            let program = self.running.last().expect("a program that stays comes before its log");
            for line in &fence.lines {
                let line = self.with_ports(line);
                let found = program.err.wait_nth(0, |logged| line_fits(&line, logged));
                assert!(found.is_some(), "not in the log: {line}\n{}", program.err.text());
            }
        }
    }

    fn run(&self, command: &str, expected: &[&str]) {
        let real = self.with_ports(&self.real(command));
        let mut process = Process::start(&mut shell(&real)).unwrap();
        let status = process.wait(COMMAND_MAX);
        let (printed, errors) = (process.out.text(), process.err.text());
        assert!(status.is_some(), "it does not end: {command}\n{real}\n{printed}\n{errors}");
        let printed = printed.replace(&self.folder.path().display().to_string(), "lab-report");
        let expected: Vec<String> = expected.iter().map(|line| self.with_ports(line)).collect();
        let expected: Vec<&str> = expected.iter().map(String::as_str).collect();
        let lines: Vec<&str> = printed.lines().collect();
        assert!(
            fits(&expected, &lines),
            "{command}\n{real}\nexpected: {expected:#?}\nprinted:\n{printed}\n{errors}"
        );
    }

    /// Starts a program, waits for its lines, and learns its ports from them.
    fn start(&mut self, command: &str, expected: &[&str]) {
        let real = self.with_ports(&with_free_ports(&self.real(command), &self.ports));
        let process = Process::start(&mut shell(&format!("exec {real}"))).unwrap();
        for (number, told) in expected.iter().enumerate() {
            let Some(printed) = process.out.wait_nth(number, |_| true) else {
                panic!("{command}\n{real}\nno line {told}: {}\n{}", process.out.text(), process.err.text());
            };
            for (name, port) in ports_of(told).zip(ports_of(&printed)) {
                self.ports.insert(name.to_owned(), port.to_owned());
            }
            assert!(line_fits(&self.with_ports(told), &printed), "{command}\n{told}\n{printed}");
        }
        self.running.push(process);
    }

    /// The command as it is run, with the page's ports.
    fn real(&self, command: &str) -> String {
        let folder = self.folder.path().display();
        let Some(rest) = command.strip_prefix("cargo run ") else {
            return command.replace("lab-report/", &format!("{folder}/"));
        };
        let rest = rest.strip_prefix("--release ").unwrap_or(rest);
        let (what, rest) = rest.split_once(' ').unwrap_or_default();
        let (name, arguments) = rest.split_once(" -- ").unwrap_or((rest, ""));
        let program = match what {
            "--bin" => built().join(name),
            "--example" => built().join("examples").join(name),
            _ => panic!("neither a binary nor an example: {command}"),
        };
        assert!(
            program.exists(),
            "{} is missing: `cargo test` builds it, or `cargo build --examples`",
            program.display()
        );
        let more = match name {
            "suite" if !arguments.contains("--port-base") => " --port-base 0".to_owned(),
            "lab" => {
                let small = match arguments.split(' ').next() {
                    Some("report") => "",
                    Some("lesson") => " --quick",
                    _ => " --requests 50 --repeat 1",
                };
                // A flag may be given once, and the page may have given it.
                let small = if arguments.contains(small.trim()) { "" } else { small };
                format!("{small} --allow-debug --out {folder}")
            }
            _ => String::new(),
        };
        let (own, piped) = arguments.split_once(" | ").map_or((arguments, None), |(own, to)| (own, Some(to)));
        let piped = piped.map(|to| format!(" | {to}")).unwrap_or_default();
        format!("{} {own}{more}{piped}", program.display())
    }

    /// The ports of this page's programs instead of those that the page names.
    fn with_ports(&self, text: &str) -> String {
        on_numbers(text, |number, _, _| self.ports.get(number).cloned())
    }
}

/// Free ports for a program that is about to start: its own, which no program of the page has yet.
fn with_free_ports(command: &str, taken: &BTreeMap<String, String>) -> String {
    on_numbers(command, |number, before, behind| {
        let is_word = before.ends_with(' ') && (behind.is_empty() || behind.starts_with(' '));
        let is_own = is_word || before.ends_with("--listen 127.0.0.1:");
        (number.len() >= PORT_DIGITS_MIN && is_own && !taken.contains_key(number)).then(|| "0".to_owned())
    })
}

/// The text with each number replaced that `change` has something for; it is told what stands before and behind.
fn on_numbers(text: &str, change: impl Fn(&str, &str, &str) -> Option<String>) -> String {
    let mut changed = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(|c: char| c.is_ascii_digit()) {
        let (before, from) = rest.split_at(at);
        let (number, behind) = from.split_at(from.find(|c: char| !c.is_ascii_digit()).unwrap_or(from.len()));
        changed.push_str(before);
        // A digit of a name or of a longer number with a point is no port.
        let stands_alone = !changed.ends_with(|c: char| c.is_ascii_alphanumeric() || c == '_' || c == '.')
            && !behind.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_');
        let new = if stands_alone { change(number, &changed, behind) } else { None };
        changed.push_str(new.as_deref().unwrap_or(number));
        rest = behind;
    }
    changed + rest
}

/// The ports in a line: numbers behind an address.
fn ports_of(line: &str) -> impl Iterator<Item = &str> {
    line.split("127.0.0.1:").skip(1).map(|rest| {
        let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        &rest[..end]
    })
}

/// Where cargo has built what is tested.
fn built() -> PathBuf {
    Path::new(env!("CARGO_BIN_EXE_lab")).parent().unwrap().to_owned()
}

/// A reader's shell, in the project's folder.
fn shell(command: &str) -> Command {
    let mut shell = Command::new("sh");
    shell.args(["-c", command]).current_dir(env!("CARGO_MANIFEST_DIR"));
    shell.env("PYTHONDONTWRITEBYTECODE", "1");
    shell
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_gets_free_ports_and_the_addresses_of_those_that_run() {
        let ports = BTreeMap::from([("9001".to_owned(), "40001".to_owned())]);
        let free = |command: &str| with_free_ports(command, &ports);
        assert_eq!(free("lb.py 7001 --backends 127.0.0.1:9001"), "lb.py 0 --backends 127.0.0.1:9001");
        assert_eq!(free("lb --listen 127.0.0.1:7001 --workers 64"), "lb --listen 127.0.0.1:0 --workers 64");
        assert_eq!(free("python3 a 9001"), "python3 a 9001", "another program of the page has it");
        let terminals = Terminals { ports, ..Terminals::default() };
        assert_eq!(
            terminals.with_ports("curl http://127.0.0.1:9001/a9001"),
            "curl http://127.0.0.1:40001/a9001"
        );
        assert_eq!(
            ports_of("lb 127.0.0.1:666  curl http://127.0.0.1:666/").collect::<Vec<_>>(),
            ["666", "666"]
        );
    }

    #[test]
    fn a_command_of_cargo_is_the_program_that_cargo_has_built() {
        let terminals = Terminals::default();
        let real = |command: &str| terminals.real(command).replace(&format!("{}/", built().display()), "");
        let folder = terminals.folder.path().display();
        assert_eq!(real("cargo run --release --bin suite"), "suite  --port-base 0");
        assert_eq!(
            real("cargo run --release --bin lab -- lesson pool --lang id"),
            format!("lab lesson pool --lang id --quick --allow-debug --out {folder}")
        );
        assert_eq!(
            real("cargo run --bin lab -- --quick | head -1"),
            format!("lab --quick --requests 50 --repeat 1 --allow-debug --out {folder} | head -1")
        );
    }
}
