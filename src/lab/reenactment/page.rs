//! The page of `lab 2021`: what was measured, what follows from it, and what is open.

use super::setting::{self, BUSY, FEW, Investigation, Setting, Varied};
use super::tables::{self, percent};
use super::{Counted, Runs};
use crate::lab::client::Connects;
use crate::lab::lang::{Lang, text};
use crate::lab::published::{self, Published, RETRY_SECONDS};
use crate::lab::report::drawing::Plot;
use crate::lab::report::page::{Block, Page};
use crate::lab::report::svg::{Chart, Series};
use crate::lab::results::model;
use crate::lab::summary::median;

/// Requests for which the plot of the law gives the seconds.
const THOUSAND: f64 = 1000.0;
/// Connects that waited in a run that shows the law.
const ENOUGH_SLOW: u64 = 10;
/// The number of servers whose two balancers the report's question compares.
const MANY: usize = 5;
/// The slower of two runs is behind if it has less than this share of the faster one's rate: some twenty connects wait
/// in each, and two or three more or less are chance.
const DRAW_SHARE: f64 = 0.8;

/// The whole page.
pub(super) fn page(runs: &Runs, lang: Lang) -> Page {
    let mut page = Page::new(text!(lang, "reenact-title"), lang);
    page.mark_debug_build(&runs.machine);
    page.paragraph(text!(lang, "reenact-about", date = &runs.machine.date));
    page.push(Block::Command("cargo run --release --bin lab -- 2021".to_owned()));
    page.heading(text!(lang, "what-it-shows"));
    page.push(Block::List(findings(runs, lang)));
    page.titled_table(tables::law(lang));
    page.paragraph(text!(lang, "reenact-law-how", step = format!("{RETRY_SECONDS}")));
    page.titled_table(tables::cells(runs, lang));
    page.paragraph(text!(lang, "reenact-cells-how"));
    for plot in [rate_plot, law_plot, share_plot] {
        page.push(Block::Plot(plot(runs, lang)));
    }
    page.titled_table(tables::pairings(runs, lang));
    page.heading(text!(lang, "reenact-varied"));
    page.paragraph(text!(lang, "reenact-varied-how"));
    for investigation in setting::investigations() {
        if let Some(sentence) = seen(&investigation, runs, lang) {
            page.titled_table(tables::varied(&investigation, runs, lang));
            page.paragraph(sentence);
        }
    }
    page.heading(text!(lang, "reenact-open"));
    page.push(Block::List(open(runs, lang)));
    page.heading(text!(lang, "the-machine"));
    page.push(Block::Machine(runs.machine.clone()));
    page
}

/// What the runs and ab's figures show, the latter first.
fn findings(runs: &Runs, lang: Lang) -> Vec<String> {
    let slow = || published::all().iter().filter(|run| run.is_slow());
    let rests: Vec<f64> = slow().map(|run| run.seconds - run.connect_seconds()).collect();
    let (low, high) =
        rests.iter().fold((f64::MAX, f64::MIN), |(low, high), rest| (low.min(*rest), high.max(*rest)));
    let whole = |number: f64| format!("{number:.0}");
    let mut found = vec![
        text!(lang, "reenact-law-2021", cells = slow().count(), low = whole(low), high = whole(high)),
        text!(lang, "reenact-cause"),
    ];
    let of_2021 = [true, false].map(|is_async| published::find(is_async, MANY, BUSY));
    if let [Some(looped), Some(threaded)] = of_2021 {
        let step = RETRY_SECONDS.to_string();
        found.push(text!(
            lang,
            "reenact-follows",
            servers = MANY,
            concurrency = BUSY,
            step = &step,
            async_share = percent(Some(looped.refused_share())),
            threaded_share = percent(Some(threaded.refused_share())),
            async_mean = whole(looped.connect_mean_ms),
            threaded_mean = whole(threaded.connect_mean_ms),
        ));
        found.push(text!(
            lang,
            "reenact-no-evidence",
            step = &step,
            async_rate = format!("{:.1}", 1.0 / (looped.refused_share() * RETRY_SECONDS)),
            threaded_rate = whole(1.0 / (threaded.refused_share() * RETRY_SECONDS)),
            async_published = format!("{:.2}", looped.rate),
            threaded_published = format!("{:.2}", threaded.rate),
        ));
    }
    found.extend(draw(runs, lang));
    found.extend([false, true].into_iter().filter_map(|is_async| collapse(is_async, runs, lang)));
    found.extend(law_here(runs, lang));
    found.push(text!(lang, "reenact-step"));
    found
}

