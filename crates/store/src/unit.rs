//! The unit of change: expectations and writes within one shard, atomic by itself.

use bytes::Bytes;

use crate::address::{Key, Shard};
use crate::{ErrorKind, StoreError};

/// Longest value, in bytes.
pub const VALUE_BYTES_MAX: usize = 4 << 20;

/// Most expectations and writes, counted together, in one unit.
pub const UNIT_ROWS_MAX: usize = 16_384;

/// Most bytes of keys and values, expectations included, in one unit.
pub const UNIT_BYTES_MAX: usize = 16 << 20;

/// A condition on the state just before the unit.
#[derive(Clone, Eq, PartialEq, Debug)]
pub enum Expect {
    /// No row has this key.
    Absent(Key),
    /// The row has exactly this value.
    Equals(Key, Bytes),
}

impl Expect {
    /// The key the condition is about.
    pub fn key(&self) -> &Key {
        match self {
            Expect::Absent(key) | Expect::Equals(key, _) => key,
        }
    }

    pub(crate) fn holds(&self, value: Option<&[u8]>) -> bool {
        match (self, value) {
            (Expect::Absent(_), None) => true,
            (Expect::Equals(_, expected), Some(value)) => expected == value,
            _ => false,
        }
    }

    fn bytes(&self) -> usize {
        match self {
            Expect::Absent(key) => key.bytes.len(),
            Expect::Equals(key, value) => key.bytes.len() + value.len(),
        }
    }
}

/// A change of one row. Of two changes of one row in a unit, the later counts.
#[derive(Clone, Eq, PartialEq, Debug)]
pub enum Write {
    /// The row has this value from now on.
    Put(Key, Bytes),
    /// The row is gone; it need not have existed.
    Delete(Key),
}

impl Write {
    /// The key that is changed.
    pub fn key(&self) -> &Key {
        match self {
            Write::Put(key, _) | Write::Delete(key) => key,
        }
    }

    fn value_len(&self) -> usize {
        match self {
            Write::Put(_, value) => value.len(),
            Write::Delete(_) => 0,
        }
    }

    /// The row as it is after the write.
    pub(crate) fn into_parts(self) -> (Key, Option<Bytes>) {
        match self {
            Write::Put(key, value) => (key, Some(value)),
            Write::Delete(key) => (key, None),
        }
    }
}

/// Expectations and writes within one shard: applied together if every expectation holds.
///
/// Expectations are judged on the state before the unit's own writes. A unit may have only
/// expectations (a check) but not be empty.
#[derive(Clone, Eq, PartialEq, Debug, Default)]
pub struct Unit {
    /// All must hold.
    pub expects: Vec<Expect>,
    /// Applied in order.
    pub writes: Vec<Write>,
}

impl Unit {
    /// A unit to be filled in.
    pub fn new() -> Unit {
        Unit::default()
    }

    /// Adds the condition that `key` has no row.
    #[must_use]
    pub fn expect_absent(mut self, key: Key) -> Unit {
        self.expects.push(Expect::Absent(key));
        self
    }

    /// Adds the condition that `key` has exactly `value`.
    #[must_use]
    pub fn expect_equals(mut self, key: Key, value: impl Into<Bytes>) -> Unit {
        self.expects.push(Expect::Equals(key, value.into()));
        self
    }

    /// Adds the condition that `key` is as it was read: absent, or this value.
    #[must_use]
    pub fn expect_unchanged(self, key: Key, read: Option<Bytes>) -> Unit {
        match read {
            Some(value) => self.expect_equals(key, value),
            None => self.expect_absent(key),
        }
    }

    /// Adds a put.
    #[must_use]
    pub fn put(mut self, key: Key, value: impl Into<Bytes>) -> Unit {
        self.writes.push(Write::Put(key, value.into()));
        self
    }

    /// Adds a delete.
    #[must_use]
    pub fn delete(mut self, key: Key) -> Unit {
        self.writes.push(Write::Delete(key));
        self
    }

    /// The shard of the unit, from its first key; `None` if it is empty.
    pub fn shard(&self) -> Option<Shard> {
        let first_write = self.writes.first().map(Write::key);
        let first = self.expects.first().map(Expect::key).or(first_write)?;
        Some(first.shard)
    }

    /// Bytes of keys and values, expectations included: what limits and queues count.
    pub fn bytes(&self) -> usize {
        let expects: usize = self.expects.iter().map(Expect::bytes).sum();
        let writes: usize = self
            .writes
            .iter()
            .map(|write| write.key().bytes.len() + write.value_len())
            .sum();
        expects + writes
    }

    pub(crate) fn check(&self) -> Result<(), StoreError> {
        let invalid = |detail: String| Err(StoreError::new(ErrorKind::Invalid, detail));
        let Some(shard) = self.shard() else {
            return invalid("a unit without expectations and writes".to_owned());
        };
        let rows = self.expects.len() + self.writes.len();
        if rows > UNIT_ROWS_MAX {
            return invalid(format!(
                "a unit of {rows} rows, the limit is {UNIT_ROWS_MAX}"
            ));
        }
        let mut bytes = 0;
        let keys = self.expects.iter().map(|e| (e.key(), e.bytes()));
        let writes = self
            .writes
            .iter()
            .map(|w| (w.key(), w.key().bytes.len() + w.value_len()));
        for (key, size) in keys.chain(writes) {
            key.check()?;
            if key.shard != shard {
                return invalid(format!(
                    "a unit spans shards {} and {}, it must stay in one",
                    shard.0, key.shard.0
                ));
            }
            bytes += size;
        }
        if let Some(write) = self.writes.iter().find(|w| w.value_len() > VALUE_BYTES_MAX) {
            return invalid(format!(
                "a value of {} bytes, the limit is {VALUE_BYTES_MAX}",
                write.value_len()
            ));
        }
        if bytes > UNIT_BYTES_MAX {
            return invalid(format!(
                "a unit of {bytes} bytes, the limit is {UNIT_BYTES_MAX}"
            ));
        }
        Ok(())
    }
}

/// What became of a unit.
#[derive(Clone, Eq, PartialEq, Debug)]
pub enum Outcome {
    /// Applied, durable, and visible to every later read.
    Committed,
    /// An expectation did not hold; certainly not applied. Re-read and decide anew.
    Conflict,
    /// Certainly not applied, now or later.
    Refused(StoreError),
    /// May or may not be applied, now or later: re-read before answering anybody. Rewriting the
    /// unit under the same expectations is safe, since at most one of the two can succeed.
    Unknown(StoreError),
}

impl Outcome {
    /// Whether the unit is certainly applied.
    pub fn is_committed(&self) -> bool {
        matches!(self, Outcome::Committed)
    }
}
