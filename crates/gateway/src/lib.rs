//! The gateway: where clients and customers' backends reach the engine.
//!
//! `websocket` is the codec, `session` the machine that a client talks to, `native` the translation
//! between the wire and the engine; none of them does IO. `connection` drives a session over a
//! socket, `listener` accepts sockets and decides what is spoken on them; these two own tokio.
//! `rest` is the HTTP API. `door` is the seam to protocols that are not ours.

pub mod connection;
pub mod door;
pub mod limits;
pub mod listener;
pub mod metrics;
pub mod native;
pub mod rest;
pub mod session;
pub mod tls;
pub mod websocket;
