//! Bounded range reads within one space and shard.

use std::ops::Bound;

use bytes::Bytes;

use crate::address::{Key, Shard, Space, check_key_bytes, check_shard};
use crate::{ErrorKind, StoreError};

/// Most rows of one page.
pub const SCAN_LIMIT_MAX: usize = 4096;

/// Bytes of keys and values after which a page ends, unless the caller says otherwise.
pub const SCAN_BYTES_DEFAULT: usize = 4 << 20;

/// Order of the rows of a page.
#[derive(Copy, Clone, Eq, PartialEq, Debug)]
pub enum Direction {
    /// Ascending keys, from the lower bound.
    Forward,
    /// Descending keys, from the upper bound.
    Backward,
}

/// A request for one page of a range.
#[derive(Clone, Eq, PartialEq, Debug)]
pub struct Scan {
    /// The table.
    pub space: Space,
    /// The virtual shard.
    pub shard: Shard,
    /// Lower bound of the keys, whatever the direction.
    pub from: Bound<Bytes>,
    /// Upper bound of the keys, whatever the direction.
    pub to: Bound<Bytes>,
    /// Which end to start at.
    pub direction: Direction,
    /// Most rows to return: `1..=SCAN_LIMIT_MAX`.
    pub limit: usize,
    /// The page ends before the row that would take keys and values past this many bytes; the
    /// first row is returned whatever its size, so a reader always advances.
    pub bytes_max: usize,
}

/// One page of a scan.
#[derive(Clone, Eq, PartialEq, Debug, Default)]
pub struct ScanPage {
    /// Key bytes (without space and shard) and values, in the order asked for.
    pub rows: Vec<(Bytes, Bytes)>,
    /// Whether the range had further rows behind the last one returned. Exact, not a guess.
    pub more: bool,
}

impl Scan {
    /// Everything in a space and shard, forward, in pages as large as allowed.
    pub fn all(space: Space, shard: Shard) -> Scan {
        Scan {
            space,
            shard,
            from: Bound::Unbounded,
            to: Bound::Unbounded,
            direction: Direction::Forward,
            limit: SCAN_LIMIT_MAX,
            bytes_max: SCAN_BYTES_DEFAULT,
        }
    }

    /// Every key that begins with `prefix`.
    pub fn prefix(space: Space, shard: Shard, prefix: impl Into<Bytes>) -> Scan {
        let prefix = prefix.into();
        Scan {
            to: prefix_end(&prefix),
            from: Bound::Included(prefix),
            ..Scan::all(space, shard)
        }
    }

    /// The keys between two bounds.
    pub fn range(space: Space, shard: Shard, from: Bound<Bytes>, to: Bound<Bytes>) -> Scan {
        Scan {
            from,
            to,
            ..Scan::all(space, shard)
        }
    }

    /// Replaces the lower bound, for example to continue after a page.
    #[must_use]
    pub fn from(mut self, from: Bound<Bytes>) -> Scan {
        self.from = from;
        self
    }

    /// Replaces the upper bound, for example to continue backward.
    #[must_use]
    pub fn to(mut self, to: Bound<Bytes>) -> Scan {
        self.to = to;
        self
    }

    /// Newest (largest) keys first.
    #[must_use]
    pub fn backward(mut self) -> Scan {
        self.direction = Direction::Backward;
        self
    }

    /// Limits the rows of the page.
    #[must_use]
    pub fn limit(mut self, limit: usize) -> Scan {
        self.limit = limit;
        self
    }

    /// Limits the bytes of the page.
    #[must_use]
    pub fn bytes_max(mut self, bytes_max: usize) -> Scan {
        self.bytes_max = bytes_max;
        self
    }

    pub(crate) fn check(&self) -> Result<(), StoreError> {
        check_shard(self.shard)?;
        for bound in [&self.from, &self.to] {
            if let Bound::Included(bytes) | Bound::Excluded(bytes) = bound {
                check_key_bytes(bytes)?;
            }
        }
        if (1..=SCAN_LIMIT_MAX).contains(&self.limit) {
            return Ok(());
        }
        Err(StoreError::new(
            ErrorKind::Invalid,
            format!("scan limit {} is outside 1..={SCAN_LIMIT_MAX}", self.limit),
        ))
    }

    /// Whether no key can lie between the bounds.
    pub(crate) fn is_empty_range(&self) -> bool {
        use Bound::{Excluded, Included};
        match (&self.from, &self.to) {
            (Included(from), Included(to)) => from > to,
            (Included(from) | Excluded(from), Included(to) | Excluded(to)) => from >= to,
            _ => false,
        }
    }

    /// The bounds as full addresses, so that they never reach into another space or shard.
    pub(crate) fn bounds(&self) -> (Bound<Key>, Bound<Key>) {
        let key = |bytes: &Bytes| Key::new(self.space, self.shard, bytes.clone());
        let from = match self.from.as_ref() {
            Bound::Unbounded => Bound::Included(key(&Bytes::new())),
            bound => bound.map(key),
        };
        let to = match self.to.as_ref() {
            Bound::Unbounded => after_shard(self.space, self.shard),
            bound => bound.map(key),
        };
        (from, to)
    }

    /// Fills a page from rows that arrive in the direction asked for.
    pub(crate) fn collect<E>(
        &self,
        rows: impl Iterator<Item = Result<(Bytes, Bytes), E>>,
    ) -> Result<ScanPage, E> {
        let mut page = ScanPage::default();
        let mut bytes = 0;
        for row in rows {
            let (key, value) = row?;
            bytes += key.len() + value.len();
            let full = page.rows.len() == self.limit;
            let heavy = bytes > self.bytes_max && !page.rows.is_empty();
            if full || heavy {
                page.more = true;
                break;
            }
            page.rows.push((key, value));
        }
        Ok(page)
    }
}

/// The first address behind a space and shard, if there is one.
fn after_shard(space: Space, shard: Shard) -> Bound<Key> {
    let next = match (shard.0.checked_add(1), space.0.checked_add(1)) {
        (Some(shard), _) => Key::new(space, Shard(shard), Bytes::new()),
        (None, Some(space)) => Key::new(Space(space), Shard(0), Bytes::new()),
        (None, None) => return Bound::Unbounded,
    };
    Bound::Excluded(next)
}

/// The upper bound of the keys with a prefix: the next string of its length, if there is one.
pub(crate) fn prefix_end(prefix: &[u8]) -> Bound<Bytes> {
    let Some(last) = prefix.iter().rposition(|&byte| byte != 0xFF) else {
        return Bound::Unbounded;
    };
    let mut end = prefix[..=last].to_vec();
    end[last] += 1;
    Bound::Excluded(end.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefix_end_is_the_next_sibling() {
        assert_eq!(prefix_end(b"ab"), Bound::Excluded("ac".into()));
        assert_eq!(
            prefix_end(&[1, 0xFF]),
            Bound::Excluded(Bytes::from_static(&[2]))
        );
        assert_eq!(prefix_end(&[0xFF, 0xFF]), Bound::Unbounded);
        assert_eq!(prefix_end(b""), Bound::Unbounded);
    }
}
