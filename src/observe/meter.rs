//! The observer of a role that can be looked at: the access log's, and a counter of what ends.

use super::counters::Counter;
use super::lane;
use super::log::{AccessLog, closing_line};
use crate::protocol::event::{Connection, Event, Observer};

/// Counts for the lane of the thread on which an event happens, and passes the event on to the log.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Meter;

impl Observer for Meter {
    fn wants_closings(&self) -> bool {
        true
    }

    fn wants_heads(&self) -> bool {
        AccessLog.wants_heads()
    }

    fn observe(&self, connection: &Connection<'_>, event: &Event<'_>) {
        if let Event::Closed(closing) = event {
            lane::with(|lane| {
                if connection.is_check {
                    return lane.counters.add(Counter::Checks, 1);
                }
                lane.counters.closed(closing);
                lane.keep_closing(|| closing_line(connection, closing));
            });
        }
        AccessLog.observe(connection, event);
    }
}
