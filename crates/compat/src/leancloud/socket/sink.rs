//! A client's session, as the engine reaches it.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::OnceLock;

use anser_domain::{Code, MessageId, Reject, RoomId, Timestamp, UserId};
use anser_engine::message::{Message, SendResult};
use anser_engine::receipt::ReceiptNews;
use anser_engine::room::{RoomLeft, RoomPush};
use anser_engine::session::SessionId;
use anser_engine::{Env, Event, EventBody, SessionSink};
use parking_lot::Mutex;
use prost::Message as _;

use super::event::{self, millis, push};
use super::form::{DIALECT, peer_field};
use super::way::Way;
use super::{message, notice};
use crate::leancloud::error::{Doing, Kind, Refusal};
use crate::leancloud::ids;
use crate::leancloud::wire::{
    CommandType, ConvCommand, GenericCommand, OpType, RcpCommand, SessionCommand, UnreadCommand,
    UnreadTuple,
};

/// Messages of which a client's ack is recognised without a look at the store.
const RECENT_MAX: usize = 64;
/// Messages whose sender waits to be told that they arrived, or were read.
const AWAITED_MAX: usize = 256;

/// A place in a conversation.
#[derive(Clone, Debug)]
pub(super) struct Place {
    pub(super) conversation: Arc<str>,
    pub(super) seq: u64,
    pub(super) time: Timestamp,
    pub(super) id: MessageId,
}

/// A message whose sender wants to be told.
struct Awaited {
    place: Place,
    /// Who has got it, and who has read it.
    delivered: Vec<Arc<str>>,
    read: Vec<Arc<str>>,
}

#[derive(Default)]
struct State {
    /// What was pushed, the newest last.
    recent: VecDeque<Place>,
    awaited: VecDeque<Awaited>,
    /// Sends not answered yet whose sender wants to be told.
    asking: Vec<u32>,
    /// Chat rooms that the session is in.
    rooms: Vec<RoomId>,
    /// The session is over.
    closed: Option<Reject>,
}

/// See the [module](self).
pub(super) struct ClientSink {
    way: Arc<Way>,
    env: Env,
    user: UserId,
    peer: Box<[u8]>,
    /// Where the session is known, once it is.
    pub(super) session: OnceLock<SessionId>,
    state: Mutex<State>,
}

impl ClientSink {
    pub(super) fn new(way: Arc<Way>, env: Env, user: UserId) -> Arc<Self> {
        Arc::new(Self {
            peer: peer_field(user.as_str()),
            way,
            env,
            user,
            session: OnceLock::new(),
            state: Mutex::default(),
        })
    }

    /// Why the session is over, if it is.
    pub(super) fn closed(&self) -> Option<Reject> {
        self.state.lock().closed.clone()
    }

    /// The session is in a chat room, or is not any more.
    pub(super) fn in_room(&self, room: &RoomId, inside: bool) {
        let mut state = self.state.lock();
        state.rooms.retain(|known| known != room);
        if inside {
            state.rooms.push(room.clone());
        }
    }

    /// The chat rooms that the session is in, which it is about to leave.
    pub(super) fn take_rooms(&self) -> Vec<RoomId> {
        std::mem::take(&mut self.state.lock().rooms)
    }

    /// Pushes a command of this client's.
    pub(super) fn tell(&self, command: &GenericCommand) {
        self.way.event(&self.peer, &command.encode_to_vec(), false);
    }

    /// This send's sender is to be told who gets it.
    pub(super) fn await_receipts(&self, request: u32) {
        self.state.lock().asking.push(request);
    }

    /// The place of a message that was pushed lately: the one of this id, or else the last that
    /// is not later.
    pub(super) fn recent(&self, cid: &str, id: Option<MessageId>, time: Timestamp) -> Option<u64> {
        let state = self.state.lock();
        let mut own = state.recent.iter().rev().filter(|place| {
            let name = &place.conversation;
            name.get(2..) == Some(cid) || ids::object_id(name).as_deref() == Some(cid)
        });
        let found = match id {
            Some(id) => own.find(|place| place.id == id),
            None => own.find(|place| place.time <= time),
        };
        found.map(|place| place.seq)
    }

    fn remember(&self, message: &Message) {
        if message.seq == 0 || *message.sender == *self.user.as_str() {
            return;
        }
        let mut state = self.state.lock();
        if state.recent.len() >= RECENT_MAX {
            state.recent.pop_front();
        }
        state.recent.push_back(Place {
            conversation: message.conversation.clone(),
            seq: message.seq,
            time: message.time,
            id: message.id,
        });
    }

    fn push_message(&self, event: &Event, message: &Message) {
        if message.sender.is_empty() {
            for command in notice::pushes(message, &self.user) {
                self.tell(&command);
            }
            return;
        }
        let shared = event.encoded(DIALECT, event::encode);
        if !shared.is_empty() {
            self.remember(message);
            self.way.event(&self.peer, shared, message.seq == 0);
        }
    }

    fn push_room(&self, event: &Event, room: &RoomPush) {
        let shared = event.encoded(DIALECT, event::encode);
        let mut rest = &shared[..];
        for message in event::said(room) {
            let Some((len, behind)) = rest.split_first_chunk() else {
                return;
            };
            let len = usize::try_from(u32::from_be_bytes(*len)).unwrap_or(usize::MAX);
            let Some((one, behind)) = behind.split_at_checked(len) else {
                return;
            };
            rest = behind;
            if message.sender.as_ref() != Some(&self.user) {
                self.way.event(&self.peer, one, true);
            }
        }
    }

