//! The client on real sockets.
//!
//! [`Client::builder`] makes a pair: a [`Client`], through which the application asks, and
//! [`Events`], from which it hears. Behind them one task owns the [core](crate::core), a clock
//! and a source of random numbers, and one task each connection.
//!
//! Requests do not depend on events: whoever waits for the answer of a send without reading
//! events gets it. Events are a bounded queue that drops nothing. When it is full, the client
//! stops taking news in, as a slow reader does everywhere in this system; the server keeps them,
//! and once half of the queue is free the client catches up by a sync. So an application that is
//! slow sees events late, never with a hole.
//!
//! With a [database](crate::database) events and answers come when what they tell is written,
//! and not before.
//!
//! It ends when every [`Client`] and [`LocalDatabase`] is dropped. When [`Events`] is dropped, events are thrown away.

#![expect(
    clippy::disallowed_methods,
    reason = "this is the adapter: it owns clock, random numbers, timers and tasks"
)]

mod address;
mod client;
mod created;
mod database;
mod events;
mod groups;
mod list;
#[cfg(feature = "media")]
mod media;
mod messages;
mod people;
mod rooms;
mod run;
mod system;
mod timeline;
mod tls;
mod token;
mod transport;
mod views;

pub use client::{Builder, Client};
pub use database::{Batch, LocalDatabase};
pub use events::Events;
pub use list::{ConversationListStream, ListStatus, ListUpdate};
#[cfg(feature = "media")]
pub use media::{Upload, UploadProgress};
pub use rustls_pki_types::CertificateDer;
pub use timeline::{Timeline, TimelineStatus, TimelineUpdate};
pub use token::{TokenError, TokenFuture, TokenProvider};
pub use views::Update;
