//! The session machine: what one client says, in order, and what it gets back. No IO.
//!
//! A [`Session`] is driven by a transport: whole frames go in ([`Handler::on_frame`]), everything
//! that goes out is written to the session's [`Outbox`], and time is what the transport says it
//! is. The server's transport is `connection`; the simulation has another.
//!
//! **Life.** The first frame is Hello, alone and within its time; the token is checked, the
//! session registered with the engine, the Welcome sent. Then requests are taken in order. A send
//! is handed over without waiting, and the engine answers it through the outbox once it is
//! durable, so a client may have many on their way. Every other command runs by itself: the next
//! request is begun when it has been answered, and meanwhile the transport reads nothing. That is
//! the back-pressure: a client can't have more under way than it was given room for.
//!
//! **End.** A client that breaks the protocol, is silent for one and a half heartbeat intervals,
//! or is closed by the engine gets a `ClosePush` and is gone. A command that was under way then
//! still runs to its end; its answer is lost, as on any broken connection, and clients repeat it.

mod command;
mod created;
mod enter;
mod group;
mod handler;
mod machine;
mod outbox;
mod own_view;
mod presence;
mod rate;
mod receipt;
mod relation;
mod room;
mod system;

pub use handler::{Frame, Handler};
pub use machine::{Context, Session};
pub use outbox::{Dialect, Drain, IdInUse, Outbox, Wire};
pub use rate::{Bucket, rate_of};
