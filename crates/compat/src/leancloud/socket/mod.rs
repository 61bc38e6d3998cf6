//! What is spoken on a WebSocket.
//!
//! One message both ways, [`GenericCommand`](super::wire::GenericCommand), in binary frames or as
//! base64 in text frames ([`form`]). A connection ([`connection`]) carries the sessions of several
//! clients; each is a session of the engine, whose sink ([`sink`]) writes events as this protocol
//! has them ([`event`]) onto the connection's one outbox ([`way`]).
//!
//! **Bytes.** Every push names its client, so no two clients' frames are the same; but all that is
//! else in them is. An event is encoded once for all, without the name, and the name is put before
//! it: fields of a protobuf message may come in any order.
//!
//! **Order.** Commands of a connection are taken one after the other, sends without waiting for
//! their acks. The reply to a command goes out before what the command brings about: while one is
//! under way, events wait.
//!
//! **Too slow.** Nothing tells these clients to pull, so one that reads too slowly is told to
//! connect anew (`goaway`), and then gets what it missed as unread counts and by history.

mod caller;
mod commands;
mod connection;
mod conversation;
mod event;
mod form;
mod history;
mod members;
mod message;
mod notice;
mod notify;
mod room;
mod session;
mod sink;
mod unread;
mod way;

pub(super) use connection::Connection;
pub(super) use form::{PROTOCOLS, dialect};
