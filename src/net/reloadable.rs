//! A value that may be replaced while others use it: how a reload reaches new connections.
//!
//! Contract: whoever asks gets the whole of the old value or the whole of the new one, and keeps
//! what it was given; who asks after [`Live::set`] has returned gets the new one.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

/// The value as it is now. Clones are the same value.
pub struct Live<T> {
    value: Arc<RwLock<T>>,
    /// Those whose own value is made from this one.
    followers: Arc<Mutex<Vec<Follower<T>>>>,
}

type Follower<T> = Box<dyn Fn(&T) + Send>;

impl<T: Clone> Live<T> {
    /// Begins with this value.
    pub fn new(value: T) -> Live<T> {
        Live { value: Arc::new(RwLock::new(value)), followers: Arc::default() }
    }

    /// The value as it is now.
    pub fn get(&self) -> T {
        // Nobody panics while it is written, so what is there is whole.
        self.value.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Replaces the value, here and at those who follow.
    pub fn set(&self, value: T) {
        let followers = self.followers.lock().unwrap_or_else(PoisonError::into_inner);
        followers.iter().for_each(|follower| follower(&value));
        *self.value.write().unwrap_or_else(PoisonError::into_inner) = value;
    }

    /// What `make` makes of the value, now and whenever it is replaced. `None` if it makes nothing of
    /// the value as it is now; a later value of which it makes nothing is not followed.
    pub fn map<U>(&self, make: impl Fn(&T) -> Option<U> + Send + 'static) -> Option<Live<U>>
    where
        U: Clone + Send + Sync + 'static,
    {
        let mut followers = self.followers.lock().unwrap_or_else(PoisonError::into_inner);
        let made = Live::new(make(&self.get())?);
        let follows = made.clone();
        followers.push(Box::new(move |value| {
            if let Some(value) = make(value) {
                follows.set(value);
            }
        }));
        Some(made)
    }
}

impl<T> Clone for Live<T> {
    fn clone(&self) -> Live<T> {
        Live { value: Arc::clone(&self.value), followers: Arc::clone(&self.followers) }
    }
}

impl<T: fmt::Debug> fmt::Debug for Live<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Live").field(&self.value).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_made_of_it_follows_it() {
        let number = Live::new(4);
        let half = number.map(|number| (number % 2 == 0).then_some(number / 2)).unwrap();
        let text = half.map(|half| Some(half.to_string())).unwrap();
        assert!(number.map(|_| None::<()>).is_none());
        assert_eq!((half.get(), text.get().as_str()), (2, "2"));
        number.clone().set(10);
        assert_eq!((number.get(), half.get(), text.get().as_str()), (10, 5, "5"));
        number.set(11);
        assert_eq!((number.get(), half.get()), (11, 5), "nothing can be made of 11");
    }
}
