//! Line charts as SVG, by hand: one kind of chart, in one file.
//!
//! Contract: a chart stands alone (in an `<img>` or a document) and takes its colours from the reader's
//! light or dark mode. That is why no plotting crate is used: they write fixed colours and pixel fonts
//! into every element, and a page in dark mode then shows white boxes.

use std::fmt::Write;

/// Height of the drawing; its width is that of the page it is in.
const WIDTH: f64 = 720.0;
const HEIGHT: f64 = 360.0;
const LEFT: f64 = 70.0;
const RIGHT: f64 = 60.0;
const TOP: f64 = 40.0;
const BOTTOM: f64 = 50.0;
/// Height of one line of the legend, which stands below.
const LEGEND_LINE: f64 = 20.0;
/// Entries of the legend in one line.
const LEGEND_COLUMNS: usize = 3;
/// Colours defined in [`STYLE`]; more series begin again.
const COLOURS: usize = 10;
/// Half the width of a marker.
const MARKER: f64 = 3.5;
/// Labels under the x axis before only every second, third and so on is written.
const LABELS_MAX: usize = 16;

/// Tells lines apart by colour and, for the colour blind and for print, by the shape of their markers.
const STYLE: &str = "<style>\
.chart{font:13px system-ui,sans-serif;--ink:#1b1b1b;--grid:#d8d8d8;--bar:#e3a0a0;\
--c0:#0b62c4;--c1:#c4410b;--c2:#1a7f37;--c3:#8250df;--c4:#9a6700;--c5:#bf3989;--c6:#57606a;--c7:#087f8c;--c8:#5c7a00;--c9:#a5483f}\
@media (prefers-color-scheme:dark){.chart{--ink:#e8e8e8;--grid:#444;--bar:#7a3b3b;\
--c0:#6cb0ff;--c1:#ff9e6b;--c2:#5fd38a;--c3:#c8a6ff;--c4:#e3b341;--c5:#ff8ac8;--c6:#aab4be;--c7:#56d4dd;--c8:#b5d334;--c9:#f2a19a}}\
.chart text{fill:var(--ink)}.chart .grid{stroke:var(--grid)}.chart .axis{stroke:var(--ink)}\
.chart .bar{fill:var(--bar)}.chart .line{fill:none;stroke-width:2}.chart .dashed{stroke-dasharray:5 4}\
.s0{stroke:var(--c0);fill:var(--c0)}.s1{stroke:var(--c1);fill:var(--c1)}.s2{stroke:var(--c2);fill:var(--c2)}\
.s3{stroke:var(--c3);fill:var(--c3)}.s4{stroke:var(--c4);fill:var(--c4)}.s5{stroke:var(--c5);fill:var(--c5)}\
.s6{stroke:var(--c6);fill:var(--c6)}.s7{stroke:var(--c7);fill:var(--c7)}\
.s8{stroke:var(--c8);fill:var(--c8)}.s9{stroke:var(--c9);fill:var(--c9)}</style>";

/// A chart over named places on the x axis.
#[derive(Clone, Debug, Default)]
pub(in crate::lab) struct Chart {
    pub(in crate::lab) title: String,
    pub(in crate::lab) x_label: String,
    pub(in crate::lab) y_label: String,
    pub(in crate::lab) x: Vec<String>,
    pub(in crate::lab) series: Vec<Series>,
    /// Drawn behind the lines against an axis of its own, on the right.
    pub(in crate::lab) bars: Option<Series>,
    /// Powers of ten apart: 4 and 4000 on one chart.
    pub(in crate::lab) is_logarithmic: bool,
}

/// A line, or bars; a place without a value is left out.
#[derive(Clone, Debug, Default)]
pub(in crate::lab) struct Series {
    pub(in crate::lab) name: String,
    pub(in crate::lab) values: Vec<Option<f64>>,
    pub(in crate::lab) is_dashed: bool,
    /// The number of the line whose colour and marker it has; its own if `None`.
    pub(in crate::lab) like: Option<usize>,
}

impl Series {
    /// A whole line.
    pub(in crate::lab) fn new(name: impl Into<String>, values: Vec<Option<f64>>) -> Series {
        Series { name: name.into(), values, ..Series::default() }
    }

    /// Its colour and marker, if it is the line with this number.
    fn look(&self, number: usize) -> usize {
        self.like.unwrap_or(number) % COLOURS
    }
}

