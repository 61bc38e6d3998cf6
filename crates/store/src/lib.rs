//! Anser store.
