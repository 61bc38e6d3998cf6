//! Anser sim.
