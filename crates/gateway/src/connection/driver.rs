//! The task of a connection.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use anser_domain::{Code, Reject};
use anser_engine::SessionSink as _;
use bytes::BytesMut;
use tokio::time::{Sleep, sleep_until};

use super::framing::{Decoder, Item, Refusal};
use super::scratch;
use super::socket::{Clock, Shared, Socket};
use crate::metrics::Metrics;
use crate::session::{Drain, Frame, Handler};
use crate::websocket::{self, CloseCode};

/// Bytes thrown away while a connection lingers; who sends more is not going to read.
const LINGER_BYTES_MAX: usize = 1024 * 1024;

/// How long a connection lingers unless told otherwise.
const LINGER_MS: u64 = 5_000;

/// A socket with what is spoken on it; done when the connection is over.
///
/// Spawn it in a task of its own, so that what made the connection takes no memory with it.
pub struct Connection<S: Socket, H, G> {
    socket: S,
    outbox: Shared<S>,
    handler: H,
    decoder: Decoder,
    /// Received, but not to be looked at before the handler is idle again.
    unread: Vec<u8>,
    stage: Stage,
    timer: Pin<Box<Sleep>>,
    /// When the timer goes off, by the clock.
    armed: u64,
    clock: Clock,
    linger_ms: u64,
    metrics: Arc<Metrics>,
    guard: G,
}

/// What whoever made the connection keeps with it until its end.
pub trait Guard: Send + Unpin + 'static {
    /// The peer has authenticated. Called at least once then.
    fn authenticated(&mut self);
}

impl Guard for () {
    fn authenticated(&mut self) {}
}

#[derive(Copy, Clone, Eq, PartialEq, Debug)]
enum Stage {
    Open,
    /// A farewell is queued; until when it may take to get out.
    Closing {
        until: u64,
    },
    /// The farewell is out and our side shut, or about to be; waiting for the peer's end.
    Lingering {
        until: u64,
        bytes: usize,
        shut: bool,
    },
    Over,
}

/// What one step came to.
enum Step {
    /// Do the next.
    Again,
    /// Nothing to do until woken.
    Wait,
}

impl<S: Socket, H: Handler, G: Guard> Connection<S, H, G> {
    /// A connection that nothing was received on yet.
    pub fn new(
        socket: S,
        outbox: Shared<S>,
        handler: H,
        decoder: Decoder,
        guard: G,
        clock: Clock,
    ) -> Self {
        let armed = handler.deadline();
        let metrics = outbox.metrics().clone();
        Metrics::enter(&metrics.connections);
        Self {
            socket,
            outbox,
            handler,
            decoder,
            unread: Vec::new(),
            stage: Stage::Open,
            timer: Box::pin(sleep_until(clock.instant(armed))),
            armed,
            clock,
            linger_ms: LINGER_MS,
            metrics,
            guard,
        }
    }

    /// These bytes were received already.
    #[must_use]
    pub fn received(mut self, unread: Vec<u8>) -> Self {
        self.unread = unread;
        self
    }

    /// So long the peer may take to read the farewell and close its side.
    #[must_use]
    pub fn lingering(mut self, time: Duration) -> Self {
        self.linger_ms = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        self
    }

    fn step(&mut self, cx: &mut Context<'_>) -> Step {
        match self.stage {
            Stage::Open => self.step_open(cx),
            Stage::Closing { until } => self.step_closing(cx, until),
            Stage::Lingering { until, bytes, shut } => self.step_lingering(cx, until, bytes, shut),
            Stage::Over => Step::Wait,
        }
    }

    fn step_open(&mut self, cx: &mut Context<'_>) -> Step {
        match self.socket.poll_drain(cx, &self.outbox) {
            Poll::Ready(Drain::Broken) => {
                self.stage = Stage::Over;
                return Step::Again;
            }
            Poll::Ready(_) | Poll::Pending => {}
        }
        let now = self.clock.now();
        if self.outbox.is_closing() {
            let until = now.saturating_add(self.linger_ms);
            self.stage = Stage::Closing { until };
            return Step::Again;
        }
        let idle = self.handler.poll_idle(cx, now).is_ready();
        if self.handler.is_authenticated() {
            // Before the peer hears of it: it may count on it.
            self.guard.authenticated();
        }
        if !idle {
            // What the handler said meanwhile, on its way to here, goes out.
            self.outbox.flush();
            return self.step_timer(cx);
        }
        if self.outbox.is_closing() {
            return Step::Again;
        }
        let received = if self.unread.is_empty() {
            self.read(cx, now)
        } else {
            let mut unread = std::mem::take(&mut self.unread);
            self.take(&mut unread, cx, now);
            Poll::Ready(true)
        };
        if self.handler.is_authenticated() {
            self.guard.authenticated();
        }
        self.outbox.flush();
        match received {
            Poll::Ready(true) => Step::Again,
            Poll::Ready(false) => {
                self.stage = Stage::Over;
                Step::Again
            }
            Poll::Pending => self.step_timer(cx),
        }
    }

