//! A conversation as one user sees it: head, newest message, unread, read position. Computed from
//! the store by whoever needs it; nothing is kept per message and user.

use std::sync::Arc;

use anser_domain::limits::PAGE_ITEMS_MAX;
use anser_domain::position::ReadPosition;
use anser_domain::{AppId, Code, ConversationId, Reject, Timestamp, UserId};
use anser_proto::stored;
use anser_store::Store;

use super::unread::Reader;
use super::{ConversationView, Departure, Invitation, ReadResult, reading};
use crate::fault;
use crate::group::rows;
use crate::message::{Message, changes, history};
use crate::system::{everyone, read as system};
use crate::tables::{self, ConversationKeys};
use crate::tools::Tools;
use crate::user::inbox;

/// What a user may read: by membership, less what the user has deleted for themself.
#[derive(Copy, Clone, Eq, PartialEq, Debug)]
pub(crate) struct Access {
    /// The lowest sequence.
    pub(crate) first_seq: u64,
    /// Nothing up to here is unread: what stood there when the user came, or what they cleared.
    pub(crate) unread_after: ReadPosition,
}

impl Access {
    /// The whole conversation.
    pub(crate) const ALL: Self = Self {
        first_seq: 1,
        unread_after: ReadPosition { seq: 0, ordinal: 0 },
    };

    /// As the user's row of the conversation says.
    pub(crate) fn of_row(row: &stored::InboxRow) -> Self {
        let first_seq = row.first_seq.max(1);
        Self {
            first_seq,
            unread_after: ReadPosition {
                seq: row.joined_seq.max(first_seq - 1),
                ordinal: row.joined_ordinal,
            },
        }
        .cleared(row)
    }

    /// Nobody may read what is not kept any more, and it is unread for nobody.
    pub(crate) fn kept(self, head: &stored::Head) -> Self {
        Self {
            first_seq: self.first_seq.max(head.first_seq),
            unread_after: self.unread_after.advance(ReadPosition {
                seq: head.first_seq.saturating_sub(1),
                ordinal: head.first_ordinal,
            }),
        }
    }

    fn cleared(self, row: &stored::InboxRow) -> Self {
        Self {
            first_seq: self.first_seq.max(row.cleared_seq + 1),
            unread_after: self.unread_after.advance(ReadPosition {
                seq: row.cleared_seq,
                ordinal: row.cleared_ordinal,
            }),
        }
    }
}

/// May the user read the conversation, and from where on?
pub(crate) async fn access(
    tools: &Tools,
    app: AppId,
    keys: &ConversationKeys,
    id: &ConversationId,
    user: &UserId,
) -> Result<Access, Reject> {
    id.check_living(tools.env.now())?;
    let access = match id {
        ConversationId::Private(..) => {
            id.peer_of(user).ok_or(Code::NotAMember)?;
            Access::ALL
        }
        ConversationId::Group(_) | ConversationId::Created(_) | ConversationId::Temporary(_) => {
            let row = tools.store.get(&keys.member(user.as_str())).await;
            let row = row.map_err(|e| fault::reject(&e))?;
            let row: stored::Member = tables::decode_some(row.as_ref())?.ok_or(Code::NotAMember)?;
            Access {
                first_seq: rows::first_seq(&row),
                unread_after: ReadPosition {
                    seq: row.joined_seq,
                    ordinal: row.joined_ordinal,
                },
            }
        }
        ConversationId::System(_) => return system_access(tools, app, keys, id, user).await,
    };
    let row = inbox::row(tools, app, user.as_str(), &id.to_string()).await?;
    Ok(row.map_or(access, |row| access.cleared(&row)))
}

/// The same of a system conversation.
async fn system_access(
    tools: &Tools,
    app: AppId,
    keys: &ConversationKeys,
    id: &ConversationId,
    user: &UserId,
) -> Result<Access, Reject> {
    let read = [keys.head(), keys.subscriber(user.as_str())];
    let read = tools.store.get_many(&read).await;
    let read = read.map_err(|e| fault::reject(&e))?;
    let head: Option<stored::Head> = tables::decode_some(read[0].as_ref())?;
    let head = head.ok_or_else(|| Reject::new(Code::NotFound, "there is no such conversation"))?;
    if head.dismissed {
        return Err(Code::GroupDismissed.into());
    }
    let inbox = inbox::row(tools, app, user.as_str(), &id.to_string()).await?;
    let access = if head.everyone {
        match &inbox {
            Some(row) => return Ok(Access::of_row(row)),
            None => everyone::access(tools, app, keys, user, &head).await?,
        }
    } else {
        let row: Option<stored::Subscriber> = tables::decode_some(read[1].as_ref())?;
        let row = row.filter(|row| row.subscribed).ok_or(Code::NotAMember)?;
        Access {
            first_seq: row.seq + 1,
            unread_after: ReadPosition {
                seq: row.seq,
                ordinal: row.ordinal,
            },
        }
    };
    Ok(inbox.map_or(access, |row| access.cleared(&row)))
}

/// Where the user's read position stands, and what is unread beyond it.
pub(crate) async fn result(
    store: &Store,
    keys: &ConversationKeys,
    user: &str,
    head: &stored::Head,
    position: &stored::Position,
    access: Access,
) -> Result<ReadResult, Reject> {
    let reader = Reader {
        store,
        keys,
        user,
        head,
        position,
        access: access.kept(head),
    };
    reader.result().await
}

