//! A page that needs nothing but itself: no network, no script, one style.

use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::page::{Block, Page};
use crate::lab::lang::Lang;
use crate::lab::table::Table;

/// The whole document.
pub(in crate::lab) fn document(page: &Page) -> String {
    let document = html! {
        (DOCTYPE)
        html lang=(page.lang.code()) {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                // Without it a browser asks the server for /favicon.ico.
                link rel="icon" href="data:,";
                title { (page.title) }
                style { (PreEscaped(include_str!("page.css"))) }
            }
            body {
                h1 { (page.title) }
                @for block in &page.blocks { (draw(block, page.lang)) "\n" }
            }
        }
    };
    document.into_string()
}

fn draw(block: &Block, lang: Lang) -> Markup {
    html! {
        @match block {
            Block::Heading(text) => h2 { (marked(text)) },
            Block::Paragraph(text) => p { (marked(text)) },
            Block::List(items) => ul { (list_items(items)) },
            Block::Command(text) => pre { "$ " (text) },
            Block::Table(table) => (draw_table(table, lang)),
            Block::Plot(plot) => figure tabindex="0" { (plot.drawing.svg()) },
            Block::Machine(machine) => div.wide tabindex="0" {
                table.machine {
                    tbody {
                        @for (name, value) in machine.rows() { tr { th { (name) } td { (value) } } }
                    }
                }
            },
        }
    }
}

fn list_items(items: &[String]) -> Markup {
    html! { @for item in items { li { (marked(item)) } } }
}

fn draw_table(table: &Table, lang: Lang) -> Markup {
    let class = |column: usize| (column == 0 && table.begins_with_names()).then_some("name");
    html! {
        // What scrolls must be reached by keys too, on every browser.
        div.wide tabindex="0" {
            table {
                thead {
                    tr { @for (column, cell) in table.header.iter().enumerate() { th class=[class(column)] { (cell) } } }
                }
                tbody {
                    @for row in &table.rows {
                        tr { @for (column, cell) in row.iter().enumerate() { td class=[class(column)] { (lang.figure(cell)) } } }
                    }
                }
            }
        }
        @if !table.notes.is_empty() { ul.note { (list_items(&table.notes)) } }
    }
}

/// Text in which backquotes are around names.
fn marked(text: &str) -> Markup {
    html! {
        @for (number, piece) in text.split('`').enumerate() {
            @if number % 2 == 0 { (piece) } @else { code { (piece) } }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lab::machine::Machine;

    #[test]
    fn a_page_is_whole_and_text_stays_text() {
        let mut page = Page::new("a <b>", Lang::Id);
        page.paragraph("x & y");
        page.push(Block::List(vec!["`lab` is a name".to_owned()]));
        page.push(Block::Machine(Machine { cpu: "<script>".to_owned(), ..Machine::default() }));
        page.push(Block::Table(Table {
            header: vec!["h".to_owned()],
            rows: vec![vec!["<1".to_owned()]],
            ..Table::default()
        }));
        let html = document(&page);
        assert!(html.starts_with("<!DOCTYPE html><html lang=\"id\">") && html.ends_with("</html>"));
        assert!(html.contains("a &lt;b&gt;") && html.contains("x &amp; y") && html.contains("&lt;1"));
        assert!(html.contains("<li><code>lab</code> is a name</li>"));
        assert!(!html.contains("<script") && !html.contains("http://") && !html.contains("https://"));
    }
}
