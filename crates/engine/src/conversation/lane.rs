//! The lane: what is committed, on its way to those who wait for it.
//!
//! Items leave in the order of the sequence, whoever brings them. One runner at a time takes all
//! that is there, so that messages which were committed close together reach a session in one
//! write; what is committed while it works is its next load. A large fan-out runs as a task of
//! its own, in pieces.

use std::collections::VecDeque;
use std::sync::Arc;

use anser_domain::{Reject, UserId};
use futures::channel::oneshot;

use super::actor::{Command, Conversation, SendCommand};
use super::append::{Append, Nudge, ReadMove};
use super::reading;
use super::system::{ForAll, Reach};
use crate::delivery::{Burst, FanOut, Outgoing, Routes};
use crate::event::{Event, EventBody, Reply};
use crate::group::Group;
use crate::message::{Message, MessageChanged, SendResult};
use crate::receipt;
use crate::session::SessionId;

/// Who waits for the outcome of an append.
pub(crate) enum Telling {
    Sent(Vec<Reply>, SendResult),
    Refused(Vec<Reply>, Reject),
    Group(oneshot::Sender<Result<Group, Reject>>, Group),
    Changed(
        Vec<oneshot::Sender<Result<MessageChanged, Reject>>>,
        MessageChanged,
    ),
    Nobody,
}

impl Telling {
    pub(crate) fn tell(self, burst: &mut Burst) {
        match self {
            Self::Sent(replies, result) => reply_all(replies, &Ok(result), burst),
            Self::Refused(replies, reject) => reply_all(replies, &Err(reject), burst),
            // Whoever asked may have gone.
            Self::Group(reply, group) => drop(reply.send(Ok(group))),
            Self::Changed(replies, changed) => {
                for reply in replies {
                    drop(reply.send(Ok(changed.clone())));
                }
            }
            Self::Nobody => {}
        }
    }
}

fn reply_all(replies: Vec<Reply>, result: &Result<SendResult, Reject>, burst: &mut Burst) {
    for reply in replies {
        match reply {
            Reply::Session(sink, request) => {
                sink.reply_send(request, result.clone());
                burst.touch(&sink);
            }
            Reply::Call(waiter) => drop(waiter.send(result.clone())),
        }
    }
}

pub(crate) struct LaneItem {
    telling: Telling,
    events: Vec<(Arc<[UserId]>, Outgoing)>,
    nudges: Vec<Nudge>,
    /// Whose read position moved along.
    read: Option<ReadMove>,
    /// Goes to all subscribers of a system conversation.
    for_all: Option<Box<ForAll>>,
}

impl LaneItem {
    /// A command that is committed.
    pub(super) fn of(command: Command, append: Append) -> Self {
        let Append {
            message,
            recipients,
            nudges,
            group,
            read,
            previous_rev,
            seen,
            reach,
            ..
        } = append;
        let (telling, skip) = match command {
            Command::Send(send) => {
                let result = SendResult {
                    conversation: message.conversation.clone(),
                    seq: message.seq,
                    id: message.id,
                    time: message.time,
                    prev: seen.by(&send.message.sender),
                };
                (Telling::Sent(send.replies, result), send.message.session)
            }
            Command::Group(change) => (
                Telling::Group(
                    change.reply,
                    group.expect("a group's change says what it came to"),
                ),
                None,
            ),
            Command::Change(change) => {
                let result = MessageChanged {
                    conversation: message.conversation.clone(),
                    seq: message.seq,
                    state: message.state.as_deref().cloned().unwrap_or_default(),
                };
                (Telling::Changed(change.replies, result), None)
            }
        };
        if let Some(reach) = reach {
            let (event, later) = match previous_rev {
                None => {
                    let (prev, later) = seen.of_all();
                    (message_event(message, prev, None), later)
                }
                Some(previous_rev) => (change_event(message, previous_rev), Vec::new()),
            };
            return Self {
                nudges,
                read,
                ..Self::for_all(telling, reach, event, later)
            };
        }
        let events = match previous_rev {
            None => seen
                .group(&recipients)
                .into_iter()
                .map(|(users, prev)| (users, message_event(message.clone(), prev, skip)))
                .collect(),
            Some(previous_rev) => vec![(recipients, change_event(message, previous_rev))],
        };
        Self {
            telling,
            events,
            nudges,
            read,
            for_all: None,
        }
    }

    /// To all subscribers of a system conversation.
    fn for_all(telling: Telling, reach: Reach, event: Outgoing, seen: Vec<(UserId, u64)>) -> Self {
        Self {
            telling,
            events: Vec::new(),
            nudges: Vec::new(),
            read: None,
            for_all: Some(Box::new(ForAll {
                reach,
                event: event.event,
                seen,
            })),
        }
    }

    /// A message that is not stored.
    pub(super) fn transient(
        send: SendCommand,
        message: Message,
        recipients: Arc<[UserId]>,
        reach: Option<Reach>,
    ) -> Self {
        let result = SendResult {
            conversation: message.conversation.clone(),
            seq: 0,
            id: message.id,
            time: message.time,
            prev: 0,
        };
        let event = message_event(Arc::new(message), 0, send.message.session);
        let telling = Telling::Sent(send.replies, result);
        if let Some(reach) = reach {
            return Self::for_all(telling, reach, event, Vec::new());
        }
        Self {
            telling,
            events: vec![(recipients, event)],
            nudges: Vec::new(),
            read: None,
            for_all: None,
        }
    }

