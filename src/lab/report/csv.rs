//! `results.csv`: a row a run, for whoever draws plots of their own.

use crate::lab::client::Faults;
use crate::lab::results::Run;

const COLUMNS: &str = "contender,model,backends,concurrency,run,requests,answered,non_2xx,refused,reset,timed_out,\
    short,wrong,no_ports,other,unfinished,reopened,stray,seconds,requests_per_second,connect_p50_us,connect_p99_us,\
    first_byte_p50_us,first_byte_p99_us,mean_us,p50_us,p90_us,p99_us,p999_us,max_us,client_share,listen_overflows,\
    listen_drops,retransmits,balancer_cpu_seconds,balancer_voluntary_switches,balancer_involuntary_switches,\
    balancer_memory_kib,backends_cpu_seconds,backends_memory_kib";

/// The file. No value of ours holds a comma or a quote: they are numbers and short names.
pub(super) fn write(runs: &[Run]) -> String {
    let rows = runs.iter().map(|run| row(run) + "\n");
    std::iter::once(format!("{COLUMNS}\n")).chain(rows).collect()
}

fn row(run: &Run) -> String {
    let cell = &run.cell;
    let Faults { refused, reset, timed_out, short, wrong, non_2xx, no_ports, other } = run.faults;
    let counts =
        [run.requests, run.answered, non_2xx, refused, reset, timed_out, short, wrong, no_ports, other];
    let (total, connect, first) = (&run.total, &run.connect, &run.first_byte);
    let times = [total.p50_us, total.p90_us, total.p99_us, total.p999_us, total.max_us];
    let kernel = [run.kernel.listen_overflows, run.kernel.listen_drops, run.kernel.retransmits];
    let balancer = &run.balancer;
    let switches = [balancer.voluntary_switches, balancer.involuntary_switches, balancer.memory_kib];
    let numbers = |numbers: &[u64]| numbers.iter().map(u64::to_string).collect::<Vec<_>>().join(",");
    [
        cell.contender.clone(),
        if cell.is_async { "async" } else { "threaded" }.to_owned(),
        format!("{},{},{}", cell.backends, cell.concurrency, run.repeat + 1),
        numbers(&counts),
        numbers(&[run.unfinished, run.reopened, run.stray]),
        format!("{:.6},{:.2}", run.seconds, run.rate()),
        numbers(&[connect.p50_us, connect.p99_us, first.p50_us, first.p99_us]),
        format!("{:.1}", total.mean_us),
        numbers(&times),
        format!("{:.3}", run.client_share),
        numbers(&kernel),
        format!("{:.2}", balancer.cpu_seconds),
        numbers(&switches),
        format!("{:.2},{}", run.back_ends.cpu_seconds, run.back_ends.memory_kib),
    ]
    .join(",")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lab::results::tests::{cell, run};

    #[test]
    fn every_row_has_every_column() {
        let text = write(&[run(cell("async", 2, 10), 1, 2000.0)]);
        let lines: Vec<Vec<&str>> = text.lines().map(|line| line.split(',').collect()).collect();
        assert_eq!((lines.len(), lines[1].len()), (2, lines[0].len()));
        let value = |name: &str| lines[1][lines[0].iter().position(|column| *column == name).unwrap()];
        assert_eq!((value("contender"), value("model"), value("run")), ("async", "async", "2"));
        assert_eq!((value("requests_per_second"), value("p99_us")), ("2000.00", "2000"));
        assert_eq!((value("client_share"), value("listen_overflows")), ("0.200", "0"));
    }
}
