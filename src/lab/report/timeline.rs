//! Timelines as SVG: what each thread did and when, in rows one below the other, on one axis of time.
//!
//! Contract: as of a chart (`svg`): complete by itself, with the reader's light or dark colours.

use maud::{Markup, PreEscaped, html};

/// Width of the drawing, in its own units: it is scaled to the page.
const WIDTH: f64 = 720.0;
/// For the names of the rows.
const LEFT: f64 = 104.0;
/// For a mark behind a bar that goes on to the end.
const RIGHT: f64 = 64.0;
/// For the title.
const TOP: f64 = 34.0;
/// Height of a panel's title.
const PANEL_TITLE: f64 = 30.0;
/// Height of a row of one line, and of each line where a row has many.
const ROW: f64 = 18.0;
const THIN: f64 = 5.0;
/// Between two rows.
const GAP: f64 = 4.0;
/// Height of the axis with its labels, and of the legend.
const AXIS: f64 = 46.0;
const LEGEND: f64 = 26.0;
/// Width of an entry of the legend: its box with the space around it, and each letter of its name, at most.
const LEGEND_SPACE: f64 = 48.0;
const LEGEND_LETTER: f64 = 7.5;
/// Least width of a bar: what takes microseconds must be seen beside what takes half a second.
const BAR_MIN: f64 = 1.5;
/// A mark is written into a bar of this width, and behind a shorter one.
const MARK_WIDTH: f64 = 90.0;
/// Times below the axis, at most.
const TICKS_MAX: f64 = 9.0;

/// Rows of bars over one axis of time.
#[derive(Clone, Debug, Default)]
pub(in crate::lab) struct Timeline {
    pub(in crate::lab) title: String,
    pub(in crate::lab) x_label: String,
    /// Where the axis ends.
    pub(in crate::lab) until_ms: f64,
    /// What is written at the marked bars.
    pub(in crate::lab) mark: String,
    pub(in crate::lab) panels: Vec<Panel>,
    /// The kinds of bar, each with its name.
    pub(in crate::lab) legend: Vec<(Kind, String)>,
}

/// Rows that belong together.
#[derive(Clone, Debug, Default)]
pub(in crate::lab) struct Panel {
    pub(in crate::lab) title: String,
    pub(in crate::lab) rows: Vec<Row>,
}

/// One thread, or the requests that wait together.
#[derive(Clone, Debug, Default)]
pub(in crate::lab) struct Row {
    pub(in crate::lab) name: String,
    /// One for a thread; thin ones where many wait at the same time.
    pub(in crate::lab) lines: usize,
    pub(in crate::lab) bars: Vec<Bar>,
}

/// A stretch of time.
#[derive(Clone, Debug)]
pub(in crate::lab) struct Bar {
    pub(in crate::lab) from_ms: f64,
    pub(in crate::lab) until_ms: f64,
    pub(in crate::lab) kind: Kind,
    /// The line of its row.
    pub(in crate::lab) line: usize,
    pub(in crate::lab) is_marked: bool,
}

/// The kinds of bar; each has its colour in `timeline.css`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(in crate::lab) enum Kind {
    Read,
    Connect,
    Wait,
    Write,
    /// No thread has it.
    Held,
}

impl Kind {
    /// The kind of a phase of this name; `None` if such a phase is not drawn.
    pub(in crate::lab) fn of_phase(phase: &str) -> Option<Kind> {
        [Kind::Read, Kind::Connect, Kind::Wait, Kind::Write].into_iter().find(|kind| kind.class() == phase)
    }

    fn class(self) -> &'static str {
        match self {
            Kind::Read => "read",
            Kind::Connect => "connect",
            Kind::Wait => "wait",
            Kind::Write => "write",
            Kind::Held => "held",
        }
    }
}

impl Panel {
    fn height(&self) -> f64 {
        PANEL_TITLE + self.rows.iter().map(|row| row.height() + GAP).sum::<f64>()
    }
}

