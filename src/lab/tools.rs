//! `ab` and `wrk` in the place of our own client: the same cells, the same tables.
//!
//! Contract: what a tool does not tell stays zero. Neither compares bodies (`ab` looks at their
//! lengths, `wrk` at nothing), so the verified warm-up of our own client comes before either.

use std::io::Read;
use std::net::SocketAddr;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::bounds::{REQUEST_TIMEOUT, TOOL_GRACE};
use super::client::{Faults, Percentiles};
use crate::net::shutdown::Shutdown;

/// Who sends the requests.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, clap::ValueEnum)]
pub(super) enum Tool {
    /// The lab's own client, which compares every body.
    #[default]
    Own,
    /// Apache Bench, as in the course.
    Ab,
    /// wrk, which counts seconds and not requests.
    Wrk,
}

impl Tool {
    /// Its name in flags and results.
    pub(super) fn name(self) -> &'static str {
        match self {
            Tool::Own => "own",
            Tool::Ab => "ab",
            Tool::Wrk => "wrk",
        }
    }

    /// True if it is installed, as far as asking it for its version tells; our own always is.
    pub(super) fn is_installed(self) -> bool {
        let flag = if self == Tool::Ab { "-V" } else { "-v" };
        let quiet = |command: &mut Command| command.stdout(Stdio::null()).stderr(Stdio::null()).status();
        self == Tool::Own || quiet(Command::new(self.name()).arg(flag)).is_ok()
    }
}

/// What to ask a tool for.
#[derive(Clone, Debug)]
pub(super) struct Job<'j> {
    pub(super) address: SocketAddr,
    pub(super) path: &'j str,
    pub(super) requests: u64,
    pub(super) concurrency: usize,
    pub(super) keep_alive: bool,
    pub(super) limit: Duration,
}

/// What a tool told.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Told {
    pub(super) answered: u64,
    pub(super) faults: Faults,
    pub(super) seconds: f64,
    pub(super) total: Percentiles,
}

/// Runs `ab` or `wrk` to its end. Errors are one sentence.
pub(super) fn run(tool: Tool, job: &Job<'_>, stop: &Shutdown) -> Result<Told, String> {
    let mut command = Command::new(tool.name());
    let url = format!("http://{}{}", job.address, job.path);
    let seconds = job.limit.as_secs().max(1);
    if tool == Tool::Ab {
        // `-t` means 50,000 requests unless `-n` comes after it.
        command.args(["-q", "-t", &seconds.to_string(), "-n", &job.requests.to_string()]);
        command.args(["-c", &job.concurrency.to_string(), "-s", &REQUEST_TIMEOUT.as_secs().to_string()]);
        command.args(job.keep_alive.then_some("-k"));
    } else {
        command.args(["-t1", "--latency", "-c", &job.concurrency.to_string(), "-d", &format!("{seconds}s")]);
        if !job.keep_alive {
            command.args(["-H", "Connection: close"]);
        }
    }
    let text = output(command.arg(url), job.limit + TOOL_GRACE, stop)?;
    let told = if tool == Tool::Ab { read_ab(&text) } else { read_wrk(&text) };
    told.ok_or_else(|| format!("{} told nothing that is understood here:\n{text}", tool.name()))
}

/// Standard output of a program that is stopped if it takes too long. Both tools print far less than a pipe holds.
fn output(command: &mut Command, limit: Duration, stop: &Shutdown) -> Result<String, String> {
    let name = command.get_program().to_string_lossy().into_owned();
    let failed = |error: std::io::Error| format!("{name}: {error}");
    let mut child =
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().map_err(failed)?;
    let start = Instant::now();
    let is_ended = loop {
        match child.try_wait().map_err(failed)? {
            Some(_) => break true,
            None if start.elapsed() > limit || stop.is_draining() => break false,
            None => std::thread::sleep(Duration::from_millis(20)),
        }
    };
    if !is_ended {
        // It may have ended in this moment; either way it is gone after the wait.
        let _ = child.kill();
        let _ = child.wait();
        return Err(format!("{name} was stopped after {:.0} s", start.elapsed().as_secs_f64()));
    }
    let mut text = String::new();
    if let Some(mut out) = child.stdout.take() {
        out.read_to_string(&mut text).map_err(failed)?;
    }
    Ok(text)
}

/// The first number after `label`.
fn number(text: &str, label: &str) -> Option<f64> {
    let (_, rest) = text.split_once(label)?;
    let rest = rest.trim_start();
    let end = rest.find(|letter: char| !letter.is_ascii_digit() && letter != '.').unwrap_or(rest.len());
    rest[..end].parse().ok()
}

fn count(text: &str, label: &str) -> u64 {
    number(text, label).unwrap_or(0.0) as u64
}

