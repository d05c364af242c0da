//! The lessons: one cause each. A guess, a few small loads, one plot, and the code to read.
//!
//! Contract: a lesson explains with the figures of the run just made; where they do not show what they
//! usually show, it says so instead. A lesson takes no longer than it says before it begins: half a minute at most.

mod backlog;
mod blocked_loop;
mod classroom;
mod kill_backend;
mod one_byte;
mod pool;
mod serial;
mod slow_reader;
mod timeline;

use std::io::{self, BufRead, IsTerminal};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use clap::ValueEnum;

use super::kernel::Kernel;
use super::lang::{Lang, text};
use super::machine::Machine;
use super::report;
use super::report::drawing::Plot;
use super::report::page::{Block, Page};
use super::terminal::{self, failed_at, say};
use crate::app::cli::Failure;
use crate::net::shutdown::Shutdown;
pub(super) use classroom::Classroom;
use classroom::{Findings, Question, Teaching};

/// What can be learnt.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(super) enum Lesson {
    /// Why a small backlog looks like a slow server.
    Backlog,
    /// Why a load tool that waits in each connect measures itself.
    Serial,
    /// What idle clients do to a pool of threads.
    Pool,
    /// What one slow response does to a loop, and to a pool.
    BlockedLoop,
    /// What clients that do not read cost.
    SlowReader,
    /// A back end killed and restarted under load.
    KillBackend,
    /// A request that comes one byte at a time.
    OneByte,
    /// Ten requests, one of them slow, through both balancers: who had which of them, and when.
    Timeline,
}

impl Lesson {
    fn teaching(self) -> Teaching {
        match self {
            Lesson::Backlog => backlog::TEACHING,
            Lesson::Serial => serial::TEACHING,
            Lesson::Pool => pool::TEACHING,
            Lesson::BlockedLoop => blocked_loop::TEACHING,
            Lesson::SlowReader => slow_reader::TEACHING,
            Lesson::KillBackend => kill_backend::TEACHING,
            Lesson::OneByte => one_byte::TEACHING,
            Lesson::Timeline => timeline::TEACHING,
        }
    }

    /// True if its figures are counters that only Linux has.
    fn needs_the_counters_of_linux(self) -> bool {
        matches!(self, Lesson::Backlog | Lesson::SlowReader)
    }
}

/// Teaches one lesson, and leaves its page and plot in the report's folder.
pub(super) fn teach(lesson: Lesson, room: &Classroom<'_>) -> Result<(), Failure> {
    if lesson.needs_the_counters_of_linux() && Kernel::now().is_none() {
        return Err(Failure::Runtime(text!(room.lang, "error-lesson-linux", name = name_of(lesson))));
    }
    let Teaching { question, longest, run, code } = lesson.teaching();
    let question = question(room.lang);
    terminal::print(&format!("{}\n\n", question.text))?;
    let guess = ask(&question, room)?;
    check_stop(room)?;
    let seconds = (longest(room.quick) + STARTS_MAX).as_secs();
    say(&text!(room.lang, "measuring", seconds));
    let findings = run(room)?;
    check_stop(room)?;
    let read_next = format!("{}: {}", text!(room.lang, "read"), code.join(", "));
    let result = result(&question, guess, &findings, room.lang);
    let file = write(lesson, &question, &findings, &read_next, room).map_err(failed_at(room.out))?;
    let plot = text!(room.lang, "plot");
    terminal::print(&format!("{result}{read_next}\n\n{plot}: {}\n", room.out.join(file).display()))
}

/// An error once Ctrl-C was pressed: what was measured after it means nothing.
fn check_stop(room: &Classroom<'_>) -> Result<(), Failure> {
    match room.stop.is_draining() {
        true => Err(Failure::Runtime(text!(room.lang, "stopped"))),
        false => Ok(()),
    }
}

const LETTERS: [&str; 3] = ["a", "b", "c"];

/// What the starts and ends of a lesson's programs take together, at most on a machine that is not busy.
const STARTS_MAX: Duration = Duration::from_secs(5);

/// The number of the guessed choice; `None` without a terminal, or without a guess.
fn ask(question: &Question, room: &Classroom<'_>) -> Result<Option<usize>, Failure> {
    if !room.asks || !io::stdin().is_terminal() {
        return Ok(None);
    }
    for (letter, choice) in LETTERS.into_iter().zip(&question.choices) {
        terminal::print(&format!("  {letter}) {choice}\n"))?;
    }
    guess(|| typed(room.stop), room.lang)
}

