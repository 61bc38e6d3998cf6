//! The read buffer that all connections of a thread share.

use std::cell::RefCell;

/// As much as one read takes. Large enough that a burst costs one system call, small enough to
/// stay in the processor's cache.
const BYTES: usize = 64 * 1024;

thread_local! {
    static SCRATCH: RefCell<Box<[u8]>> = RefCell::new(vec![0; BYTES].into_boxed_slice());
}

/// Lends the buffer. Its contents are anybody's.
///
/// # Panics
/// When the lender lends it again; nobody reads while reading.
pub(super) fn with<T>(use_it: impl FnOnce(&mut [u8]) -> T) -> T {
    SCRATCH.with_borrow_mut(|scratch| use_it(scratch))
}
