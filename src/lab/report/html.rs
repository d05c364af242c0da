//! A page that needs nothing but itself: no network, no script, one style.

use super::svg::escape;
use crate::lab::lang::Lang;
use crate::lab::machine::Machine;
use crate::lab::tables::Table;

/// Prints on white paper, fits a phone (wide tables scroll by themselves), follows the dark mode.
const STYLE: &str = "\
:root{color-scheme:light dark;--ink:#1b1b1b;--paper:#fff;--rule:#d0d0d0;--soft:#f4f4f4}\
@media (prefers-color-scheme:dark){:root{--ink:#e8e8e8;--paper:#16181b;--rule:#444;--soft:#22252a}}\
body{font:16px/1.5 system-ui,sans-serif;color:var(--ink);background:var(--paper);max-width:60rem;margin:0 auto;padding:1rem}\
h1,h2{line-height:1.2}h2{margin-top:2.5rem}.wide{overflow-x:auto}svg{width:100%;height:auto;margin:1rem 0}\
table{border-collapse:collapse;font-variant-numeric:tabular-nums;font-size:.9rem}\
th,td{padding:.25rem .6rem;text-align:right;border-bottom:1px solid var(--rule)}thead th{background:var(--soft);vertical-align:bottom}\
.machine th,.machine td{text-align:left}.note{font-size:.9rem}\
@media print{body{max-width:none;font-size:11pt}h2{break-after:avoid}table,svg{break-inside:avoid}.wide{overflow:visible}}";

/// A page that grows from top to bottom.
#[derive(Debug)]
pub(in crate::lab) struct Page {
    html: String,
}

impl Page {
    /// A page with its heading.
    pub(in crate::lab) fn new(title: &str, lang: Lang) -> Page {
        let title = escape(title);
        let html = format!(
            "<!doctype html>\n<html lang=\"{}\">\n<head>\n<meta charset=\"utf-8\">\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
             <link rel=\"icon\" href=\"data:,\">\n\
             <title>{title}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<h1>{title}</h1>\n",
            lang.code()
        );
        Page { html }
    }

    /// A heading within the page.
    pub(in crate::lab) fn heading(&mut self, text: &str) {
        self.html += &format!("<h2>{}</h2>\n", escape(text));
    }

    /// A paragraph.
    pub(in crate::lab) fn paragraph(&mut self, text: &str) {
        self.html += &format!("<p>{}</p>\n", escape(text));
    }

    /// A drawing, as it is.
    pub(in crate::lab) fn svg(&mut self, svg: &str) {
        self.html += svg;
    }

    /// A table and what stands out in it.
    pub(in crate::lab) fn table(&mut self, table: &Table) {
        let cells = |tag: &str, cells: &[String]| -> String {
            cells.iter().map(|cell| format!("<{tag}>{}</{tag}>", escape(cell))).collect()
        };
        self.html += "<div class=\"wide\"><table>\n<thead><tr>";
        self.html += &cells("th", &table.header);
        self.html += "</tr></thead>\n<tbody>\n";
        for row in &table.rows {
            self.html += &format!("<tr>{}</tr>\n", cells("td", row));
        }
        self.html += "</tbody></table></div>\n";
        if !table.notes.is_empty() {
            let notes: String =
                table.notes.iter().map(|note| format!("<li>{}</li>\n", escape(note))).collect();
            self.html += &format!("<ul class=\"note\">\n{notes}</ul>\n");
        }
    }

    /// The machine block.
    pub(in crate::lab) fn machine(&mut self, machine: &Machine) {
        let mut rows = machine.rows();
        let cores = machine.cores.to_string();
        rows.insert(1, ("cores", &cores));
        let rows: String = rows
            .into_iter()
            .map(|(name, value)| format!("<tr><th>{}</th><td>{}</td></tr>\n", escape(name), escape(value)))
            .collect();
        self.html +=
            &format!("<div class=\"wide\"><table class=\"machine\"><tbody>\n{rows}</tbody></table></div>\n");
    }

    /// The whole document.
    pub(in crate::lab) fn finish(mut self) -> String {
        self.html += "</body>\n</html>\n";
        self.html
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_whole_and_text_stays_text() {
        let mut page = Page::new("a <b>", Lang::Id);
        page.paragraph("x & y");
        page.machine(&Machine { cpu: "<script>".to_owned(), ..Machine::default() });
        page.table(&Table {
            header: vec!["h".to_owned()],
            rows: vec![vec!["<1".to_owned()]],
            ..Table::default()
        });
        let html = page.finish();
        assert!(html.starts_with("<!doctype html>\n<html lang=\"id\">") && html.ends_with("</html>\n"));
        assert!(html.contains("a &lt;b&gt;") && html.contains("x &amp; y") && html.contains("&lt;1"));
        assert!(!html.contains("<script") && !html.contains("http://") && !html.contains("https://"));
    }
}
