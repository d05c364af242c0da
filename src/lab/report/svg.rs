//! Line charts as SVG: one kind of chart, in one file.
//!
//! Contract: a chart is complete by itself (in an `<img>` or a document) and takes its colours from the
//! reader's light or dark mode. That is why no plotting crate is used: they write fixed colours and
//! pixel fonts into every element, and a page in dark mode then shows white boxes.

use maud::{Markup, PreEscaped, html};

/// Size of the drawing without its legend, in its own units: it is scaled to the page.
const WIDTH: f64 = 720.0;
const HEIGHT: f64 = 360.0;
const LEFT: f64 = 70.0;
const RIGHT: f64 = 70.0;
const TOP: f64 = 40.0;
const BOTTOM: f64 = 50.0;
/// Height of one line of the legend, which is below the drawing.
const LEGEND_LINE: f64 = 20.0;
/// Entries of the legend in one line; fewer if a name is longer than fits there.
const LEGEND_COLUMNS: usize = 3;
const LEGEND_NAME_MAX: usize = 24;
/// Colours defined in `chart.css`; the eleventh line has the first colour again.
const COLOURS: usize = 10;
/// Half the width of a marker.
const MARKER: f64 = 3.5;
/// Labels under the x axis; if there are more, only every second, third and so on is written.
const LABELS_MAX: usize = 16;

/// A chart over labels on the x axis.
#[derive(Clone, Debug, Default)]
pub(in crate::lab) struct Chart {
    pub(in crate::lab) title: String,
    pub(in crate::lab) x_label: String,
    pub(in crate::lab) y_label: String,
    pub(in crate::lab) x: Vec<String>,
    pub(in crate::lab) series: Vec<Series>,
    /// Drawn behind the lines against an axis of its own, on the right.
    pub(in crate::lab) bars: Option<Series>,
    /// Moments on the x axis, by the number of their label, each with its name.
    pub(in crate::lab) marks: Vec<(usize, String)>,
    /// For values such as 4 and 4000 on one chart.
    pub(in crate::lab) is_logarithmic: bool,
}

/// A line, or bars; `None` where there is no value.
#[derive(Clone, Debug, Default)]
pub(in crate::lab) struct Series {
    pub(in crate::lab) name: String,
    pub(in crate::lab) values: Vec<Option<f64>>,
    pub(in crate::lab) is_dashed: bool,
    /// The line whose colour and marker it has; its own if `None`.
    pub(in crate::lab) like: Option<usize>,
}

impl Series {
    /// A solid line.
    pub(in crate::lab) fn new(name: impl Into<String>, values: Vec<Option<f64>>) -> Series {
        Series { name: name.into(), values, ..Series::default() }
    }

    /// Its colour, which also decides its marker, if it is the line with this number.
    fn colour(&self, number: usize) -> usize {
        self.like.unwrap_or(number) % COLOURS
    }
}

/// From values to y coordinates.
struct Scale {
    low: f64,
    high: f64,
    is_logarithmic: bool,
}

impl Scale {
    fn of<'v>(values: impl Iterator<Item = &'v Option<f64>>, is_logarithmic: bool) -> Scale {
        let values = values.flatten().copied().filter(|value| value.is_finite());
        if is_logarithmic {
            let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
            for value in values.filter(|value| *value > 0.0) {
                (low, high) = (low.min(value.log10().floor()), high.max(value.log10().ceil()));
            }
            let (low, high) = if low.is_finite() { (low, high) } else { (0.0, 1.0) };
            return Scale { low, high: high.max(low + 1.0), is_logarithmic };
        }
        let high = values.fold(0.0, f64::max);
        Scale { low: 0.0, high: round_up(high), is_logarithmic }
    }

    /// The y coordinate of a value; `None` if it has no place on this scale.
    fn y(&self, value: f64) -> Option<f64> {
        let value = if self.is_logarithmic { value.log10() } else { value };
        let share = (value - self.low) / (self.high - self.low);
        value.is_finite().then_some(HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM))
    }

    /// Values to be written beside the axis, with their y coordinates.
    fn ticks(&self) -> Vec<(f64, f64)> {
        let values: Vec<f64> = match self.is_logarithmic {
            true => (self.low as i32..=self.high as i32).map(|power| 10_f64.powi(power)).collect(),
            false => (0..=5).map(|tick| self.high * f64::from(tick) / 5.0).collect(),
        };
        values.into_iter().filter_map(|value| Some((value, self.y(value)?))).collect()
    }
}

/// The next of 1, 2, 2.5, 5 times a power of ten, so that the axis ends on a round number.
fn round_up(value: f64) -> f64 {
    if value <= 0.0 {
        return 1.0;
    }
    let power = 10_f64.powf(value.log10().floor());
    let steps = [1.0, 2.0, 2.5, 5.0, 10.0];
    steps.into_iter().map(|step| step * power).find(|step| *step >= value).unwrap_or(value)
}

