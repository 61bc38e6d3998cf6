//! The actor of a conversation in use: the one place in this process that appends to it.
//!
//! Commands queue at the actor and are taken one after the other. A command is checked against
//! what is loaded, becomes a unit conditional on the head, and goes to the committer without
//! waiting for those before it: several may be in flight, each building on the head that the one
//! before will write. When the outcomes come in, they are handled in the order of the sequence:
//! an append is acknowledged and fanned out only after all before it are decided.
//!
//! If one fails, because another node appended or the store's answer was lost, all behind it fail
//! with it. The actor then waits until everything in flight is decided, loads the conversation
//! anew and takes the failed commands again, which find out by their idempotency key whether they
//! are in after all. What others appended meanwhile is fanned out from here too: receivers drop
//! what they have, and nobody misses what its writer did not live to tell. A command that is
//! given up while its fate is unknown may still come true: the actor looks again for a while, as
//! long as a commit may take, and tells what it finds.
//!
//! Lifecycle: made at the first command, loaded by it, dropped from the registry when idle.

use std::collections::VecDeque;
use std::sync::Arc;

use anser_domain::{AppId, Code, ConversationId, Reject, Timestamp, UserId};
use anser_proto::stored;
use anser_store::{Outcome, Unit};
use bytes::Bytes;
use futures::FutureExt;
use futures::channel::oneshot;
use parking_lot::Mutex;

use super::append::Append;
use super::lane::{Lane, LaneItem, Telling};
use super::loaded::Loaded;
use crate::committer::Participant;
use crate::delivery::Burst;
use crate::event::Reply;
use crate::fault;
use crate::group::{By, Group, GroupChange};
use crate::message::{ChangeMessage, MessageChanged, SendMessage};
use crate::metrics::count;
use crate::outbox::Outbox;
use crate::tables::ConversationKeys;
use crate::tools::Tools;

/// Commands that wait at one conversation.
const QUEUE_MAX: usize = 4_096;
/// Appends in flight; more wait in the queue.
const IN_FLIGHT_MAX: usize = 1_024;
/// How often a command is taken anew before its sender is told to retry later.
const TRIES_MAX: u32 = 16;
/// Waits between looks for a command that was given up while its fate was unknown. Together they
/// are [`SYNC_LOOK_BACK_MS`](anser_domain::limits::SYNC_LOOK_BACK_MS), by which every commit is
/// decided.
const DOUBT_WAITS_MS: [u64; 3] = [1_000, 9_000, 50_000];

pub(crate) struct SendCommand {
    pub(crate) message: SendMessage,
    /// More than one when a retry came while the first was in flight.
    pub(crate) replies: Vec<Reply>,
    tries: u32,
    doubt: bool,
}

pub(crate) struct GroupCommand {
    pub(crate) by: By,
    pub(crate) change: GroupChange,
    pub(crate) reply: oneshot::Sender<Result<Group, Reject>>,
    tries: u32,
    doubt: bool,
}

pub(crate) struct ChangeCommand {
    pub(crate) wanted: ChangeMessage,
    /// More than one when a retry came while the first was in flight.
    pub(crate) replies: Vec<oneshot::Sender<Result<MessageChanged, Reject>>>,
    tries: u32,
    doubt: bool,
}

pub(crate) enum Command {
    Send(Box<SendCommand>),
    Group(Box<GroupCommand>),
    Change(Box<ChangeCommand>),
}

impl Command {
    pub(crate) fn send(message: SendMessage, reply: Reply) -> Self {
        Self::Send(Box::new(SendCommand {
            message,
            replies: vec![reply],
            tries: 0,
            doubt: false,
        }))
    }

    pub(crate) fn group(
        by: By,
        change: GroupChange,
        reply: oneshot::Sender<Result<Group, Reject>>,
    ) -> Self {
        Self::Group(Box::new(GroupCommand {
            by,
            change,
            reply,
            tries: 0,
            doubt: false,
        }))
    }

    pub(crate) fn change(
        wanted: ChangeMessage,
        reply: oneshot::Sender<Result<MessageChanged, Reject>>,
    ) -> Self {
        Self::Change(Box::new(ChangeCommand {
            wanted,
            replies: vec![reply],
            tries: 0,
            doubt: false,
        }))
    }

