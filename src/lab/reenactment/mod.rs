//! `lab 2021`: the course's experiment with the behaviour of its load tool, beside its figures.
//!
//! ```text
//!   setting (what varies) ---> one run each ---> 2021.json ---> tables ---> page
//!   published (ab's figures of 2021) ------------------------------^
//! ```
//!
//! Contract: what is said here comes from the runs or from ab's own figures, and says which. Every run is saved
//! before the next begins, and a saved run is not made again on the same machine and commit.
//!
//! | file | owns |
//! |---|---|
//! | `setting` | what may vary, and which settings are run |
//! | `tables` | 2021 and here, cell by cell; what was varied |
//! | `page` | the whole page: what was measured, what follows, what is open |

mod page;
mod setting;
mod tables;

use std::fs;
use std::io;
use std::path::Path;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::bounds::{SLOW_CONNECT, START_USUAL};
use super::client::{self, Connects, Load, Tally};
use super::kernel::Kernel;
use super::lang::{Lang, text};
use super::machine::Machine;
use super::report;
use super::results::{SCHEMA, model};
use super::terminal::{self, Progress, failed_at, say};
use super::testbed::Testbed;
use crate::app::cli::Failure;
use crate::net::shutdown::Shutdown;
use setting::Setting;

/// The saved runs, in the folder of the report.
const RUNS_FILE: &str = "2021.json";
/// The same of `--quick`: shorter runs are not continued by longer ones.
const QUICK_RUNS_FILE: &str = "2021-quick.json";
/// Requests of a run with serial connects: a slow one makes some ten a second, and the limit comes first.
const SERIAL_REQUESTS: u64 = 300;
/// Longest time of such a run: long enough for about twenty connects that wait a second.
const SERIAL_LIMIT: Duration = Duration::from_secs(20);
const QUICK_SERIAL_LIMIT: Duration = Duration::from_secs(6);
/// Requests of a run with overlapping connects.
const OVERLAPPING_REQUESTS: u64 = 5000;
/// Longest time of such a run.
const OVERLAPPING_LIMIT: Duration = Duration::from_secs(4);

/// What one run counted.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
struct Counted {
    answered: u64,
    failed: u64,
    seconds: f64,
    /// How many connects there were, whether their requests were answered or not. 0 in files of before it was counted:
    /// `connect_seconds` and `slow_connects` are of answered requests there.
    #[serde(default)]
    connects: u64,
    /// All of them one after the other.
    connect_seconds: f64,
    /// Those that waited for a SYN retransmit.
    slow_connects: u64,
    /// `None` on a system that does not tell.
    listen_overflows: Option<u64>,
}

impl Counted {
    fn of(tally: &Tally, kernel: Option<Kernel>) -> Counted {
        Counted {
            answered: tally.answered,
            failed: tally.faults.total(),
            seconds: tally.elapsed.as_secs_f64(),
            connects: tally.every_connect.count(),
            connect_seconds: tally.every_connect.sum().as_secs_f64(),
            slow_connects: tally.every_connect.at_least(SLOW_CONNECT),
            listen_overflows: kernel.map(|kernel| kernel.listen_overflows),
        }
    }

    /// Requests answered in a second.
    fn rate(&self) -> f64 {
        self.answered as f64 / self.seconds.max(f64::MIN_POSITIVE)
    }

    /// The share of connects that waited.
    fn slow_share(&self) -> f64 {
        let connects = if self.has_every_connect() { self.connects } else { self.answered.max(1) };
        self.slow_connects as f64 / connects as f64
    }

    /// False of a run in a file of before the connects of requests without a response were counted.
    fn has_every_connect(&self) -> bool {
        self.connects > 0
    }
}

/// A setting and what its run counted.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
struct Run {
    setting: Setting,
    counted: Counted,
}

/// Everything, as in `2021.json`.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
struct Runs {
    schema: u32,
    machine: Machine,
    runs: Vec<Run>,
}

impl Runs {
    fn find(&self, setting: &Setting) -> Option<&Counted> {
        self.runs.iter().find(|run| run.setting == *setting).map(|run| &run.counted)
    }

