//! Anser load.