    /// Reads once and takes what came. `false` at the end of the stream.
    fn read(&mut self, cx: &mut Context<'_>, now: u64) -> Poll<bool> {
        scratch::with(|scratch| match ready!(self.socket.poll_read(cx, scratch)) {
            Ok(0) | Err(_) => Poll::Ready(false),
            Ok(n) => {
                self.metrics.read(n);
                self.take(&mut scratch[..n], cx, now);
                Poll::Ready(true)
            }
        })
    }

    /// Hands the frames in `received` to the handler, as long as it is idle, and keeps the rest.
    fn take(&mut self, received: &mut [u8], cx: &mut Context<'_>, now: u64) {
        let mut at = 0;
        loop {
            let max = self.handler.frame_bytes_max();
            let (taken, item) = match self.decoder.next(&mut received[at..], max) {
                Ok(next) => next,
                Err(Refusal { reject, farewell }) => {
                    Metrics::count(&self.metrics.protocol_errors);
                    self.outbox.refuse(&reject, &farewell);
                    return;
                }
            };
            at += taken;
            match item {
                None => return,
                Some(Item::Frame(Frame::Text(_))) if !self.handler.takes_text() => {
                    Metrics::count(&self.metrics.protocol_errors);
                    let reason = "frames are binary messages, not text";
                    let mut farewell = BytesMut::new();
                    websocket::put_close(CloseCode::Unsupported, reason, &mut farewell);
                    let reject = Reject::new(Code::InvalidRequest, reason);
                    self.outbox.refuse(&reject, &farewell);
                    return;
                }
                Some(Item::Frame(frame)) => {
                    Metrics::count(&self.metrics.frames_in);
                    self.handler.on_frame(frame, now);
                }
                Some(Item::SignOfLife(answer)) => {
                    self.handler.on_sign_of_life(now);
                    if let Some(answer) = answer {
                        self.outbox.reply(answer);
                    }
                }
                Some(Item::Bye(answer)) => {
                    self.outbox.finish(answer);
                    return;
                }
            }
            if self.handler.poll_idle(cx, now).is_pending() {
                self.unread = received[at..].to_vec();
                return;
            }
            if self.outbox.is_closing() {
                return;
            }
        }
    }

    fn step_closing(&mut self, cx: &mut Context<'_>, until: u64) -> Step {
        match self.socket.poll_drain(cx, &self.outbox) {
            Poll::Ready(Drain::Broken) => self.stage = Stage::Over,
            Poll::Ready(_) => {
                self.stage = Stage::Lingering {
                    until,
                    bytes: 0,
                    shut: false,
                };
            }
            Poll::Pending => return self.step_until(cx, until),
        }
        Step::Again
    }

    fn step_lingering(
        &mut self,
        cx: &mut Context<'_>,
        until: u64,
        bytes: usize,
        shut: bool,
    ) -> Step {
        if !shut && self.socket.poll_shutdown(cx, &self.outbox).is_ready() {
            let shut = true;
            self.stage = Stage::Lingering { until, bytes, shut };
            return Step::Again;
        }
        match scratch::with(|scratch| self.socket.poll_read(cx, scratch)) {
            Poll::Ready(Ok(n)) if n > 0 && bytes + n <= LINGER_BYTES_MAX => {
                self.metrics.read(n);
                let bytes = bytes + n;
                self.stage = Stage::Lingering { until, bytes, shut };
                Step::Again
            }
            Poll::Ready(_) => {
                self.stage = Stage::Over;
                Step::Again
            }
            Poll::Pending => self.step_until(cx, until),
        }
    }

    /// Waits for the handler's deadline.
    fn step_timer(&mut self, cx: &mut Context<'_>) -> Step {
        let deadline = self.handler.deadline();
        if deadline < self.armed {
            self.arm(deadline);
        }
        while self.timer.as_mut().poll(cx).is_ready() {
            let now = self.clock.now();
            let next = self.handler.on_deadline(now);
            if self.outbox.is_closing() {
                return Step::Again;
            }
            self.arm(next.max(now + 1));
        }
        Step::Wait
    }

    /// Waits, but not beyond `until`.
    fn step_until(&mut self, cx: &mut Context<'_>, until: u64) -> Step {
        if self.armed != until {
            self.arm(until);
        }
        if self.timer.as_mut().poll(cx).is_pending() {
            return Step::Wait;
        }
        self.stage = Stage::Over;
        Step::Again
    }

    fn arm(&mut self, at: u64) {
        self.armed = at;
        self.timer.as_mut().reset(self.clock.instant(at));
    }
}

impl<S: Socket, H: Handler, G: Guard> Future for Connection<S, H, G> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.get_mut();
        this.outbox.register(cx.waker());
        while this.stage != Stage::Over {
            match this.step(cx) {
                Step::Again => {}
                Step::Wait => return Poll::Pending,
            }
        }
        Poll::Ready(())
    }
}

impl<S: Socket, H, G> Drop for Connection<S, H, G> {
    fn drop(&mut self) {
        Metrics::leave(&self.metrics.connections);
        // The engine may hold the outbox a little longer; the socket closes now.
        self.outbox.end();
    }
}
