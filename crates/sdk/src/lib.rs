//! Anser sdk.