    fn push_read(&self, conversation: &str, unread: u64, mentions: u64) {
        let Some(cid) = ids::object_id(conversation) else {
            return;
        };
        let tuple = UnreadTuple {
            cid,
            unread: i32::try_from(unread.min(100)).unwrap_or(100),
            mentioned: Some(mentions > 0),
            conv_type: Some(event::conversation_type(conversation)),
            ..UnreadTuple::default()
        };
        self.tell(&GenericCommand {
            unread_message: Some(UnreadCommand {
                convs: vec![tuple],
                notif_time: Some(millis(self.env.now())),
            }),
            ..push(CommandType::Unread)
        });
    }

    fn push_receipts(&self, news: &ReceiptNews) {
        let mut pushes = Vec::new();
        {
            let mut state = self.state.lock();
            let awaited = state.awaited.iter_mut();
            for one in awaited.filter(|one| one.place.conversation == news.conversation) {
                for receipt in &news.receipts {
                    let told = |read| receipt_push(&one.place, &receipt.user, self.env.now(), read);
                    let seq = one.place.seq;
                    if seq <= receipt.delivered_seq && !one.delivered.contains(&receipt.user) {
                        one.delivered.push(receipt.user.clone());
                        pushes.extend(told(false));
                    }
                    if seq <= receipt.read_seq && !one.read.contains(&receipt.user) {
                        one.read.push(receipt.user.clone());
                        pushes.extend(told(true));
                    }
                }
            }
        }
        for command in pushes {
            self.tell(&command);
        }
    }

    fn push_left(&self, left: &RoomLeft) {
        self.in_room(&left.room, false);
        let conv = ConvCommand {
            cid: Some(left.room.as_str().to_owned()),
            ..ConvCommand::default()
        };
        self.tell(&GenericCommand {
            op: Some(OpType::Left.into()),
            conv_message: Some(conv),
            ..push(CommandType::Conv)
        });
    }
}

/// That somebody got a message, or has read it.
fn receipt_push(place: &Place, user: &str, now: Timestamp, read: bool) -> Option<GenericCommand> {
    Some(GenericCommand {
        rcp_message: Some(RcpCommand {
            id: Some(ids::message_id(place.id)),
            cid: Some(ids::object_id(&place.conversation)?),
            t: Some(millis(now)),
            read: read.then_some(true),
            from: Some(user.to_owned()),
        }),
        ..push(CommandType::Rcp)
    })
}

impl SessionSink for ClientSink {
    fn push(&self, event: &Arc<Event>) {
        match &event.body {
            EventBody::Message { message, .. } => self.push_message(event, message),
            EventBody::Change { .. } => {
                let shared = event.encoded(DIALECT, event::encode);
                if !shared.is_empty() {
                    self.way.event(&self.peer, shared, false);
                }
            }
            EventBody::Read {
                conversation,
                unread,
                unread_mentions,
                ..
            } => self.push_read(conversation, *unread, *unread_mentions),
            EventBody::Conversation { view, .. } => {
                if !view.member {
                    let time = millis(self.env.now());
                    for command in notice::left(view, time) {
                        self.tell(&command);
                    }
                }
            }
            EventBody::Receipts(news) => self.push_receipts(news),
            EventBody::Room(push) => self.push_room(event, push),
            EventBody::RoomLeft(left) => self.push_left(left),
            EventBody::Check => self.tell(&push(CommandType::Goaway)),
            EventBody::Deleted(_)
            | EventBody::JoinRequest(_)
            | EventBody::Relations(_)
            | EventBody::Presence(_) => {}
        }
    }

    fn reply_send(&self, request: u32, result: Result<SendResult, Reject>) {
        if let Ok(sent) = &result {
            let mut state = self.state.lock();
            let asking = state.asking.iter().position(|asking| *asking == request);
            if let Some(at) = asking {
                state.asking.swap_remove(at);
                if state.awaited.len() >= AWAITED_MAX {
                    state.awaited.pop_front();
                }
                state.awaited.push_back(Awaited {
                    place: Place {
                        conversation: sent.conversation.clone(),
                        seq: sent.seq,
                        time: sent.time,
                        id: sent.id,
                    },
                    delivered: Vec::new(),
                    read: Vec::new(),
                });
            }
        } else {
            self.state.lock().asking.retain(|asking| *asking != request);
        }
        let ack = message::ack(request, result);
        let frame = self.way.form.frame(&self.peer, &ack.encode_to_vec());
        self.way.line().answer(request, frame);
    }

    fn flush(&self) {
        self.way.line().flush();
    }

    fn close(&self, reason: Reject) {
        {
            let mut state = self.state.lock();
            if state.closed.is_some() {
                return;
            }
            state.closed = Some(reason.clone());
        }
        if reason.code == Code::ShuttingDown {
            self.tell(&push(CommandType::Goaway));
        } else {
            let refusal = Refusal::of(reason, Doing::Session);
            let kind = match refusal.kind {
                // Whoever is signed out is, whatever for.
                Kind::SessionConflict | Kind::Blacklisted => refusal.kind,
                _ => Kind::KickedByApp,
            };
            self.tell(&GenericCommand {
                op: Some(OpType::Closed.into()),
                session_message: Some(SessionCommand {
                    code: Some(kind.number()),
                    reason: Some(kind.reason().to_owned()),
                    ..SessionCommand::default()
                }),
                ..push(CommandType::Session)
            });
        }
        self.way.line().flush();
        self.way.wake();
    }
}
