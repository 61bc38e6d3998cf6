//! A connection, and the clients on it.

use std::sync::Arc;
use std::task::{self, Poll};

use anser_domain::limits::{FIRST_FRAME_BYTES_MAX, FRAME_BYTES_MAX};
use anser_domain::{Code, Reject};
use anser_engine::message::SendMessage;
use anser_gateway::door::Opening;
use anser_gateway::metrics::Noted;
use anser_gateway::session::{Bucket, Context, Frame, Handler, rate_of};
use futures::FutureExt as _;
use futures::future::BoxFuture;

use super::caller::{Answer, Caller, answer, refusal};
use super::form::Form;
use super::message::{self, UNNUMBERED};
use super::session::{self, NotOpened, Opened};
use super::way::Way;
use super::{commands, conversation, room};
use crate::leancloud::error::{Doing, Kind, Refusal};
use crate::leancloud::query::{self, Place};
use crate::leancloud::sorts::Sort;
use crate::leancloud::wire::{CommandType, GenericCommand, LoggedinCommand, OpType};
use crate::leancloud::{LeanCloud, ids};

/// Silence that ends a connection: clients are heard every three minutes, and take one for lost
/// after twice that.
const SILENCE_MS: u64 = 420_000;
/// The same before anybody has logged in.
const STRANGER_MS: u64 = 60_000;
/// Clients on a connection.
const CLIENTS_MAX: usize = 256;
/// Acks of a connection that are under way beside its other commands.
const ACKS_MAX: usize = 8;
/// The service of logins that want no pushes.
const PUSH_SERVICE: i32 = 0;

/// A client on the connection.
struct Client {
    caller: Caller,
    bucket: Option<Bucket>,
    /// What is sent in its name if the connection is lost.
    will: Option<Box<SendMessage>>,
}

/// How a command came out.
enum Done {
    Answer(Answer),
    Ack(GenericCommand),
    Opened(Box<Result<Opened, NotOpened>>),
    /// Of which kind the conversation is that a message is for.
    Located(Box<(Caller, GenericCommand, Result<Sort, Refusal>)>),
    /// There is nothing to say.
    Nothing,
}

/// What is being done.
struct Running {
    i: Option<i32>,
    peer: Option<String>,
    command: BoxFuture<'static, Done>,
    since: u64,
}

/// See the [module](super).
pub(in crate::leancloud) struct Connection {
    door: LeanCloud,
    context: Arc<Context>,
    way: Arc<Way>,
    form: Form,
    clients: Vec<Client>,
    /// The app that was named last.
    app_id: String,
    running: Option<Running>,
    /// Sends without a number, so far.
    unnumbered: u32,
    /// Held by every ack under way.
    acks: Arc<()>,
    heard: u64,
    over: bool,
}

impl Connection {
    pub(in crate::leancloud) fn new(door: LeanCloud, opening: Opening) -> Self {
        let form = Form::of(opening.protocol);
        Self {
            door,
            context: opening.context,
            way: Way::new(opening.line, form),
            form,
            clients: Vec::new(),
            app_id: String::new(),
            running: None,
            unnumbered: 0,
            acks: Arc::default(),
            heard: opening.now,
            over: false,
        }
    }

    /// The client that a command is of: the one it names, or the first.
    fn client(&mut self, peer: Option<&str>) -> Option<&mut Client> {
        match peer {
            None => self.clients.first_mut(),
            Some(peer) => self
                .clients
                .iter_mut()
                .find(|client| client.caller.user.as_str() == peer),
        }
    }

    /// Answers a command: with its number if it had one, in the name of its client.
    fn reply(&self, i: Option<i32>, peer: Option<String>, answer: GenericCommand) {
        let first = || self.clients.first().map(|it| it.caller.user.to_string());
        let peer_id = answer.peer_id.clone().or(peer).or_else(first);
        self.way.reply(&GenericCommand {
            i,
            peer_id,
            ..answer
        });
    }

