//! A model answer of exercise 1: least connections.
//!
//! Looked at in the order of their turns, the first of those with the fewest connections is chosen:
//! `min_by_key` returns the first of equals. Beginning at 0 instead of at the turn, equals would not take turns.

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
        let count = self.open.len();
        let in_turn = (0..count).map(|place| (self.turn + place) % count);
        let chosen = in_turn.min_by_key(|backend| self.open[*backend]).unwrap();
        self.turn = (chosen + 1) % self.open.len();
        self.open[chosen] += 1;
        chosen
    }

    /// A connection to this back end has ended.
    pub fn finished(&mut self, backend: usize) {
        self.open[backend] -= 1;
    }
}

#[path = "../1_policy/tests.rs"]
mod tests;
