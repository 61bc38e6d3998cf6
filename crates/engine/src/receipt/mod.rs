//! Receipts: where the members of a conversation stand, told to those whom it concerns.
//!
//! A member's row of positions says up to where messages have arrived and up to where they were
//! read. When it moves, so does the member's one place in the conversation's feed of receipts, in
//! the same unit; whoever wants to know asks the feed for what has moved since. To those who are
//! connected it is pushed: in a private chat to the other side, in a group to the senders of what
//! was read, in a created conversation also to senders who asked who gets what they said. A push
//! that is lost is made up for by the feed.

mod acknowledge;
mod feed;
mod readers;

use std::collections::BTreeSet;
use std::sync::Arc;

use anser_domain::limits::RECEIPT_SENDERS_MAX;
use anser_domain::position::{ReadPosition, feed_version};
use anser_domain::{AppId, Code, ConversationId, Reject, Timestamp, UserId};
use anser_proto::stored;
use anser_store::{Direction, Outcome, Unit};
use bytes::Bytes;

use crate::conversation::{reading, row, view};
use crate::delivery::{Burst, Outgoing};
use crate::env::Env;
use crate::event::{Event, EventBody};
use crate::fault;
use crate::message::Message;
use crate::tables::{self, ConversationKeys};
use crate::tools::Tools;

pub(crate) use acknowledge::acknowledge;
pub(crate) use feed::list;
pub(crate) use readers::{ReadersOf, readers};

/// Times a position is tried again after another device moved it at the same moment.
const TRIES_MAX: u32 = 16;

/// Where a member of a conversation stands.
#[derive(Clone, Eq, PartialEq, Debug)]
pub struct Receipt {
    /// Who.
    pub user: Arc<str>,
    /// Everything up to here has arrived on one of the user's devices.
    pub delivered_seq: u64,
    /// Everything up to here is read.
    pub read_seq: u64,
}

/// Members of a conversation moved.
#[derive(Clone, Eq, PartialEq, Debug)]
pub struct ReceiptNews {
    /// The conversation's name.
    pub conversation: Arc<str>,
    /// Where they stand now.
    pub receipts: Vec<Receipt>,
    /// What they took note of, message by message.
    pub acknowledgements: Vec<Acknowledgement>,
}

/// Somebody took note of a message whose sender asked for it.
#[derive(Clone, Eq, PartialEq, Debug)]
pub struct Acknowledgement {
    /// The message's place.
    pub seq: u64,
    /// Who.
    pub user: Arc<str>,
    /// When.
    pub time: Timestamp,
}

/// A part of the feed of receipts, those who moved first to last.
#[derive(Clone, Eq, PartialEq, Debug)]
pub struct ReceiptPage {
    /// The conversation's name.
    pub conversation: Arc<str>,
    /// The part.
    pub receipts: Vec<Receipt>,
    /// To be asked with next.
    pub version: u64,
    /// There is more.
    pub more: bool,
}

/// A part of those who have read, or acknowledged, a message, by user id.
#[derive(Clone, Eq, PartialEq, Debug)]
pub struct ReaderPage {
    /// The part.
    pub users: Vec<UserId>,
    /// Where the next part starts; empty on the last one.
    pub cursor: String,
    /// How many have, on all parts.
    pub count: usize,
    /// How many could.
    pub of: usize,
}

/// What a row of positions says.
pub(crate) fn receipt(user: &str, row: &stored::Position) -> Receipt {
    Receipt {
        user: user.into(),
        // Rows from before deliveries were told have read without it.
        delivered_seq: row.delivered_seq.max(row.read_seq),
        read_seq: row.read_seq,
    }
}

/// The row after reading, or having got, up to there; `None` if that does not move it.
pub(crate) fn advance(
    env: &Env,
    old: &stored::Position,
    read: ReadPosition,
    delivered: u64,
) -> Option<stored::Position> {
    let read = reading::position(old).advance(read);
    let new = stored::Position {
        read_seq: read.seq,
        read_ordinal: read.ordinal,
        delivered_seq: old.delivered_seq.max(delivered).max(read.seq),
        ..*old
    };
    let before = receipt("", old);
    let moved = receipt("", &new) != before;
    moved.then(|| stored::Position {
        receipt_version: feed_version(old.receipt_version, env.now(), env.random_u64()),
        ..new
    })
}

/// Writes a row of positions that has moved, on condition that it is as it was read. In a system
/// conversation nobody is told.
pub(crate) fn write(
    unit: Unit,
    keys: &ConversationKeys,
    user: &str,
    old: (Option<Bytes>, &stored::Position),
    new: &stored::Position,
) -> Unit {
    let key = keys.position(user);
    let (old_bytes, old) = old;
    let unit = unit
        .expect_unchanged(key.clone(), old_bytes)
        .put(key, tables::encode(new));
    if keys.is_system() {
        return unit;
    }
    let unit = unit.put(keys.receipt_feed(new.receipt_version, user), Bytes::new());
    match old.receipt_version {
        0 => unit,
        version => unit.delete(keys.receipt_feed(version, user)),
    }
}