/// That neither model is ahead in that cell here, if neither is.
fn draw(runs: &Runs, lang: Lang) -> Option<String> {
    let of = |is_async| runs.find(&Setting::of_the_course(is_async, MANY, BUSY));
    let (threaded, looped) = (of(false)?, of(true)?);
    let (low, high) = (threaded.rate().min(looped.rate()), threaded.rate().max(looped.rate()));
    (low > high * DRAW_SHARE).then(|| {
        text!(
            lang,
            "reenact-draw",
            servers = MANY,
            concurrency = BUSY,
            threaded = format!("{:.1}", threaded.rate()),
            looped = format!("{:.1}", looped.rate()),
            threaded_waited = percent(Some(threaded.slow_share())),
            looped_waited = percent(Some(looped.slow_share())),
        )
    })
}

/// The same cell here with overlapping and with serial connects.
fn collapse(is_async: bool, runs: &Runs, lang: Lang) -> Option<String> {
    let setting = Setting::of_the_course(is_async, MANY, BUSY);
    let (serial, overlapping) = (runs.find(&setting)?, runs.find(&setting.overlapping())?);
    Some(text!(
        lang,
        "reenact-collapse",
        name = model(is_async),
        servers = MANY,
        concurrency = BUSY,
        overlapping = format!("{:.0}", overlapping.rate()),
        serial = format!("{:.1}", serial.rate()),
        seconds = format!("{:.1}", serial.seconds),
        connects = format!("{:.1}", serial.connect_seconds),
        share = percent(Some(serial.slow_share())),
    ))
}

/// How much of the time is connects where enough of them waited.
fn law_here(runs: &Runs, lang: Lang) -> Option<String> {
    let slow: Vec<&Counted> = runs
        .runs
        .iter()
        .filter(|run| run.setting.connects == Connects::Serial && run.counted.slow_connects >= ENOUGH_SLOW)
        .map(|run| &run.counted)
        .collect();
    let shares: Vec<f64> = slow.iter().map(|counted| counted.connect_seconds / counted.seconds).collect();
    let least = percent(shares.iter().copied().reduce(f64::min));
    let middle = percent(Some(median(shares.clone())?));
    let law = text!(lang, "reenact-law-here", waits = ENOUGH_SLOW, runs = shares.len(), middle, least);
    Some(match slow.iter().all(|counted| counted.has_every_connect()) {
        true => law,
        false => format!("{law} {}", text!(lang, "reenact-answered-only")),
    })
}

/// What neither 2021's figures nor these runs explain.
fn open(runs: &Runs, lang: Lang) -> Vec<String> {
    let counts = tables::backends(runs);
    let here = |is_async, backends: Option<&usize>| {
        runs.find(&Setting::of_the_course(is_async, *backends?, BUSY)).map(Counted::slow_share)
    };
    let [threaded, looped] =
        [false, true].map(|is_async| [here(is_async, counts.first()), here(is_async, counts.last())]);
    let from_to =
        |[from, to]: [Option<f64>; 2]| text!(lang, "reenact-from-to", from = percent(from), to = percent(to));
    let servers = text!(lang, "reenact-open-servers", threaded = from_to(threaded), looped = from_to(looped));
    let falls = |[from, to]: [Option<f64>; 2]| from.zip(to).is_some_and(|(from, to)| to < from / 2.0);
    let servers = match falls(threaded) && falls(looped) {
        true => servers,
        false => format!("{servers} {}", text!(lang, "reenact-open-servers-alone")),
    };
    vec![
        servers,
        text!(lang, "reenact-open-five"),
        text!(lang, "reenact-open-pairing"),
        text!(lang, "reenact-open-counterpart"),
    ]
}

