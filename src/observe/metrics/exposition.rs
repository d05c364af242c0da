//! Samples as text, in either of two formats.
//!
//! The two formats differ in three places: OpenMetrics names a counter without `_total` where it describes it,
//! ends with `# EOF`, and has a type `info`, which the other writes as a gauge.

use std::fmt::{Display, Write};
use std::time::Duration;

use crate::observe::counters::{BOUNDS_US, Distribution};

/// The format of the text.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Format {
    /// <https://github.com/prometheus/OpenMetrics>, version 1.0.0.
    Open,
    /// Prometheus's own text format, version 0.0.4, which everything can read.
    Plain,
}

impl Format {
    /// What a client is given that accepts this (RFC 9110 section 12.5.1, as far as scrapers use it).
    pub(crate) fn accepted(accept: Option<&str>) -> Format {
        match accept.is_some_and(|accept| accept.contains("application/openmetrics-text")) {
            true => Format::Open,
            false => Format::Plain,
        }
    }

    pub(crate) fn content_type(self) -> &'static str {
        match self {
            Format::Open => "application/openmetrics-text; version=1.0.0; charset=utf-8",
            Format::Plain => "text/plain; version=0.0.4; charset=utf-8",
        }
    }
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Type {
    Counter,
    Gauge,
    Histogram,
    Info,
}

/// The text as it grows.
pub(super) struct Text {
    out: String,
    format: Format,
}

/// The samples of one metric.
pub(super) struct Family<'t> {
    text: &'t mut Text,
    name: &'t str,
    is_info: bool,
    is_counter: bool,
}

impl Text {
    pub(super) fn new(format: Format) -> Text {
        Text { out: String::new(), format }
    }

    /// The whole of it.
    pub(super) fn finish(mut self) -> String {
        if self.format == Format::Open {
            self.out.push_str("# EOF\n");
        }
        self.out
    }

    /// Describes a metric. Its name has no `_total` and no `_info`: they belong to its samples.
    pub(super) fn family<'t>(&'t mut self, name: &'t str, of: Type, help: &str) -> Family<'t> {
        let (word, suffix) = match (of, self.format) {
            (Type::Counter, Format::Open) => ("counter", ""),
            (Type::Counter, Format::Plain) => ("counter", "_total"),
            (Type::Gauge, _) => ("gauge", ""),
            (Type::Histogram, _) => ("histogram", ""),
            (Type::Info, Format::Open) => ("info", ""),
            (Type::Info, Format::Plain) => ("gauge", "_info"),
        };
        // Writing to a `String` does not fail, here and below.
        let _ = write!(self.out, "# HELP {name}{suffix} {help}\n# TYPE {name}{suffix} {word}\n");
        Family { text: self, name, is_info: of == Type::Info, is_counter: of == Type::Counter }
    }
}

impl Family<'_> {
    pub(super) fn sample(&mut self, suffix: &str, labels: &Labels, value: impl Display) {
        let suffix = match suffix {
            "" if self.is_counter => "_total",
            "" if self.is_info => "_info",
            suffix => suffix,
        };
        let _ = match labels.0.as_str() {
            "" => writeln!(self.text.out, "{}{suffix} {value}", self.name),
            labels => writeln!(self.text.out, "{}{suffix}{{{labels}}} {value}", self.name),
        };
    }

    pub(super) fn histogram(&mut self, labels: &Labels, distribution: &Distribution) {
        let mut sum = 0;
        let bounds = BOUNDS_US.iter().map(|us| Seconds(Duration::from_micros(*us)).to_string());
        for (bound, count) in bounds.chain(["+Inf".to_owned()]).zip(distribution.buckets) {
            sum += count;
            self.sample("_bucket", &labels.and("le", &bound), sum);
        }
        self.sample("_sum", labels, Seconds(Duration::from_micros(distribution.sum_us)));
        self.sample("_count", labels, sum);
    }
}

/// Labels in the form in which they are written.
#[derive(Clone, Debug, Default)]
pub(super) struct Labels(String);

impl Labels {
    pub(super) fn and(&self, name: &str, value: &str) -> Labels {
        let mut labels = self.0.clone();
        let comma = if labels.is_empty() { "" } else { "," };
        let value = value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
        let _ = write!(labels, "{comma}{name}=\"{value}\"");
        Labels(labels)
    }
}

/// A duration as Prometheus has all of them: seconds with a fraction.
pub(super) struct Seconds(pub(super) Duration);

impl Display for Seconds {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.0.as_secs_f64())
    }
}