    /// Did a try of it end unknown?
    fn doubt(&mut self) -> &mut bool {
        match self {
            Self::Change(change) => &mut change.doubt,
            Self::Send(send) => &mut send.doubt,
            Self::Group(group) => &mut group.doubt,
        }
    }

    fn is_in_doubt(&self) -> bool {
        match self {
            Self::Change(change) => change.doubt,
            Self::Send(send) => send.doubt,
            Self::Group(group) => group.doubt,
        }
    }

    fn tries(&mut self) -> &mut u32 {
        match self {
            Self::Change(change) => &mut change.tries,
            Self::Send(send) => &mut send.tries,
            Self::Group(group) => &mut group.tries,
        }
    }
}

struct InFlight {
    command: Command,
    append: Append,
    outcome: Option<Outcome>,
}

#[derive(Default)]
struct State {
    loaded: Option<Loaded>,
    queue: VecDeque<Command>,
    /// Somebody takes commands from the queue.
    draining: bool,
    in_flight: VecDeque<InFlight>,
    /// The ticket of the first in flight; the others follow on.
    first_ticket: u64,
    /// Something in flight failed: nothing is appended until all is decided and loaded anew.
    stale: bool,
    /// How many commands at the front of the queue were put back there since then, in order.
    put_back: usize,
    /// Something may have been appended that nobody was told of: load even if nobody asks.
    unheard: bool,
    /// Looks again for what was given up in doubt.
    doubting: bool,
    /// Up to where this actor has handed messages and changes to the lane.
    told: Option<Told>,
    last_used: Timestamp,
}

/// Counters of the conversation up to which its members were told everything.
#[derive(Copy, Clone, Eq, PartialEq, Debug)]
pub(super) struct Told {
    pub(super) seq: u64,
    pub(super) rev: u64,
}

impl Told {
    fn of(head: &stored::Head) -> Self {
        Self {
            seq: head.seq,
            rev: head.rev,
        }
    }
}

impl State {
    /// The last change of this message in flight.
    fn changing(&mut self, seq: u64) -> Option<&mut ChangeCommand> {
        self.in_flight
            .iter_mut()
            .rev()
            .find(|one| one.append.message.seq == seq)
            .and_then(|one| match &mut one.command {
                Command::Change(change) => Some(&mut **change),
                Command::Send(_) | Command::Group(_) => None,
            })
    }

    /// A command that was being taken goes behind those put back before it came.
    fn put_behind(&mut self, command: Command) {
        let at = self.put_back.min(self.queue.len());
        self.queue.insert(at, command);
    }
}

pub(crate) struct Conversation {
    pub(crate) app: AppId,
    pub(crate) id: ConversationId,
    pub(crate) name: Arc<str>,
    pub(crate) keys: ConversationKeys,
    pub(crate) tools: Arc<Tools>,
    pub(crate) outbox: Outbox,
    pub(super) lane: Mutex<Lane>,
    state: Mutex<State>,
}

impl Conversation {
    pub(crate) fn new(
        app: AppId,
        id: ConversationId,
        name: Arc<str>,
        tools: Arc<Tools>,
        outbox: Outbox,
    ) -> Arc<Self> {
        let keys = ConversationKeys::new(app, &name);
        let last_used = tools.env.now();
        let state = Mutex::new(State {
            last_used,
            ..State::default()
        });
        Arc::new(Self {
            app,
            id,
            name,
            keys,
            tools,
            outbox,
            lane: Mutex::default(),
            state,
        })
    }

    /// Nothing waits or is in flight, and nothing came since.
    pub(crate) fn is_idle(&self, since: Timestamp) -> bool {
        let state = self.state.lock();
        state.last_used < since
            && !state.draining
            && state.in_flight.is_empty()
            && state.queue.is_empty()
    }

    /// A look at what is loaded.
    pub(super) fn peek<T>(&self, look: impl FnOnce(&Loaded) -> T) -> T
    where
        T: Default,
    {
        self.state
            .lock()
            .loaded
            .as_ref()
            .map(look)
            .unwrap_or_default()
    }

