//! What a report says, block by block, without a form: HTML and Markdown are made from the same page.

use super::drawing::Plot;
use crate::lab::lang::{Lang, text};
use crate::lab::machine::Machine;
use crate::lab::table::Table;

/// One part of a page.
#[derive(Debug)]
pub(in crate::lab) enum Block {
    /// A heading within the page.
    Heading(String),
    /// A paragraph.
    Paragraph(String),
    /// Sentences that do not depend on each other.
    List(Vec<String>),
    /// A command as it is typed.
    Command(String),
    /// A table and its notes.
    Table(Table),
    /// A drawing.
    Plot(Plot),
    /// The machine that was measured.
    Machine(Machine),
}

/// A whole page.
#[derive(Debug)]
pub(in crate::lab) struct Page {
    pub(in crate::lab) title: String,
    pub(in crate::lab) lang: Lang,
    pub(in crate::lab) blocks: Vec<Block>,
}

impl Page {
    /// A page with its title and nothing else.
    pub(in crate::lab) fn new(title: impl Into<String>, lang: Lang) -> Page {
        Page { title: title.into(), lang, blocks: Vec::new() }
    }

    /// Adds a block.
    pub(in crate::lab) fn push(&mut self, block: Block) {
        self.blocks.push(block);
    }

    /// Says of figures of a debug build that they mean nothing.
    pub(in crate::lab) fn mark_debug_build(&mut self, machine: &Machine) {
        if machine.debug_build {
            self.paragraph(text!(self.lang, "debug-build"));
        }
    }

    /// Adds a heading.
    pub(in crate::lab) fn heading(&mut self, text: impl Into<String>) {
        self.push(Block::Heading(text.into()));
    }

    /// Adds a paragraph.
    pub(in crate::lab) fn paragraph(&mut self, text: impl Into<String>) {
        self.push(Block::Paragraph(text.into()));
    }

    /// Adds a table under a heading of its title.
    pub(in crate::lab) fn titled_table(&mut self, table: Table) {
        self.heading(&table.title);
        self.push(Block::Table(table));
    }

    /// The page for a terminal: without its title, drawings and machine.
    pub(in crate::lab) fn text(&self) -> String {
        let blocks = self.blocks.iter().filter_map(|block| match block {
            Block::Heading(text) | Block::Paragraph(text) => Some(format!("{text}\n")),
            Block::List(items) => Some(items.iter().map(|item| format!("  * {item}\n")).collect()),
            Block::Command(text) => Some(format!("$ {text}\n")),
            // Its title is the heading before it.
            Block::Table(table) => {
                Some(Table { title: String::new(), ..table.clone() }.draw(self.lang).trim_start().to_owned())
            }
            Block::Plot(_) | Block::Machine(_) => None,
        });
        blocks.collect::<Vec<_>>().join("\n")
    }

    /// The drawings in it.
    pub(in crate::lab) fn plots(&self) -> impl Iterator<Item = &Plot> {
        self.blocks.iter().filter_map(|block| match block {
            Block::Plot(plot) => Some(plot),
            _ => None,
        })
    }
}
