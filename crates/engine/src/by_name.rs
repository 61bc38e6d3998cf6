//! A map from (app, name) to what is in memory of it, cut into stripes so that lookups of
//! different names rarely meet. Used for conversations and for users.

use std::hash::{BuildHasher, Hash};
use std::sync::Arc;

use anser_domain::AppId;
use foldhash::fast::FixedState;
use hashbrown::{Equivalent, HashMap};
use parking_lot::{Mutex, MutexGuard};

/// Stripes; a power of two.
pub(crate) const STRIPES: usize = 64;

type Key = (AppId, Arc<str>);
/// One stripe, locked.
pub(crate) type Stripe<V> = HashMap<Key, V, FixedState>;

/// A key looked up without owning it.
#[derive(Hash)]
pub(crate) struct Name<'a>(pub(crate) AppId, pub(crate) &'a str);

impl Equivalent<Key> for Name<'_> {
    fn equivalent(&self, key: &Key) -> bool {
        self.0 == key.0 && self.1 == &*key.1
    }
}

pub(crate) struct ByName<V> {
    hasher: FixedState,
    stripes: Box<[Mutex<Stripe<V>>]>,
}

impl<V> ByName<V> {
    /// `seed` is unpredictable to clients, who choose names.
    pub(crate) fn new(seed: u64) -> Self {
        let hasher = FixedState::with_seed(seed);
        let stripe = |_| Mutex::new(HashMap::with_hasher(hasher.clone()));
        let stripes = (0..STRIPES).map(stripe).collect();
        Self { hasher, stripes }
    }

    /// The stripe that has, or would have, this name.
    pub(crate) fn stripe(&self, app: AppId, name: &str) -> MutexGuard<'_, Stripe<V>> {
        self.stripes[self.stripe_of(app, name)].lock()
    }

    /// The number of the stripe that has, or would have, this name.
    pub(crate) fn stripe_of(&self, app: AppId, name: &str) -> usize {
        let hash = self.hasher.hash_one(Name(app, name));
        usize::try_from(hash >> 48).expect("16 bits") % STRIPES
    }

    /// A stripe by its number.
    pub(crate) fn lock(&self, stripe: usize) -> MutexGuard<'_, Stripe<V>> {
        self.stripes[stripe].lock()
    }

    /// Every stripe in turn. What is done under the lock must be short.
    pub(crate) fn for_each_stripe(&self, mut work: impl FnMut(usize, &mut Stripe<V>)) {
        for (at, stripe) in self.stripes.iter().enumerate() {
            work(at, &mut stripe.lock());
        }
    }
}