/// The view of a conversation whose inbox row and head are at hand.
pub(crate) async fn view(
    store: &Store,
    app: AppId,
    user: &str,
    name: &Arc<str>,
    row: &stored::InboxRow,
    head: Option<&stored::Head>,
) -> Result<ConversationView, Reject> {
    let keys = ConversationKeys::new(app, name);
    let missing = stored::Head::default();
    let head = head.unwrap_or(&missing);
    let (_, position) = reading::row_of(store, &keys, user).await?;
    let access = Access::of_row(row).kept(head);
    let mut newest = None;
    let mut read = ReadResult {
        read_seq: position.read_seq,
        ..Default::default()
    };
    let member = row.member && !is_dismissed(name, head);
    if member {
        read = result(store, &keys, user, head, &position, access).await?;
        newest = match keys.is_system() {
            true => {
                let deleted = position.deleted_version > 0;
                system::newest(store, &keys, name, user, (head, deleted), access).await?
            }
            false => history::newest(store, &keys, name, user, head, &position, access).await?,
        };
    }
    Ok(ConversationView {
        id: name.clone(),
        head_seq: head.seq,
        rev: head.rev,
        last_time: Timestamp(head.last_time.max(row.joined_time)),
        newest,
        unread: read.unread,
        unread_mentions: read.unread_mentions,
        read_seq: read.read_seq,
        first_seq: access.first_seq,
        name: head.name.clone(),
        member,
        deleted_version: position.deleted_version,
        settings: inbox::settings(row),
        invitation: row
            .invitation
            .clone()
            .filter(|_| !head.dismissed)
            .map(|it| Invitation {
                operator: it.operator,
                time: Timestamp(it.time),
            }),
        departure: Departure {
            operator: row.put_out_by.clone(),
            banned: row.banned,
        },
    })
}

/// Is it a system conversation that was dismissed? Its subscribers' rows do not say so.
pub(crate) fn is_dismissed(name: &str, head: &stored::Head) -> bool {
    head.dismissed && name.starts_with("s/")
}

/// The head of a conversation, if it has one.
pub(crate) async fn head(
    store: &Store,
    keys: &ConversationKeys,
) -> Result<Option<stored::Head>, Reject> {
    let bytes = store
        .get(&keys.head())
        .await
        .map_err(|e| fault::reject(&e))?;
    tables::decode_some(bytes.as_ref())
}

/// Is this the name of a temporary conversation that has ended?
pub(crate) fn is_over(name: &str, now: Timestamp) -> bool {
    name.starts_with("t/")
        && ConversationId::parse(name).is_ok_and(|id| id.check_living(now).is_err())
}

/// What is told of a temporary conversation when its rows go: out of the list.
pub(crate) fn over(name: &Arc<str>) -> ConversationView {
    let hidden = stored::InboxRow {
        hidden: true,
        hidden_seq: u64::MAX,
        ..Default::default()
    };
    ConversationView {
        id: name.clone(),
        head_seq: 0,
        rev: 0,
        last_time: Timestamp(0),
        newest: None,
        unread: 0,
        read_seq: 0,
        first_seq: 1,
        name: String::new(),
        member: false,
        unread_mentions: 0,
        deleted_version: 0,
        settings: inbox::settings(&hidden),
        invitation: None,
        departure: Departure::default(),
    }
}

/// A user's view of one conversation, looked up from nothing.
pub(crate) async fn lookup(
    tools: &Tools,
    app: AppId,
    user: &str,
    name: &Arc<str>,
) -> Result<ConversationView, Reject> {
    let now = tools.env.now();
    let row = match inbox::row(tools, app, user, name).await? {
        Some(row) => row,
        None if is_over(name, now) => return Ok(over(name)),
        None => {
            return Err(Reject::new(
                Code::NotFound,
                "the user has no such conversation",
            ));
        }
    };
    let keys = ConversationKeys::new(app, name);
    let mut head = head(&tools.store, &keys).await?;
    if let Some(whole) = head.take_if(|_| keys.is_system()) {
        head = Some(system::head_for(&tools.store, &keys, user, whole).await?);
    }
    view(&tools.store, app, user, name, &row, head.as_ref()).await
}

/// Unread messages that mention the user, the oldest first, at most a page of them.
pub(crate) async fn mentions(
    tools: &Tools,
    app: AppId,
    user: &UserId,
    id: &ConversationId,
) -> Result<Vec<Message>, Reject> {
    let keys = ConversationKeys::new(app, &id.to_string());
    let access = access(tools, app, &keys, id, user).await?;
    let head = head(&tools.store, &keys).await?.unwrap_or_default();
    let (_, position) = reading::row_of(&tools.store, &keys, user.as_str()).await?;
    let reader = Reader {
        store: &tools.store,
        keys: &keys,
        user: user.as_str(),
        head: &head,
        position: &position,
        access: access.kept(&head),
    };
    let seqs = reader.unread_mentions(PAGE_ITEMS_MAX).await?;
    changes::get(tools, app, Some(user), id, &seqs).await
}
