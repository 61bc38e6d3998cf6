//! An engine to test.