impl Row {
    fn line_height(&self) -> f64 {
        if self.lines > 1 { THIN } else { ROW }
    }

    fn height(&self) -> f64 {
        self.line_height() * self.lines.max(1) as f64
    }
}

/// The timeline's SVG element. Every element has an end tag, so that it is also valid XML in a file.
pub(in crate::lab) fn draw(timeline: &Timeline) -> Markup {
    let base = TOP + timeline.panels.iter().map(Panel::height).sum::<f64>();
    let tops = timeline.panels.iter().scan(TOP, |top, panel| {
        let own = *top;
        *top += panel.height();
        Some((own, panel))
    });
    html! {
        svg.chart xmlns="http://www.w3.org/2000/svg" viewBox={ "0 0 " (WIDTH) " " (base + AXIS + LEGEND) } role="img"
            aria-label=(timeline.title) {
            style { (PreEscaped(concat!(include_str!("chart.css"), include_str!("timeline.css")))) }
            text x=(WIDTH / 2.0) y="20" text-anchor="middle" font-weight="600" { (timeline.title) }
            (draw_axis(timeline, base))
            @for (top, panel) in tops { (draw_panel(timeline, panel, top)) }
            (draw_legend(timeline, base + AXIS))
        }
    }
}

fn x_of(timeline: &Timeline, ms: f64) -> f64 {
    LEFT + (WIDTH - LEFT - RIGHT) * ms / timeline.until_ms.max(f64::MIN_POSITIVE)
}

fn draw_axis(timeline: &Timeline, base: f64) -> Markup {
    let step = tick_step(timeline.until_ms);
    let ticks = (0..).map(|tick| f64::from(tick) * step).take_while(|ms| *ms <= timeline.until_ms);
    html! {
        @for ms in ticks {
            @let x = px(x_of(timeline, ms));
            line.grid x1=(x) y1=(TOP) x2=(x) y2=(base) {}
            text x=(x) y=(base + 18.0) text-anchor="middle" { (ms) }
        }
        line.axis x1=(LEFT) y1=(base) x2=(WIDTH - RIGHT) y2=(base) {}
        text x=((LEFT + WIDTH - RIGHT) / 2.0) y=(base + 36.0) text-anchor="middle" { (timeline.x_label) }
    }
}

/// 1, 2 or 5 times a power of ten.
fn tick_step(until_ms: f64) -> f64 {
    let least = (until_ms / TICKS_MAX).max(f64::MIN_POSITIVE);
    let power = 10_f64.powf(least.log10().floor());
    let steps = [1.0, 2.0, 5.0, 10.0].map(|step| step * power);
    // Rounding may leave the last one a little too small.
    steps.into_iter().find(|step| *step >= least).unwrap_or(10.0 * power)
}

fn draw_panel(timeline: &Timeline, panel: &Panel, top: f64) -> Markup {
    let tops = panel.rows.iter().scan(top + PANEL_TITLE, |top, row| {
        let own = *top;
        *top += row.height() + GAP;
        Some((own, row))
    });
    html! {
        text x="8" y=(top + 21.0) font-weight="600" { (panel.title) }
        @for (top, row) in tops {
            g.row {
                text x=(LEFT - 8.0) y=(top + row.height() / 2.0 + 4.5) text-anchor="end" { (row.name) }
                @for bar in longest_first(&row.bars) { (draw_bar(timeline, row, bar, top)) }
            }
        }
    }
}

/// What is drawn later covers what is below it: so the short ones are seen.
fn longest_first(bars: &[Bar]) -> Vec<&Bar> {
    let mut bars: Vec<&Bar> = bars.iter().collect();
    bars.sort_by(|one, other| (other.until_ms - other.from_ms).total_cmp(&(one.until_ms - one.from_ms)));
    bars
}

