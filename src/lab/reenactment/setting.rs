//! One setting, that is everything that may vary between two runs, and which settings are run.
//!
//! Contract: a comparison with 2021 has the course's values; an investigation varies one value of such a setting and
//! leaves the others as they are.

use serde::{Deserialize, Serialize};

use crate::lab::bounds::{BACKENDS, CONCURRENCY};
use crate::lab::client::Connects;
use crate::lab::testbed::{Contender, TestbedOptions};

/// `listen(5)` of both balancers and of the asynchronous web servers, in the sources of 2021.
const BACKLOG: u32 = 5;
/// `listen(1)` of the threaded web servers.
const BACKLOG_OF_THREADED_SERVERS: u32 = 1;
/// The concurrency at which the slow cells of 2021 are.
pub(super) const BUSY: usize = 10;
/// The concurrency at which one server was enough.
pub(super) const FEW: usize = 5;
/// What `--quick` leaves of the numbers of servers.
const QUICK_BACKENDS: [usize; 2] = [1, 5];
/// Backlogs of the balancer that are tried: Linux holds one connection more than each.
const BACKLOGS: [u32; 5] = [0, 1, 2, 3, 5];
/// Backlogs of the web servers that are tried.
const SERVER_BACKLOGS: [u32; 3] = [1, 5, 128];
/// Numbers of servers that are tried with a small backlog.
const FEW_BACKENDS: [usize; 3] = [1, 3, 5];

/// Everything that may vary.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(super) struct Setting {
    /// The balancer's model: true for one loop.
    pub(super) is_async: bool,
    /// The model of the web servers behind it.
    pub(super) servers_are_async: bool,
    pub(super) backends: usize,
    pub(super) concurrency: usize,
    pub(super) connects: Connects,
    /// Of the balancer.
    pub(super) backlog: u32,
    pub(super) server_backlog: u32,
}

impl Setting {
    /// A balancer before servers of its own model, with serial connects and the course's backlogs.
    pub(super) fn of_the_course(is_async: bool, backends: usize, concurrency: usize) -> Setting {
        Setting {
            is_async,
            servers_are_async: is_async,
            backends,
            concurrency,
            connects: Connects::Serial,
            backlog: BACKLOG,
            server_backlog: server_backlog(is_async),
        }
    }

    /// The same before servers of the other model.
    pub(super) fn crossed(self) -> Setting {
        let servers_are_async = !self.servers_are_async;
        Setting { servers_are_async, server_backlog: server_backlog(servers_are_async), ..self }
    }

    /// The same with overlapping connects.
    pub(super) fn overlapping(self) -> Setting {
        Setting { connects: Connects::Overlapping, ..self }
    }

    pub(super) fn contender(&self) -> Contender {
        if self.is_async { Contender::PythonAsync } else { Contender::PythonThreaded }
    }

    pub(super) fn testbed(&self) -> TestbedOptions {
        let backlog = |backlog: u32| vec!["--backlog".to_owned(), backlog.to_string()];
        TestbedOptions {
            backends: self.backends,
            backend_is_async: Some(self.servers_are_async),
            extra: backlog(self.backlog),
            backend_extra: backlog(self.server_backlog),
            ..TestbedOptions::default()
        }
    }
}

fn server_backlog(is_async: bool) -> u32 {
    if is_async { BACKLOG } else { BACKLOG_OF_THREADED_SERVERS }
}

/// What is varied in an investigation, and the settings that differ in nothing else.
#[derive(Debug)]
pub(super) struct Investigation {
    pub(super) varied: Varied,
    pub(super) settings: Vec<Setting>,
}

/// The one value that varies.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Varied {
    /// The balancer's backlog, at the concurrency 5 with one server.
    Backlog,
    /// The number of servers, with the backlog 1.
    Backends,
    /// The backlog of the web servers.
    ServerBacklog,
    /// How many clients ask at once.
    Concurrency,
}

