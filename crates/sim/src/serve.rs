//! The server's end of a connection: drives the gateway's session machine over a [`Pipe`], as the
//! gateway's own driver does over a socket.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll};

use anser_engine::SessionSink as _;
use anser_gateway::metrics::Metrics;
use anser_gateway::native::Framing;
use anser_gateway::session::{Context, Drain, Frame, Handler, Outbox, Session};
use anser_proto::frame;
use bytes::BytesMut;

use crate::executor::{Executor, Sleep};
use crate::pipe::{End, Pipe, PipeWire};

/// How long a farewell may take to get out, in milliseconds.
const CLOSING_MS: u64 = 5_000;

struct Serving {
    executor: Executor,
    pipe: Pipe,
    end: End,
    outbox: Arc<Outbox<PipeWire>>,
    session: Session<PipeWire>,
    received: BytesMut,
    timer: Sleep,
    closing_until: Option<u64>,
}

/// Serves one connection until its end.
pub(crate) async fn serve(executor: Executor, context: Arc<Context>, pipe: Pipe, end: End) {
    let metrics: Arc<Metrics> = context.metrics.clone();
    let outbox = Outbox::new(
        pipe.wire(),
        Framing::Length.dialect(),
        context.settings.outbox_bytes_max,
        metrics,
    );
    let now = executor.now() / 1_000;
    let session = Session::new(context, outbox.clone(), Framing::Length, now);
    let mut serving = Serving {
        timer: executor.sleep(0),
        executor,
        pipe,
        end,
        outbox,
        session,
        received: BytesMut::new(),
        closing_until: None,
    };
    std::future::poll_fn(|context| serving.poll(context)).await;
}

impl Serving {
    fn poll(&mut self, context: &mut TaskContext<'_>) -> Poll<()> {
        self.outbox.register(context.waker());
        self.pipe.register_writer(context.waker());
        loop {
            let now = self.executor.now() / 1_000;
            let drain = self.outbox.resume();
            match (drain, self.closing_until) {
                (Drain::Broken, _) => return Poll::Ready(()),
                (Drain::Farewell, Some(_)) => return Poll::Ready(()),
                (_, Some(until)) if now >= until => return Poll::Ready(()),
                (_, Some(until)) => return self.wait(context, until),
                _ => {}
            }
            if self.outbox.is_closing() {
                self.closing_until.get_or_insert(now + CLOSING_MS);
                continue;
            }
            let idle = self.session.poll_idle(context, now).is_ready();
            self.outbox.flush();
            if self.outbox.is_closing() {
                continue;
            }
            let received = match idle {
                true => self.receive(context, now),
                false => Poll::Pending,
            };
            self.outbox.flush();
            match received {
                Poll::Ready(true) => {}
                Poll::Ready(false) => return Poll::Ready(()),
                Poll::Pending => {
                    let deadline = self.session.deadline();
                    if now < deadline {
                        return self.wait(context, deadline);
                    }
                    self.session.on_deadline(now);
                }
            }
        }
    }

    /// Takes a frame. `false`: the stream has ended, or what came is no frame.
    fn receive(&mut self, context: &mut TaskContext<'_>, now: u64) -> Poll<bool> {
        loop {
            match frame::decode(&mut self.received, self.session.frame_bytes_max()) {
                Ok(Some(payload)) => {
                    Handler::on_frame(&mut self.session, Frame::Binary(&payload), now);
                    return Poll::Ready(true);
                }
                Ok(None) => {}
                Err(_) => return Poll::Ready(false),
            }
            match self.end.poll_receive(context) {
                Poll::Ready(Some(bytes)) => self.received.extend_from_slice(&bytes),
                Poll::Ready(None) => return Poll::Ready(false),
                Poll::Pending => return Poll::Pending,
            }
        }
    }

    fn wait(&mut self, context: &mut TaskContext<'_>, until_ms: u64) -> Poll<()> {
        let until = until_ms * 1_000;
        if self.timer.until() != until {
            self.timer = self
                .executor
                .sleep(until.saturating_sub(self.executor.now()));
        }
        if Pin::new(&mut self.timer).poll(context).is_ready() {
            context.waker().wake_by_ref();
        }
        Poll::Pending
    }
}
