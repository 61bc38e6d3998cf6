//! Anser gateway.
