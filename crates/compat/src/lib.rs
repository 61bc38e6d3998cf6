//! Doors for applications that were written for somebody else's cloud.
//!
//! A module a vendor: the vendor's wire types, and their translation into the engine's words and
//! back. Nothing here decides what the product does: what the engine lacks is added there, as a
//! capability for everybody. Modules never import each other, and nothing but the server knows
//! this crate.

pub mod leancloud;
