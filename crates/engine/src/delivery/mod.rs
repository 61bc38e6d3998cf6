//! Delivery: from a committed message to the queues of sessions.
//!
//! A user has a *home node*, picked like the owner of a conversation, which knows all sessions of
//! the user and on which node each of them is ([`home`]). Whoever has something for users sends
//! each home node one packet with all its recipients; the home node pushes to the sessions it
//! holds itself and forwards to the nodes of the others. On one node all of it is a table lookup.
//!
//! What is for all subscribers of a system conversation takes another way ([`broadcast`]).
//!
//! An event is encoded once, and the sinks of one burst are flushed once, after everything for
//! them is queued.

mod broadcast;
mod burst;
mod fan_out;
mod home;
mod routes;

pub(crate) use broadcast::{Broadcast, Broadcasts};
pub(crate) use burst::Burst;
pub(crate) use fan_out::{FanOut, Outgoing, yield_once};
pub(crate) use home::{Home, HomeSession};
pub(crate) use routes::Routes;