    fn refuse(&self, i: Option<i32>, peer: Option<String>, refused: &Refusal) {
        self.reply(i, peer, refusal(refused));
    }

    fn begin(&mut self, command: GenericCommand, now: u64) {
        self.context.metrics.note(Noted::Request);
        let (i, peer) = (command.i, command.peer_id.clone());
        if let Some(app_id) = command.app_id.as_deref().filter(|it| !it.is_empty()) {
            app_id.clone_into(&mut self.app_id);
        }
        match command.cmd() {
            CommandType::Echo => {
                let echo = answer(CommandType::Echo, None);
                self.reply(i, peer, echo);
            }
            CommandType::Login => {
                let service = command.service;
                let pushes_off = service.unwrap_or(PUSH_SERVICE) == PUSH_SERVICE;
                let loggedin = LoggedinCommand {
                    push_disabled: pushes_off.then_some(true),
                };
                self.way.reply(&GenericCommand {
                    i,
                    service,
                    installation_id: command.installation_id,
                    loggedin_message: Some(loggedin),
                    ..answer(CommandType::Loggedin, None)
                });
            }
            CommandType::Logout => {
                let (service, installation_id) = (command.service, command.installation_id);
                self.way.reply(&GenericCommand {
                    i,
                    service,
                    installation_id,
                    ..answer(CommandType::Loggedout, None)
                });
            }
            CommandType::Session if command.op() == OpType::Open => self.open(command, now),
            CommandType::Session if command.op() == OpType::Close => self.close(i, peer),
            _ => match self.client(peer.as_deref()).map(|it| it.caller.clone()) {
                Some(caller) => self.begin_as(caller, command, now),
                None => self.refuse(i, peer, &Kind::SessionRequired.into()),
            },
        }
    }

    fn open(&mut self, command: GenericCommand, now: u64) {
        let (i, peer) = (command.i, command.peer_id.clone());
        if self.clients.len() >= CLIENTS_MAX {
            return self.refuse(i, peer, &Kind::AppQuotaExceeded.into());
        }
        let opened = session::open(
            self.door.clone(),
            self.way.clone(),
            self.app_id.clone(),
            peer.clone(),
            command.session_message.unwrap_or_default(),
        );
        let done = opened.map(|opened| Done::Opened(Box::new(opened)));
        self.run((i, peer), done.boxed(), now);
    }

    fn close(&mut self, i: Option<i32>, peer: Option<String>) {
        let named = peer.as_deref();
        let at = match named {
            None => (!self.clients.is_empty()).then_some(0),
            Some(peer) => {
                let mut clients = self.clients.iter();
                clients.position(|client| client.caller.user.as_str() == peer)
            }
        };
        let Some(at) = at else {
            return self.refuse(i, peer, &Kind::SessionRequired.into());
        };
        let client = self.clients.remove(at);
        // Who goes by themself has no will.
        self.leave(&client.caller);
        let name = client.caller.user.to_string();
        self.reply(i, Some(name), session::closed(None));
    }

    /// Ends a client's session. Who goes, for whatever reason, leaves chat rooms at once.
    fn leave(&self, caller: &Caller) {
        self.context.metrics.note(Noted::SessionEnded);
        let (engine, session) = (self.door.engine.clone(), caller.session);
        let rooms = caller.sink.take_rooms();
        if rooms.is_empty() {
            return engine.close_session(session);
        }
        let (app, user) = (caller.app_id(), caller.user.clone());
        self.door.env.spawn(async move {
            for room in rooms {
                engine.leave_room(session, app, &user, &room).await;
            }
            engine.close_session(session);
        });
    }

    fn run(
        &mut self,
        (i, peer): (Option<i32>, Option<String>),
        command: BoxFuture<'static, Done>,
        now: u64,
    ) {
        // What a command brings about is told behind its answer.
        self.way.hold();
        self.work((i, peer), command, now);
    }

