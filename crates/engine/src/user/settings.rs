//! A user's settings of a conversation, its deletion from the list, and clearing its history for
//! oneself. All of it stands in the user's row of the conversation and follows the user's feed to
//! all devices.

use std::sync::Arc;

use anser_domain::position::ReadPosition;
use anser_domain::settings::{ConversationSettings, SettingsChange};
use anser_domain::{AppId, Code, ConversationId, Reject, UserId};
use anser_proto::stored;

use super::inbox;
use crate::conversation::{ConversationView, row, view};
use crate::tables::ConversationKeys;
use crate::tools::Tools;

/// Changes the settings that the change names.
pub(crate) async fn update(
    tools: &Arc<Tools>,
    app: AppId,
    user: &UserId,
    id: &ConversationId,
    change: &SettingsChange,
) -> Result<ConversationView, Reject> {
    let name: Arc<str> = id.to_string().into();
    let head = head_of(tools, app, id, &name).await?;
    inbox::change(tools, app, user.as_str(), &name, |old| {
        let old = old.ok_or_else(no_such)?;
        let settings = inbox::settings(old);
        let new = settings.change(change, head.seq)?;
        Ok((new != settings).then(|| inbox::with_settings(old.clone(), new)))
    })
    .await?;
    view::lookup(tools, app, user.as_str(), &name).await
}

/// Takes the conversation out of the list until the next message, its settings with it, and its
/// history if so wished.
pub(crate) async fn delete(
    tools: &Arc<Tools>,
    app: AppId,
    user: &UserId,
    id: &ConversationId,
    with_history: bool,
) -> Result<(), Reject> {
    let name: Arc<str> = id.to_string().into();
    let head = head_of(tools, app, id, &name).await?;
    inbox::change(tools, app, user.as_str(), &name, |old| {
        let old = old.ok_or_else(no_such)?;
        let mut new = inbox::with_settings(old.clone(), ConversationSettings::deleted(head.seq));
        if with_history {
            new = clear_to(new, head_position(&head));
        }
        Ok((new != *old).then_some(new))
    })
    .await?;
    Ok(())
}

/// Deletes everything up to `up_to` for the user; zero, or above the head, is the head.
pub(crate) async fn clear(
    tools: &Arc<Tools>,
    app: AppId,
    user: &UserId,
    id: &ConversationId,
    up_to: u64,
) -> Result<ConversationView, Reject> {
    let name: Arc<str> = id.to_string().into();
    let head = head_of(tools, app, id, &name).await?;
    let position = if up_to == 0 || up_to >= head.seq {
        head_position(&head)
    } else {
        let keys = ConversationKeys::new(app, &name);
        let ordinal = row::ordinal_at(&tools.store, &keys, &head, up_to).await?;
        ReadPosition {
            seq: up_to,
            ordinal,
        }
    };
    inbox::change(tools, app, user.as_str(), &name, |old| {
        let old = old.ok_or_else(no_such)?;
        let new = clear_to(old.clone(), position);
        Ok((new != *old).then_some(new))
    })
    .await?;
    view::lookup(tools, app, user.as_str(), &name).await
}

async fn head_of(
    tools: &Tools,
    app: AppId,
    id: &ConversationId,
    name: &str,
) -> Result<stored::Head, Reject> {
    id.check_living(tools.env.now())?;
    let head = view::head(&tools.store, &ConversationKeys::new(app, name)).await?;
    Ok(head.unwrap_or_default())
}

fn head_position(head: &stored::Head) -> ReadPosition {
    ReadPosition {
        seq: head.seq,
        ordinal: head.ordinal,
    }
}

fn clear_to(row: stored::InboxRow, to: ReadPosition) -> stored::InboxRow {
    let cleared = inbox::cleared(&row).advance(to);
    stored::InboxRow {
        cleared_seq: cleared.seq,
        cleared_ordinal: cleared.ordinal,
        ..row
    }
}

fn no_such() -> Reject {
    Reject::new(Code::NotFound, "the user has no such conversation")
}
