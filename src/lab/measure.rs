//! One run of one cell: a testbed, the reference response, a warm-up, and the measured load between two
//! readings of the counters.

use std::time::Duration;

use super::bounds::{SLOW_CONNECT, WARM_UP_LIMIT, WARM_UP_REQUESTS};
use super::client::{self, Load, Tally};
use super::kernel::{Kernel, Processes};
use super::lang::{Lang, text};
use super::results::{Cell, Run, Settings};
use super::testbed::{Contender, Testbed, TestbedError, TestbedOptions};
use super::tools::{self, Tool};
use crate::net::shutdown::Shutdown;

/// What is the same in all runs.
#[derive(Debug)]
pub(super) struct Conditions<'c> {
    pub(super) settings: &'c Settings,
    pub(super) tool: Tool,
    pub(super) stop: &'c Shutdown,
}

impl Conditions<'_> {
    /// Starts everything, measures once, and stops everything.
    pub(super) fn run(&self, contender: &Contender, cell: &Cell, repeat: usize) -> Result<Run, TestbedError> {
        let options = TestbedOptions { backends: cell.backends, ..TestbedOptions::default() };
        let testbed = Testbed::start(contender, &options)?;
        let run = self.measure(&testbed, cell).map_err(TestbedError::Failed)?;
        Ok(Run { cell: cell.clone(), repeat, ..run })
    }

    fn measure(&self, testbed: &Testbed, cell: &Cell) -> Result<Run, String> {
        let settings = self.settings;
        let expected = client::fetch(testbed.backend_addresses[0], &settings.path)?;
        let load = Load {
            requests: settings.requests,
            concurrency: cell.concurrency,
            keep_alive: settings.keep_alive,
            connects: settings.connects,
            limit: Duration::from_secs(settings.limit_seconds),
            ..Load::new(testbed.address, &settings.path, expected)
        };
        let warm_up = Load { requests: WARM_UP_REQUESTS, limit: WARM_UP_LIMIT, ..load.clone() };
        self.own_client(&warm_up)?;

        let (balancer_pids, backend_pids) = (testbed.balancer_pids(), testbed.backend_pids());
        let read = || (Kernel::now(), Processes::now(&balancer_pids), Processes::now(&backend_pids));
        let before = read();
        let mut run = match self.tool {
            Tool::Own => of_tally(&self.own_client(&load)?),
            Tool::Ab | Tool::Wrk => tools::run(self.tool, &load, self.stop)?,
        };
        let after = read();
        run.kernel = after.0.zip(before.0).map(|(after, before)| after.since(&before));
        run.balancer = after.1.zip(before.1).map(|(after, before)| after.since(&before));
        run.back_ends = after.2.zip(before.2).map(|(after, before)| after.since(&before));
        run.requests = if self.tool == Tool::Wrk { 0 } else { settings.requests };
        Ok(run)
    }

    fn own_client(&self, load: &Load) -> Result<Tally, String> {
        client::run(load, self.stop).map_err(|error| {
            text!(Lang::of_errors(), "error-no-poller", error = Lang::of_errors().cause(&error))
        })
    }
}

fn of_tally(tally: &Tally) -> Run {
    Run {
        answered: tally.answered,
        faults: tally.faults,
        unfinished: tally.unfinished,
        reopened: tally.reopened,
        stray: tally.stray,
        seconds: tally.elapsed.as_secs_f64(),
        connect: tally.connect.percentiles(),
        first_byte: tally.first_byte.percentiles(),
        total: tally.total.percentiles(),
        slow_connects: tally.connect.at_least(SLOW_CONNECT),
        client_share: tally.client_share(),
        ..Run::default()
    }
}