    /// The same of a command without an answer.
    fn work(
        &mut self,
        (i, peer): (Option<i32>, Option<String>),
        command: BoxFuture<'static, Done>,
        now: u64,
    ) {
        self.running = Some(Running {
            i,
            peer,
            command,
            since: now,
        });
    }

    /// Begins a command of a client that is in.
    fn begin_as(&mut self, caller: Caller, command: GenericCommand, now: u64) {
        let (i, peer) = (command.i, command.peer_id.clone());
        let work = match command.cmd() {
            CommandType::Direct => return self.begin_direct(caller, command, now),
            CommandType::Ack => {
                let Some(ack) = command.ack_message else {
                    return;
                };
                let counted = self.acks.clone();
                let work = async move {
                    message::acknowledge(&caller, &ack).await;
                    drop(counted);
                };
                // Positions only move up, so acks need not be taken in order, nor waited for.
                if Arc::strong_count(&self.acks) <= ACKS_MAX {
                    return self.door.env.spawn(work);
                }
                return self.work((i, peer), work.map(|()| Done::Nothing).boxed(), now);
            }
            CommandType::Read => {
                let read = command.read_message.unwrap_or_default();
                let work = async move {
                    for one in &read.convs {
                        let (until, mid) = (one.timestamp, one.mid.as_deref());
                        conversation::read(&caller, &one.cid, until, mid).await;
                    }
                    for cid in read.cid.iter().chain(&read.cids) {
                        conversation::read(&caller, cid, None, None).await;
                    }
                    Done::Nothing
                };
                return self.work((i, peer), work.boxed(), now);
            }
            _ => match commands::begin(caller, command) {
                Some(answer) => answer.map(Done::Answer).boxed(),
                None => {
                    let unknown = Refusal::new(Kind::UnparseableRawMessage, "unknown command");
                    return self.refuse(i, peer, &unknown);
                }
            },
        };
        self.run((i, peer), work, now);
    }

    /// A message: to a conversation it is handed over, and acknowledged when it is stored.
    fn begin_direct(&mut self, caller: Caller, command: GenericCommand, now: u64) {
        let (i, peer) = (command.i, command.peer_id.clone());
        let priority = command.priority.unwrap_or_default();
        let direct = command.direct_message.unwrap_or_default();
        let cid = direct.cid.clone().unwrap_or_default();
        let Some(sort) = caller.door.sorts.get(caller.app_id(), &cid) else {
            let work = locate(
                caller,
                GenericCommand {
                    direct_message: Some(direct),
                    ..command
                },
            );
            return self.run((i, peer), work.boxed(), now);
        };
        if let Err(reject) = self.check_rate(&caller, now) {
            return self.reply(
                i,
                peer,
                message::refused(&Refusal::of(reject, Doing::Message)),
            );
        }
        let conversation = match sort {
            Sort::Room => {
                let Some(room) = ids::room(&cid) else {
                    return self.reply(i, peer, message::refused(&untargeted()));
                };
                let work = room::send(caller, room, direct, priority);
                return self.run((i, peer), work.map(Done::Ack).boxed(), now);
            }
            Sort::Members => ids::conversation(&cid),
            Sort::Service => ids::service(&cid),
        };
        let read = conversation.ok_or_else(untargeted);
        let read = read.and_then(|it| message::read(&caller, it, &direct));
        let message = match read {
            Ok(message) => message,
            Err(refused) => return self.reply(i, peer, message::refused(&refused)),
        };
        if direct.will.unwrap_or(false) {
            return self.keep_will(&caller, (i, peer), message);
        }
        let request = self.request(i);
        if self.way.line().expect(request).is_err() {
            let twice = Refusal::new(Kind::UnparseableRawMessage, "this number is in use");
            return self.reply(i, peer, message::refused(&twice));
        }
        message::send(&caller, message, request);
    }

