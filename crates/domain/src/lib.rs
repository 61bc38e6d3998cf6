//! Anser domain.