/// From values to heights.
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

    fn height(&self, value: f64) -> Option<f64> {
        let value = match self.is_logarithmic {
            true if value > 0.0 => value.log10(),
            true => return None,
            false if !value.is_finite() => return None,
            false => value,
        };
        let share = (value - self.low) / (self.high - self.low);
        Some(HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM))
    }

    fn ticks(&self) -> Vec<f64> {
        if self.is_logarithmic {
            return (self.low as i32..=self.high as i32).map(|power| 10_f64.powi(power)).collect();
        }
        (0..=5).map(|tick| self.high * f64::from(tick) / 5.0).collect()
    }
}

/// The next of 1, 2, 2.5, 5 times a power of ten: an axis people can read.
fn round_up(value: f64) -> f64 {
    if value <= 0.0 {
        return 1.0;
    }
    let power = 10_f64.powf(value.log10().floor());
    let steps = [1.0, 2.0, 2.5, 5.0, 10.0];
    steps.into_iter().map(|step| step * power).find(|step| *step >= value).unwrap_or(value)
}

/// The chart's SVG element.
pub(in crate::lab) fn draw(chart: &Chart) -> String {
    let legend_lines = (chart.series.len() + usize::from(chart.bars.is_some())).div_ceil(LEGEND_COLUMNS);
    let height = HEIGHT + LEGEND_LINE * legend_lines as f64;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"chart\" viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" \
         aria-label=\"{title}\">{STYLE}\n<text x=\"{}\" y=\"20\" text-anchor=\"middle\" font-weight=\"600\">{title}</text>\n",
        WIDTH / 2.0,
        title = escape(&chart.title),
    );
    if let Some(bars) = &chart.bars {
        draw_bars(&mut svg, chart, bars);
    }
    let scale = Scale::of(chart.series.iter().flat_map(|series| &series.values), chart.is_logarithmic);
    draw_axes(&mut svg, chart, &scale);
    for (number, series) in chart.series.iter().enumerate() {
        draw_line(&mut svg, chart, &scale, series, series.look(number));
    }
    draw_legend(&mut svg, chart);
    svg.push_str("</svg>\n");
    svg
}

/// Where a place is on the x axis.
fn x_of(chart: &Chart, place: usize) -> f64 {
    let step = (WIDTH - LEFT - RIGHT) / chart.x.len().max(1) as f64;
    LEFT + step * (place as f64 + 0.5)
}

/// Adds a formatted line; writing into a `String` cannot fail.
macro_rules! put {
    ($svg:expr, $($arguments:tt)*) => { let _ = writeln!($svg, $($arguments)*); };
}

fn draw_axes(svg: &mut String, chart: &Chart, scale: &Scale) {
    let (end, base) = (WIDTH - RIGHT, HEIGHT - BOTTOM);
    for tick in scale.ticks() {
        let Some(y) = scale.height(tick) else { continue };
        put!(svg, "<line class=\"grid\" x1=\"{LEFT}\" y1=\"{y:.1}\" x2=\"{end}\" y2=\"{y:.1}\"/>");
        put!(
            svg,
            "<text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
            LEFT - 6.0,
            y + 4.0,
            short(tick)
        );
    }
    put!(svg, "<line class=\"axis\" x1=\"{LEFT}\" y1=\"{base}\" x2=\"{end}\" y2=\"{base}\"/>");
    let every = chart.x.len().div_ceil(LABELS_MAX).max(1);
    for (place, label) in chart.x.iter().enumerate().step_by(every) {
        let x = x_of(chart, place);
        put!(svg, "<text x=\"{x:.1}\" y=\"{}\" text-anchor=\"middle\">{}</text>", base + 18.0, escape(label));
    }
    let middle = (TOP + base) / 2.0;
    let labels = [
        (format!("x=\"{}\" y=\"{}\"", WIDTH / 2.0, base + 38.0), &chart.x_label),
        (format!("transform=\"translate(14 {middle}) rotate(-90)\""), &chart.y_label),
    ];
    for (place, label) in labels {
        put!(svg, "<text {place} text-anchor=\"middle\">{}</text>", escape(label));
    }
}

fn draw_line(svg: &mut String, chart: &Chart, scale: &Scale, series: &Series, colour: usize) {
    let points: Vec<Option<(f64, f64)>> = series
        .values
        .iter()
        .enumerate()
        .map(|(place, value)| Some((x_of(chart, place), scale.height((*value)?)?)))
        .collect();
    let dashed = if series.is_dashed { " dashed" } else { "" };
    // A gap in the values is a gap in the line.
    for piece in points.split(Option::is_none).filter(|piece| piece.len() > 1) {
        let path: Vec<String> = piece.iter().flatten().map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
        let path = path.join(" ");
        put!(svg, "<polyline class=\"s{colour} line{dashed}\" style=\"fill:none\" points=\"{path}\"/>");
    }
    // On a long timeline the markers would be a smear.
    if points.len() <= 2 * LABELS_MAX {
        for (x, y) in points.iter().flatten() {
            draw_marker(svg, colour, *x, *y);
        }
    }
}