    /// The number by which the answer to a send finds back.
    fn request(&mut self, i: Option<i32>) -> u32 {
        match i.and_then(|i| u32::try_from(i).ok()) {
            Some(i) => i,
            None => {
                self.unnumbered = self.unnumbered.wrapping_add(1) % UNNUMBERED;
                UNNUMBERED | self.unnumbered
            }
        }
    }

    fn check_rate(&mut self, caller: &Caller, now: u64) -> Result<(), Reject> {
        let own = self.context.engine.app_settings(caller.app_id());
        let Some(rate) = rate_of(&own, self.context.settings.send_rate) else {
            return Ok(());
        };
        let Some(client) = self.client(Some(caller.user.as_str())) else {
            return Ok(());
        };
        let bucket = client.bucket.get_or_insert_with(|| Bucket::new(rate, now));
        bucket.take(rate, now).map_err(|wait| {
            self.context.metrics.note(Noted::RateLimited);
            Reject::from(Code::RateLimited).retry_after_ms(wait)
        })
    }

    /// Keeps what is to be said when the connection is lost; the last will is the one that counts.
    fn keep_will(
        &mut self,
        caller: &Caller,
        (i, peer): (Option<i32>, Option<String>),
        message: SendMessage,
    ) {
        if let Err(reject) = self.context.engine.check_send(&message) {
            let refused = Refusal::of(reject, Doing::Message);
            return self.reply(i, peer, message::refused(&refused));
        }
        let kept = message::kept(&caller.door.env, &message);
        if let Some(client) = self.client(Some(caller.user.as_str())) {
            client.will = Some(Box::new(message));
        }
        self.reply(i, peer, kept);
    }

    fn done(&mut self, running: &Running, done: Done, now: u64) {
        let (i, peer) = (running.i, running.peer.clone());
        match done {
            Done::Answer(Ok(answer)) | Done::Ack(answer) => self.reply(i, peer, answer),
            Done::Located(located) => {
                let (caller, command, sort) = *located;
                let cid = command
                    .direct_message
                    .as_ref()
                    .and_then(|it| it.cid.as_deref());
                match sort {
                    Ok(sort) => {
                        let sorts = &caller.door.sorts;
                        sorts.note(caller.app_id(), cid.unwrap_or_default(), sort);
                        self.begin_direct(caller, command, now);
                    }
                    Err(refused) => self.reply(i, peer, message::refused(&refused)),
                }
            }
            Done::Answer(Err(refused)) => self.refuse(i, peer, &refused),
            Done::Opened(opened) => match *opened {
                Ok(opened) => self.opened(i, opened),
                Err(NotOpened::Refused(refused)) => {
                    self.context.metrics.note(Noted::LoginFailed);
                    self.refuse(i, peer, &refused);
                }
                Err(NotOpened::Conflict) => {
                    self.reply(i, peer, session::closed(Some(Kind::SessionConflict)));
                }
            },
            Done::Nothing => {}
        }
    }

    fn opened(&mut self, i: Option<i32>, opened: Opened) {
        let Opened { caller, answer } = opened;
        self.context.metrics.note(Noted::Login);
        self.context.metrics.note(Noted::SessionBegan);
        // One that logs in again on the same connection takes its own place.
        let same = |client: &Client| client.caller.user == caller.user;
        let client = Client {
            caller: caller.clone(),
            bucket: None,
            will: None,
        };
        match self.clients.iter().position(same) {
            Some(at) => {
                let old = std::mem::replace(&mut self.clients[at], client);
                self.leave(&old.caller);
            }
            None => self.clients.push(client),
        }
        self.reply(i, Some(caller.user.to_string()), answer);
    }

    /// Lets go of the clients that the engine has put out.
    fn reap(&mut self) {
        let gone = |client: &Client| client.caller.sink.closed().is_some();
        let mut at = 0;
        while at < self.clients.len() {
            if gone(&self.clients[at]) {
                let client = self.clients.remove(at);
                self.leave(&client.caller);
            } else {
                at += 1;
            }
        }
    }

