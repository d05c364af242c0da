//! The lab's command line: flags, their defaults, and what each command does with them. What `--help` says about
//! each is in the catalogue (see `help`).

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};

use super::bounds::{
    BACKENDS, BACKENDS_MAX, CONCURRENCY, CONCURRENCY_MAX, QUICK_REQUESTS, QUICK_RUN_LIMIT, REPEATS,
    REPEATS_MAX, REQUESTS, REQUESTS_MAX, RUN_LIMIT,
};
use super::client::Connects;
use super::findings::findings;
use super::grid::{Grid, RUNS_FILE, seed_of_the_moment};
use super::lang::{Lang, text};
use super::lessons::{Classroom, Lesson};
use super::results::{Results, Settings};
use super::summary::Cells;
use super::tables::course_tables;
use super::terminal::failed_at;
use super::testbed::{Contender, LADDER, check_course};
use super::tools::Tool;
use super::usage::Wanted;
use super::{compare, lessons, reenactment, report, terminal, usage};
use crate::app::cli::Failure;
use crate::net::shutdown::Shutdown;
use crate::net::signals;

/// Repeats the course's experiment on this machine, and explains what it sees.
#[derive(Debug, Parser)]
#[command(name = "lab", version)]
pub(super) struct Command {
    #[command(flatten)]
    common: Common,
    #[command(flatten)]
    grid: GridFlags,
    #[command(subcommand)]
    other: Option<Other>,
}

#[derive(Debug, Subcommand)]
enum Other {
    Lesson {
        #[arg(value_enum)]
        name: Lesson,
    },
    #[command(name = "2021")]
    Reenact(reenactment::Flags),
    Compare {
        a: PathBuf,
        b: PathBuf,
        #[arg(long, value_name = "FILE")]
        markdown: Option<PathBuf>,
    },
    Report {
        #[arg(long, value_name = "FILE")]
        from: Option<PathBuf>,
        #[arg(long, value_name = "FILE")]
        markdown: Option<PathBuf>,
    },
}

#[derive(Args, Debug)]
struct Common {
    #[arg(long, global = true)]
    quick: bool,
    #[arg(long, global = true, value_enum, default_value = "en")]
    lang: Lang,
    #[arg(long, global = true, value_name = "DIR", default_value = "lab-report")]
    out: PathBuf,
    #[arg(long, global = true)]
    no_guess: bool,
    #[arg(long, global = true)]
    allow_debug: bool,
}

