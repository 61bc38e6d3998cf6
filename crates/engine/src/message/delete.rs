//! Deleting messages for oneself.
//!
//! The messages stay; a row says that this user does not see them any more. Such rows are
//! versioned by the user's position row, so that a device which was away pulls what was deleted
//! since the version it knows, and the touch along with them tells it that there is something.

use std::sync::Arc;

use anser_domain::limits::PAGE_ITEMS_MAX;
use anser_domain::{AppId, Code, ConversationId, Reject, UserId};
use anser_proto::stored;
use anser_store::{Outcome, Unit};

use super::{Deleted, changes};
use crate::conversation::loaded::damaged;
use crate::conversation::{reading, view};
use crate::delivery::{Burst, Outgoing};
use crate::event::{Event, EventBody};
use crate::fault;
use crate::outbox::Outbox;
use crate::tables::{self, ConversationKeys};
use crate::tools::Tools;

/// Times it is tried again after another device moved the position row at the same moment.
const TRIES_MAX: u32 = 16;

/// Deletes messages for the user. What is not there for the user is skipped.
pub(crate) async fn delete(
    outbox: &Outbox,
    app: AppId,
    user: &UserId,
    id: &ConversationId,
    seqs: &[u64],
) -> Result<Deleted, Reject> {
    if seqs.is_empty() || seqs.len() > PAGE_ITEMS_MAX {
        return Err(Reject::new(
            Code::InvalidRequest,
            format!("seqs are 1–{PAGE_ITEMS_MAX}"),
        ));
    }
    let tools = outbox.tools();
    let name: Arc<str> = id.to_string().into();
    let keys = ConversationKeys::new(app, &name);
    for _ in 0..TRIES_MAX {
        let (old_bytes, old) = reading::row_of(&tools.store, &keys, user.as_str()).await?;
        let messages = changes::get(tools, app, Some(user), id, seqs).await?;
        let mut version = old.deleted_version;
        let mut unit = Unit::new();
        for message in &messages {
            version += 1;
            let row = stored::HiddenRow {
                version,
                counted: message.counted,
                own: *message.sender == *user.as_str(),
            };
            let seq = message.seq;
            unit = unit
                .put(keys.hidden(user.as_str(), seq), tables::encode(&row))
                .put(
                    keys.hidden_feed(user.as_str(), version),
                    seq.to_be_bytes().to_vec(),
                );
        }
        let deleted = Deleted {
            conversation: name.clone(),
            seqs: messages.iter().map(|message| message.seq).collect(),
            version,
            previous: old.deleted_version,
            more: false,
        };
        if messages.is_empty() {
            return Ok(deleted);
        }
        let row = stored::Position {
            deleted_version: version,
            ..old
        };
        let (key, touch) = (
            keys.position(user.as_str()),
            outbox.plan_touch(app, user.as_str(), &name, false),
        );
        let unit = unit
            .expect_unchanged(key.clone(), old_bytes)
            .put(key, tables::encode(&row))
            .put(touch.key.clone(), touch.value());
        match tools.committer.commit(app, unit).await? {
            Outcome::Committed => {
                outbox.touched(touch);
                tell(tools, app, user, &deleted);
                return Ok(deleted);
            }
            Outcome::Conflict => {}
            Outcome::Refused(error) => return Err(fault::reject(&error)),
            Outcome::Unknown(_) => {
                outbox.look(touch.key.shard);
                return Err(Code::Timeout.into());
            }
        }
    }
    Err(Code::Unavailable.into())
}

/// What the user deleted after a version, the oldest first.
pub(crate) async fn pull(
    tools: &Tools,
    app: AppId,
    user: &UserId,
    id: &ConversationId,
    from_version: u64,
    limit: usize,
) -> Result<Deleted, Reject> {
    let name: Arc<str> = id.to_string().into();
    let keys = ConversationKeys::new(app, &name);
    view::access(tools, app, &keys, id, user).await?;
    let scan = keys.hidden_feed_after(user.as_str(), from_version, limit);
    let page = tools.store.scan(scan).await;
    let page = page.map_err(|e| fault::reject(&e))?;
    let mut deleted = Deleted {
        conversation: name,
        seqs: Vec::with_capacity(page.rows.len()),
        version: from_version,
        previous: from_version,
        more: page.more,
    };
    for (key, value) in &page.rows {
        deleted.version = tables::last_number(key).ok_or_else(damaged)?;
        let seq = tables::last_number(value).ok_or_else(damaged)?;
        deleted.seqs.push(seq);
    }
    Ok(deleted)
}

/// The user's sessions hear of it.
fn tell(tools: &Tools, app: AppId, user: &UserId, deleted: &Deleted) {
    let event = Event::new(EventBody::Deleted(deleted.clone()));
    let mut burst = Burst::default();
    let users = std::slice::from_ref(user);
    tools
        .fan_out
        .now(app, users, &[Outgoing::to_all(event)], &mut burst);
    burst.flush();
}
