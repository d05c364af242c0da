//! What a report says, block by block, without a form: the page and the Markdown are made from the same.

use super::plots::Plot;
use crate::lab::lang::Lang;
use crate::lab::machine::Machine;
use crate::lab::tables::Table;

/// One thing after the other.
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
    /// A table and what stands out in it.
    Table(Table),
    /// A drawing.
    Plot(Plot),
    /// The machine block.
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
    pub(in crate::lab) fn new(title: &str, lang: Lang) -> Page {
        Page { title: title.to_owned(), lang, blocks: Vec::new() }
    }

    /// Adds a heading.
    pub(in crate::lab) fn heading(&mut self, text: &str) {
        self.blocks.push(Block::Heading(text.to_owned()));
    }

    /// Adds a paragraph.
    pub(in crate::lab) fn paragraph(&mut self, text: &str) {
        self.blocks.push(Block::Paragraph(text.to_owned()));
    }

    /// Adds a table.
    pub(in crate::lab) fn table(&mut self, table: &Table) {
        self.blocks.push(Block::Table(table.clone()));
    }

    /// The drawings in it.
    pub(in crate::lab) fn plots(&self) -> impl Iterator<Item = &Plot> {
        self.blocks.iter().filter_map(|block| match block {
            Block::Plot(plot) => Some(plot),
            _ => None,
        })
    }
}
