//! The lessons: one cause each. A guess, a few small loads, one plot, and the code to read.
//!
//! Contract: what a lesson explains, it explains with the figures of the run just made; where they do
//! not show what they usually show, it says so instead. A lesson takes less than half a minute.

mod backlog;
mod blocked_loop;
mod kill_backend;
mod one_byte;
mod pool;
mod slow_reader;

use std::fs;
use std::io::{self, BufRead, IsTerminal};
use std::path::Path;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use clap::ValueEnum;

use super::bounds::REQUEST_TIMEOUT;
use super::client::{self, Plan, Tally};
use super::kernel::Kernel;
use super::lang::Lang;
use super::machine::Machine;
use super::progress::say;
use super::report;
use super::report::html::html;
use super::report::page::{Block, Page};
use super::report::plots::Plot;
use super::report::svg::{self, Chart};
use super::stand::{Contender, Stand, StandError, StandOptions};
use super::tables::{self, Table};
use super::text;
use crate::app::cli::Failure;
use crate::net::shutdown::Shutdown;

/// What can be learnt.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(super) enum Lesson {
    /// Why a small backlog looks like a slow server.
    Backlog,
    /// What idle clients do to a pool of threads.
    Pool,
    /// What one slow answer does to a loop, and to a pool.
    BlockedLoop,
    /// What clients that do not read cost.
    SlowReader,
    /// A back end killed and restarted under load.
    KillBackend,
    /// A request that comes one byte at a time.
    OneByte,
}

/// Who is taught, and how.
#[derive(Debug)]
pub(super) struct Classroom<'c> {
    pub(super) lang: Lang,
    pub(super) quick: bool,
    /// Ask for a guess first, if there is a terminal to ask on.
    pub(super) asks: bool,
    pub(super) out: &'c Path,
    pub(super) stop: &'c Shutdown,
}

/// What is asked before the run.
#[derive(Debug)]
struct Question {
    text: String,
    choices: [String; 3],
}

/// What a run showed.
#[derive(Debug)]
struct Findings {
    table: Table,
    chart: Chart,
    /// The choice that these figures bear out.
    right: usize,
    explanation: Vec<String>,
    /// The files to read next.
    code: &'static [&'static str],
}