    /// How many countable messages this user is sent, if one is in flight.
    pub(super) fn targeted_in_flight(&self, user: &UserId) -> Option<u64> {
        let state = self.state.lock();
        let mut latest = state.in_flight.iter().rev().map(|one| &one.append.targeted);
        latest.find_map(|totals| {
            let total = totals.iter().find(|(known, _)| known == user);
            total.map(|(_, total)| *total)
        })
    }

    /// Takes a command. Commands of one caller are taken in the order of the calls.
    pub(crate) fn submit(self: &Arc<Self>, command: Command) {
        {
            let mut state = self.state.lock();
            state.last_used = self.tools.env.now();
            if state.queue.len() >= QUEUE_MAX {
                drop(state);
                return self.refuse(
                    command,
                    &Reject::from(Code::Overloaded).retry_after_ms(1_000),
                );
            }
            state.queue.push_back(command);
            if state.draining || state.in_flight.len() >= IN_FLIGHT_MAX {
                return;
            }
            state.draining = true;
        }
        self.start_draining();
    }

    /// Runs until the first wait right here: with everything in memory there is none.
    fn start_draining(self: &Arc<Self>) {
        let mut drain = Box::pin(self.clone().drain());
        if drain.as_mut().now_or_never().is_none() {
            self.tools.env.spawn(drain);
        }
    }

    async fn drain(self: Arc<Self>) {
        loop {
            let command = {
                let mut state = self.state.lock();
                let blocked = state.in_flight.len() >= IN_FLIGHT_MAX
                    || (state.stale && !state.in_flight.is_empty());
                if blocked || (state.queue.is_empty() && !state.unheard) {
                    // `settled` starts again once what blocks is gone.
                    state.draining = false;
                    return;
                }
                if state.stale || state.loaded.is_none() {
                    None
                } else {
                    state.queue.pop_front()
                }
            };
            match command {
                None => {
                    if let Err(reject) = self.load().await {
                        let refused: Vec<Command> = {
                            let mut state = self.state.lock();
                            state.put_back = 0;
                            state.unheard = false;
                            state.queue.drain(..).collect()
                        };
                        for command in refused {
                            self.refuse(command, &reject);
                        }
                    }
                }
                Some(Command::Send(send)) => self.take_send(send).await,
                Some(Command::Group(group)) => self.take_group(group).await,
                Some(Command::Change(change)) => self.take_change(change).await,
            }
        }
    }

    async fn load(self: &Arc<Self>) -> Result<(), Reject> {
        let loaded = {
            let store = &self.tools.store;
            Loaded::load(store, self.app, &self.id, &self.name, &self.keys).await?
        };
        let before = self.state.lock().told;
        let told = Told::of(&loaded.head);
        let missed = match before {
            Some(before) if before != told => self.missed(before, &loaded).await?,
            _ => Vec::new(),
        };
        {
            let mut state = self.state.lock();
            state.told = Some(told);
            state.loaded = Some(loaded);
            state.stale = false;
            state.unheard = false;
            state.put_back = 0;
            self.lane.lock().items.extend(missed);
        }
        let mut burst = Burst::default();
        self.run_lane(&mut burst);
        burst.flush();
        Ok(())
    }

    async fn take_send(self: &Arc<Self>, mut send: Box<SendCommand>) {
        if send.message.options.transient {
            return self.take_transient(send).await;
        }
        let again = {
            let mut state = self.state.lock();
            state
                .in_flight
                .iter_mut()
                .find_map(|other| match &mut other.command {
                    Command::Send(first)
                        if first.message.client_message_id == send.message.client_message_id
                            && first.message.sender == send.message.sender =>
                    {
                        first.replies.append(&mut send.replies);
                        Some(())
                    }
                    _ => None,
                })
        };
        if again.is_some() {
            return count(&self.tools.metrics.sends_repeated);
        }
        let facts = match self.send_facts(&send.message).await {
            Ok(facts) => facts,
            Err(reject) => return self.refuse(Command::Send(send), &reject),
        };
        if let Some(result) = facts.already {
            count(&self.tools.metrics.sends_repeated);
            let mut burst = Burst::default();
            Telling::Sent(send.replies, result).tell(&mut burst);
            return burst.flush();
        }
        let planned = {
            let mut state = self.state.lock();
            let known = state.loaded.as_ref().filter(|_| !state.stale);
            // What was read may be out of date by now, or say that what is loaded is: from the
            // start, when it is loaded anew.
            let Some(loaded) = known.filter(|loaded| facts.agree(loaded)) else {
                state.stale = true;
                return state.put_behind(Command::Send(send));
            };
            let in_flight = state.in_flight.iter().map(|one| &one.append);
            match self.plan_send(loaded, &send.message, &facts, in_flight) {
                Ok((unit, append)) => self.launch(&mut state, Command::Send(send), unit, append),
                Err(reject) => Err((Command::Send(send), reject)),
            }
        };
        let Err((command, reject)) = planned else {
            return;
        };
        if self.is_outdated(Some(reject.code)).await {
            return self.take_again(command);
        }
        match command {
            Command::Send(send) if self.swallows(&reject) => self.swallow(*send),
            command => self.refuse(command, &reject),
        }
    }

