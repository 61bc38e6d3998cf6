//! Anser engine.
