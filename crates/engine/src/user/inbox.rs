//! A user's row of a conversation, and the feed that says which rows changed.
//!
//! Every change of a row moves the user's feed: the row gets the feed's next version, and its one
//! place in the feed moves there. A device that knows a version asks for what has moved since.
//! Changes are conditional on the inbox head, so they come one after the other whoever makes them.

use std::sync::Arc;

use anser_domain::position::ReadPosition;
use anser_domain::settings::{ConversationSettings, Mute};
use anser_domain::{AppId, Code, Reject};
use anser_proto::stored;
use anser_store::{Outcome, Unit};

use super::inbox_changed;
use crate::delivery::Burst;
use crate::fault;
use crate::tables::{self, UserKeys};
use crate::tools::Tools;

/// Times an inbox is tried again after somebody else changed it.
const TRIES_MAX: u32 = 32;

/// Changes the row, moves the feed, and tells the user's sessions. `change` gets the row as it is
/// and returns it as it shall be; `None` changes nothing. Returns the row, if it was changed.
pub(crate) async fn change(
    tools: &Tools,
    app: AppId,
    user: &str,
    conversation: &Arc<str>,
    change: impl Fn(Option<&stored::InboxRow>) -> Result<Option<stored::InboxRow>, Reject>,
) -> Result<Option<stored::InboxRow>, Reject> {
    let keys = UserKeys::new(app, user);
    for _ in 0..TRIES_MAX {
        let read = tools
            .store
            .get_many(&[keys.inbox_head(), keys.inbox(conversation)])
            .await
            .map_err(|e| fault::reject(&e))?;
        let head: stored::InboxHead = tables::decode_some(read[0].as_ref())?.unwrap_or_default();
        let old: Option<stored::InboxRow> = tables::decode_some(read[1].as_ref())?;
        let Some(mut row) = change(old.as_ref())? else {
            return Ok(None);
        };
        // A clock that always moves, and never falls behind the wall's.
        let version = (head.feed_version + 1).max(tools.env.now().0);
        row.feed_version = version;
        let new_head = stored::InboxHead {
            feed_version: version,
        };
        let mut unit = Unit::new()
            .expect_unchanged(keys.inbox_head(), read[0].clone())
            .put(keys.inbox_head(), tables::encode(&new_head))
            .put(keys.inbox(conversation), tables::encode(&row))
            .put(
                keys.inbox_feed(version),
                conversation.to_string().into_bytes(),
            );
        if let Some(old) = old {
            unit = unit.delete(keys.inbox_feed(old.feed_version));
        }
        match tools.committer.commit(app, unit).await? {
            Outcome::Committed => {
                let mut burst = Burst::default();
                inbox_changed(
                    tools,
                    app,
                    user,
                    conversation,
                    version,
                    head.feed_version,
                    &mut burst,
                )
                .await;
                burst.flush();
                return Ok(Some(row));
            }
            Outcome::Conflict | Outcome::Unknown(_) => {}
            Outcome::Refused(error) => return Err(fault::reject(&error)),
        }
    }
    Err(Code::Unavailable.into())
}

/// The row, if the conversation is or was in the user's list.
pub(crate) async fn row(
    tools: &Tools,
    app: AppId,
    user: &str,
    conversation: &str,
) -> Result<Option<stored::InboxRow>, Reject> {
    let row = tools
        .store
        .get(&UserKeys::new(app, user).inbox(conversation))
        .await
        .map_err(|e| fault::reject(&e))?;
    tables::decode_some(row.as_ref())
}

/// Up to where the user has deleted everything for themself.
pub(crate) fn cleared(row: &stored::InboxRow) -> ReadPosition {
    ReadPosition {
        seq: row.cleared_seq,
        ordinal: row.cleared_ordinal,
    }
}

/// The settings that a row holds.
pub(crate) fn settings(row: &stored::InboxRow) -> ConversationSettings {
    ConversationSettings {
        pinned: row.pinned,
        // A number of a newer release is taken for the quietest.
        muted: Mute::from_number(row.muted).unwrap_or(Mute::All),
        hidden_at: row.hidden.then_some(row.hidden_seq),
        marks: row.marks.clone(),
        draft: row.draft.clone(),
    }
}

/// The row with these settings.
pub(crate) fn with_settings(
    row: stored::InboxRow,
    settings: ConversationSettings,
) -> stored::InboxRow {
    stored::InboxRow {
        pinned: settings.pinned,
        muted: settings.muted.number(),
        hidden: settings.hidden_at.is_some(),
        hidden_seq: settings.hidden_at.unwrap_or(0),
        marks: settings.marks,
        draft: settings.draft,
        ..row
    }
}