#[derive(Args, Debug)]
struct GridFlags {
    #[arg(long, value_name = "N", value_parser = usage::number::<u64>(1, REQUESTS_MAX))]
    requests: Option<u64>,
    #[arg(long, value_name = "N,..", value_delimiter = ',', value_parser = up_to(CONCURRENCY_MAX), default_values_t = CONCURRENCY)]
    concurrency: Vec<usize>,
    #[arg(long, value_name = "N,..", value_delimiter = ',', value_parser = up_to(BACKENDS_MAX), default_values_t = BACKENDS)]
    backends: Vec<usize>,
    #[arg(long, value_name = "PATH", default_value = "/", value_parser = usage::path)]
    path: String,
    #[arg(long, value_name = "N", value_parser = up_to(REPEATS_MAX), default_value_t = REPEATS)]
    repeat: usize,
    #[arg(long, value_name = "TIME", value_parser = usage::time)]
    limit: Option<Duration>,
    #[arg(long)]
    keep_alive: bool,
    #[arg(long, value_enum, default_value = "overlapping")]
    connects: Connects,
    #[arg(long, value_enum, value_name = "NAME")]
    peer: Vec<Peer>,
    #[arg(long, value_name = "DIR")]
    python: Option<PathBuf>,
    #[arg(long, value_enum, default_value = "own")]
    client: Tool,
    #[arg(long, conflicts_with = "fresh")]
    resume: bool,
    #[arg(long)]
    fresh: bool,
    #[arg(long, value_name = "N", value_parser = usage::number::<u64>(0, u64::MAX))]
    seed: Option<u64>,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
enum Peer {
    /// Our counterparts of the course's programs.
    Python,
    /// The four steps of `examples/`, each balancer over its own web servers; built by cargo build --examples.
    Ladder,
    Haproxy,
    Nginx,
    Apache,
}

/// Reads a number from 1 to this one.
fn up_to(most: usize) -> impl Fn(&str) -> Result<usize, Wanted> + Clone + Send + Sync {
    usage::number(1, most as u64)
}

impl Command {
    /// Does what was asked for.
    pub(super) fn run(self) -> Result<(), Failure> {
        let common = &self.common;
        match &self.other {
            Some(Other::Report { from, markdown }) => {
                return report_again(common, from.as_deref(), markdown.as_deref());
            }
            Some(Other::Compare { a, b, markdown }) => return compared(common, a, b, markdown.as_deref()),
            Some(Other::Reenact(flags)) if flags.only_reads() => return flags.read(&common.out, common.lang),
            _ => {}
        }
        if cfg!(debug_assertions) && !common.allow_debug {
            return Err(Failure::Usage(text!(common.lang, "error-debug-build")));
        }
        let (stop, _hangups) = signals::listen(false, Duration::ZERO, || {})
            .map_err(|error| Failure::Runtime(error.to_string()))?;
        match &self.other {
            None | Some(Other::Report { .. } | Other::Compare { .. }) => self.grid.run(common, &stop),
            Some(Other::Reenact(flags)) => flags.run(&common.out, common.lang, common.quick, &stop),
            Some(Other::Lesson { name }) => {
                let room = Classroom {
                    lang: common.lang,
                    quick: common.quick,
                    asks: !common.no_guess,
                    out: &common.out,
                    stop: &stop,
                };
                lessons::teach(*name, &room)
            }
        }
    }
}

/// Makes a report of saved runs.
fn report_again(common: &Common, from: Option<&Path>, markdown: Option<&Path>) -> Result<(), Failure> {
    let whole = common.out.join(report::RESULTS_FILE);
    let unfinished = common.out.join(RUNS_FILE);
    let from = match from {
        Some(file) => file,
        None if unfinished.exists() => &unfinished,
        None if whole.exists() => &whole,
        None => {
            let folder = common.out.display().to_string();
            return Err(Failure::Runtime(text!(common.lang, "error-nothing-saved", folder)));
        }
    };
    let results = Results::read(from).map_err(failed_at(from))?;
    let page = report::write(&common.out, &results, &[], common.lang).map_err(failed_at(&common.out))?;
    if let Some(file) = markdown {
        let page = report::page(&results, &[], common.lang);
        report::write_markdown(file, &page).map_err(failed_at(file))?;
    }
    terminal::print(&shown(&results, &[], markdown.unwrap_or(&page), common.lang))
}

/// Two saved grids side by side.
fn compared(common: &Common, a: &Path, b: &Path, markdown: Option<&Path>) -> Result<(), Failure> {
    let read = |file: &Path| Results::read(file).map_err(failed_at(file));
    let page = compare::page([a, b], [&read(a)?, &read(b)?], common.lang);
    if let Some(file) = markdown {
        report::write_markdown(file, &page).map_err(failed_at(file))?;
    }
    terminal::print(&page.text())
}

impl GridFlags {
    fn run(&self, common: &Common, stop: &Shutdown) -> Result<(), Failure> {
        let lang = common.lang;
        if self.connects == Connects::Serial && self.client != Tool::Own {
            return Err(Failure::Usage(text!(lang, "error-serial-client", client = self.client.name())));
        }
        if !self.client.is_installed() {
            return Err(Failure::Runtime(text!(lang, "error-no-client", client = self.client.name())));
        }
        let grid = Grid {
            contenders: self.contenders(),
            backends: self.backends.clone(),
            concurrency: self.concurrency.clone(),
            tool: self.client,
            settings: self.settings(common.quick),
            fresh: self.fresh,
        };
        if let Some(folder) = &self.python {
            let most = self.backends.iter().copied().max().unwrap_or(1);
            check_course(folder, most).map_err(|error| Failure::Usage(format!("--python: {error}")))?;
        }
        let outcome = grid.run(&common.out, lang, stop).map_err(failed_at(&common.out))?;
        if outcome.results.runs.is_empty() {
            let why = outcome.failures.first().or(outcome.missing.first()).cloned();
            return Err(Failure::Runtime(why.unwrap_or_else(|| text!(lang, "stopped-early"))));
        }
        let remarks: Vec<String> = outcome.missing.iter().chain(&outcome.failures).cloned().collect();
        let page =
            report::write(&common.out, &outcome.results, &remarks, lang).map_err(failed_at(&common.out))?;
        terminal::print(&shown(&outcome.results, &remarks, &page, lang))?;
        if outcome.is_stopped {
            return Err(Failure::Runtime(text!(lang, "stopped-saved")));
        }
        match outcome.failures.len() {
            0 => Ok(()),
            count => {
                // What a program printed may be in it, so it is no part of a text, whose lines are joined.
                let failed = text!(lang, "error-runs", count);
                Err(Failure::Runtime(format!("{failed}: {}", outcome.failures[0])))
            }
        }
    }