/// Asks until one of the choices is typed; `None` if nothing more can be typed.
fn guess(mut typed: impl FnMut() -> String, lang: Lang) -> Result<Option<usize>, Failure> {
    loop {
        terminal::print(&format!("{}: ", text!(lang, "your-guess")))?;
        let line = typed();
        if line.is_empty() {
            terminal::print("\n")?;
            return Ok(None);
        }
        let guess = line.trim();
        if let Some(number) = LETTERS.into_iter().position(|letter| guess.eq_ignore_ascii_case(letter)) {
            terminal::print("\n")?;
            return Ok(Some(number));
        }
        terminal::print(&format!("{}\n", text!(lang, "guess-again", guess = format!("\"{guess}\""))))?;
    }
}

/// The line that is typed; empty at the end of input, or if Ctrl-C comes first. A read from a terminal continues
/// after a signal, so a thread does it and nobody waits for that thread.
fn typed(stop: &Shutdown) -> String {
    let (typist, typed) = mpsc::channel();
    let stopper = typist.clone();
    stop.subscribe(move || _ = stopper.send(String::new()));
    thread::spawn(move || {
        let mut line = String::new();
        // If the terminal cannot be read, there is no guess.
        let _ = io::stdin().lock().read_line(&mut line);
        typist.send(line)
    });
    typed.recv().unwrap_or_default()
}

/// The table, whether the guess was right, and the explanation.
fn result(question: &Question, guess: Option<usize>, findings: &Findings, lang: Lang) -> String {
    let right = &question.choices[findings.right];
    let verdict = match guess {
        None => text!(lang, "it-was", right),
        Some(guess) if guess == findings.right => text!(lang, "guessed-right", right),
        Some(guess) => text!(lang, "guessed-wrong", guess = &question.choices[guess], right),
    };
    let explanation: String = findings.explanation.iter().map(|text| format!("{text}\n\n")).collect();
    format!("{}\n{verdict}\n\n{explanation}", findings.table.draw(lang))
}

/// The name by which the command line knows it.
fn name_of(lesson: Lesson) -> String {
    lesson.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
}

/// Writes the lesson's page and plot; the page's file name is returned.
fn write(
    lesson: Lesson,
    question: &Question,
    findings: &Findings,
    read_next: &str,
    room: &Classroom<'_>,
) -> io::Result<String> {
    let name = name_of(lesson);
    let title = &findings.table.title;
    let machine = Machine::this();
    let mut page = Page::new(title, room.lang);
    page.mark_debug_build(&machine);
    page.paragraph(&question.text);
    let drawing = findings.drawing.clone().titled(title.clone());
    page.push(Block::Plot(Plot { file: format!("lesson-{name}.svg"), drawing }));
    page.push(Block::Table(findings.table.clone()));
    findings.explanation.iter().for_each(|paragraph| page.paragraph(paragraph));
    page.paragraph(read_next);
    page.push(Block::Machine(machine));
    let file = format!("lesson-{name}.html");
    report::write_page(&room.out.join(&file), &page)?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::*;

    /// The code to read after a lesson: files that exist, and names that are in them.
    #[test]
    fn the_code_to_read_is_there() {
        for entry in Lesson::value_variants().iter().flat_map(|lesson| lesson.teaching().code) {
            let (file, name) = entry.split_once(" (").unwrap_or((entry, ")"));
            let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(file))
                .unwrap_or_else(|error| panic!("{file}: {error}"));
            assert!(text.contains(name.trim_end_matches(')')), "{entry}");
        }
    }

    #[test]
    fn a_guess_that_is_no_choice_is_asked_again() {
        let guess_of = |lines: &[&str]| {
            let mut lines = lines.iter().map(|line| format!("{line}\n"));
            guess(|| lines.next().unwrap_or_default(), Lang::Id).unwrap()
        };
        assert_eq!(guess_of(&["d", "", "2", " B "]), Some(1));
        assert_eq!(guess_of(&["x"]), None, "the end of input");
    }

    #[test]
    fn no_lesson_takes_longer_than_half_a_minute() {
        for lesson in Lesson::value_variants() {
            for quick in [false, true] {
                let longest = (lesson.teaching().longest)(quick) + STARTS_MAX;
                assert!(longest <= Duration::from_secs(30), "{lesson:?}: {longest:?}");
            }
        }
    }

    #[test]
    fn every_question_has_three_choices_in_both_languages() {
        for lesson in Lesson::value_variants() {
            for lang in [Lang::En, Lang::Id] {
                assert_eq!((lesson.teaching().question)(lang).choices.len(), 3, "{lesson:?}");
            }
        }
    }
}
