//! Anser server.
fn main() {}
