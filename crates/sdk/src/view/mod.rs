//! What a screen shows, as lists that change step by step.
//!
//! A view is a list and the [diffs](diff) that lead from one state of it to the next: whoever
//! applies them in order has exactly the list. [`timeline`] is a conversation, [`list`] the
//! conversation list. Both are without IO: pages and events go in, and what is to be shown comes
//! out; the driver feeds them.

pub mod diff;
pub mod list;
pub mod timeline;

pub use diff::Diff;
pub use list::ListModel;
pub use timeline::{Delivery, TimelineItem, TimelineModel, TimelinePage};
