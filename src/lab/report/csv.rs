//! `results.csv`: one row for each run, for whoever draws plots of their own.

use std::io;
use std::path::Path;

use crate::lab::results::{Run, model};

/// Writes the file.
pub(super) fn write(file: &Path, runs: &[Run]) -> io::Result<()> {
    let mut writer = csv::Writer::from_path(file)?;
    writer.write_record(columns(&Run::default()).iter().map(|(name, _)| *name))?;
    for run in runs {
        writer.write_record(columns(run).iter().map(|(_, value)| value))?;
    }
    writer.flush()
}

/// A number; empty if it was not measured.
fn known(value: Option<u64>) -> String {
    value.map_or_else(String::new, |value| value.to_string())
}

/// A number with so many decimals; empty if it was not measured.
fn decimals(value: Option<f64>, count: usize) -> String {
    value.map_or_else(String::new, |value| format!("{value:.count$}"))
}

/// The columns in their order, each with the value of this run. Readers know them by name.
fn columns(run: &Run) -> Vec<(&'static str, String)> {
    let (cell, faults, kernel) = (&run.cell, &run.faults, run.kernel);
    let (balancer, back_ends) = (run.balancer, run.back_ends);
    let client_share = Some(run.client_share).filter(|share| *share > 0.0);
    vec![
        ("contender", cell.contender.clone()),
        ("model", model(cell.is_async).to_owned()),
        ("backends", cell.backends.to_string()),
        ("concurrency", cell.concurrency.to_string()),
        ("run", (run.repeat + 1).to_string()),
        ("requests", run.requests.to_string()),
        ("answered", run.answered.to_string()),
        ("non_2xx", faults.non_2xx.to_string()),
        ("refused", faults.refused.to_string()),
        ("reset", faults.reset.to_string()),
        ("timed_out", faults.timed_out.to_string()),
        ("short", faults.short.to_string()),
        ("wrong", faults.wrong.to_string()),
        ("no_ports", faults.no_ports.to_string()),
        ("other", faults.other.to_string()),
        ("unfinished", run.unfinished.to_string()),
        ("reopened", run.reopened.to_string()),
        ("stray", run.stray.to_string()),
        ("seconds", format!("{:.6}", run.seconds)),
        ("requests_per_second", format!("{:.2}", run.rate())),
        ("connect_p50_us", run.connect.p50_us.to_string()),
        ("connect_p99_us", run.connect.p99_us.to_string()),
        ("slow_connects", run.slow_connects.to_string()),
        ("first_byte_p50_us", run.first_byte.p50_us.to_string()),
        ("first_byte_p99_us", run.first_byte.p99_us.to_string()),
        ("mean_us", format!("{:.1}", run.total.mean_us)),
        ("p50_us", run.total.p50_us.to_string()),
        ("p90_us", run.total.p90_us.to_string()),
        ("p99_us", run.total.p99_us.to_string()),
        ("p999_us", run.total.p999_us.to_string()),
        ("max_us", run.total.max_us.to_string()),
        ("client_share", decimals(client_share, 3)),
        ("listen_overflows", known(kernel.map(|kernel| kernel.listen_overflows))),
        ("listen_drops", known(kernel.map(|kernel| kernel.listen_drops))),
        ("retransmits", known(kernel.map(|kernel| kernel.retransmits))),
        ("balancer_cpu_seconds", decimals(balancer.map(|used| used.cpu_seconds), 2)),
        ("balancer_voluntary_switches", known(balancer.map(|used| used.voluntary_switches))),
        ("balancer_involuntary_switches", known(balancer.map(|used| used.involuntary_switches))),
        ("balancer_memory_kib", known(balancer.map(|used| used.memory_kib))),
        ("backends_cpu_seconds", decimals(back_ends.map(|used| used.cpu_seconds), 2)),
        ("backends_memory_kib", known(back_ends.map(|used| used.memory_kib))),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lab::results::tests::{cell, run};

    #[test]
    fn columns_are_found_by_name() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("results.csv");
        let elsewhere = Run { kernel: None, balancer: None, ..run(cell("async", 2, 10), 2, 2000.0) };
        write(&file, &[run(cell("async", 2, 10), 1, 2000.0), elsewhere]).unwrap();
        let mut reader = csv::Reader::from_path(&file).unwrap();
        let header = reader.headers().unwrap().clone();
        let rows: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
        assert_eq!((rows.len(), rows[0].len()), (2, 41));
        let position = |name: &str| header.iter().position(|column| column == name).unwrap();
        let value = |name: &str| &rows[0][position(name)];
        assert_eq!((value("contender"), value("model"), value("run")), ("async", "async", "2"));
        assert_eq!((value("requests_per_second"), value("p99_us")), ("2000.00", "2000"));
        assert_eq!((value("client_share"), value("listen_overflows")), ("0.200", "0"));
        for name in ["listen_overflows", "retransmits", "balancer_cpu_seconds", "balancer_memory_kib"] {
            assert_eq!(&rows[1][position(name)], "", "{name} was not measured");
        }
    }
}