/// The chart's SVG element. Every element has an end tag, so that it is also valid XML in a file.
pub(in crate::lab) fn draw(chart: &Chart) -> Markup {
    let legend_lines =
        (chart.series.len() + usize::from(chart.bars.is_some())).div_ceil(legend_columns(chart));
    let height = HEIGHT + LEGEND_LINE * legend_lines as f64;
    let scale = Scale::of(chart.series.iter().flat_map(|series| &series.values), chart.is_logarithmic);
    html! {
        svg.chart xmlns="http://www.w3.org/2000/svg" viewBox={ "0 0 " (WIDTH) " " (height) } role="img"
            aria-label=(chart.title) {
            style { (PreEscaped(include_str!("chart.css"))) }
            text x=(WIDTH / 2.0) y="20" text-anchor="middle" font-weight="600" { (chart.title) }
            @if let Some(bars) = &chart.bars { (draw_bars(chart, bars)) }
            (draw_axes(chart, &scale))
            (draw_marks(chart))
            @for (number, series) in chart.series.iter().enumerate() {
                (draw_line(chart, &scale, series, series.colour(number)))
            }
            (draw_legend(chart))
        }
    }
}

/// The x coordinate of the label with this number.
fn x_of(chart: &Chart, number: usize) -> f64 {
    LEFT + column_width(chart) * (number as f64 + 0.5)
}

fn column_width(chart: &Chart) -> f64 {
    (WIDTH - LEFT - RIGHT) / chart.x.len().max(1) as f64
}

fn draw_axes(chart: &Chart, scale: &Scale) -> Markup {
    let (end, base) = (WIDTH - RIGHT, HEIGHT - BOTTOM);
    let every = chart.x.len().div_ceil(LABELS_MAX).max(1);
    html! {
        @for (value, y) in scale.ticks() {
            line.grid x1=(LEFT) y1=(px(y)) x2=(end) y2=(px(y)) {}
            text x=(LEFT - 6.0) y=(px(y + 4.0)) text-anchor="end" { (short(value)) }
        }
        line.axis x1=(LEFT) y1=(base) x2=(end) y2=(base) {}
        @for (number, label) in chart.x.iter().enumerate().step_by(every) {
            text x=(px(x_of(chart, number))) y=(base + 18.0) text-anchor="middle" { (label) }
        }
        text x=(WIDTH / 2.0) y=(base + 38.0) text-anchor="middle" { (chart.x_label) }
        (draw_upright(14.0, &chart.y_label))
    }
}

/// The label of a vertical axis.
fn draw_upright(x: f64, label: &str) -> Markup {
    let middle = (TOP + HEIGHT - BOTTOM) / 2.0;
    html! {
        text transform={ "translate(" (x) " " (middle) ") rotate(-90)" } text-anchor="middle" { (label) }
    }
}

/// A line from top to bottom at each mark, with its name beside it.
fn draw_marks(chart: &Chart) -> Markup {
    html! {
        @for (number, name) in &chart.marks {
            @let x = x_of(chart, *number);
            line.axis.dashed x1=(px(x)) y1=(TOP - 8.0) x2=(px(x)) y2=(HEIGHT - BOTTOM) {}
            text x=(px(x + 4.0)) y=(TOP) { (name) }
        }
    }
}

fn draw_line(chart: &Chart, scale: &Scale, series: &Series, colour: usize) -> Markup {
    let point = |(number, value): (usize, &Option<f64>)| Some((x_of(chart, number), scale.y((*value)?)?));
    let points: Vec<Option<(f64, f64)>> = series.values.iter().enumerate().map(point).collect();
    let path = |piece: &[Option<(f64, f64)>]| {
        let pairs = piece.iter().flatten().map(|(x, y)| format!("{x:.1},{y:.1}"));
        pairs.collect::<Vec<_>>().join(" ")
    };
    html! {
        // A gap in the values is a gap in the line.
        @for piece in points.split(Option::is_none).filter(|piece| piece.len() > 1) {
            polyline.series.line.dashed[series.is_dashed] style=(variable(colour)) points=(path(piece)) {}
        }
        // On a long timeline the markers would cover each other.
        @if points.len() <= 2 * LABELS_MAX {
            @for (x, y) in points.iter().flatten() { (draw_marker(colour, *x, *y)) }
        }
    }
}

/// One of five shapes: with ten colours no two lines have both the same colour and the same shape.
fn draw_marker(colour: usize, x: f64, y: f64) -> Markup {
    let (m, double) = (MARKER, 2.0 * MARKER);
    let outline = match colour % 5 {
        0 => format!("m{m} 0a{m} {m} 0 1 1 -{double} 0a{m} {m} 0 1 1 {double} 0"),
        1 => format!("m-{m} -{m}h{double}v{double}h-{double}z"),
        2 => format!("m0 -{m}l{m} {double}h-{double}z"),
        3 => format!("m0 -{m}l{m} {m}l-{m} {m}l-{m} -{m}z"),
        _ => format!("m0 {m}l{m} -{double}h-{double}z"),
    };
    html! { path.series style=(variable(colour)) d={ "M" (px(x)) " " (px(y)) (outline) } {} }
}

