//! Conversations to which everyone is subscribed.
//!
//! There are few of them in an app, and every node has their names in memory, with everything else
//! that the app decides ([`crate::control`]). A name there is a reservation: the head says whether
//! there is such a conversation. Nothing is written for a user until one of the user's devices
//! asks for the list: then the inbox row is made, with what was sent since the user was created.

use std::sync::Arc;

use anser_domain::limits::SYSTEM_EVERYONE_MAX;
use anser_domain::position::ReadPosition;
use anser_domain::{AppId, Code, Reject, Timestamp, UserId};
use anser_proto::stored;

use crate::control;
use crate::conversation::view::{self, Access};
use crate::retention;
use crate::sync::list::get_all;
use crate::tables::{self, ConversationKeys, UserKeys};
use crate::tools::Tools;
use crate::user::{self, inbox};

/// Takes one of the app's places, unless the name has one.
pub(super) async fn reserve(tools: &Tools, app: AppId, name: &str) -> Result<(), Reject> {
    let taken = control::change_everyone(tools, app, |names| take(names, name)).await;
    match taken {
        Err(reject) if reject.code == Code::TooManyForEveryone => {}
        taken => return taken,
    }
    let over = over(tools, app).await?;
    control::change_everyone(tools, app, |names| {
        names.retain(|known| !over.contains(known));
        take(names, name)
    })
    .await
}

fn take(names: &mut Vec<String>, name: &str) -> Result<(), Reject> {
    if names.iter().any(|known| known == name) {
        return Ok(());
    }
    if names.len() >= SYSTEM_EVERYONE_MAX {
        return Err(Code::TooManyForEveryone.into());
    }
    names.push(name.to_owned());
    Ok(())
}

/// Gives the place back.
pub(super) async fn release(tools: &Tools, app: AppId, name: &str) -> Result<(), Reject> {
    control::change_everyone(tools, app, |names| {
        names.retain(|known| known != name);
        Ok(())
    })
    .await
}

/// Names that hold a place for a conversation which is not there, or not any more.
async fn over(tools: &Tools, app: AppId) -> Result<Vec<String>, Reject> {
    let names = tools.controls.everyone(app);
    let mut over = Vec::new();
    for (name, head) in names.iter().zip(heads(tools, app, &names).await?) {
        if !head.is_some_and(|head| is_for_everyone(&head)) {
            over.push(name.to_string());
        }
    }
    Ok(over)
}

fn is_for_everyone(head: &stored::Head) -> bool {
    head.everyone && !head.dismissed
}

async fn heads(
    tools: &Tools,
    app: AppId,
    names: &[Arc<str>],
) -> Result<Vec<Option<stored::Head>>, Reject> {
    let keys = names
        .iter()
        .map(|name| ConversationKeys::new(app, name).head());
    let read = get_all(tools, keys.collect()).await?;
    let read = read.iter().map(|head| tables::decode_some(head.as_ref()));
    read.collect()
}

/// Makes the inbox rows that the user does not have yet.
pub(crate) async fn ensure(tools: &Tools, app: AppId, user: &UserId) -> Result<(), Reject> {
    let names = tools.controls.everyone(app);
    if names.is_empty() {
        return Ok(());
    }
    let keys = UserKeys::new(app, user.as_str());
    let rows = get_all(tools, names.iter().map(|name| keys.inbox(name)).collect()).await?;
    let missing = names.iter().zip(rows).filter(|(_, row)| row.is_none());
    let missing: Vec<Arc<str>> = missing.map(|(name, _)| name.clone()).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let Some(row) = user::row(tools, app, user).await? else {
        return Ok(());
    };
    let since = Timestamp(row.created_time);
    for (name, head) in missing.iter().zip(heads(tools, app, &missing).await?) {
        let Some(head) = head.filter(is_for_everyone) else {
            continue;
        };
        let start = start(tools, &ConversationKeys::new(app, name), &head, since).await?;
        inbox::change(tools, app, user.as_str(), name, |old| {
            Ok(old.is_none().then(|| stored::InboxRow {
                member: true,
                member_version: 1,
                joined_time: since.0.max(head.created_time),
                first_seq: start.seq + 1,
                joined_seq: start.seq,
                joined_ordinal: start.ordinal,
                ..stored::InboxRow::default()
            }))
        })
        .await?;
    }
    Ok(())
}

/// The same for one conversation that the user asks for by its name.
pub(crate) async fn ensure_one(
    tools: &Tools,
    app: AppId,
    user: &UserId,
    name: &str,
) -> Result<(), Reject> {
    if tools
        .controls
        .everyone(app)
        .iter()
        .any(|known| **known == *name)
    {
        ensure(tools, app, user).await?;
    }
    Ok(())
}

/// What the user may read, whether the inbox row is there yet or not.
pub(crate) async fn access(
    tools: &Tools,
    app: AppId,
    keys: &ConversationKeys,
    user: &UserId,
    head: &stored::Head,
) -> Result<Access, Reject> {
    let row = user::row(tools, app, user).await?;
    let since = Timestamp(row.ok_or(Code::NotAMember)?.created_time);
    let unread_after = start(tools, keys, head, since).await?;
    Ok(Access {
        first_seq: unread_after.seq + 1,
        unread_after,
    })
}

/// The last message that was sent before: found by bisection, since time never falls.
pub(super) async fn start(
    tools: &Tools,
    keys: &ConversationKeys,
    head: &stored::Head,
    since: Timestamp,
) -> Result<ReadPosition, Reject> {
    let first = head.first_seq.max(1);
    let begin = retention::beginning(tools, keys, first, head.seq, since).await;
    let begin = match begin {
        // The beginning of the history moved meanwhile: with the head as it is now, there is one.
        Err(_) if view::head(&tools.store, keys).await?.as_ref() != Some(head) => {
            return Err(Code::Unavailable.into());
        }
        begin => begin?.unwrap_or((first, head.first_ordinal)),
    };
    Ok(ReadPosition {
        seq: begin.0 - 1,
        ordinal: begin.1,
    })
}
