//! Ordered bytes with atomic conditional units.
//!
//! The store is the only thing in the product that remembers. It knows keys, values and
//! conditions; it does not know what a message, a conversation or a user is. Everything above it
//! is written against [`Store`], a cheap handle over one of several backends that all pass the
//! same conformance suite (`tests/it/conformance.rs`), so that the memory backend is a true stand-in in tests and in the
//! simulation.
//!
//! # The model
//!
//! * A row is `(space, shard, key bytes) → value bytes`. A [`Space`] is a table of the caller's
//!   catalog; a [`Shard`] is one of [`SHARD_COUNT`] virtual shards. Within one space and shard,
//!   rows are ordered by their key bytes.
//! * A [`Unit`] is a set of expectations and writes within **one shard**. It is applied entirely
//!   or not at all, and only if every expectation holds.
//! * [`Store::commit`] takes several units, makes them durable together (one sync on the embedded
//!   backend) and answers each by itself.
//!
//! # What `commit` guarantees
//!
//! * **Order.** Units take effect in the order given; unit *k* sees the writes of the committed
//!   units before it. Units of two concurrent calls are ordered one way or the other.
//! * **Isolation of failure.** A unit whose expectation fails is a [`Outcome::Conflict`] and leaves
//!   no trace; its neighbours are unaffected.
//! * **Durability.** [`Outcome::Committed`] is said only after the unit would survive a loss of
//!   power (the memory backend, which has nothing to survive with, aside).
//! * **Visibility.** After `Committed`, every later read sees the unit. A read never sees half of
//!   a unit within one space, and never sees a unit that a crash could still take back.
//! * **Honesty.** [`Outcome::Refused`] means the unit was certainly not applied and never will be.
//!   [`Outcome::Unknown`] means it may be applied, now or later: re-read before telling anybody.
//!
//! Dropping the future of a `commit` does not cancel it; the outcome is then simply not heard,
//! as with `Unknown`.
//!
//! # What reads guarantee
//!
//! A [`Store::get`] returns the newest visible value. A [`Store::scan`] page is a consistent view
//! of its range; two pages, and the answers of one [`Store::get_many`], may straddle a commit.
//! Callers that need more than one row to agree read a head, then the rows, and let the head's
//! expectation settle it in the unit that follows.

mod address;
mod backend;
mod embedded;
mod error;
mod faulty;
mod handle;
mod memory;
mod scan;
mod unit;

pub use address::{KEY_BYTES_MAX, Key, SHARD_COUNT, Shard, Space, SpaceClass};
pub use embedded::EmbeddedOptions;
pub use error::{ErrorKind, StoreError};
pub use faulty::{FaultPlan, Faults, UnitFault};
pub use handle::{COMMIT_BYTES_MAX, GET_MANY_MAX, Store};
pub use scan::{Direction, SCAN_BYTES_DEFAULT, SCAN_LIMIT_MAX, Scan, ScanPage};
pub use unit::{Expect, Outcome, UNIT_BYTES_MAX, UNIT_ROWS_MAX, Unit, VALUE_BYTES_MAX, Write};
