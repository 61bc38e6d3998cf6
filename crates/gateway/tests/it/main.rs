//! The gateway from outside: its codec against the RFC and a library, its queues against slow and
//! broken peers, its sessions and sockets against a whole engine in memory.

#![expect(
    clippy::disallowed_methods,
    reason = "tests live in the real world: sockets, timers and threads"
)]
#![expect(
    clippy::unwrap_used,
    reason = "a test that unwraps in vain has failed, as it should"
)]
#![expect(
    clippy::print_stderr,
    reason = "a failing seed is printed, to repeat it"
)]

mod broken_peers;
mod changes;
mod chat;
mod conformance;
mod control;
mod created;
mod fuzz;
mod groups;
mod library;
mod media_retention;
mod outbox;
mod own_view;
mod pipe;
mod random;
mod room_outbox;
mod rooms;
mod search;
mod server;
mod session;
mod system;
mod tls;
mod will;
mod wire;
mod worked_example;