    /// From the start, once the conversation is loaded anew.
    fn take_again(&self, command: Command) {
        let mut state = self.state.lock();
        state.stale = true;
        state.put_behind(command);
    }

    /// What is never stored is checked against what is loaded, if that is still so, and sent off.
    async fn take_transient(self: &Arc<Self>, send: Box<SendCommand>) {
        // Nothing is committed whose condition could fail: whether another node has changed the
        // conversation is looked up.
        let head = match self.tools.store.get(&self.keys.head()).await {
            Ok(head) => head,
            Err(error) => return self.refuse(Command::Send(send), &fault::reject(&error)),
        };
        // Without a head, who may write is looked up.
        let refused = match head {
            Some(_) => self.check_audience(&send.message).await.map(|()| None),
            None => self.refused_now().await,
        };
        let refused = match refused {
            Ok(refused) => refused,
            Err(reject) => return self.refuse(Command::Send(send), &reject),
        };
        let planned = {
            let mut state = self.state.lock();
            let loaded = state.loaded.as_ref().filter(|_| !state.stale);
            let is_fresh = |loaded: &Loaded| {
                let heard = refused.as_ref().is_none_or(|now| *now == loaded.refused);
                loaded.head_bytes == head && heard
            };
            match loaded {
                Some(loaded) if !state.in_flight.is_empty() || is_fresh(loaded) => {
                    self.plan_transient(loaded, &send.message)
                }
                // From the start, when it is loaded anew.
                _ => {
                    state.stale = true;
                    return state.put_behind(Command::Send(send));
                }
            }
        };
        let (message, recipients, reach) = match planned {
            Ok(planned) => planned,
            Err(reject) if self.swallows(&reject) => return self.swallow(*send),
            Err(reject) => return self.refuse(Command::Send(send), &reject),
        };
        self.lane
            .lock()
            .items
            .push_back(LaneItem::transient(*send, message, recipients, reach));
        let mut burst = Burst::default();
        self.run_lane(&mut burst);
        burst.flush();
    }

    async fn take_group(self: &Arc<Self>, group: Box<GroupCommand>) {
        let facts = match self.group_facts(&group.by, &group.change).await {
            Ok(facts) => facts,
            Err(reject) => return self.refuse(Command::Group(group), &reject),
        };
        let planned = {
            let mut state = self.state.lock();
            if state.stale {
                return state.put_behind(Command::Group(group));
            }
            let loaded = state
                .loaded
                .as_ref()
                .expect("loaded, since it is not stale");
            match self.plan_group(loaded, &group.by, &group.change, &facts) {
                Ok(Some((unit, append))) => self
                    .launch(&mut state, Command::Group(group), unit, append)
                    .map(|()| None),
                // It will be like that once what is in flight is committed: looked at again then.
                Ok(None) if !state.in_flight.is_empty() => {
                    state.stale = true;
                    return state.put_behind(Command::Group(group));
                }
                Ok(None) => Ok(Some((group, loaded.group(&self.id)))),
                Err(reject) => Err((Command::Group(group), reject)),
            }
        };
        match planned {
            Ok(None) => {}
            // Nothing to change.
            Ok(Some((group, _))) if self.is_outdated(None).await => {
                self.take_again(Command::Group(group));
            }
            // Whoever asked may have gone.
            Ok(Some((group, result))) => drop(group.reply.send(result)),
            Err((command, reject)) => self.refuse_unless_outdated(command, reject).await,
        }
    }

