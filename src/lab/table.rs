//! A table: rows under a heading, and sentences below them.
//!
//! Contract: a [`Table`] has no form yet; the terminal, the page and the Markdown are made from the same.

use super::lang::Lang;
use super::terminal::between_words;

/// Rows under a heading, and sentences below them.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct Table {
    pub(super) title: String,
    pub(super) header: Vec<String>,
    pub(super) rows: Vec<Vec<String>>,
    /// What to notice in it.
    pub(super) notes: Vec<String>,
}

/// What was not measured.
pub(super) const DASH: &str = "-";

/// A figure of a table.
pub(super) fn number(value: Option<f64>, decimals: usize) -> String {
    value.map_or_else(|| DASH.to_owned(), |value| format!("{value:.decimals$}"))
}

/// Columns of a heading before its next word goes on the next line.
const HEADING_COLUMNS: usize = 11;

impl Table {
    /// True if the first column holds names and not figures.
    pub(super) fn begins_with_names(&self) -> bool {
        self.rows.iter().any(|row| row.first().is_some_and(|cell| cell.parse::<f64>().is_err()))
    }

    /// The table as text, for a terminal or a file.
    pub(super) fn draw(&self, lang: Lang) -> String {
        let mut drawn = comfy_table::Table::new();
        drawn.load_style(comfy_table::presets::UTF8_FULL_CONDENSED);
        drawn.set_header(self.header.iter().map(|heading| folded(heading)));
        drawn.add_rows(self.rows.iter().map(|row| row.iter().map(|cell| lang.figure(cell))));
        for column in drawn.column_iter_mut() {
            column.set_cell_alignment(comfy_table::CellAlignment::Right);
        }
        let notes: String = self.notes.iter().map(|note| format!("  * {note}\n")).collect();
        format!("{}\n{drawn}\n{notes}", self.title)
    }
}

/// A heading on several lines, so that it is not much wider than the figures below it.
fn folded(heading: &str) -> String {
    textwrap::fill(heading, between_words(HEADING_COLUMNS))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headings_are_folded_and_notes_come_below() {
        assert_eq!(folded("ms per request across all"), "ms per\nrequest\nacross all");
        let table = Table {
            rows: vec![vec!["378.12".to_owned()]],
            notes: vec!["a note".to_owned()],
            ..Table::default()
        };
        assert!(table.draw(Lang::En).contains("378.12") && table.draw(Lang::En).ends_with("  * a note\n"));
        assert!(table.draw(Lang::Id).contains("378,12"));
        assert!(!table.begins_with_names());
    }
}
