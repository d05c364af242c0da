//! What a page shows as a drawing: a chart, or a timeline.

use maud::Markup;

use super::svg::{self, Chart};
use super::timeline::{self, Timeline};

/// A drawing and the name of its file.
#[derive(Debug)]
pub(in crate::lab) struct Plot {
    pub(in crate::lab) file: String,
    pub(in crate::lab) drawing: Drawing,
}

/// One of the kinds of drawing.
#[derive(Clone, Debug)]
pub(in crate::lab) enum Drawing {
    Chart(Chart),
    Timeline(Timeline),
}

impl Drawing {
    /// What it shows, in a few words.
    pub(super) fn title(&self) -> &str {
        match self {
            Drawing::Chart(chart) => &chart.title,
            Drawing::Timeline(timeline) => &timeline.title,
        }
    }

    /// The same under another title.
    pub(in crate::lab) fn titled(self, title: String) -> Drawing {
        match self {
            Drawing::Chart(chart) => Drawing::Chart(Chart { title, ..chart }),
            Drawing::Timeline(timeline) => Drawing::Timeline(Timeline { title, ..timeline }),
        }
    }

    /// Its SVG element.
    pub(super) fn svg(&self) -> Markup {
        match self {
            Drawing::Chart(chart) => svg::draw(chart),
            Drawing::Timeline(timeline) => timeline::draw(timeline),
        }
    }
}

impl From<Chart> for Drawing {
    fn from(chart: Chart) -> Drawing {
        Drawing::Chart(chart)
    }
}