/// Everything up to `seq` has arrived on one of the user's devices.
pub(crate) async fn mark_delivered(
    tools: &Arc<Tools>,
    app: AppId,
    user: &UserId,
    id: &ConversationId,
    seq: u64,
) -> Result<(), Reject> {
    let name: Arc<str> = id.to_string().into();
    let keys = ConversationKeys::new(app, &name);
    view::access(tools, app, &keys, id, user).await?;
    for _ in 0..TRIES_MAX {
        let (old_bytes, old) = reading::row_of(&tools.store, &keys, user.as_str()).await?;
        let head = view::head(&tools.store, &keys).await?.unwrap_or_default();
        let delivered = seq.min(head.seq);
        let Some(new) = advance(&tools.env, &old, ReadPosition::default(), delivered) else {
            return Ok(());
        };
        let unit = write(Unit::new(), &keys, user.as_str(), (old_bytes, &old), &new);
        match tools.committer.commit(app, unit).await? {
            Outcome::Committed => {
                tell(tools, app, id, name, user, &old, &new);
                return Ok(());
            }
            Outcome::Conflict => {}
            Outcome::Refused(error) => return Err(fault::reject(&error)),
            Outcome::Unknown(_) => return Err(Code::Timeout.into()),
        }
    }
    Err(Code::Unavailable.into())
}

/// Tells those whom it concerns that a member moved, beside the caller.
pub(crate) fn tell(
    tools: &Arc<Tools>,
    app: AppId,
    id: &ConversationId,
    name: Arc<str>,
    user: &UserId,
    old: &stored::Position,
    new: &stored::Position,
) {
    if id.is_system() {
        return;
    }
    let (tools, id, user) = (tools.clone(), id.clone(), user.clone());
    let (before, new) = (receipt("", old), *new);
    let env = tools.env.clone();
    env.spawn(async move {
        // Who does not hear of it now finds it in the feed.
        let moved = (before, receipt("", &new));
        let Ok(whom) = concerned(&tools, app, &id, &name, &user, &moved).await else {
            return;
        };
        if whom.is_empty() {
            return;
        }
        let news = ReceiptNews {
            conversation: name,
            receipts: vec![receipt(user.as_str(), &new)],
            acknowledgements: Vec::new(),
        };
        let event = Outgoing::to_all(Event::new(EventBody::Receipts(news)));
        let mut burst = Burst::default();
        tools.fan_out.now(app, &whom, &[event], &mut burst);
        burst.flush();
    });
}

/// The other side of a private chat; in a group, the senders of the newest of what was read; in a
/// created conversation also those of the newest of what arrived, if they asked for it.
async fn concerned(
    tools: &Tools,
    app: AppId,
    id: &ConversationId,
    name: &Arc<str>,
    user: &UserId,
    (before, now): &(Receipt, Receipt),
) -> Result<Vec<UserId>, Reject> {
    if let ConversationId::Private(..) = id {
        let peer = id.peer_of(user).filter(|peer| *peer != user);
        return Ok(peer.into_iter().cloned().collect());
    }
    let keys = ConversationKeys::new(app, name);
    let mut senders = BTreeSet::new();
    if now.read_seq > before.read_seq {
        let read = (before.read_seq, now.read_seq);
        senders_of(tools, &keys, name, read, |_| true, &mut senders).await?;
    }
    let tells = !matches!(id, ConversationId::Group(_));
    if tells && now.delivered_seq > before.delivered_seq.max(now.read_seq) {
        let arrived = (before.delivered_seq, now.delivered_seq);
        let asked = |message: &Message| message.receipt_wanted;
        senders_of(tools, &keys, name, arrived, asked, &mut senders).await?;
    }
    senders.remove(user);
    Ok(senders.into_iter().collect())
}

/// Who sent the newest messages behind one sequence, up to another.
async fn senders_of(
    tools: &Tools,
    keys: &ConversationKeys,
    name: &Arc<str>,
    (behind, up_to): (u64, u64),
    counts: impl Fn(&Message) -> bool,
    senders: &mut BTreeSet<UserId>,
) -> Result<(), Reject> {
    let (low, high) = (behind + 1, up_to);
    let scan = keys.messages(low, high, Direction::Backward, RECEIPT_SENDERS_MAX);
    let page = tools.store.scan(scan).await;
    let page = page.map_err(|e| fault::reject(&e))?;
    for (key, value) in &page.rows {
        let message = row::decode_message(name, key, value)?;
        // Notices have no sender.
        if counts(&message)
            && let Ok(sender) = UserId::new(&message.sender)
        {
            senders.insert(sender);
        }
    }
    Ok(())
}
