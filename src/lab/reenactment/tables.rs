//! The figures of 2021 and of here, cell by cell; and what was varied.
//!
//! Contract: a cell that was not run is a dash.

use super::setting::{self, BUSY, Investigation, Setting, Varied};
use super::{Counted, Runs};
use crate::lab::lang::{Lang, parts, text};
use crate::lab::published::{self, Published};
use crate::lab::results::model;
use crate::lab::table::{DASH, Table, number};

/// A share in percent.
pub(super) fn percent(share: Option<f64>) -> String {
    share.map_or_else(|| DASH.to_owned(), |share| format!("{:.1} %", share * 100.0))
}

/// 2021: the time of each slow run, and its connects one after the other.
pub(super) fn law(lang: Lang) -> Table {
    let row = |run: &Published| {
        vec![
            run.model.clone(),
            run.servers.to_string(),
            run.concurrency.to_string(),
            format!("{:.1}", run.seconds),
            format!("{:.0}", run.connect_seconds()),
            format!("{:.1}", run.seconds - run.connect_seconds()),
            percent(Some(run.refused_share())),
        ]
    };
    Table {
        title: text!(lang, "reenact-law-title"),
        header: parts(&text!(lang, "reenact-law-columns")),
        rows: published::all().iter().filter(|run| run.is_slow()).map(row).collect(),
        notes: Vec::new(),
    }
}

/// Every cell of 2021 beside the same cell here.
pub(super) fn cells(runs: &Runs, lang: Lang) -> Table {
    let row = |setting: &Setting| {
        let published = published::find(setting.is_async, setting.backends, setting.concurrency);
        let serial = runs.find(setting);
        let overlapping = runs.find(&setting.clone().overlapping());
        vec![
            model(setting.is_async).to_owned(),
            setting.backends.to_string(),
            setting.concurrency.to_string(),
            number(published.map(|run| run.rate), 2),
            percent(published.map(Published::refused_share)),
            number(serial.map(Counted::rate), 1),
            number(serial.map(|counted| counted.seconds), 2),
            number(serial.map(|counted| counted.connect_seconds), 2),
            percent(serial.map(Counted::slow_share)),
            number(overlapping.map(Counted::rate), 0),
        ]
    };
    let cells = setting::cells(false);
    let run = cells.iter().filter(|setting| runs.find(setting).is_some());
    Table {
        title: text!(lang, "reenact-cells-title"),
        header: parts(&text!(lang, "reenact-cells-columns")),
        rows: run.map(row).collect(),
        notes: Vec::new(),
    }
}

/// Each balancer before each kind of web servers: the share of connects that waited, by number of servers.
pub(super) fn pairings(runs: &Runs, lang: Lang) -> Table {
    let counts = backends(runs);
    let mut rows = Vec::new();
    for is_async in [false, true] {
        for is_crossed in [false, true] {
            let setting = |backends: &usize| {
                let setting = Setting::of_the_course(is_async, *backends, BUSY);
                if is_crossed { setting.crossed() } else { setting }
            };
            let (balancer, servers) = (model(is_async), model(is_async != is_crossed));
            let share = |backends| percent(runs.find(&setting(backends)).map(Counted::slow_share));
            let name = text!(lang, "reenact-pairing", balancer, servers);
            rows.push(std::iter::once(name).chain(counts.iter().map(share)).collect());
        }
        let share = |backends: &usize| {
            percent(published::find(is_async, *backends, BUSY).map(Published::refused_share))
        };
        let name = format!("2021 {}", model(is_async));
        rows.push(std::iter::once(name).chain(counts.iter().map(share)).collect());
    }
    let header = std::iter::once(text!(lang, "http-servers")).chain(counts.iter().map(usize::to_string));
    let title = text!(lang, "reenact-pairings-title", concurrency = BUSY);
    Table { title, header: header.collect(), rows, notes: Vec::new() }
}

/// The numbers of servers that were run at the concurrency of the slow cells.
pub(super) fn backends(runs: &Runs) -> Vec<usize> {
    let mut counts: Vec<usize> = setting::cells(false)
        .iter()
        .filter(|setting| setting.concurrency == BUSY && runs.find(setting).is_some())
        .map(|setting| setting.backends)
        .collect();
    counts.sort_unstable();
    counts.dedup();
    counts
}

/// One value varied: a row for each value, the share of connects that waited for each model.
pub(super) fn varied(investigation: &Investigation, runs: &Runs, lang: Lang) -> Table {
    let of = |is_async| investigation.settings.iter().filter(move |setting| setting.is_async == is_async);
    let row = |(threaded, looped): (&Setting, &Setting)| {
        let mut row = vec![investigation.varied.value(threaded).to_string()];
        for counted in [runs.find(threaded), runs.find(looped)] {
            row.push(number(counted.map(Counted::rate), 1));
            row.push(percent(counted.map(Counted::slow_share)));
        }
        row
    };
    let mut header = vec![investigation.varied.name(lang)];
    header.extend(parts(&text!(lang, "reenact-varied-columns")));
    Table {
        title: investigation.varied.title(lang),
        header,
        rows: of(false).zip(of(true)).map(row).collect(),
        notes: Vec::new(),
    }
}

impl Varied {
    /// The value that varies.
    pub(super) fn value(self, setting: &Setting) -> usize {
        match self {
            Varied::Backlog => setting.backlog as usize,
            Varied::Backends => setting.backends,
            Varied::ServerBacklog => setting.server_backlog as usize,
            Varied::Concurrency => setting.concurrency,
        }
    }

    fn name(self, lang: Lang) -> String {
        match self {
            Varied::Backlog => "backlog".to_owned(),
            Varied::Backends => text!(lang, "http-servers"),
            Varied::ServerBacklog => text!(lang, "reenact-server-backlog"),
            Varied::Concurrency => text!(lang, "concurrency"),
        }
    }

    fn title(self, lang: Lang) -> String {
        match self {
            Varied::Backlog => text!(lang, "reenact-backlog-title"),
            Varied::Backends => text!(lang, "reenact-backends-title"),
            Varied::ServerBacklog => text!(lang, "reenact-server-backlog-title"),
            Varied::Concurrency => text!(lang, "reenact-concurrency-title"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::runs;
    use super::*;

    #[test]
    fn the_time_of_2021_is_beside_its_connects() {
        let table = law(Lang::En);
        assert_eq!(table.rows.len(), 14);
        assert!(
            table.rows.iter().any(|row| row[..] == ["async", "5", "10", "695.4", "690", "5.4", "13.3 %"])
        );
    }

    #[test]
    fn a_cell_stands_beside_2021_and_what_was_not_run_is_a_dash() {
        let table = cells(&runs(), Lang::En);
        let looped = ["async", "5", "10", "14.38", "13.3 %", "5.8", "60.40", "60.20", "16.8 %", "-"];
        assert_eq!(table.rows, [looped.map(str::to_owned).to_vec()]);
        let pairings = pairings(&runs(), Lang::En);
        assert_eq!(pairings.header[1..], ["5"]);
        assert_eq!(pairings.rows[0][1], "-");
        assert_eq!(pairings.rows[3][1], "16.8 %");
        assert_eq!(pairings.rows[5], ["2021 async", "13.3 %"]);
        for investigation in setting::investigations() {
            let table = varied(&investigation, &runs(), Lang::Id);
            assert!(table.rows.iter().all(|row| row.len() == table.header.len()), "{table:?}");
        }
    }
}