    fn contenders(&self) -> Vec<Contender> {
        let mut contenders = vec![Contender::Threaded, Contender::Async];
        for peer in &self.peer {
            match peer {
                Peer::Python => contenders.extend([Contender::PythonThreaded, Contender::PythonAsync]),
                Peer::Ladder => contenders.extend((1..=LADDER.len()).map(Contender::Ladder)),
                Peer::Haproxy => contenders.push(Contender::Haproxy),
                Peer::Nginx => contenders.push(Contender::Nginx),
                Peer::Apache => contenders.push(Contender::Apache),
            }
        }
        if let Some(folder) = &self.python {
            contenders.push(Contender::CourseThreaded(folder.clone()));
            contenders.push(Contender::CourseAsync(folder.clone()));
        }
        contenders
    }

    fn settings(&self, quick: bool) -> Settings {
        let limit = if quick { QUICK_RUN_LIMIT } else { RUN_LIMIT };
        let limit = self.limit.unwrap_or(limit);
        Settings {
            requests: self.requests.unwrap_or(if quick { QUICK_REQUESTS } else { REQUESTS }),
            path: self.path.clone(),
            keep_alive: self.keep_alive,
            connects: self.connects,
            client: self.client.name().to_owned(),
            limit_seconds: limit.max(Duration::from_secs(1)).as_secs(),
            repeats: self.repeat,
            seed: self.seed.unwrap_or_else(seed_of_the_moment),
        }
    }
}

/// What is printed: the tables and the sentences.
fn shown(results: &Results, remarks: &[String], page: &Path, lang: Lang) -> String {
    let mut shown = String::new();
    if results.machine.debug_build {
        shown += &(text!(lang, "debug-build") + "\n\n");
    }
    shown += &(report::about(results, lang) + "\n");
    remarks.iter().for_each(|remark| shown += &format!("{remark}\n"));
    let cells = Cells::of(&results.runs);
    course_tables(&cells, lang).iter().for_each(|table| shown += &format!("\n{}", table.draw(lang)));
    shown += &format!("\n{}\n", text!(lang, "what-it-shows"));
    findings(results, &cells, lang).iter().for_each(|sentence| shown += &format!("  * {sentence}\n"));
    shown + &format!("\n{}: {}\n", text!(lang, "report"), page.display())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(flags: &[&str]) -> Result<Command, clap::Error> {
        Command::try_parse_from([&["lab"], flags].concat())
    }

    #[test]
    fn the_default_is_the_courses_grid() {
        let command = read(&[]).unwrap();
        assert_eq!(
            (command.grid.backends.as_slice(), command.grid.concurrency.as_slice()),
            (&BACKENDS[..], &CONCURRENCY[..])
        );
        let settings = command.grid.settings(false);
        assert_eq!((settings.requests, settings.repeats, settings.limit_seconds), (10_000, 3, 60));
        assert_eq!(command.grid.settings(true).requests, QUICK_REQUESTS);
        assert_eq!(command.grid.contenders(), [Contender::Threaded, Contender::Async]);
    }

    #[test]
    fn flags_are_read() {
        let command = read(&[
            "--backends",
            "1,3",
            "--concurrency=7",
            "--peer",
            "python",
            "--peer",
            "nginx",
            "--lang",
            "id",
        ])
        .unwrap();
        assert_eq!(
            (command.grid.backends.as_slice(), command.grid.concurrency.as_slice()),
            (&[1, 3][..], &[7][..])
        );
        assert_eq!(command.grid.contenders().len(), 5);
        assert_eq!(command.common.lang, Lang::Id);
        let lesson = read(&["lesson", "blocked-loop", "--no-guess", "--quick"]).unwrap();
        assert!(lesson.common.no_guess && lesson.common.quick);
        for bad in [
            &["--backends", "0"][..],
            &["--concurrency", "1001"],
            &["--path", "x"],
            &["--resume", "--fresh"],
            &["lesson", "x"],
        ] {
            assert!(read(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn the_definition_is_sound() {
        use clap::CommandFactory;
        Command::command().debug_assert();
    }
}