type Experiment = fn(&Classroom<'_>) -> Result<Findings, Failure>;

/// Teaches one lesson, and leaves its page and plot in the report's folder.
pub(super) fn teach(lesson: Lesson, room: &Classroom<'_>) -> Result<(), Failure> {
    let (question, run): (Question, Experiment) = match lesson {
        Lesson::Backlog => (backlog::question(room.lang), backlog::run),
        Lesson::Pool => (pool::question(room.lang), pool::run),
        Lesson::BlockedLoop => (blocked_loop::question(room.lang), blocked_loop::run),
        Lesson::SlowReader => (slow_reader::question(room.lang), slow_reader::run),
        Lesson::KillBackend => (kill_backend::question(room.lang), kill_backend::run),
        Lesson::OneByte => (one_byte::question(room.lang), one_byte::run),
    };
    text::print(&format!("{}\n\n", question.text))?;
    let guess = ask(&question, room)?;
    go_on(room)?;
    say(room.lang.pick("Measuring: less than half a minute.", "Mengukur: kurang dari setengah menit."));
    let findings = run(room)?;
    go_on(room)?;
    let text = told(&question, guess, &findings, room.lang);
    let file = write(lesson, &question, &findings, room)
        .map_err(|error| Failure::Runtime(format!("{}: {error}", room.out.display())))?;
    text::print(&format!("{text}\n{}: {}\n", room.lang.pick("Plot", "Grafik"), room.out.join(file).display()))
}

/// An error once Ctrl-C was pressed: what was measured after it means nothing.
fn go_on(room: &Classroom<'_>) -> Result<(), Failure> {
    match room.stop.is_draining() {
        true => Err(Failure::Runtime(room.lang.pick("stopped", "dihentikan").to_owned())),
        false => Ok(()),
    }
}

/// The number of the guessed choice; `None` if nobody is there to guess, or does not want to.
fn ask(question: &Question, room: &Classroom<'_>) -> Result<Option<usize>, Failure> {
    if !room.asks || !io::stdin().is_terminal() {
        return Ok(None);
    }
    for (letter, choice) in ["a", "b", "c"].into_iter().zip(&question.choices) {
        text::print(&format!("  {letter}) {choice}\n"))?;
    }
    text::print(room.lang.pick("Your guess (a, b, c): ", "Tebakan Anda (a, b, c): "))?;
    let line = typed(room.stop);
    text::print("\n")?;
    Ok(["a", "b", "c"].into_iter().position(|letter| line.trim().eq_ignore_ascii_case(letter)))
}

/// What is typed, or nothing if Ctrl-C comes before it: a read from a terminal goes on after a signal,
/// so it is left to a thread that nobody waits for.
fn typed(stop: &Shutdown) -> String {
    let (typist, typed) = mpsc::channel();
    let stopper = typist.clone();
    stop.subscribe(move || _ = stopper.send(String::new()));
    thread::spawn(move || {
        let mut line = String::new();
        // A terminal that cannot be read is one at which nobody guesses.
        let _ = io::stdin().lock().read_line(&mut line);
        typist.send(line)
    });
    // Both senders gone without a word would be no guess either.
    typed.recv().unwrap_or_default()
}

fn told(question: &Question, guess: Option<usize>, findings: &Findings, lang: Lang) -> String {
    let mut text = tables::draw(&findings.table) + "\n";
    let answer = &question.choices[findings.right];
    text += &match guess {
        Some(guess) if guess == findings.right => {
            lang.pick("You guessed it: ", "Tebakan Anda tepat: ").to_owned()
        }
        Some(guess) => {
            let guessed = &question.choices[guess];
            lang.pick(
                format!("You guessed: {guessed}. It was: "),
                format!("Tebakan Anda: {guessed}. Ternyata: "),
            )
        }
        None => lang.pick("It was: ", "Ternyata: ").to_owned(),
    };
    text += &format!("{answer}.\n\n");
    findings.explanation.iter().for_each(|paragraph| text += &format!("{paragraph}\n\n"));
    text + &format!("{}: {}\n", lang.pick("Read", "Bacalah"), findings.code.join(", "))
}

/// Writes the lesson's page and plot; the page's file is returned.
fn write(
    lesson: Lesson,
    question: &Question,
    findings: &Findings,
    room: &Classroom<'_>,
) -> io::Result<String> {
    let name = lesson.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default();
    fs::create_dir_all(room.out)?;
    let plot = Plot { file: format!("lesson-{name}.svg"), chart: findings.chart.clone() };
    fs::write(room.out.join(&plot.file), svg::draw(&plot.chart))?;
    let machine = Machine::this();
    let mut page = Page::new(&findings.table.title, room.lang);
    if machine.debug_build {
        page.paragraph(&report::debug_build(room.lang));
    }
    page.paragraph(&question.text);
    page.blocks.push(Block::Plot(plot));
    page.table(&findings.table);
    findings.explanation.iter().for_each(|paragraph| page.paragraph(paragraph));
    page.paragraph(&format!("{}: {}", room.lang.pick("Read", "Bacalah"), findings.code.join(", ")));
    page.blocks.push(Block::Machine(machine));
    let file = format!("lesson-{name}.html");
    fs::write(room.out.join(&file), html(&page))?;
    Ok(file)
}

impl From<StandError> for Failure {
    fn from(error: StandError) -> Failure {
        Failure::Runtime(error.to_string())
    }
}

/// A stand with these flags for our balancer and for our back ends.
fn stand(
    contender: &Contender,
    backends: usize,
    extra: &[&str],
    backend_extra: &[&str],
) -> Result<Stand, Failure> {
    let owned = |flags: &[&str]| flags.iter().map(|flag| (*flag).to_owned()).collect();
    let options =
        StandOptions { backends, backlog: None, extra: owned(extra), backend_extra: owned(backend_extra) };
    Ok(Stand::start(contender, &options)?)
}

/// A load of `concurrency` clients on `path` for at most `limit`, with the reference answer fetched first.
fn plan(stand: &Stand, path: &str, concurrency: usize, limit: Duration) -> Result<Plan, Failure> {
    let expected = client::fetch(stand.backend_addresses()[0], path).map_err(Failure::Runtime)?;
    Ok(Plan {
        requests: u64::MAX,
        concurrency,
        limit,
        timeout: REQUEST_TIMEOUT,
        ..Plan::new(stand.address(), path, expected)
    })
}

/// Runs a load and looks at TCP's counters before and after.
fn measure(plan: &Plan, stop: &Shutdown) -> Result<(Tally, Kernel), Failure> {
    let before = Kernel::now();
    let tally = client::run(plan, stop).map_err(|error| Failure::Runtime(error.to_string()))?;
    Ok((tally, Kernel::now().since(&before)))
}

/// Answers a second of a load.
fn rate(tally: &Tally) -> f64 {
    tally.answered as f64 / tally.elapsed.as_secs_f64().max(f64::MIN_POSITIVE)
}

/// Microseconds as milliseconds for people.
fn milliseconds(microseconds: u64) -> String {
    format!("{:.1}", microseconds as f64 / 1000.0)
}

/// Texts that are to be owned.
fn texts<const N: usize>(texts: [&str; N]) -> [String; N] {
    texts.map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The code of a lesson: files that exist, and names that are in them.
    #[test]
    fn the_code_to_read_is_there() {
        let lessons = [
            backlog::CODE,
            pool::CODE,
            blocked_loop::CODE,
            slow_reader::CODE,
            kill_backend::CODE,
            one_byte::CODE,
        ];
        for entry in lessons.concat() {
            let (file, name) = entry.split_once(" (").unwrap_or((entry, ")"));
            let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(file))
                .unwrap_or_else(|error| panic!("{file}: {error}"));
            assert!(text.contains(name.trim_end_matches(')')), "{entry}");
        }
    }
}