fn draw_bar(timeline: &Timeline, row: &Row, bar: &Bar, top: f64) -> Markup {
    let (x, end) = (x_of(timeline, bar.from_ms), x_of(timeline, bar.until_ms));
    let width = (end - x).max(BAR_MIN);
    let height = row.line_height();
    let y = top + height * bar.line as f64;
    // Thin lines keep a distance from each other.
    let drawn_height = if row.lines > 1 { height - 1.5 } else { height };
    let is_named = bar.is_marked && width >= MARK_WIDTH;
    html! {
        rect.(bar.kind.class()).marked[bar.is_marked] x=(px(x)) y=(px(y)) width=(px(width)) height=(px(drawn_height)) {}
        @if is_named && row.lines > 1 {
            text x=(px(end + 5.0)) y=(px(y + height / 2.0 + 4.0)) { (timeline.mark) }
        } @else if is_named {
            text.inside x=(px(x + 8.0)) y=(px(y + height / 2.0 + 4.5)) { (timeline.mark) }
        }
    }
}

fn draw_legend(timeline: &Timeline, top: f64) -> Markup {
    let entries = timeline.legend.iter().scan(8.0, |x, (kind, name)| {
        let own = *x;
        *x += LEGEND_SPACE + LEGEND_LETTER * name.chars().count() as f64;
        Some((own, kind, name))
    });
    html! {
        @for (x, kind, name) in entries {
            rect.(kind.class()) x=(px(x)) y=(top) width="16" height="12" {}
            text x=(px(x + 22.0)) y=(top + 10.5) { (name) }
        }
    }
}

/// A coordinate; more decimals would not be seen.
fn px(coordinate: f64) -> String {
    format!("{coordinate:.1}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bar(from_ms: f64, until_ms: f64, is_marked: bool) -> Bar {
        Bar { from_ms, until_ms, kind: Kind::Wait, line: 0, is_marked }
    }

    #[test]
    fn a_row_is_named_and_a_short_bar_is_seen() {
        let bars = vec![bar(0.0, 0.001, false), bar(100.0, 400.0, true)];
        let row = |name: &str, lines: usize| Row { name: name.to_owned(), lines, bars: bars.clone() };
        let timeline = Timeline {
            title: "a < b".to_owned(),
            until_ms: 400.0,
            mark: "slow".to_owned(),
            panels: vec![Panel {
                title: "pool".to_owned(),
                rows: vec![row("worker-00", 1), row("held", 10)],
            }],
            legend: vec![(Kind::Wait, "waits".to_owned())],
            ..Timeline::default()
        };
        let svg = draw(&timeline).into_string();
        assert!(svg.contains("a &lt; b") && svg.contains(">worker-00</text>"), "{svg}");
        assert_eq!(svg.matches("<rect").count(), 4 + 1, "two bars a row, and the legend");
        assert_eq!(svg.matches("width=\"1.5\"").count(), 2, "{svg}");
        assert_eq!(svg.matches("class=\"wait marked\"").count(), 2, "{svg}");
        assert_eq!(svg.matches(">slow</text>").count(), 2, "{svg}");
        assert!(svg.starts_with("<svg") && svg.ends_with("</svg>") && !svg.contains("/>"));
    }

    #[test]
    fn times_below_the_axis_are_round() {
        for (until_ms, step) in [(402.0, 50.0), (90.0, 10.0), (1300.0, 200.0), (7.5, 1.0)] {
            assert!((tick_step(until_ms) - step).abs() < 1e-9, "{until_ms}: {}", tick_step(until_ms));
        }
        assert!(draw(&Timeline::default()).into_string().contains(">0</text>"));
    }

    #[test]
    fn phases_without_a_connection_are_not_drawn() {
        assert_eq!(Kind::of_phase("wait"), Some(Kind::Wait));
        assert_eq!([Kind::of_phase("accept"), Kind::of_phase("held")], [None; 2]);
    }
}
