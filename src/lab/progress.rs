//! How far the lab is: a bar on a terminal, a line a cell elsewhere, on standard error either way, so
//! that standard output holds the results alone.

use std::io::{self, IsTerminal, Write};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use super::lang::Lang;

/// How often the bar's time left is drawn anew while a run is under way.
const REDRAW: Duration = Duration::from_millis(500);

/// Progress through so many cells.
#[derive(Debug)]
pub(super) struct Progress {
    bar: Option<ProgressBar>,
    total: usize,
    done: usize,
}

impl Progress {
    /// Nothing done yet of `total`.
    pub(super) fn new(total: usize, lang: Lang) -> Progress {
        let bar = io::stderr().is_terminal().then(|| {
            let bar = ProgressBar::new(total as u64);
            let left = lang.pick("left", "lagi");
            let template = format!("{{wide_bar}} {{pos}} / {{len}}  {{msg}}  {{eta}} {left}");
            // The template is as good as a constant; one that is not understood would leave the default.
            if let Ok(style) = ProgressStyle::with_template(&template) {
                bar.set_style(style);
            }
            bar.enable_steady_tick(REDRAW);
            bar
        });
        Progress { bar, total, done: 0 }
    }

    /// The next cell begins.
    pub(super) fn begin(&mut self, what: &str) {
        self.done += 1;
        match &self.bar {
            Some(bar) => bar.set_message(what.to_owned()),
            None => self.note(&format!("{} / {}  {what}", self.done, self.total)),
        }
    }

    /// A cell is over.
    pub(super) fn end(&mut self) {
        if let Some(bar) = &self.bar {
            bar.inc(1);
        }
    }

    /// A line that stays, above the bar.
    pub(super) fn note(&self, line: &str) {
        match &self.bar {
            Some(bar) => bar.println(line),
            None => say(line),
        }
    }

    /// Takes the bar away.
    pub(super) fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

/// A line on standard error. Nobody there to read it is no reason to stop measuring.
pub(super) fn say(line: &str) {
    let _ = writeln!(io::stderr(), "{line}");
}
