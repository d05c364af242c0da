// Periods and bounds, and the phases with their functions in the code.

const STATUS_MS = 1000;
// Who asked for less motion gets one column a second instead of five.
const LANES_MS = matchMedia("(prefers-reduced-motion: reduce)").matches ? 1000 : 200;
const BACK_OFF_MAX_MS = 5000;
const TIMEOUT_MS = 4000;
const HISTORY_MS = 5 * 60 * 1000;     // what the plots of the traffic show, and all that is kept for them
const WINDOW_MS = 10 * 1000;          // a percentile of less would jump with every request
const COLUMN = 3;                     // pixels of one moment in a strip
const COLUMNS = 450;                  // moments kept of a strip: 90 seconds, as wide as the page gets
const THIN = ["worker", "acceptor"];  // lanes of one connection at a time
const PHASES = {
  idle: ["nothing to do: a worker waits for work, a loop sleeps in its poller", "Intake::next", "EventLoop::run"],
  accept: ["takes a new connection from the kernel", "SharedAccept::accept_as_worker", "EventLoop::accept_clients"],
  read: ["waits for bytes of the client or reads them; a loop only reads, from either side", "Session::wait_and_read", "Session::read_client, Session::read_backend"],
  connect: ["connects to a back end", "Session::try_backend", "Session::try_backend"],
  wait: ["waits for the back end; a relay, for either side", "Session::wait_and_read", "never: a loop waits for nobody"],
  write: ["writes to the client or to the back end", "Session::write_client, Session::write_backend", "Session::write_client, Session::write_backend"],
  parked: ["waits, without a worker, for bytes of the connections that are parked", "Parking::run", "never: a loop holds them itself"],
};
