//! Anser bus.
