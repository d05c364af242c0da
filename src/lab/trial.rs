//! One run of one cell: a stand, the reference answer, a warm-up, and the measured load between two
//! looks at the counters.

use std::time::Duration;

use super::bounds::{REQUEST_TIMEOUT, WARM_UP_LIMIT, WARM_UP_REQUESTS};
use super::client::{self, Plan};
use super::kernel::{Kernel, Processes};
use super::results::{Cell, Run, Settings};
use super::stand::{Contender, Stand, StandError, StandOptions};
use super::tools::{self, Job, Tool};
use crate::net::shutdown::Shutdown;

/// What is the same in all runs.
#[derive(Debug)]
pub(super) struct Trial<'t> {
    pub(super) settings: &'t Settings,
    pub(super) tool: Tool,
    pub(super) stop: &'t Shutdown,
}

impl Trial<'_> {
    /// Starts everything, measures once, and stops everything.
    pub(super) fn run(&self, contender: &Contender, cell: &Cell, repeat: usize) -> Result<Run, StandError> {
        let options = StandOptions { backends: cell.backends, ..StandOptions::default() };
        let stand = Stand::start(contender, &options)?;
        self.measure(&stand, cell, repeat).map_err(StandError::Failed)
    }

    fn measure(&self, stand: &Stand, cell: &Cell, repeat: usize) -> Result<Run, String> {
        let settings = self.settings;
        let limit = Duration::from_secs(settings.limit_seconds);
        let expected = client::fetch(stand.backend_addresses()[0], &settings.path)?;
        let plan = Plan {
            requests: settings.requests,
            concurrency: cell.concurrency,
            keep_alive: settings.keep_alive,
            limit,
            timeout: REQUEST_TIMEOUT,
            ..Plan::new(stand.address(), &settings.path, expected)
        };
        let poller = |error: std::io::Error| format!("the client has no poller: {error}");
        let warm_up = Plan { requests: WARM_UP_REQUESTS, limit: WARM_UP_LIMIT, ..plan.clone() };
        client::run(&warm_up, self.stop).map_err(poller)?;

        let (balancer_pids, backend_pids) = (stand.balancer_pids(), stand.backend_pids());
        let look = || (Kernel::now(), Processes::now(&balancer_pids), Processes::now(&backend_pids));
        let before = look();
        let mut run = match self.tool {
            Tool::Own => own(client::run(&plan, self.stop).map_err(poller)?),
            Tool::Ab | Tool::Wrk => self.other(&plan)?,
        };
        let after = look();
        run.kernel = after.0.since(&before.0);
        run.balancer = after.1.since(&before.1);
        run.back_ends = after.2.since(&before.2);
        run.cell = cell.clone();
        run.repeat = repeat;
        run.requests = if self.tool == Tool::Wrk { 0 } else { settings.requests };
        Ok(run)
    }

    fn other(&self, plan: &Plan) -> Result<Run, String> {
        let Plan { address, requests, concurrency, keep_alive, limit, .. } = *plan;
        let job = Job { address, path: &plan.path, requests, concurrency, keep_alive, limit };
        let told = tools::run(self.tool, &job, self.stop)?;
        Ok(Run {
            answered: told.answered,
            faults: told.faults,
            seconds: told.seconds,
            total: told.total,
            ..Run::default()
        })
    }
}

fn own(tally: client::Tally) -> Run {
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
        client_share: tally.client_share(),
        ..Run::default()
    }
}