    /// A message that somebody else appended, and may not have lived to tell.
    pub(super) fn missed(
        message: Arc<Message>,
        recipients: Arc<[UserId]>,
        reach: Option<Reach>,
    ) -> Self {
        let prev = message.seq - 1;
        Self::missed_event(message_event(message, prev, None), recipients, reach)
    }

    fn missed_event(event: Outgoing, recipients: Arc<[UserId]>, reach: Option<Reach>) -> Self {
        if let Some(reach) = reach {
            return Self::for_all(Telling::Nobody, reach, event, Vec::new());
        }
        Self {
            telling: Telling::Nobody,
            events: vec![(recipients, event)],
            nudges: Vec::new(),
            read: None,
            for_all: None,
        }
    }

    /// A change that somebody else made, and may not have lived to tell.
    pub(super) fn missed_change(
        message: Arc<Message>,
        previous_rev: u64,
        recipients: Arc<[UserId]>,
        reach: Option<Reach>,
    ) -> Self {
        Self::missed_event(change_event(message, previous_rev), recipients, reach)
    }

    /// Too much was missed: the devices find out by themselves.
    pub(super) fn check(recipients: Arc<[UserId]>, reach: Option<Reach>) -> Self {
        let event = Outgoing::to_all(Event::new(EventBody::Check));
        Self::missed_event(event, recipients, reach)
    }
}

fn message_event(message: Arc<Message>, prev: u64, skip: Option<SessionId>) -> Outgoing {
    Outgoing {
        event: Event::new(EventBody::Message { message, prev }),
        skip,
    }
}

fn change_event(message: Arc<Message>, previous_rev: u64) -> Outgoing {
    Outgoing::to_all(Event::new(EventBody::Change {
        message,
        previous_rev,
    }))
}

#[derive(Default)]
pub(crate) struct Lane {
    pub(crate) items: VecDeque<LaneItem>,
    running: bool,
    /// Where a large audience was found the last time. Whoever runs the lane has it.
    routes: Routes,
}

impl Conversation {
    /// Sends off what is in the lane, unless somebody is at it already.
    pub(super) fn run_lane(self: &Arc<Self>, burst: &mut Burst) {
        loop {
            let items = {
                let mut lane = self.lane.lock();
                if lane.running || lane.items.is_empty() {
                    return;
                }
                lane.running = true;
                std::mem::take(&mut lane.items)
            };
            let groups = self.tell(items, burst);
            if groups
                .iter()
                .any(|(recipients, _)| FanOut::is_large(recipients.len()))
            {
                let this = self.clone();
                let affinity = u64::from(self.keys.shard().0);
                return self
                    .tools
                    .env
                    .spawn_broadcast(affinity, async move { this.run_large(groups).await });
            }
            for (recipients, events) in groups {
                self.tools
                    .fan_out
                    .now(self.app, &recipients, &events, burst);
            }
            self.lane.lock().running = false;
        }
    }

    /// The user's read position moved with a send: the user's sessions hear what is left unread.
    fn tell_read(self: &Arc<Self>, user: UserId) {
        let this = self.clone();
        self.tools.env.spawn(async move {
            let (tools, name) = (&this.tools, &this.name);
            // A session that does not hear of it learns it with the next sync.
            if let Ok(result) = reading::read_result(tools, this.app, &user, &this.id, name).await {
                reading::tell_read(tools, this.app, &user, name.clone(), result);
            }
        });
    }

    async fn run_large(self: Arc<Self>, groups: Vec<(Arc<[UserId]>, Vec<Outgoing>)>) {
        let mut routes = std::mem::take(&mut self.lane.lock().routes);
        for (recipients, events) in groups {
            self.tools
                .fan_out
                .in_pieces(self.app, &recipients, &events, &mut routes)
                .await;
        }
        {
            let mut lane = self.lane.lock();
            lane.routes = routes;
            lane.running = false;
        }
        let mut burst = Burst::default();
        self.run_lane(&mut burst);
        burst.flush();
    }

    /// Answers those who wait; what is left are events for the same recipients in a row.
    fn tell(
        self: &Arc<Self>,
        items: VecDeque<LaneItem>,
        burst: &mut Burst,
    ) -> Vec<(Arc<[UserId]>, Vec<Outgoing>)> {
        let mut groups: Vec<(Arc<[UserId]>, Vec<Outgoing>)> = Vec::new();
        for item in items {
            item.telling.tell(burst);
            for nudge in item.nudges {
                self.outbox.nudge(nudge.key, nudge.row);
            }
            if let Some(read) = item.read {
                let (name, tools) = (self.name.clone(), &self.tools);
                receipt::tell(
                    tools, self.app, &self.id, name, &read.user, &read.old, &read.new,
                );
                self.outbox.touched(read.touch);
                self.tell_read(read.user);
            }
            if let Some(for_all) = item.for_all {
                self.broadcast(*for_all);
            }
            for (users, event) in item.events {
                match groups.last_mut() {
                    Some((recipients, events)) if Arc::ptr_eq(recipients, &users) => {
                        events.push(event);
                    }
                    _ => groups.push((users, vec![event])),
                }
            }
        }
        groups
    }
}
