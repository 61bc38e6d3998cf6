//! Queries of conversations, in LeanStorage's language.
//!
//! * [`clause`] reads a `where` into conditions, and refuses what it does not know: a condition
//!   that is silently left out finds too much.
//! * [`test`] holds a conversation's row against them.
//! * [`pattern`] makes a client's regular expression one that is bounded in size and time.
//! * [`run`] finds the conversations: by id, by a member, or all of the app within the engine's
//!   budget, and makes their rows.

mod clause;
mod pattern;
mod run;
mod sort;
mod test;

pub use clause::{Clause, Condition, Point, Test};
pub use pattern::Pattern;
pub use run::{Kinds, Place, Query, Subject, find, lookup, members, run, temporary};
pub use sort::Sorting;
pub use test::Facts;