    async fn take_change(self: &Arc<Self>, mut change: Box<ChangeCommand>) {
        let seq = change.wanted.seq;
        // Only what is taken from the queue is launched, one after the other: what is not in
        // flight now is in the store when it is read.
        let in_flight = {
            let state = self.state.lock();
            let mut latest = state.in_flight.iter().rev().map(|one| &one.append.message);
            latest.find(|message| message.seq == seq).cloned()
        };
        let is_stored = in_flight.is_none();
        let present = match in_flight {
            Some(message) => Ok(message),
            None => self.stored_message(seq).await,
        };
        let present = match present {
            Ok(message) => message,
            Err(reject) => return self.refuse(Command::Change(change), &reject),
        };
        let refused = {
            let mut state = self.state.lock();
            if state.stale {
                return state.put_behind(Command::Change(change));
            }
            let loaded = state
                .loaded
                .as_ref()
                .expect("loaded, since it is not stale");
            match self.plan_change(loaded, &change.wanted, &present) {
                Ok(Some((unit, append))) => {
                    self.launch(&mut state, Command::Change(change), unit, append)
                }
                Ok(None) if is_stored => {
                    let result = MessageChanged {
                        conversation: self.name.clone(),
                        seq,
                        state: present.state.as_deref().cloned().unwrap_or_default(),
                    };
                    Telling::Changed(change.replies, result).tell(&mut Burst::default());
                    return;
                }
                // It is like that once what is in flight is committed: they hear of it together.
                Ok(None) => match state.changing(seq) {
                    Some(first) => {
                        first.replies.append(&mut change.replies);
                        return;
                    }
                    None => Err((Command::Change(change), Code::Unavailable.into())),
                },
                Err(reject) => Err((Command::Change(change), reject)),
            }
        };
        if let Err((command, reject)) = refused {
            self.refuse_unless_outdated(command, reject).await;
        }
    }

    /// Refuses what was planned on the present state, or takes it again if that is not the present
    /// state. One of which a try ended unknown may have happened: that is no refusal.
    async fn refuse_unless_outdated(self: &Arc<Self>, command: Command, reject: Reject) {
        if self.is_outdated(Some(reject.code)).await {
            return self.take_again(command);
        }
        match command.is_in_doubt() {
            true => self.refuse(command, &Code::Timeout.into()),
            false => self.refuse(command, &reject),
        }
    }

    /// The head's bytes, if nothing is in flight.
    pub(super) fn settled_head(&self) -> Option<Option<Bytes>> {
        let state = self.state.lock();
        let loaded = state.loaded.as_ref().filter(|_| state.in_flight.is_empty());
        loaded.map(|loaded| loaded.head_bytes.clone())
    }

    /// Hands a unit to the committer. If it takes none, nothing has changed.
    fn launch(
        self: &Arc<Self>,
        state: &mut State,
        command: Command,
        unit: Unit,
        mut append: Append,
    ) -> Result<(), (Command, Reject)> {
        let ticket = state.first_ticket + state.in_flight.len() as u64;
        if let Err(reject) = self
            .tools
            .committer
            .submit(self.app, unit, self.clone(), ticket)
        {
            return Err((command, reject));
        }
        let loaded = state.loaded.as_mut().expect("a unit was planned on it");
        append.seen = loaded.seen.for_append(&append);
        loaded.apply(&append);
        state.in_flight.push_back(InFlight {
            command,
            append,
            outcome: None,
        });
        Ok(())
    }

    fn refuse(self: &Arc<Self>, command: Command, reject: &Reject) {
        let mut burst = Burst::default();
        if command.is_in_doubt() {
            self.doubt();
        }
        match command {
            Command::Send(send) => {
                count(&self.tools.metrics.sends_refused);
                Telling::Refused(send.replies, reject.clone()).tell(&mut burst);
            }
            // Whoever asked may have gone.
            Command::Group(group) => drop(group.reply.send(Err(reject.clone()))),
            Command::Change(change) => {
                for reply in change.replies {
                    drop(reply.send(Err(reject.clone())));
                }
            }
        }
        burst.flush();
    }

