//! The seam between a transport and what is spoken over it.

use std::task::{Context, Poll};

/// One whole message of the peer.
#[derive(Copy, Clone, Eq, PartialEq, Debug)]
pub enum Frame<'a> {
    /// Bytes: a binary WebSocket message, or a frame of a length-prefixed stream.
    Binary(&'a [u8]),
    /// A WebSocket text message.
    Text(&'a str),
}

/// What is spoken on a connection: takes frames, answers through its outbox.
///
/// Times are milliseconds of the transport's clock, which never goes back.
pub trait Handler: Send + Unpin + 'static {
    /// Takes the next frame. Only called when [`Handler::poll_idle`] was ready last.
    fn on_frame(&mut self, frame: Frame<'_>, now: u64);

    /// Works on what was taken; ready when the next frame may come. The waker of `cx` is told
    /// when to poll again.
    fn poll_idle(&mut self, cx: &mut Context<'_>, now: u64) -> Poll<()>;

    /// The peer gave a sign of life that is no frame, such as a ping of the transport.
    fn on_sign_of_life(&mut self, now: u64);

    /// When [`Handler::on_deadline`] wants to be called. It moves with what happens; looking at
    /// it again then is enough.
    fn deadline(&self) -> u64;

    /// Called at the deadline, or later, or too early; returns the next one.
    fn on_deadline(&mut self, now: u64) -> u64;

    /// Are text messages spoken? If not, the transport refuses them.
    fn takes_text(&self) -> bool {
        false
    }

    /// Has the peer authenticated?
    fn is_authenticated(&self) -> bool;

    /// Bytes of the next frame at most.
    fn frame_bytes_max(&self) -> usize;
}

impl Handler for Box<dyn Handler> {
    fn on_frame(&mut self, frame: Frame<'_>, now: u64) {
        (**self).on_frame(frame, now);
    }

    fn poll_idle(&mut self, cx: &mut Context<'_>, now: u64) -> Poll<()> {
        (**self).poll_idle(cx, now)
    }

    fn on_sign_of_life(&mut self, now: u64) {
        (**self).on_sign_of_life(now);
    }

    fn deadline(&self) -> u64 {
        (**self).deadline()
    }

    fn on_deadline(&mut self, now: u64) -> u64 {
        (**self).on_deadline(now)
    }

    fn takes_text(&self) -> bool {
        (**self).takes_text()
    }

    fn is_authenticated(&self) -> bool {
        (**self).is_authenticated()
    }

    fn frame_bytes_max(&self) -> usize {
        (**self).frame_bytes_max()
    }
}