/// What an investigation showed; `None` if it was not run.
fn seen(investigation: &Investigation, runs: &Runs, lang: Lang) -> Option<String> {
    let shares = |is_async: bool| {
        let of = investigation.settings.iter().filter(|setting| setting.is_async == is_async);
        of.map(|setting| Some((investigation.varied.value(setting), runs.find(setting)?.slow_share())))
            .collect::<Option<Vec<(usize, f64)>>>()
    };
    let (threaded, looped) = (shares(false)?, shares(true)?);
    let ends = |shares: &[(usize, f64)]| {
        let share = |end: Option<&(usize, f64)>| percent(end.map(|(_, share)| *share));
        text!(lang, "reenact-from-to", from = share(shares.first()), to = share(shares.last()))
    };
    let (from, to) = (threaded.first()?.0, threaded.last()?.0);
    Some(match investigation.varied {
        Varied::Backlog => {
            let nearest = |shares: &[(usize, f64)], is_async| {
                let published = published::find(is_async, 1, FEW)?.refused_share();
                let off = |(_, share): &&(usize, f64)| (share - published).abs();
                let (backlog, share) = shares.iter().min_by(|one, other| off(one).total_cmp(&off(other)))?;
                let (name, share, published) =
                    (model(is_async), percent(Some(*share)), percent(Some(published)));
                Some(text!(lang, "reenact-nearest", name, backlog, share, published))
            };
            let [threaded, looped] = [nearest(&threaded, false)?, nearest(&looped, true)?];
            text!(lang, "reenact-backlog-seen", threaded, looped)
        }
        Varied::Backends => {
            text!(lang, "reenact-backends-seen", from, to, threaded = ends(&threaded), looped = ends(&looped))
        }
        Varied::ServerBacklog => {
            text!(
                lang,
                "reenact-server-backlog-seen",
                from,
                to,
                threaded = ends(&threaded),
                looped = ends(&looped)
            )
        }
        Varied::Concurrency => {
            let first = |shares: &[(usize, f64)]| {
                let first = shares.iter().find(|(_, share)| *share > 0.0);
                first.map_or_else(|| text!(lang, "none"), |(concurrency, _)| concurrency.to_string())
            };
            text!(lang, "reenact-concurrency-seen", threaded = first(&threaded), looped = first(&looped))
        }
    })
}

/// Requests a second by number of servers: here with both kinds of connects, and 2021.
fn rate_plot(runs: &Runs, lang: Lang) -> Plot {
    let counts = tables::backends(runs);
    let mut series = Vec::new();
    for connects in [Connects::Overlapping, Connects::Serial] {
        for is_async in [false, true] {
            let rate = |backends: &usize| {
                let setting = Setting { connects, ..Setting::of_the_course(is_async, *backends, BUSY) };
                runs.find(&setting).map(Counted::rate)
            };
            let name = format!("{}, {}", model(is_async), connects.name(lang));
            series.push(Series::new(name, counts.iter().map(rate).collect()));
        }
    }
    series.extend(of_2021(&counts, 2, |run| run.rate));
    let chart = Chart {
        title: text!(lang, "rate-plot-title", concurrency = BUSY),
        y_label: text!(lang, "requests-per-second"),
        is_logarithmic: true,
        ..by_servers(&counts, series, lang)
    };
    Plot { file: "2021-rate.svg".to_owned(), drawing: chart.into() }
}

