//! The product: conversations, messages, users and their sync, over a store and a bus.
//!
//! A command comes in through [`Engine`]. What appends goes to the actor of its conversation
//! ([`conversation`]), from there as a unit to the committer and the store, and once durable down
//! the lane to the sender and, through delivery, to the sessions of all recipients. What happens
//! in other shards because of it is an outbox row in the same unit. Reads go straight to the
//! store.
//!
//! The engine knows neither HTTP nor WebSocket nor any wire format but the stored one and that
//! between nodes. Sessions are [`SessionSink`]s; time, randomness and tasks come from [`Env`].

pub mod app;
mod burn;
mod by_name;
mod cluster;
mod committer;
pub mod control;
pub mod conversation;
pub mod created;
pub mod dead_letter;
mod delivery;
mod engine;
pub mod env;
pub mod event;
mod fault;
mod forward;
pub mod group;
pub mod json;
pub mod media;
pub mod message;
mod metrics;
mod node;
pub mod notice;
mod outbox;
pub mod presence;
pub mod receipt;
pub mod relation;
mod retention;
pub mod room;
pub mod search;
pub mod session;
pub mod sync;
pub mod system;
pub mod tables;
mod tools;
mod touch;
pub mod user;

pub use engine::{Engine, Parts, Settings};
pub use env::{Env, World};
pub use event::{Event, EventBody, Reply, SessionSink};
pub use metrics::Metrics;