fn draw_bars(chart: &Chart, bars: &Series) -> Markup {
    let scale = Scale::of(bars.values.iter(), false);
    let width = column_width(chart) * 0.6;
    let bar = |(number, value): (usize, &Option<f64>)| {
        let y = scale.y(value.filter(|value| *value > 0.0)?)?;
        Some((x_of(chart, number) - width / 2.0, y))
    };
    html! {
        @for (x, y) in bars.values.iter().enumerate().filter_map(bar) {
            rect.bar x=(px(x)) y=(px(y)) width=(px(width)) height=(px(HEIGHT - BOTTOM - y)) {}
        }
        @for (value, y) in scale.ticks() {
            text x=(WIDTH - RIGHT + 6.0) y=(px(y + 4.0)) { (short(value)) }
        }
        (draw_upright(WIDTH - 8.0, &bars.name))
    }
}

fn legend_columns(chart: &Chart) -> usize {
    let longest = chart.series.iter().chain(&chart.bars).map(|series| series.name.chars().count()).max();
    if longest.unwrap_or(0) > LEGEND_NAME_MAX { LEGEND_COLUMNS - 1 } else { LEGEND_COLUMNS }
}

fn draw_legend(chart: &Chart) -> Markup {
    let lines = chart.series.iter().enumerate().map(|(number, series)| (Some(series.colour(number)), series));
    let bars = chart.bars.iter().map(|bars| (None, bars));
    let columns = legend_columns(chart);
    let column_width = (WIDTH - LEFT) / columns as f64;
    let entry = |(number, (colour, series)): (usize, (Option<usize>, &Series))| {
        let x = LEFT + column_width * (number % columns) as f64;
        let y = HEIGHT + LEGEND_LINE * (number / columns) as f64 + 4.0;
        html! {
            @if let Some(colour) = colour {
                line.series.line.dashed[series.is_dashed] style=(variable(colour))
                    x1=(x) y1=(y) x2=(x + 22.0) y2=(y) {}
                (draw_marker(colour, x + 11.0, y))
            } @else {
                rect.bar x=(x) y=(y - 5.0) width="22" height="10" {}
            }
            text x=(x + 28.0) y=(y + 4.0) { (series.name) }
        }
    };
    html! { @for entry in lines.chain(bars).enumerate().map(entry) { (entry) } }
}

/// The style that gives an element one of the colours of `chart.css`.
fn variable(colour: usize) -> String {
    format!("--colour:var(--c{colour})")
}

/// A coordinate; more decimals would not be seen.
fn px(coordinate: f64) -> String {
    format!("{coordinate:.1}")
}

/// `12000` as `12k`.
fn short(value: f64) -> String {
    match value {
        value if value >= 1e6 => format!("{}M", value / 1e6),
        value if value >= 1e4 => format!("{}k", value / 1e3),
        value => format!("{}", (value * 1000.0).round() / 1000.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chart() -> Chart {
        Chart {
            title: "a < b".to_owned(),
            x: vec!["1".to_owned(), "2".to_owned(), "3".to_owned()],
            series: vec![
                Series::new("one", vec![Some(10.0), None, Some(4000.0)]),
                Series::new("two", vec![Some(1.0), Some(2.0), Some(f64::NAN)]),
            ],
            bars: Some(Series::new("overflows", vec![Some(0.0), Some(5.0), None])),
            marks: vec![(1, "killed".to_owned())],
            ..Chart::default()
        }
    }

    #[test]
    fn every_value_is_drawn_and_a_gap_is_none() {
        for is_logarithmic in [false, true] {
            let svg = draw(&Chart { is_logarithmic, ..chart() }).into_string();
            assert!(svg.contains("a &lt; b") && !svg.contains("a < b"));
            assert_eq!(svg.matches("<rect").count(), 2, "one bar and its legend");
            assert_eq!(svg.matches(">overflows<").count(), 2, "beside its axis and in the legend");
            assert!(svg.contains(">killed</text>"));
            assert_eq!(svg.matches(" points=").count(), 1, "a line needs two neighbours");
            assert_eq!(svg.matches("<path").count(), 4 + 2, "a marker for each value, and in the legend");
            assert!(svg.starts_with("<svg") && svg.ends_with("</svg>") && !svg.contains("/>"));
        }
    }

    #[test]
    fn values_without_a_scale_do_not_break_the_chart() {
        for values in [vec![], vec![None], vec![Some(0.0)]] {
            for is_logarithmic in [false, true] {
                let series = vec![Series::new("none", values.clone())];
                let svg = draw(&Chart { series, bars: None, is_logarithmic, ..chart() }).into_string();
                assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
            }
        }
    }

    #[test]
    fn axes_end_on_round_numbers() {
        for (value, end) in
            [(0.0, 1.0), (7.0, 10.0), (10.0, 10.0), (1100.0, 2000.0), (2100.0, 2500.0), (0.3, 0.5)]
        {
            assert!((round_up(value) - end).abs() < 1e-9, "{value}");
        }
        assert_eq!((short(12_000.0), short(0.25), short(2e6)), ("12k".into(), "0.25".into(), "2M".into()));
    }
}