    fn read(path: &Path) -> io::Result<Runs> {
        Ok(serde_json::from_slice(&fs::read(path)?)?)
    }

    /// The saved runs, if they were made on this machine with this commit; else none.
    fn open(path: &Path) -> Runs {
        let machine = Machine::this();
        match Runs::read(path) {
            Ok(runs) if runs.schema == SCHEMA && runs.machine.is_comparable(&machine) => runs,
            _ => Runs { schema: SCHEMA, machine, runs: Vec::new() },
        }
    }

    fn save(&self, path: &Path) -> io::Result<()> {
        fs::write(path, serde_json::to_vec_pretty(self)?)
    }
}

/// What is asked for on the command line.
#[derive(clap::Args, Debug)]
pub(super) struct Flags {
    #[arg(long, value_name = "FILE")]
    from: Option<std::path::PathBuf>,
    #[arg(long, value_name = "FILE")]
    markdown: Option<std::path::PathBuf>,
}

impl Flags {
    /// True if nothing is measured.
    pub(super) fn only_reads(&self) -> bool {
        self.from.is_some()
    }

    /// Makes the page of saved runs.
    pub(super) fn read(&self, out: &Path, lang: Lang) -> Result<(), Failure> {
        let Some(from) = &self.from else { return Ok(()) };
        self.show(&Runs::read(from).map_err(failed_at(from))?, out, lang)
    }

    /// Runs what is not saved yet, and makes the page.
    pub(super) fn run(&self, out: &Path, lang: Lang, quick: bool, stop: &Shutdown) -> Result<(), Failure> {
        fs::create_dir_all(out).map_err(failed_at(out))?;
        let path = out.join(if quick { QUICK_RUNS_FILE } else { RUNS_FILE });
        let mut runs = Runs::open(&path);
        let left: Vec<Setting> =
            setting::all(quick).into_iter().filter(|setting| runs.find(setting).is_none()).collect();
        say(&announcement(&left, quick, lang));
        let progress = Progress::new(left.len(), lang);
        for setting in left {
            progress.begin(&describe(&setting, lang));
            let counted = measure(&setting, quick, stop)?;
            if stop.is_draining() {
                return Err(Failure::Runtime(text!(lang, "stopped-saved")));
            }
            runs.runs.push(Run { setting, counted });
            runs.save(&path).map_err(failed_at(&path))?;
            progress.end();
        }
        progress.finish();
        self.show(&runs, out, lang)
    }

    fn show(&self, runs: &Runs, out: &Path, lang: Lang) -> Result<(), Failure> {
        let page = page::page(runs, lang);
        let file = out.join("2021.html");
        report::write_page(&file, &page).map_err(failed_at(out))?;
        if let Some(markdown) = &self.markdown {
            report::write_markdown(markdown, &page).map_err(failed_at(markdown))?;
        }
        let shown = page.text();
        let file = self.markdown.as_deref().unwrap_or(&file);
        terminal::print(&format!("{shown}\n{}: {}\n", text!(lang, "report"), file.display()))
    }
}

fn limit(setting: &Setting, quick: bool) -> Duration {
    match setting.connects {
        Connects::Overlapping => OVERLAPPING_LIMIT,
        Connects::Serial if quick => QUICK_SERIAL_LIMIT,
        Connects::Serial => SERIAL_LIMIT,
    }
}

/// What is to be run, and how long it takes at most.
fn announcement(left: &[Setting], quick: bool, lang: Lang) -> String {
    let longest: Duration = left.iter().map(|setting| limit(setting, quick) + START_USUAL).sum();
    let minutes = longest.as_secs().div_ceil(60);
    let serial = left.iter().filter(|setting| setting.connects == Connects::Serial).count();
    let (requests, seconds) =
        (SERIAL_REQUESTS, if quick { QUICK_SERIAL_LIMIT } else { SERIAL_LIMIT }.as_secs());
    text!(lang, "reenact-begin", runs = left.len(), serial, requests, seconds, minutes)
}

