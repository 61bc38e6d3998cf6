//! How many transfers there are at once.

use std::collections::BTreeMap;
use std::sync::Arc;

use anser_domain::{AppId, Code, Reject, UserId};
use parking_lot::Mutex;

type Who = (AppId, Option<UserId>);

#[derive(Default)]
struct Taken {
    all: usize,
    by_user: BTreeMap<Who, usize>,
}

/// The places for transfers.
pub(super) struct Places {
    taken: Arc<Mutex<Taken>>,
    max: usize,
    user_max: usize,
}

/// A place; dropping it gives it back.
pub(super) struct Place {
    taken: Arc<Mutex<Taken>>,
    who: Who,
}

/// How long to wait before asking again.
const RETRY_MS: u32 = 1_000;

impl Places {
    pub(super) fn new(max: usize, user_max: usize) -> Self {
        Self {
            taken: Arc::default(),
            max,
            user_max,
        }
    }

    /// Takes one. A backend has no share of its own: it stands for many users.
    pub(super) fn take(&self, app: AppId, user: Option<&UserId>) -> Result<Place, Reject> {
        let who = (app, user.cloned());
        let mut taken = self.taken.lock();
        if taken.all >= self.max {
            return Err(Reject::from(Code::Overloaded).retry_after_ms(RETRY_MS));
        }
        let mine = taken.by_user.get(&who).copied().unwrap_or(0);
        if user.is_some() && mine >= self.user_max {
            let message = format!("a user uploads at most {} files at once", self.user_max);
            return Err(Reject::new(Code::RateLimited, message).retry_after_ms(RETRY_MS));
        }
        taken.all += 1;
        taken.by_user.insert(who.clone(), mine + 1);
        Ok(Place {
            taken: self.taken.clone(),
            who,
        })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.taken.lock();
        taken.all -= 1;
        let left = taken.by_user.get(&self.who).copied().unwrap_or(1) - 1;
        match left {
            0 => taken.by_user.remove(&self.who),
            left => taken.by_user.insert(self.who.clone(), left),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_has_a_share_and_all_have_a_limit() {
        let places = Places::new(3, 2);
        let (alice, bob) = (UserId::new("alice").unwrap(), UserId::new("bob").unwrap());
        let take = |user| places.take(AppId(1), user).map_err(|reject| reject.code);
        let one = take(Some(&alice)).unwrap();
        let two = take(Some(&alice)).unwrap();
        assert_eq!(take(Some(&alice)).err(), Some(Code::RateLimited));
        let three = take(Some(&bob)).unwrap();
        assert_eq!(take(None).err(), Some(Code::Overloaded));
        drop((one, two, three));
        let all = [take(None), take(None), take(None)];
        assert!(all.iter().all(Result::is_ok), "a backend has no share");
        drop(all);
        assert!(places.taken.lock().by_user.is_empty());
    }
}