fn read_ab(text: &str) -> Option<Told> {
    let complete = number(text, "Complete requests:")? as u64;
    let faults = Faults {
        refused: count(text, "(Connect:"),
        reset: count(text, ", Receive:"),
        wrong: count(text, ", Length:"),
        other: count(text, ", Exceptions:"),
        non_2xx: count(text, "Non-2xx responses:"),
        ..Faults::default()
    };
    let at = |percent: &str| count(text, percent) * 1000;
    let total = Percentiles {
        count: complete,
        mean_us: number(text, "Time per request:").unwrap_or(0.0) * 1000.0,
        p50_us: at("  50%"),
        p90_us: at("  90%"),
        p99_us: at("  99%"),
        // `ab` tells whole percents only.
        p999_us: 0,
        max_us: at(" 100%"),
    };
    let answered = complete.saturating_sub(faults.non_2xx).saturating_sub(faults.wrong);
    Some(Told { answered, faults, seconds: number(text, "Time taken for tests:")?, total })
}

fn read_wrk(text: &str) -> Option<Told> {
    let line = text.lines().find(|line| line.contains(" requests in "))?;
    let complete: u64 = line.split_whitespace().next()?.parse().ok()?;
    let faults = Faults {
        refused: count(text, "errors: connect"),
        reset: count(text, ", read") + count(text, ", write"),
        timed_out: count(text, ", timeout"),
        non_2xx: count(text, "Non-2xx or 3xx responses:"),
        ..Faults::default()
    };
    let at =
        |percent: &str| wrk_time(text.lines().find_map(|line| line.trim().strip_prefix(percent))?.trim());
    let max = || {
        wrk_time(text.lines().find(|line| line.trim().starts_with("Latency "))?.split_whitespace().nth(3)?)
    };
    let total = Percentiles {
        count: complete,
        mean_us: 0.0,
        p50_us: at("50%").unwrap_or(0),
        p90_us: at("90%").unwrap_or(0),
        p99_us: at("99%").unwrap_or(0),
        p999_us: 0,
        max_us: max().unwrap_or(0),
    };
    let (_, time) = line.split_once(" requests in ")?;
    let microseconds = wrk_time(time.split(',').next()?)?;
    Some(Told {
        answered: complete.saturating_sub(faults.non_2xx),
        faults,
        seconds: microseconds as f64 / 1e6,
        total,
    })
}

/// `240.00us`, `1.20ms`, `2.00s` or `1.00m`, in microseconds.
fn wrk_time(text: &str) -> Option<u64> {
    let unit_at = text.find(|letter: char| letter.is_ascii_alphabetic())?;
    let (number, unit) = text.split_at(unit_at);
    let scale = match unit {
        "us" => 1.0,
        "ms" => 1e3,
        "s" => 1e6,
        "m" => 60e6,
        _ => return None,
    };
    Some((number.parse::<f64>().ok()? * scale) as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    const AB: &str = "Document Length:        31 bytes\n\nConcurrency Level:      10\nTime taken for tests:   2.500 seconds\n\
        Complete requests:      10000\nFailed requests:        6\n   \
        (Connect: 1, Receive: 2, Length: 3, Exceptions: 0)\nNon-2xx responses:      7\n\
        Requests per second:    4000.00 [#/sec] (mean)\nTime per request:       2.500 [ms] (mean)\n\
        Time per request:       0.250 [ms] (mean, across all concurrent requests)\n\n\
        Percentage of the requests served within a certain time (ms)\n  50%      2\n  66%      3\n  90%      4\n  \
        99%     11\n 100%   1003 (longest request)\n";

    #[test]
    fn apache_bench_is_understood() {
        let told = read_ab(AB).unwrap();
        assert_eq!((told.answered, told.seconds), (9990, 2.5));
        assert_eq!(told.faults, Faults { refused: 1, reset: 2, wrong: 3, non_2xx: 7, ..Faults::default() });
        let times = (told.total.p50_us, told.total.p90_us, told.total.p99_us, told.total.max_us);
        assert_eq!(times, (2000, 4000, 11_000, 1_003_000));
        assert_eq!(read_ab("ab: invalid URL"), None);
    }

    #[test]
    fn wrk_is_understood() {
        let text = "  Thread Stats   Avg      Stdev     Max   +/- Stdev\n    \
            Latency   260.36us   90.1us   1.20ms   91.1%\n    Req/Sec    14.3k     1.1k   15.0k    70.00%\n  \
            Latency Distribution\n     50%  240.00us\n     75%  290.00us\n     90%  330.00us\n     99%    1.01s \n  \
            28788 requests in 2.00s, 4.97MB read\n  Socket errors: connect 1, read 2, write 3, timeout 4\n  \
            Non-2xx or 3xx responses: 88\nRequests/sec:  14394.0\n";
        let told = read_wrk(text).unwrap();
        assert_eq!((told.answered, told.seconds), (28_700, 2.0));
        assert_eq!(
            told.faults,
            Faults { refused: 1, reset: 5, timed_out: 4, non_2xx: 88, ..Faults::default() }
        );
        assert_eq!((told.total.p50_us, told.total.p99_us, told.total.max_us), (240, 1_010_000, 1200));
        assert_eq!(read_wrk("unable to connect"), None);
    }
}
