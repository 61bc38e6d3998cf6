//! The engine over the memory store: what a capability promises, end to end.

#![expect(clippy::disallowed_methods, reason = "tests live in the real world")]
#![expect(
    clippy::unwrap_used,
    reason = "a test that unwraps in vain has failed, as it should"
)]

mod apps;
mod audience;
mod burn;
mod changes;
mod chat;
mod cluster;
mod content;
mod control;
mod created;
mod group_rules;
mod groups;
mod login;
mod media;
mod notices;
mod outdated;
mod own_view;
mod presence;
mod receipts;
mod relations;
mod retention;
mod room_crowds;
mod rooms;
mod search;
mod sync;
mod system;
mod tags;
mod targeted;
mod temporary;
mod transient;
mod world;
