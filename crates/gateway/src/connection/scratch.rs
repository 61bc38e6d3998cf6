//! The read buffer that all connections of a thread share.

use std::cell::RefCell;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, ReadBuf};

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

/// Reads what there is of a stream and appends it; for those who keep what they read.
pub(crate) fn read_some(
    stream: &mut (impl AsyncRead + Unpin),
    cx: &mut Context<'_>,
    into: &mut Vec<u8>,
) -> Poll<io::Result<usize>> {
    with(|scratch| {
        let n = ready!(poll_read(stream, cx, scratch))?;
        into.extend_from_slice(&scratch[..n]);
        Poll::Ready(Ok(n))
    })
}

/// Reads what there is of a stream; zero at its end.
pub(super) fn poll_read(
    stream: &mut (impl AsyncRead + Unpin),
    cx: &mut Context<'_>,
    into: &mut [u8],
) -> Poll<io::Result<usize>> {
    let mut buffer = ReadBuf::new(into);
    ready!(Pin::new(stream).poll_read(cx, &mut buffer))?;
    Poll::Ready(Ok(buffer.filled().len()))
}
