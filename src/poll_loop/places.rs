//! A table whose places are used again, but never in the turn in which they were freed.
//!
//! Registrations name a place, and events of one turn may still name a socket that the same turn
//! has closed: a successor must not be there yet to take them for its own.

/// Things that come and go, each known by the number of its place.
#[derive(Debug)]
pub(crate) struct Places<T> {
    places: Vec<Option<T>>,
    free: Vec<usize>,
    /// Freed in this turn: an event of the same turn may still name them.
    freed: Vec<usize>,
}

impl<T> Default for Places<T> {
    fn default() -> Places<T> {
        Places { places: Vec::new(), free: Vec::new(), freed: Vec::new() }
    }
}

impl<T> Places<T> {
    /// The place that the next thing added will have.
    pub(crate) fn next(&self) -> usize {
        self.free.last().copied().unwrap_or(self.places.len())
    }

    /// Gives it a place.
    pub(crate) fn add(&mut self, thing: T) -> usize {
        let place = self.next();
        match self.free.pop() {
            Some(free) => self.places[free] = Some(thing),
            None => self.places.push(Some(thing)),
        }
        place
    }

    /// What is in this place.
    pub(crate) fn get(&self, place: usize) -> Option<&T> {
        self.places.get(place)?.as_ref()
    }

    /// What is in this place.
    pub(crate) fn get_mut(&mut self, place: usize) -> Option<&mut T> {
        self.places.get_mut(place)?.as_mut()
    }

    /// Empties this place. Doing so twice is harmless: a place is not freed twice.
    pub(crate) fn remove(&mut self, place: usize) -> Option<T> {
        let removed = self.places.get_mut(place).and_then(Option::take);
        if removed.is_some() {
            self.freed.push(place);
        }
        removed
    }

    /// All events of the turn are dealt with: freed places may be used again.
    pub(crate) fn end_turn(&mut self) {
        self.free.append(&mut self.freed);
    }

    /// All places there are or were.
    pub(crate) fn all(&self) -> std::ops::Range<usize> {
        0..self.places.len()
    }

    /// How many are taken.
    pub(crate) fn len(&self) -> usize {
        self.places.len() - self.free.len() - self.freed.len()
    }

    /// Everything in it.
    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = &mut T> {
        self.places.iter_mut().flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_not_given_to_a_successor_within_the_same_turn() {
        let mut places = Places::default();
        let first = places.add("first");
        assert_eq!(places.remove(first), Some("first"));
        let second = places.add("second");
        assert_ne!(first, second);
        assert_eq!((places.get(first), places.get(second)), (None, Some(&"second")));
        places.end_turn();
        assert_eq!(places.next(), first);
        assert_eq!(places.add("third"), first);
        assert_eq!(places.len(), 2);
    }

    #[test]
    fn a_place_freed_twice_is_given_out_once() {
        let mut places = Places::default();
        let first = places.add(1);
        assert_eq!((places.remove(first), places.remove(first), places.remove(99)), (Some(1), None, None));
        places.end_turn();
        assert_ne!(places.add(2), places.add(3));
        assert_eq!(places.iter_mut().map(|thing| *thing).sum::<i32>(), 5);
    }
}
