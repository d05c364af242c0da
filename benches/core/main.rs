//! What the core costs, without a socket: `cargo bench --bench core`, or one topic of it with
//! `cargo bench --bench core -- head`.
//!
//! | file | question |
//! |---|---|
//! | `head` | what the rules about a head cost on top of httparse, which knows the grammar only |
//! | `framing` | what it costs to follow a body, whole and in pieces |
//! | `response` | what an answer's head costs |
//! | `routes` | how a look-up grows with the number of routes |
//! | `turns` | what threads that draw turns at the same time cost each other |

mod framing;
mod head;
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
    turns::bench(&mut criterion);
    criterion.final_summary();
}
