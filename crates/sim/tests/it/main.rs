//! The simulation as a test: seeds hold, the same seed is the same run, planted bugs are found.

mod determinism;
mod sabotage;
mod seeds;
