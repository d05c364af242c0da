//! The running role that `--live` names: which back ends it uses, and whose turn it is.
//!
//! Contract: of what the role says only plain words are shown; see [`running`](crate::app::running).

use crate::app::cli::Failure;
use crate::app::running::{LiveGroup, LiveRole, Running};
use crate::net::endpoint::Endpoint;

/// The state of a running role.
#[derive(Clone, Debug)]
pub(super) struct Live {
    page: Endpoint,
    role: LiveRole,
}

impl Live {
    /// Asks the status page of a running role of this name.
    pub(super) fn ask(page: &Endpoint, role: &str) -> Result<Live, Failure> {
        let failure = |words: String| Failure::Runtime(format!("--live {}: {words}", url(page)));
        let found = Running::ask(page).map_err(failure)?.roles.into_iter().find(|one| one.role == role);
        let role = found.ok_or_else(|| failure(format!("no {role} runs there")))?;
        Ok(Live { page: page.clone(), role })
    }

    /// The page and the role that it is of, for the text.
    pub(super) fn source(&self) -> String {
        format!("{} ({})", url(&self.page), self.role.role)
    }

    /// The group of this name.
    pub(super) fn group(&self, name: &str) -> Result<&LiveGroup, Failure> {
        self.role.groups.iter().find(|group| group.name == name).ok_or_else(|| {
            Failure::Runtime(format!(
                "--live {}: the {} there has no group {name:?}: it is another role, or has another configuration",
                url(&self.page),
                self.role.role
            ))
        })
    }
}

fn url(page: &Endpoint) -> String {
    format!("http://{page}")
}