/// The share of connects that were refused or waited, by number of servers.
fn share_plot(runs: &Runs, lang: Lang) -> Plot {
    let counts = tables::backends(runs);
    let line = |is_async: bool| {
        let share = |backends: &usize| {
            runs.find(&Setting::of_the_course(is_async, *backends, BUSY))
                .map(|counted| counted.slow_share() * 100.0)
        };
        Series::new(model(is_async), counts.iter().map(share).collect())
    };
    let mut series = vec![line(false), line(true)];
    series.extend(of_2021(&counts, 0, |run| run.refused_share() * 100.0));
    let title = text!(lang, "reenact-share-plot-title", concurrency = BUSY);
    let chart = Chart { title, y_label: "%".to_owned(), ..by_servers(&counts, series, lang) };
    Plot { file: "2021-share.svg".to_owned(), drawing: chart.into() }
}

/// The lines of 2021, in the colours of the two lines that begin with number `like`.
fn of_2021(counts: &[usize], like: usize, value: fn(&Published) -> f64) -> Vec<Series> {
    let line = |is_async: bool| {
        let values =
            counts.iter().map(|backends| published::find(is_async, *backends, BUSY).map(value)).collect();
        let series = Series::new(format!("2021 {}", model(is_async)), values);
        Series { is_dashed: true, like: Some(like + usize::from(is_async)), ..series }
    };
    vec![line(false), line(true)]
}

fn by_servers(counts: &[usize], series: Vec<Series>, lang: Lang) -> Chart {
    let x = counts.iter().map(usize::to_string).collect();
    Chart { x_label: text!(lang, "http-servers"), x, series, ..Chart::default() }
}

/// The law: the seconds of a run and of its connects, for a thousand requests, 2021 and here.
fn law_plot(runs: &Runs, lang: Lang) -> Plot {
    let counts = tables::backends(runs);
    let of_model =
        |is_async| counts.iter().map(move |backends| Some(Setting::of_the_course(is_async, *backends, BUSY)));
    // A gap between the two models: no line leads from one to the other.
    let cells: Vec<Option<Setting>> = of_model(false).chain([None]).chain(of_model(true)).collect();
    let of_2021 = |value: fn(&Published) -> f64| {
        let value = move |setting: &Option<Setting>| {
            let setting = setting.as_ref()?;
            let run = published::find(setting.is_async, setting.backends, BUSY)?;
            Some(value(run) * THOUSAND / published::REQUESTS)
        };
        cells.iter().map(value).collect::<Vec<_>>()
    };
    let here = |value: fn(&Counted) -> f64| {
        let value = move |setting: &Option<Setting>| {
            let counted = runs.find(setting.as_ref()?).filter(|counted| counted.answered > 0)?;
            Some(value(counted) * THOUSAND / counted.answered as f64)
        };
        cells.iter().map(value).collect::<Vec<_>>()
    };
    let name = |key: &str, when: &str| format!("{when}: {key}");
    let (time, connects) = (text!(lang, "reenact-time"), text!(lang, "reenact-connects"));
    let today = text!(lang, "reenact-here");
    let chart = Chart {
        title: text!(lang, "reenact-law-plot-title", concurrency = BUSY),
        x_label: text!(lang, "reenact-law-plot-x"),
        y_label: "s".to_owned(),
        x: cells.iter().map(|setting| setting.as_ref().map_or_else(String::new, label)).collect(),
        series: vec![
            Series::new(name(&time, "2021"), of_2021(|run| run.seconds)),
            Series {
                is_dashed: true,
                ..Series::new(name(&connects, "2021"), of_2021(Published::connect_seconds))
            },
            Series::new(name(&time, &today), here(|counted| counted.seconds)),
            Series {
                is_dashed: true,
                ..Series::new(name(&connects, &today), here(|counted| counted.connect_seconds))
            },
        ],
        is_logarithmic: true,
        ..Chart::default()
    };
    Plot { file: "2021-law.svg".to_owned(), drawing: chart.into() }
}

/// `T3`: the threaded balancer before three servers.
fn label(setting: &Setting) -> String {
    format!("{}{}", if setting.is_async { "A" } else { "T" }, setting.backends)
}