/// A shape of its own for each of five lines: with ten colours no two lines share both.
fn draw_marker(svg: &mut String, colour: usize, x: f64, y: f64) {
    let (m, double) = (MARKER, 2.0 * MARKER);
    let outline = match colour % 5 {
        0 => format!("m{m} 0a{m} {m} 0 1 1 -{double} 0a{m} {m} 0 1 1 {double} 0"),
        1 => format!("m-{m} -{m}h{double}v{double}h-{double}z"),
        2 => format!("m0 -{m}l{m} {double}h-{double}z"),
        3 => format!("m0 -{m}l{m} {m}l-{m} {m}l-{m} -{m}z"),
        _ => format!("m0 {m}l{m} -{double}h-{double}z"),
    };
    put!(svg, "<path class=\"s{colour}\" d=\"M{x:.1} {y:.1}{outline}\"/>");
}

fn draw_bars(svg: &mut String, chart: &Chart, bars: &Series) {
    let scale = Scale::of(bars.values.iter(), false);
    let width = (WIDTH - LEFT - RIGHT) / chart.x.len().max(1) as f64 * 0.6;
    for (place, value) in bars.values.iter().enumerate() {
        let Some(y) = value.filter(|value| *value > 0.0).and_then(|value| scale.height(value)) else {
            continue;
        };
        let (x, height) = (x_of(chart, place) - width / 2.0, HEIGHT - BOTTOM - y);
        put!(
            svg,
            "<rect class=\"bar\" x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{height:.1}\"/>"
        );
    }
    for tick in scale.ticks() {
        let Some(y) = scale.height(tick) else { continue };
        put!(svg, "<text x=\"{}\" y=\"{:.1}\">{}</text>", WIDTH - RIGHT + 6.0, y + 4.0, short(tick));
    }
}

fn draw_legend(svg: &mut String, chart: &Chart) {
    let lines = chart.series.iter().enumerate().map(|(number, series)| (Some(series.look(number)), series));
    let bars = chart.bars.iter().map(|bars| (None, bars));
    for (place, (colour, series)) in lines.chain(bars).enumerate() {
        let column_width = (WIDTH - LEFT) / LEGEND_COLUMNS as f64;
        let x = LEFT + column_width * (place % LEGEND_COLUMNS) as f64;
        let y = HEIGHT + LEGEND_LINE * (place / LEGEND_COLUMNS) as f64 + 4.0;
        let dashed = if series.is_dashed { " dashed" } else { "" };
        match colour {
            Some(colour) => {
                put!(
                    svg,
                    "<line class=\"s{colour} line{dashed}\" x1=\"{x}\" y1=\"{y}\" x2=\"{}\" y2=\"{y}\"/>",
                    x + 22.0
                );
                draw_marker(svg, colour, x + 11.0, y);
            }
            None => {
                put!(svg, "<rect class=\"bar\" x=\"{x}\" y=\"{}\" width=\"22\" height=\"10\"/>", y - 5.0);
            }
        }
        put!(svg, "<text x=\"{}\" y=\"{}\">{}</text>", x + 28.0, y + 4.0, escape(&series.name));
    }
}

/// `12000` as `12k`.
fn short(value: f64) -> String {
    match value {
        value if value >= 1e6 => format!("{}M", value / 1e6),
        value if value >= 1e4 => format!("{}k", value / 1e3),
        value => format!("{}", (value * 1000.0).round() / 1000.0),
    }
}

/// Text that is no markup.
pub(in crate::lab) fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
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
            ..Chart::default()
        }
    }

    #[test]
    fn every_value_is_drawn_and_a_gap_is_none() {
        for is_logarithmic in [false, true] {
            let svg = draw(&Chart { is_logarithmic, ..chart() });
            assert!(svg.contains("a &lt; b") && !svg.contains("a < b"));
            assert_eq!(svg.matches("<rect").count(), 2, "one bar and its legend");
            assert_eq!(svg.matches(" points=").count(), 1, "a line needs two neighbours");
            assert_eq!(svg.matches("<path").count(), 4 + 2, "a marker a value, and in the legend");
            assert!(svg.starts_with("<svg") && svg.ends_with("</svg>\n"));
        }
    }

    #[test]
    fn values_without_a_scale_do_not_break_the_chart() {
        for values in [vec![], vec![None], vec![Some(0.0)]] {
            for is_logarithmic in [false, true] {
                let series = vec![Series::new("none", values.clone())];
                let svg = draw(&Chart { series, bars: None, is_logarithmic, ..chart() });
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
