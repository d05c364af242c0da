//! A page as Markdown, for a repository; its plots are files beside it.

use super::page::{Block, Page};
use crate::lab::lang::Lang;
use crate::lab::machine::Machine;
use crate::lab::table::Table;

/// The page; its plots are in `folder`, a path relative to the page.
pub(super) fn markdown(page: &Page, folder: &str) -> String {
    let blocks = page.blocks.iter().map(|block| match block {
        Block::Heading(text) => format!("## {}", escape(text)),
        Block::Paragraph(text) => escape(text),
        Block::List(items) => list(items),
        Block::Command(text) => format!("```console\n$ {text}\n```"),
        Block::Table(table) => draw_table(table, page.lang),
        Block::Plot(plot) => format!("![{}]({folder}/{})", escape(plot.drawing.title()), plot.file),
        Block::Machine(machine) => machine_table(machine),
    });
    let blocks: String = blocks.map(|block| format!("\n{block}\n")).collect();
    format!("# {}\n{blocks}", escape(&page.title))
}

fn list(items: &[String]) -> String {
    items.iter().map(|item| format!("- {}", escape(item))).collect::<Vec<_>>().join("\n")
}

fn draw_table(table: &Table, lang: Lang) -> String {
    let row = |cells: &[String]| {
        let cells: String = cells.iter().map(|cell| format!(" {} |", escape(cell))).collect();
        format!("|{cells}")
    };
    let first = if table.begins_with_names() { " :--- |" } else { " ---: |" };
    let rule = format!("|{first}{}", " ---: |".repeat(table.header.len().saturating_sub(1)));
    let mut lines = vec![row(&table.header), rule];
    let figures = |cells: &Vec<String>| cells.iter().map(|cell| lang.figure(cell)).collect::<Vec<_>>();
    lines.extend(table.rows.iter().map(|cells| row(&figures(cells))));
    if !table.notes.is_empty() {
        lines.push(String::new());
        lines.push(list(&table.notes));
    }
    lines.join("\n")
}

fn machine_table(machine: &Machine) -> String {
    let rows = machine.rows().into_iter().map(|(name, value)| format!("| {name} | {} |", escape(&value)));
    let lines = ["| | |".to_owned(), "| --- | --- |".to_owned()];
    lines.into_iter().chain(rows).collect::<Vec<_>>().join("\n")
}

/// Text without Markdown but the backquotes around names. Within them only a bar means something, in a table.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    let mut is_name = false;
    for letter in text.chars() {
        is_name ^= letter == '`';
        match letter {
            '|' => escaped.push_str("\\|"),
            _ if is_name => escaped.push(letter),
            '*' | '_' | '<' | '[' | '\\' => escaped.extend(['\\', letter]),
            '\n' => escaped.push(' '),
            _ => escaped.push(letter),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::super::drawing::Plot;
    use super::super::svg::Chart;
    use super::*;

    #[test]
    fn every_block_has_its_form() {
        let mut page = Page::new("a * b", Lang::En);
        page.heading("Tables");
        page.push(Block::Table(Table {
            header: vec!["x".to_owned(), "y".to_owned()],
            rows: vec![vec!["1".to_owned(), "a|b `c_d` e_f".to_owned()]],
            notes: vec!["said\nin two lines".to_owned()],
            ..Table::default()
        }));
        let chart = Chart { title: "t".to_owned(), ..Chart::default() };
        page.push(Block::Plot(Plot { file: "rate-2.svg".to_owned(), drawing: chart.into() }));
        page.push(Block::Command("lab --quick".to_owned()));
        let expected = "# a \\* b\n\n## Tables\n\n| x | y |\n| ---: | ---: |\n| 1 | a\\|b `c_d` e\\_f |\n\n\
            - said in two lines\n\n![t](lab-2026/rate-2.svg)\n\n```console\n$ lab --quick\n```\n";
        assert_eq!(markdown(&page, "lab-2026"), expected);
    }
}
