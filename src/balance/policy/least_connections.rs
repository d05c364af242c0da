//! Least connections: the back end that has the least to do for its weight (HAProxy `leastconn`, nginx `least_conn`).
//!
//! Contract: connections or requests in progress are divided by the weight; of those with the least, each gets its
//! turn. Two that choose at the same moment may choose the same one: nobody waits for the other.

use super::{Candidates, Choice, Choose, DependsOn};

pub(super) struct LeastConnections;

impl Choose for LeastConnections {
    fn name(&self) -> &'static str {
        "least-connections"
    }

    fn about(&self) -> &'static str {
        "The one with the fewest connections or requests in progress, for its weight"
    }

    fn depends_on(&self) -> DependsOn {
        DependsOn::Turn
    }

    fn choose(&self, among: &Candidates<'_>) -> Choice {
        let loads = among.iter().map(|(index, backend)| (index, among.load(backend)));
        let Some((first, least)) = loads.min_by(|(_, one), (_, other)| one.cmp(other)) else {
            return Choice::None;
        };
        // If all of them got more to do meanwhile, the first is as good as any.
        let tied = among.in_turn(among.turn_number(), |backend| among.load(backend) <= least);
        Choice::At(tied.unwrap_or(first))
    }
}
