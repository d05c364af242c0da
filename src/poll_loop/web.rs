//! One client of a web server, served by a loop. Twin: `threaded/web.rs`.
//!
//! Compare `integration/python/server_async_http.py`.

use super::session::{Pollable, Session};
use super::{CALLS_PER_ITERATION_MAX, Connection, LoopContext, Served};
use crate::protocol::interest::Step;
use crate::protocol::web::Web;
use crate::site::Site;

/// A client of a web server.
pub(crate) type WebConnection = Session<Web<Site>>;

impl Connection for WebConnection {
    type Machine = Web<Site>;
    type Local = ();

    fn serve(&mut self, _local: &mut (), context: &mut LoopContext<'_>) -> Served {
        self.keep_time(context);
        for _ in 0..CALLS_PER_ITERATION_MAX {
            match self.step() {
                Step::Verify => self.verify_password(context),
                Step::ShutClient => self.shut_client(),
                Step::Finish => return self.close(context),
                _ if self.transfer(context) => {}
                _ => return self.register(context),
            }
        }
        Served::MoreToDo
    }

    fn session(&mut self) -> Option<&mut dyn Pollable> {
        Some(self)
    }
}
