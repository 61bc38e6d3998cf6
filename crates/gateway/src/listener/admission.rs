//! Who is let in before anything is known of them.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use parking_lot::Mutex;

use crate::limits::Limits;

/// Counts connections and strangers.
#[derive(Debug)]
pub(super) struct Admission {
    connections: AtomicUsize,
    connections_max: usize,
    strangers_max: usize,
    per_address_max: usize,
    strangers: Mutex<Strangers>,
}

#[derive(Debug, Default)]
struct Strangers {
    total: usize,
    by_address: BTreeMap<u128, usize>,
}

/// A place among the connections; dropping it frees the place.
#[derive(Debug)]
pub(super) struct Place {
    admission: Arc<Admission>,
    /// The address, while it counts as a stranger's.
    stranger: Option<u128>,
}

impl Admission {
    pub(super) fn new(limits: &Limits) -> Arc<Self> {
        Arc::new(Self {
            connections: AtomicUsize::new(0),
            connections_max: limits.connections_max,
            strangers_max: limits.strangers_max,
            per_address_max: limits.strangers_per_address_max,
            strangers: Mutex::default(),
        })
    }

    /// A place for a new connection, if there is one.
    pub(super) fn admit(self: &Arc<Self>, address: IpAddr) -> Option<Place> {
        let key = key(address);
        {
            let mut strangers = self.strangers.lock();
            if strangers.total >= self.strangers_max {
                return None;
            }
            let here = strangers.by_address.entry(key).or_default();
            if *here >= self.per_address_max {
                return None;
            }
            *here += 1;
            strangers.total += 1;
        }
        // From here on dropping the place undoes it all.
        let open = self.connections.fetch_add(1, Relaxed);
        let place = Place {
            admission: self.clone(),
            stranger: Some(key),
        };
        (open < self.connections_max).then_some(place)
    }

    /// How many places are taken.
    pub(super) fn open(&self) -> usize {
        self.connections.load(Relaxed)
    }
}

impl Place {
    /// The connection is nobody unknown any more.
    pub(super) fn authenticated(&mut self) {
        let Some(key) = self.stranger.take() else {
            return;
        };
        let mut strangers = self.admission.strangers.lock();
        strangers.total -= 1;
        if let Some(here) = strangers.by_address.get_mut(&key) {
            *here -= 1;
            if *here == 0 {
                strangers.by_address.remove(&key);
            }
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.authenticated();
        self.admission.connections.fetch_sub(1, Relaxed);
    }
}

/// Whoever has an IPv6 address has all of its /64.
fn key(address: IpAddr) -> u128 {
    match address.to_canonical() {
        IpAddr::V4(v4) => v4.to_ipv6_mapped().to_bits(),
        IpAddr::V6(v6) => v6.to_bits() & !u128::from(u64::MAX),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn admission(
        connections_max: usize,
        strangers_max: usize,
        per_address: usize,
    ) -> Arc<Admission> {
        Admission::new(&Limits {
            connections_max,
            strangers_max,
            strangers_per_address_max: per_address,
            ..Limits::default()
        })
    }

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn strangers_are_bounded_by_address_and_in_all() {
        let admission = admission(100, 3, 2);
        let mut first = admission.admit(address("10.0.0.1")).unwrap();
        let second = admission.admit(address("::ffff:10.0.0.1")).unwrap();
        assert!(admission.admit(address("10.0.0.1")).is_none());
        let _third = admission.admit(address("10.0.0.2")).unwrap();
        assert!(admission.admit(address("10.0.0.3")).is_none());
        first.authenticated();
        first.authenticated();
        assert!(admission.admit(address("10.0.0.1")).is_some());
        drop((first, second));
        assert_eq!(admission.open(), 1);
        assert_eq!(admission.strangers.lock().by_address.len(), 1);
    }

    #[test]
    fn a_network_of_ipv6_is_one_address() {
        let admission = admission(100, 100, 1);
        let _first = admission.admit(address("2001:db8::1")).unwrap();
        assert!(admission.admit(address("2001:db8::ffff:1")).is_none());
        assert!(admission.admit(address("2001:db8:0:1::1")).is_some());
    }

    #[test]
    fn a_full_server_admits_nobody_and_leaks_nothing() {
        let admission = admission(1, 100, 100);
        let mut only = admission.admit(address("10.0.0.1")).unwrap();
        only.authenticated();
        assert!(admission.admit(address("10.0.0.1")).is_none());
        assert_eq!(admission.open(), 1);
        assert_eq!(admission.strangers.lock().total, 0);
        drop(only);
        assert!(admission.admit(address("10.0.0.1")).is_some());
    }
}