    /// Lets the command under way run to its end without us; a session that it opens is closed.
    fn abandon(&mut self) {
        self.way.release();
        let Some(Running { command, .. }) = self.running.take() else {
            return;
        };
        let engine = self.door.engine.clone();
        self.door.env.spawn(async move {
            if let Done::Opened(opened) = command.await
                && let Ok(opened) = *opened
            {
                engine.close_session(opened.caller.session);
            }
        });
    }
}

fn untargeted() -> Refusal {
    Kind::InvalidMessagingTarget.into()
}

/// Finds out of which kind the conversation is that a message is for.
async fn locate(caller: Caller, command: GenericCommand) -> Done {
    let cid = command
        .direct_message
        .as_ref()
        .and_then(|it| it.cid.as_deref());
    let found = query::lookup(&caller.door, caller.app_id(), cid.unwrap_or_default()).await;
    let sort = match found {
        Ok(subject) => Ok(match subject.place {
            Place::Room(_) => Sort::Room,
            Place::Plain(_) => Sort::Members,
            Place::System(_) => Sort::Service,
        }),
        Err(refused) if refused.kind == Kind::ConversationNotFound => Err(untargeted()),
        Err(refused) => Err(refused),
    };
    Done::Located(Box::new((caller, command, sort)))
}

impl Handler for Connection {
    fn on_frame(&mut self, frame: Frame<'_>, now: u64) {
        if self.over {
            return;
        }
        self.heard = now;
        match self.form.decode(frame) {
            Some(command) => self.begin(command, now),
            None => {
                self.context.metrics.note(Noted::ProtocolError);
                self.refuse(None, None, &Kind::UnparseableRawMessage.into());
            }
        }
    }

    fn poll_idle(&mut self, cx: &mut task::Context<'_>, now: u64) -> Poll<()> {
        self.way.register(cx);
        self.reap();
        while let Some(running) = &mut self.running {
            let Poll::Ready(done) = running.command.as_mut().poll(cx) else {
                return Poll::Pending;
            };
            if let Some(running) = self.running.take() {
                self.done(&running, done, now);
            }
            self.heard = now;
            if self.running.is_none() {
                self.way.release();
                self.way.line().flush();
            }
        }
        self.way.poll_room(cx)
    }

    fn on_sign_of_life(&mut self, now: u64) {
        self.heard = now;
    }

    fn deadline(&self) -> u64 {
        match &self.running {
            Some(running) => running.since + self.context.settings.command_ms,
            None if self.clients.is_empty() => self.heard + STRANGER_MS,
            None => self.heard + SILENCE_MS,
        }
    }

    fn on_deadline(&mut self, now: u64) -> u64 {
        if now < self.deadline() || self.over {
            return self.deadline();
        }
        if let Some(running) = &self.running {
            let (i, peer) = (running.i, running.peer.clone());
            self.refuse(i, peer, &Kind::SendMessageTimeout.into());
            self.abandon();
        } else {
            self.over = true;
            self.context.metrics.note(Noted::HeartbeatMissed);
            self.way.line().close(Code::HeartbeatMissed.into());
        }
        self.deadline()
    }

    fn takes_text(&self) -> bool {
        true
    }

    fn is_authenticated(&self) -> bool {
        !self.clients.is_empty()
    }

    fn frame_bytes_max(&self) -> usize {
        match self.clients.is_empty() {
            true => FIRST_FRAME_BYTES_MAX,
            false => FRAME_BYTES_MAX,
        }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.reap();
        for mut client in std::mem::take(&mut self.clients) {
            self.leave(&client.caller);
            if let Some(will) = client.will.take()
                && (self.over || !self.way.line().is_closed_from_here())
            {
                let (reply, _) = futures::channel::oneshot::channel();
                self.door
                    .engine
                    .send(*will, anser_engine::Reply::Call(reply));
            }
        }
        self.abandon();
    }
}
