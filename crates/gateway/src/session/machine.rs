//! The state of one session and how it moves.

use std::sync::Arc;
use std::task::{self, Poll};

use anser_domain::limits::{FIRST_FRAME_BYTES_MAX, FRAME_BYTES_MAX, FRAME_REQUESTS_MAX};
use anser_domain::{AppId, Code, Reject, UserId};
use anser_engine::message::SendMessage;
use anser_engine::session::SessionId;
use anser_engine::{Engine, Env, Reply, SessionSink};
use anser_proto::client as wire;
use futures::channel::oneshot;
use futures::future::BoxFuture;
use prost::Message as _;
use wire::request::Command;
use wire::response::Result as Answer;

use super::command::{self, Caller};
use super::enter::{self, Entered};
use super::handler::{Frame, Handler};
use super::outbox::{Outbox, Wire};
use super::rate::{Bucket, rate_of};
use crate::limits::SessionSettings;
use crate::metrics::Metrics;
use crate::native::{self, Framing};

/// What all sessions share.
#[derive(Clone)]
pub struct Context {
    /// The product.
    pub engine: Engine,
    /// The world.
    pub env: Env,
    /// Limits and choices.
    pub settings: Arc<SessionSettings>,
    /// What is counted.
    pub metrics: Arc<Metrics>,
}

/// How a command came out.
pub(super) enum Done {
    /// With this.
    Answer(Result<Answer, Reject>),
    /// The client is in.
    Entered(Box<Entered>),
}

/// What is left of a frame.
struct Work {
    /// The command under way. None: the next waits until there is room for its answer.
    running: Option<Running>,
    rest: std::vec::IntoIter<wire::Request>,
}

struct Running {
    request: u32,
    command: BoxFuture<'static, Done>,
    since: u64,
}

enum Stage {
    /// Hello has not come, or is being looked at.
    Fresh,
    Live(Live),
    /// A farewell was queued.
    Over,
}

struct Live {
    app: AppId,
    user: UserId,
    id: SessionId,
    /// From the first message on.
    bucket: Option<Bucket>,
    /// What is sent in the user's name if the connection is lost.
    will: Option<Box<SendMessage>>,
}

impl Live {
    /// Takes one send of what the connection may send, to conversations and chat rooms alike.
    fn check_rate(&mut self, context: &Context, now: u64) -> Result<(), Reject> {
        let own = context.engine.app_settings(self.app);
        let Some(rate) = rate_of(&own, context.settings.send_rate) else {
            return Ok(());
        };
        let bucket = self.bucket.get_or_insert_with(|| Bucket::new(rate, now));
        bucket.take(rate, now).map_err(|wait| {
            Metrics::count(&context.metrics.rate_limited);
            Reject::from(Code::RateLimited).retry_after_ms(wait)
        })
    }
}

/// One client's session. See the [module](super).
pub struct Session<W: Wire> {
    context: Arc<Context>,
    outbox: Arc<Outbox<W>>,
    framing: Framing,
    stage: Stage,
    work: Option<Box<Work>>,
    /// When the client was last heard, or the connection made.
    heard: u64,
    /// Silence from then on that ends the session.
    silence_max: u64,
}

impl<W: Wire> Session<W> {
    /// The session of a connection just made. `outbox` must speak [`Framing::dialect`].
    pub fn new(context: Arc<Context>, outbox: Arc<Outbox<W>>, framing: Framing, now: u64) -> Self {
        let silence_max = context.settings.hello_ms;
        Self {
            context,
            outbox,
            framing,
            stage: Stage::Fresh,
            work: None,
            heard: now,
            silence_max,
        }
    }

    /// Takes a frame and works until the next may come. For drivers without a task of their own;
    /// `now` is the time throughout.
    pub async fn on_frame(&mut self, frame: &[u8], now: u64) {
        Handler::on_frame(self, Frame::Binary(frame), now);
        std::future::poll_fn(|cx| self.poll_idle(cx, now)).await;
    }

    /// The id by which the engine knows the session, once it is open.
    pub fn id(&self) -> Option<SessionId> {
        match &self.stage {
            Stage::Live(live) => Some(live.id),
            Stage::Fresh | Stage::Over => None,
        }
    }

    fn take(&mut self, frame: Frame<'_>, now: u64) -> Result<(), Reject> {
        let invalid = |what: &'static str| Reject::new(Code::InvalidRequest, what);
        let Frame::Binary(bytes) = frame else {
            return Err(invalid("frames are binary, not text"));
        };
        let frame = wire::ClientFrame::decode(bytes)
            .map_err(|error| Reject::new(Code::InvalidRequest, format!("frame: {error}")))?;
        if frame.requests.len() > FRAME_REQUESTS_MAX {
            return Err(invalid("more than 64 requests in a frame"));
        }
        if matches!(self.stage, Stage::Fresh) {
            let hello_alone = match &frame.requests[..] {
                [only] => matches!(only.command, Some(Command::Hello(_))),
                _ => false,
            };
            if !hello_alone {
                return Err(Code::NotAuthenticated.into());
            }
        }
        self.run(frame.requests.into_iter(), now)
    }

