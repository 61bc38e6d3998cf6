//! Accepting connections and finding out what they want.
//!
//! One port serves everything that begins with HTTP: a WebSocket handshake at [`CONNECT_PATH`] is
//! answered here, on the raw socket, and becomes a [`Connection`](crate::connection::Connection);
//! one of another protocol goes, by its sub-protocol, to its [door](crate::door); any other request
//! is handed on, with what was already read, to the HTTP server and the routes it was given. A
//! second, optional port speaks length-prefixed frames. Both may be TLS.
//!
//! **Strangers.** Who has not authenticated is bounded in everything: time for the handshake and
//! for Hello, bytes of the request head and of the first frame, how many there are from one
//! address and in all. HTTP connections count as strangers as long as they last, since each of
//! their requests stands for itself.
//!
//! **Trouble.** When `accept` fails, mostly for want of file descriptors, it is tried again after
//! a pause that grows; existing connections are not touched. The process never raises its own
//! limit of open files: set `nofile` in the service manager.
//!
//! **The end** ([`Gateway::drain`]): nothing new is accepted, HTTP connections finish the request
//! they are in, sessions are told `SHUTTING_DOWN` a few thousand a second, and what has not gone
//! when the time is up is cut off.

mod accept;
mod admission;
mod gateway;
mod greet;
mod http;
mod registry;
mod replay;

pub use gateway::{Gateway, Listen, Parts};

/// Where WebSocket lives.
pub const CONNECT_PATH: &str = "/v1/connect";
/// The WebSocket subprotocol, for clients that name one.
pub const SUBPROTOCOL: &str = "anser.v1";