fn describe(setting: &Setting, lang: Lang) -> String {
    let (balancer, servers) = (model(setting.is_async), model(setting.servers_are_async));
    let connects = setting.connects.name(lang);
    let Setting { backends, concurrency, backlog, server_backlog, .. } = setting;
    text!(lang, "reenact-run", balancer, servers, backends, concurrency, backlog, server_backlog, connects)
}

fn measure(setting: &Setting, quick: bool, stop: &Shutdown) -> Result<Counted, Failure> {
    let testbed = Testbed::start(&setting.contender(), &setting.testbed())?;
    let expected = client::fetch(testbed.backend_addresses[0], "/").map_err(Failure::Runtime)?;
    let load = Load {
        requests: if setting.connects == Connects::Serial { SERIAL_REQUESTS } else { OVERLAPPING_REQUESTS },
        concurrency: setting.concurrency,
        connects: setting.connects,
        limit: limit(setting, quick),
        ..Load::new(testbed.address, "/", expected)
    };
    let before = Kernel::now();
    let tally = client::run(&load, stop).map_err(|error| Failure::Runtime(error.to_string()))?;
    let counted = Kernel::now().zip(before).map(|(after, before)| after.since(&before));
    Ok(Counted::of(&tally, counted))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One run, of the cell that the issue of 2021 is about.
    pub(super) fn runs() -> Runs {
        let setting = Setting::of_the_course(true, 5, 10);
        let counted = Counted {
            answered: 351,
            failed: 0,
            connects: 351,
            seconds: 60.4,
            connect_seconds: 60.2,
            slow_connects: 59,
            listen_overflows: Some(59),
        };
        Runs { schema: SCHEMA, machine: Machine::default(), runs: vec![Run { setting, counted }] }
    }

    #[test]
    fn a_saved_run_is_found_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(RUNS_FILE);
        let here = Runs { machine: Machine::this(), ..runs() };
        here.save(&path).unwrap();
        assert_eq!(Runs::open(&path).runs, here.runs);
        Runs { machine: Machine::default(), ..here }.save(&path).unwrap();
        assert!(Runs::open(&path).runs.is_empty(), "another machine's runs are not continued");
    }

    #[test]
    fn a_file_of_before_every_connect_was_counted_is_read_and_said_to_be_one() {
        let mut old = serde_json::to_value(runs()).unwrap();
        old["runs"][0]["counted"].as_object_mut().unwrap().remove("connects");
        let old: Runs = serde_json::from_value(old).unwrap();
        assert!(!old.runs[0].counted.has_every_connect());
        let said = "connects of requests that were not answered at the end are not counted";
        for (runs, is_said) in [(old, true), (runs(), false)] {
            let text = page::page(&runs, Lang::En).text();
            assert_eq!(text.replace('\n', " ").contains(said), is_said, "{text}");
            assert!(text.contains("16.8 %"), "{text}");
        }
    }

    #[test]
    fn that_nobody_wins_here_is_said_where_it_is_so() {
        for (answered, is_said) in [(360, true), (3600, false)] {
            let mut both = runs();
            let threaded = Setting::of_the_course(false, 5, 10);
            let counted = Counted { answered, ..both.runs[0].counted.clone() };
            both.runs.push(Run { setting: threaded, counted });
            let text = page::page(&both, Lang::En).text();
            assert_eq!(text.contains("Here nobody wins"), is_said, "{text}");
        }
    }

    #[test]
    fn the_page_answers_the_reports_question_in_both_languages() {
        for lang in [Lang::En, Lang::Id] {
            let page = page::page(&runs(), lang);
            let text = page.text();
            assert_eq!(page.plots().count(), 3);
            for figure in ["14.38", "155.60", "13.3 %", "1.2 %", "60.40", "16.8 %"] {
                let figure = lang.figure(figure);
                assert!(text.contains(&figure), "{figure}: {text}");
            }
        }
        assert!(announcement(&setting::all(true), true, Lang::En).contains("at most"));
    }
}