    /// Begins requests until one has to be waited for.
    fn run(&mut self, mut rest: std::vec::IntoIter<wire::Request>, now: u64) -> Result<(), Reject> {
        while let Some(request) = rest.next() {
            Metrics::count(&self.context.metrics.requests);
            if request.id == 0 {
                return Err(Reject::new(
                    Code::InvalidRequest,
                    "a request's id is not zero",
                ));
            }
            if self.outbox.is_expected(request.id) {
                return Err(Reject::new(
                    Code::InvalidRequest,
                    format!("request {} is not answered yet", request.id),
                ));
            }
            let id = request.id;
            match self.begin(request, now) {
                Ok(None) => {}
                Ok(Some(command)) => {
                    let running = Some(Running {
                        request: id,
                        command,
                        since: now,
                    });
                    self.work = Some(Box::new(Work { running, rest }));
                    return Ok(());
                }
                Err(reject) => self.answer(id, Err(reject)),
            }
            if matches!(self.stage, Stage::Over) {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Begins one request. `None`: it needs no waiting for.
    fn begin(
        &mut self,
        request: wire::Request,
        now: u64,
    ) -> Result<Option<BoxFuture<'static, Done>>, Reject> {
        let Some(command) = request.command else {
            return Err(Reject::new(
                Code::InvalidRequest,
                "a command unknown to this server, or none",
            ));
        };
        let live = match &mut self.stage {
            Stage::Live(live) => live,
            Stage::Over => return Ok(None),
            Stage::Fresh => {
                let Command::Hello(hello) = command else {
                    return Err(Code::NotAuthenticated.into());
                };
                let entering = enter::enter(&self.context, &self.outbox, hello);
                return Ok(Some(entering));
            }
        };
        match command {
            Command::Hello(_) => Err(Reject::new(
                Code::InvalidRequest,
                "Hello is said once, first",
            )),
            Command::SendMessage(send) => {
                live.check_rate(&self.context, now)?;
                let send = native::send(live.app, live.user.clone(), Some(live.id), send)?;
                // `run` has looked that the id is free.
                if self.outbox.expect(request.id).is_ok() {
                    let reply = Reply::Session(self.outbox.clone(), request.id);
                    self.context.engine.send(send, reply);
                }
                Ok(None)
            }
            Command::SetWill(will) => {
                live.will = match will.message {
                    Some(message) => {
                        let message = native::will(live.app, live.user.clone(), message)?;
                        self.context.engine.check_send(&message)?;
                        Some(Box::new(message))
                    }
                    None => None,
                };
                self.answer(request.id, Ok(Answer::Done(wire::Done {})));
                Ok(None)
            }
            Command::Logout(_) => {
                self.context.engine.close_session(live.id);
                self.leave();
                self.answer(request.id, Ok(Answer::Done(wire::Done {})));
                self.outbox.close(Code::LoggedOut.into());
                Ok(None)
            }
            command => {
                if matches!(command, Command::SendRoomMessage(_)) {
                    live.check_rate(&self.context, now)?;
                }
                let caller = Caller {
                    engine: self.context.engine.clone(),
                    env: self.context.env.clone(),
                    app: live.app,
                    user: live.user.clone(),
                    session: live.id,
                };
                Ok(Some(command::begin(caller, command)?))
            }
        }
    }

    fn answer(&self, request: u32, result: Result<Answer, Reject>) {
        let result = result.unwrap_or_else(|reject| Answer::Error(native::error(&reject)));
        let frame = self.framing.encode(&native::response(request, result));
        self.outbox.reply(frame);
    }

    fn done(&mut self, request: u32, done: Done, now: u64) {
        match done {
            Done::Entered(entered) => {
                let welcome = Answer::Welcome(entered.welcome);
                let frame = self.framing.encode(&native::response(request, welcome));
                self.stage = Stage::Live(Live {
                    app: entered.app,
                    user: entered.user,
                    id: entered.id,
                    bucket: None,
                    will: None,
                });
                self.heard = now;
                self.silence_max = u64::from(entered.heartbeat_seconds) * 1_500;
                Metrics::count(&self.context.metrics.logins);
                Metrics::enter(&self.context.metrics.sessions);
                self.outbox.release(Some(frame));
            }
            Done::Answer(result) => {
                let refused = match (&self.stage, &result) {
                    (Stage::Fresh, Err(reject)) => Some(reject.clone()),
                    _ => None,
                };
                self.answer(request, result);
                if let Some(reject) = refused {
                    // A Hello that failed ends the connection: the client comes back as the
                    // range of the code says.
                    Metrics::count(&self.context.metrics.login_failures);
                    self.close(reject);
                }
            }
        }
    }

    /// The connection is lost, or as good as: the user's will is done. Not when the server had
    /// ended the session before, because another took its place or the user was signed out.
    fn do_will(&mut self) {
        let Stage::Live(live) = &mut self.stage else {
            return;
        };
        if let Some(will) = live.will.take()
            && !self.outbox.is_closed_from_here()
        {
            // Nobody waits for what becomes of it.
            let (reply, _) = oneshot::channel();
            self.context.engine.send(*will, Reply::Call(reply));
        }
    }

    /// Ends the session from this side.
    fn close(&mut self, reason: Reject) {
        self.do_will();
        if let Stage::Live(live) = &self.stage {
            self.context.engine.close_session(live.id);
        }
        self.leave();
        // A Hello given up half way left it held.
        self.outbox.release(None);
        self.outbox.close(reason);
    }

    /// Is there room for more answers, if need be after writing out those that wait?
    fn poll_room(&self, cx: &task::Context<'_>) -> Poll<()> {
        if self.outbox.poll_ready(cx).is_ready() {
            return Poll::Ready(());
        }
        self.outbox.flush();
        self.outbox.poll_ready(cx)
    }

    fn running(&self) -> Option<&Running> {
        self.work.as_ref().and_then(|work| work.running.as_ref())
    }

    fn leave(&mut self) {
        if matches!(self.stage, Stage::Live(_)) {
            Metrics::leave(&self.context.metrics.sessions);
        }
        self.stage = Stage::Over;
    }

    /// Lets the command under way run to its end without us: it may have begun to take effect.
    /// A session that is being opened is closed once it is.
    fn abandon(&mut self) {
        let Some(Running { command, .. }) = self.work.take().and_then(|work| work.running) else {
            return;
        };
        let engine = self.context.engine.clone();
        self.context.env.spawn(async move {
            if let Done::Entered(entered) = command.await {
                engine.close_session(entered.id);
            }
        });
    }
}

impl<W: Wire> Handler for Session<W> {
    fn on_frame(&mut self, frame: Frame<'_>, now: u64) {
        if matches!(self.stage, Stage::Over) {
            return;
        }
        self.on_sign_of_life(now);
        if let Err(reject) = self.take(frame, now) {
            Metrics::count(&self.context.metrics.protocol_errors);
            self.close(reject);
        }
    }

    fn poll_idle(&mut self, cx: &mut task::Context<'_>, now: u64) -> Poll<()> {
        while let Some(work) = &mut self.work {
            if let Some(running) = &mut work.running {
                let Poll::Ready(done) = running.command.as_mut().poll(cx) else {
                    return Poll::Pending;
                };
                let request = running.request;
                work.running = None;
                self.done(request, done, now);
                // The client was not being read; it can't have been heard.
                self.on_sign_of_life(now);
            }
            if matches!(self.stage, Stage::Over) {
                self.work = None;
                break;
            }
            // Each answer may be a large page.
            if self.poll_room(cx).is_pending() {
                return Poll::Pending;
            }
            let rest = self.work.take().map(|work| work.rest).unwrap_or_default();
            if let Err(reject) = self.run(rest, now) {
                Metrics::count(&self.context.metrics.protocol_errors);
                self.close(reject);
            }
        }
        self.poll_room(cx)
    }

    fn on_sign_of_life(&mut self, now: u64) {
        // Before Hello nothing prolongs the time for it.
        if matches!(self.stage, Stage::Live(_)) {
            self.heard = now;
        }
    }

    fn deadline(&self) -> u64 {
        match self.running() {
            Some(running) => running.since + self.context.settings.command_ms,
            None => self.heard + self.silence_max,
        }
    }

    fn on_deadline(&mut self, now: u64) -> u64 {
        if now < self.deadline() || matches!(self.stage, Stage::Over) {
            return self.deadline();
        }
        if let Some(request) = self.running().map(|running| running.request) {
            self.abandon();
            self.done(request, Done::Answer(Err(Code::Timeout.into())), now);
            // What stood behind it in the frame was not begun, and the client can't tell: it
            // comes back and repeats what has no answer.
            self.close(Code::Timeout.into());
        } else if matches!(self.stage, Stage::Live(_)) {
            Metrics::count(&self.context.metrics.heartbeats_missed);
            self.close(Code::HeartbeatMissed.into());
        } else {
            self.close(Code::NotAuthenticated.into());
        }
        self.deadline()
    }

    fn is_authenticated(&self) -> bool {
        matches!(self.stage, Stage::Live(_))
    }

    fn frame_bytes_max(&self) -> usize {
        match self.stage {
            Stage::Live(_) => FRAME_BYTES_MAX,
            Stage::Fresh | Stage::Over => FIRST_FRAME_BYTES_MAX,
        }
    }
}

impl<W: Wire> Drop for Session<W> {
    fn drop(&mut self) {
        self.do_will();
        if let Stage::Live(live) = &self.stage {
            self.context.engine.close_session(live.id);
        }
        self.leave();
        self.abandon();
    }
}
