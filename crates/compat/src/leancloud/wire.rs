//! The schema of what is spoken on the WebSocket: `proto/leancloud.proto`.

#![allow(
    missing_docs,
    clippy::all,
    unreachable_pub,
    reason = "generated from the field tables"
)]

include!(concat!(env!("OUT_DIR"), "/push_server.messages2.rs"));
