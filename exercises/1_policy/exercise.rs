//! Exercise 1: add a balancing policy.
//!
//! A round robin gives each back end its turn, also to one that is busy with long downloads. Add the policy
//! *least connections*: the next connection goes to the back end that has the fewest open ones. If several have
//! as few, it goes to the one of them whose turn comes first, so that equals still take turns.
//!
//! Change `choose` and whatever you need for it. `finished` is called when a connection has ended.

/// The back ends of a balancer, by their places in its list.
pub struct Backends {
    /// Open connections of each.
    open: Vec<usize>,
    /// Whose turn it is.
    turn: usize,
}

impl Backends {
    pub fn new(count: usize) -> Backends {
        Backends { open: vec![0; count], turn: 0 }
    }

    /// The back end for the next connection.
    pub fn choose(&mut self) -> usize {
        let chosen = self.turn;
        self.turn = (chosen + 1) % self.open.len();
        self.open[chosen] += 1;
        chosen
    }

    /// A connection to this back end has ended.
    pub fn finished(&mut self, backend: usize) {
        self.open[backend] -= 1;
    }
}

mod tests;