/// Each cell of 2021, in the order of its tables; with `--quick` only some.
pub(super) fn cells(quick: bool) -> Vec<Setting> {
    let backends = if quick { &QUICK_BACKENDS[..] } else { &BACKENDS[..] };
    let concurrency = if quick { &[FEW, BUSY][..] } else { &CONCURRENCY[..] };
    let mut cells = Vec::new();
    for is_async in [false, true] {
        for &backends in backends {
            cells.extend(concurrency.iter().map(|&n| Setting::of_the_course(is_async, backends, n)));
        }
    }
    cells
}

/// What is varied, one value at a time, for each model of the balancer.
pub(super) fn investigations() -> Vec<Investigation> {
    let both = |settings: &dyn Fn(bool) -> Vec<Setting>| [settings(false), settings(true)].concat();
    let few = |is_async| Setting::of_the_course(is_async, 1, FEW);
    let busy = |is_async| Setting::of_the_course(is_async, 1, BUSY);
    let backlog = |is_async| BACKLOGS.map(|backlog| Setting { backlog, ..few(is_async) }).to_vec();
    let backends =
        |is_async| FEW_BACKENDS.map(|backends| Setting { backlog: 1, backends, ..busy(is_async) }).to_vec();
    let server_backlog = |is_async| {
        SERVER_BACKLOGS.map(|server_backlog| Setting { server_backlog, ..busy(is_async) }).to_vec()
    };
    let concurrency = |is_async| (FEW..=BUSY).map(|n| Setting { concurrency: n, ..few(is_async) }).collect();
    vec![
        Investigation { varied: Varied::Backlog, settings: both(&backlog) },
        Investigation { varied: Varied::Backends, settings: both(&backends) },
        Investigation { varied: Varied::ServerBacklog, settings: both(&server_backlog) },
        Investigation { varied: Varied::Concurrency, settings: both(&concurrency) },
    ]
}

/// All settings to run, each once.
pub(super) fn all(quick: bool) -> Vec<Setting> {
    let cells = cells(quick);
    let mut all = cells.clone();
    all.extend(cells.iter().cloned().map(Setting::overlapping));
    if !quick {
        all.extend(cells.iter().filter(|cell| cell.concurrency == BUSY).cloned().map(Setting::crossed));
        all.extend(investigations().into_iter().flat_map(|investigation| investigation.settings));
    }
    let mut once: Vec<Setting> = Vec::new();
    for setting in all {
        if !once.contains(&setting) {
            once.push(setting);
        }
    }
    once
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn backlogs_are_the_courses_and_every_cell_is_there_once() {
        let threaded = Setting::of_the_course(false, 5, 10);
        assert_eq!((threaded.backlog, threaded.server_backlog), (5, 1));
        assert_eq!(
            (threaded.clone().crossed().server_backlog, threaded.crossed().servers_are_async),
            (5, true)
        );
        assert_eq!(cells(false).len(), 30);
        let all = all(false);
        let crossed = all.iter().filter(|setting| setting.is_async != setting.servers_are_async).count();
        assert_eq!(crossed, 10, "each pairing at the concurrency of the slow cells");
        assert!(all.iter().enumerate().all(|(number, setting)| !all[..number].contains(setting)));
    }

    #[test]
    fn an_investigation_varies_one_value() {
        for Investigation { varied, settings } in investigations() {
            for model in settings.chunk_by(|one, next| one.is_async == next.is_async) {
                let constant = |setting: &Setting| {
                    let mut same = setting.clone();
                    match varied {
                        Varied::Backlog => same.backlog = 0,
                        Varied::Backends => same.backends = 0,
                        Varied::ServerBacklog => same.server_backlog = 0,
                        Varied::Concurrency => same.concurrency = 0,
                    }
                    same
                };
                assert!(model.iter().all(|setting| constant(setting) == constant(&model[0])), "{varied:?}");
            }
        }
    }
}
