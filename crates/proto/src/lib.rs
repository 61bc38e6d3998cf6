//! Bytes on the wire, between nodes, and on disk.
//!
//! Three packages that share nothing, since each changes at its own speed and under its own
//! promise: [`client`] is spoken by every SDK ever released, [`cluster`] by two adjacent
//! releases, [`stored`] is read for ever. The `.proto` files in `proto/` are the source, for
//! other languages too. [`frame`] cuts a byte stream into frames. Nothing here does IO.

#![allow(
    missing_docs,
    reason = "generated types are documented in the .proto files"
)]

/// The client wire: `proto/anser/client/v1/client.proto`, told in `docs/protocol.md`.
pub mod client {
    #![allow(clippy::all, unreachable_pub, reason = "generated")]
    include!(concat!(env!("OUT_DIR"), "/anser.client.v1.rs"));
}

/// Node to node: `proto/anser/cluster/v1/cluster.proto`.
pub mod cluster {
    #![allow(clippy::all, unreachable_pub, reason = "generated")]
    include!(concat!(env!("OUT_DIR"), "/anser.cluster.v1.rs"));
}

/// Values in the store: `proto/anser/stored/v1/stored.proto`.
pub mod stored {
    #![allow(clippy::all, unreachable_pub, reason = "generated")]
    include!(concat!(env!("OUT_DIR"), "/anser.stored.v1.rs"));
}

pub mod frame;
