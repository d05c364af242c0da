//! What the protocol rules and the choice of a back end cost, without sockets: `cargo bench --bench core`, or
//! one file of it with `cargo bench --bench core -- head`.
//!
//! | file | question |
//! |---|---|
//! | `head` | what our rules about a head cost on top of httparse, which checks the grammar only |
//! | `framing` | what it costs to read a body to its end, whole and in pieces |
//! | `response` | what the head of one of our responses costs |
//! | `routes` | how the time of a look-up grows with the number of routes |
//! | `policies` | what a pick costs under each policy, with 10 and 1000 back ends |
//! | `turns` | how much threads slow each other down when they choose back ends at the same time |

mod framing;
mod head;
mod policies;
mod response;
mod routes;
mod turns;

use criterion::Criterion;

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    head::bench(&mut criterion);
    framing::bench(&mut criterion);
    response::bench(&mut criterion);
    routes::bench(&mut criterion);
    policies::bench(&mut criterion);
    turns::bench(&mut criterion);
    criterion.final_summary();
}
