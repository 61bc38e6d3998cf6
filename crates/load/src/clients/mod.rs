//! Ten thousand clients on one thread.
//!
//! The generator shares the machine with the server it measures, so it has to be the cheaper of
//! the two: one epoll loop, one shared read buffer, prebuilt frames, no task and no buffer per
//! connection while nothing is half sent or half received. The same loop drives the raw floors
//! and the real server; they differ in how a connection is opened, and in nothing else.

pub(crate) mod blocking;
pub(crate) mod login;
pub(crate) mod swarm;
pub(crate) mod websocket;
pub(crate) mod wire;
