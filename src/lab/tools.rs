//! `ab` and `wrk` instead of our own client: the same cells, the same tables.
//!
//! Contract: what a tool does not report stays zero. Neither compares bodies (`ab` compares their
//! lengths, `wrk` nothing), so the warm-up of our own client, which does, comes before either.

use std::io::Read;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::bounds::TOOL_GRACE;
use super::client::{Faults, Load, Percentiles};
use super::lang::{Lang, text};
use super::results::Run;
use crate::net::shutdown::Shutdown;

/// Who sends the requests.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, clap::ValueEnum)]
pub(super) enum Tool {
    /// The lab's own client, which compares every body.
    #[default]
    Own,
    /// Apache Bench, as in the course.
    Ab,
    /// wrk, which runs for a time and not for a number of requests.
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

    /// True if it can be started; our own client always can.
    pub(super) fn is_installed(self) -> bool {
        let flag = if self == Tool::Ab { "-V" } else { "-v" };
        let quiet = |command: &mut Command| command.stdout(Stdio::null()).stderr(Stdio::null()).status();
        self == Tool::Own || quiet(Command::new(self.name()).arg(flag)).is_ok()
    }
}

/// Runs `ab` or `wrk` to its end. Errors are one sentence.
pub(super) fn run(tool: Tool, load: &Load, stop: &Shutdown) -> Result<Run, String> {
    let mut command = Command::new(tool.name());
    let (seconds, concurrency) = (load.limit.as_secs().max(1).to_string(), load.concurrency.to_string());
    if tool == Tool::Ab {
        // `-t` means 50,000 requests unless `-n` comes after it.
        command.args(["-q", "-t", &seconds, "-n", &load.requests.to_string()]);
        command.args(["-c", &concurrency, "-s", &load.timeout.as_secs().to_string()]);
        command.args(load.keep_alive.then_some("-k"));
    } else {
        command.args(["-t1", "--latency", "-c", &concurrency, "-d", &format!("{seconds}s")]);
        if !load.keep_alive {
            command.args(["-H", "Connection: close"]);
        }
    }
    command.arg(format!("http://{}{}", load.address, load.path));
    let printed = output(&mut command, load.limit + TOOL_GRACE, stop)?;
    let run = if tool == Tool::Ab { read_ab(&printed) } else { read_wrk(&printed) };
    run.ok_or_else(|| {
        let why = text!(Lang::of_errors(), "error-tool-printed", tool = tool.name());
        format!("{why}:\n{printed}")
    })
}

/// Standard output of a program, which is stopped if it takes too long. It is read at the end: both
/// tools print far less than a pipe holds.
fn output(command: &mut Command, limit: Duration, stop: &Shutdown) -> Result<String, String> {
    let name = command.get_program().to_string_lossy().into_owned();
    let failed = |error: std::io::Error| format!("{name}: {}", Lang::of_errors().cause(&error));
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
        // It may have ended by itself just now; either way it is gone after the wait.
        let _ = child.kill();
        let _ = child.wait();
        let seconds = start.elapsed().as_secs();
        return Err(text!(Lang::of_errors(), "error-tool-stopped", name, seconds));
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

fn read_ab(text: &str) -> Option<Run> {
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
        // `ab` reports whole percents only.
        p999_us: 0,
        max_us: at(" 100%"),
    };
    let answered = complete.saturating_sub(faults.non_2xx).saturating_sub(faults.wrong);
    Some(Run { answered, faults, seconds: number(text, "Time taken for tests:")?, total, ..Run::default() })
}

fn read_wrk(text: &str) -> Option<Run> {
    let line = text.lines().find(|line| line.contains(" requests in "))?;
    let complete: u64 = line.split_whitespace().next()?.parse().ok()?;
    let faults = Faults {
        refused: count(text, "errors: connect"),
        reset: count(text, ", read") + count(text, ", write"),
        timed_out: count(text, ", timeout"),
        non_2xx: count(text, "Non-2xx or 3xx responses:"),
        ..Faults::default()
    };
    // The time in this column of the first line that begins so.
    let time = |begin: &str, column: usize| {
        let line = text.lines().find(|line| line.trim().starts_with(begin));
        line.and_then(|line| wrk_time(line.split_whitespace().nth(column)?)).unwrap_or(0)
    };
    let total = Percentiles {
        count: complete,
        p50_us: time("50%", 1),
        p90_us: time("90%", 1),
        p99_us: time("99%", 1),
        max_us: time("Latency ", 3),
        ..Percentiles::default()
    };
    let (_, time) = line.split_once(" requests in ")?;
    let microseconds = wrk_time(time.split(',').next()?)?;
    Some(Run {
        answered: complete.saturating_sub(faults.non_2xx),
        faults,
        seconds: microseconds as f64 / 1e6,
        total,
        ..Run::default()
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
        let run = read_ab(AB).unwrap();
        assert_eq!((run.answered, run.seconds), (9990, 2.5));
        assert_eq!(run.faults, Faults { refused: 1, reset: 2, wrong: 3, non_2xx: 7, ..Faults::default() });
        let times = (run.total.p50_us, run.total.p90_us, run.total.p99_us, run.total.max_us);
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
        let run = read_wrk(text).unwrap();
        assert_eq!((run.answered, run.seconds), (28_700, 2.0));
        assert_eq!(
            run.faults,
            Faults { refused: 1, reset: 5, timed_out: 4, non_2xx: 88, ..Faults::default() }
        );
        assert_eq!((run.total.p50_us, run.total.p99_us, run.total.max_us), (240, 1_010_000, 1200));
        assert_eq!(read_wrk("unable to connect"), None);
    }
}
