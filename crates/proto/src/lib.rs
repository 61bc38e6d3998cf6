//! Anser proto.
