//! A page that needs nothing but itself: no network, no script, one style.

use super::page::{Block, Page};
use super::svg::{self, escape};
use crate::lab::machine::Machine;
use crate::lab::tables::Table;

/// Prints on white paper, fits a phone (wide tables scroll by themselves), follows the dark mode.
const STYLE: &str = "\
:root{color-scheme:light dark;--ink:#1b1b1b;--paper:#fff;--rule:#d0d0d0;--soft:#f4f4f4}\
@media (prefers-color-scheme:dark){:root{--ink:#e8e8e8;--paper:#16181b;--rule:#444;--soft:#22252a}}\
body{font:16px/1.5 system-ui,sans-serif;color:var(--ink);background:var(--paper);max-width:68rem;margin:0 auto;padding:1rem}\
h1,h2{line-height:1.2}h2{margin-top:2.5rem}.wide{overflow-x:auto}figure{margin:1rem 0}svg{width:100%;height:auto}\
code,pre{font:.9em ui-monospace,monospace}pre{background:var(--soft);padding:.6rem .8rem;white-space:pre-wrap;overflow-wrap:anywhere}\
table{border-collapse:collapse;font-variant-numeric:tabular-nums;font-size:.9rem}\
th,td{padding:.25rem .5rem;text-align:right;border-bottom:1px solid var(--rule)}thead th{background:var(--soft);vertical-align:bottom}\
.name{text-align:left;white-space:nowrap}p,ul{max-width:60rem}\
.machine th,.machine td{text-align:left}.note{font-size:.9rem}\
figure{overflow-x:auto}@media (max-width:40rem){figure svg{width:40rem}}\
@media print{body{max-width:none;font-size:11pt}h2{break-after:avoid}table,figure{break-inside:avoid}svg{max-height:8.5cm}\
.wide{overflow:visible}table{font-size:8pt}th,td{padding:.15rem .35rem}}";

/// The whole document.
pub(in crate::lab) fn html(page: &Page) -> String {
    let title = escape(&page.title);
    let blocks: String = page.blocks.iter().map(block).collect();
    format!(
        "<!doctype html>\n<html lang=\"{}\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <link rel=\"icon\" href=\"data:,\">\n\
         <title>{title}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<h1>{title}</h1>\n{blocks}</body>\n</html>\n",
        page.lang.code()
    )
}

fn block(block: &Block) -> String {
    match block {
        Block::Heading(text) => format!("<h2>{}</h2>\n", text_of(text)),
        Block::Paragraph(text) => format!("<p>{}</p>\n", text_of(text)),
        Block::List(items) => list("", items),
        Block::Command(text) => format!("<pre>$ {}</pre>\n", escape(text)),
        Block::Table(table) => draw_table(table),
        Block::Plot(plot) => format!("<figure>{}</figure>\n", svg::draw(&plot.chart)),
        Block::Machine(machine) => machine_table(machine),
    }
}

fn list(class: &str, items: &[String]) -> String {
    let items: String = items.iter().map(|item| format!("<li>{}</li>\n", text_of(item))).collect();
    format!("<ul{class}>\n{items}</ul>\n")
}

fn draw_table(table: &Table) -> String {
    let begins_with_names = table.begins_with_names();
    let cells = |tag: &str, cells: &[String]| -> String {
        let cells = cells.iter().enumerate().map(|(place, cell)| {
            let class = if place == 0 && begins_with_names { " class=\"name\"" } else { "" };
            format!("<{tag}{class}>{}</{tag}>", escape(cell))
        });
        cells.collect()
    };
    let rows: String = table.rows.iter().map(|row| format!("<tr>{}</tr>\n", cells("td", row))).collect();
    let header = cells("th", &table.header);
    let notes = if table.notes.is_empty() { String::new() } else { list(" class=\"note\"", &table.notes) };
    format!(
        "<div class=\"wide\"><table>\n<thead><tr>{header}</tr></thead>\n<tbody>\n{rows}</tbody></table></div>\n{notes}"
    )
}

fn machine_table(machine: &Machine) -> String {
    let row = |(name, value): (&str, String)| {
        format!("<tr><th>{}</th><td>{}</td></tr>\n", escape(name), escape(&value))
    };
    let rows: String = machine.rows().into_iter().map(row).collect();
    format!("<div class=\"wide\"><table class=\"machine\"><tbody>\n{rows}</tbody></table></div>\n")
}

/// Text in which backquotes are around names.
fn text_of(text: &str) -> String {
    let pieces = escape(text);
    let pieces = pieces.split('`').enumerate();
    let tagged = pieces.map(|(place, piece)| match place % 2 {
        0 => piece.to_owned(),
        _ => format!("<code>{piece}</code>"),
    });
    tagged.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lab::lang::Lang;

    #[test]
    fn a_page_is_whole_and_text_stays_text() {
        let mut page = Page::new("a <b>", Lang::Id);
        page.paragraph("x & y");
        page.blocks.push(Block::List(vec!["`lab` is a name".to_owned()]));
        page.blocks.push(Block::Machine(Machine { cpu: "<script>".to_owned(), ..Machine::default() }));
        page.table(&Table {
            header: vec!["h".to_owned()],
            rows: vec![vec!["<1".to_owned()]],
            ..Table::default()
        });
        let html = html(&page);
        assert!(html.starts_with("<!doctype html>\n<html lang=\"id\">") && html.ends_with("</html>\n"));
        assert!(html.contains("a &lt;b&gt;") && html.contains("x &amp; y") && html.contains("&lt;1"));
        assert!(html.contains("<li><code>lab</code> is a name</li>"));
        assert!(!html.contains("<script") && !html.contains("http://") && !html.contains("https://"));
    }
}
