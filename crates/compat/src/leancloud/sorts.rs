//! Of which kind a conversation is, as far as it is known.
//!
//! Ids of 24 digits do not say it, it never changes, and every message asks.

use std::collections::BTreeMap;

use anser_domain::AppId;
use parking_lot::RwLock;

use super::ids::TEMPORARY;

/// Ids kept in memory, of all apps; beyond, all are forgotten.
const KNOWN_MAX: usize = 100_000;
/// Characters of an id that is looked at.
const ID_MAX: usize = 64;

/// A kind of conversation.
#[derive(Copy, Clone, Eq, PartialEq, Debug)]
pub(crate) enum Sort {
    /// Of members, for good or for a time.
    Members,
    /// A chat room.
    Room,
    /// A service conversation.
    Service,
}

#[derive(Default)]
struct Known {
    apps: BTreeMap<AppId, BTreeMap<Box<str>, Sort>>,
    len: usize,
}

/// What is known.
#[derive(Default)]
pub(crate) struct Sorts(RwLock<Known>);

impl Sorts {
    /// The kind, if it is known.
    pub(crate) fn get(&self, app: AppId, id: &str) -> Option<Sort> {
        if id.starts_with(TEMPORARY) {
            return Some(Sort::Members);
        }
        self.0.read().apps.get(&app)?.get(id).copied()
    }

    /// Takes note of one that exists.
    pub(crate) fn note(&self, app: AppId, id: &str, sort: Sort) {
        if id.len() > ID_MAX {
            return;
        }
        let mut known = self.0.write();
        if known.len >= KNOWN_MAX {
            *known = Known::default();
        }
        let ids = known.apps.entry(app).or_default();
        if ids.insert(id.into(), sort).is_none() {
            known.len += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_found_out_is_known_from_then_on() {
        let sorts = Sorts::default();
        let app = AppId(1);
        assert_eq!(sorts.get(app, "5e8400e29b41d4a716446655"), None);
        sorts.note(app, "5e8400e29b41d4a716446655", Sort::Room);
        let found = sorts.get(app, "5e8400e29b41d4a716446655");
        assert_eq!(found, Some(Sort::Room));
        assert_eq!(sorts.get(AppId(2), "5e8400e29b41d4a716446655"), None);
        assert_eq!(sorts.get(app, "_tmp:x"), Some(Sort::Members));
    }
}
