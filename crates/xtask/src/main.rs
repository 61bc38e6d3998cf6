//! Anser xtask.
fn main() {}