    /// Looks again for a while whether what was given up came true.
    fn doubt(self: &Arc<Self>) {
        if std::mem::replace(&mut self.state.lock().doubting, true) {
            return;
        }
        let this = self.clone();
        self.tools.env.spawn(async move {
            for wait in DOUBT_WAITS_MS {
                this.tools.env.sleep(wait).await;
                let start = {
                    let mut state = this.state.lock();
                    state.stale = true;
                    state.unheard = true;
                    let start = !state.draining && state.in_flight.is_empty();
                    state.draining |= start;
                    start
                };
                if start {
                    this.clone().drain().await;
                }
            }
            this.state.lock().doubting = false;
        });
    }

    /// Handles what is decided at the front. Returns what is to be refused.
    fn decide(&self, state: &mut State) -> Vec<(Command, Reject)> {
        let mut refused = Vec::new();
        while let Some(front) = state.in_flight.front() {
            match front.outcome {
                None => return refused,
                Some(Outcome::Committed) => {
                    let done = state.in_flight.pop_front().expect("there is a front");
                    state.first_ticket += 1;
                    self.committed(state, done);
                }
                // A failure: what it means is known when everything behind it is decided too.
                Some(_) if state.in_flight.iter().any(|other| other.outcome.is_none()) => {
                    state.stale = true;
                    return refused;
                }
                Some(_) => {
                    state.stale = true;
                    refused = self.fail_rest(state);
                }
            }
        }
        refused
    }

    fn committed(&self, state: &mut State, done: InFlight) {
        let InFlight {
            command, append, ..
        } = done;
        count(match append.previous_rev {
            None => &self.tools.metrics.messages_appended,
            Some(_) => &self.tools.metrics.messages_changed,
        });
        state.told = Some(Told::of(&append.head));
        self.lane
            .lock()
            .items
            .push_back(LaneItem::of(command, append));
    }

    /// Everything in flight is decided, and the first of it has failed. What stands before a
    /// success was applied as well, whatever its own answer: each builds on the one before.
    fn fail_rest(&self, state: &mut State) -> Vec<(Command, Reject)> {
        let all: Vec<InFlight> = state.in_flight.drain(..).collect();
        state.first_ticket += all.len() as u64;
        let applied = all
            .iter()
            .rposition(|one| matches!(one.outcome, Some(Outcome::Committed)))
            .map_or(0, |at| at + 1);
        let (mut refused, mut again) = (Vec::new(), Vec::new());
        for (at, mut one) in all.into_iter().enumerate() {
            if at < applied {
                self.committed(state, one);
                continue;
            }
            *one.command.tries() += 1;
            if matches!(one.outcome, Some(Outcome::Unknown(_))) {
                *one.command.doubt() = true;
            }
            for nudge in &one.append.nudges {
                // It may be there after all, with nobody who knows it.
                self.outbox.look(nudge.key.shard);
            }
            if let Some(read) = &one.append.read {
                self.outbox.look(read.touch.key.shard);
            }
            match one.outcome {
                Some(Outcome::Refused(error)) => refused.push((one.command, fault::reject(&error))),
                _ if *one.command.tries() > TRIES_MAX => {
                    refused.push((one.command, Code::Timeout.into()))
                }
                _ => {
                    count(&self.tools.metrics.append_conflicts);
                    again.push(one.command);
                }
            }
        }
        state.put_back += again.len();
        for command in again.into_iter().rev() {
            state.queue.push_front(command);
        }
        state.loaded = None;
        refused
    }
}

impl Participant for Conversation {
    fn settled(self: Arc<Self>, ticket: u64, outcome: Outcome, burst: &mut Burst) {
        let (refused, start) = {
            let mut state = self.state.lock();
            let at =
                usize::try_from(ticket - state.first_ticket).expect("tickets in flight are few");
            state.in_flight[at].outcome = Some(outcome);
            let refused = self.decide(&mut state);
            let start = !state.draining
                && (!state.queue.is_empty() || state.unheard)
                && (!state.stale || state.in_flight.is_empty());
            state.draining |= start;
            (refused, start)
        };
        self.run_lane(burst);
        for (command, reject) in refused {
            self.refuse(command, &reject);
        }
        if start {
            // Not inside the caller: it has other outcomes to hand out.
            let this = self.clone();
            self.tools.env.spawn(this.drain());
        }
    }
}
