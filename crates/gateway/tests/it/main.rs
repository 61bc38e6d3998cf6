//! The gateway from outside: its codec against the RFC and a library, its queues against slow and
//! broken peers, its sessions and sockets against a whole engine in memory.

mod broken_peers;
mod chat;
mod conformance;
mod fuzz;
mod library;
mod outbox;
mod pipe;
mod random;
mod server;
mod session;
mod tls;
mod wire;
mod worked_example;
