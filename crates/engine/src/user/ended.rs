//! Temporary conversations that are over, on the user's side.
//!
//! When one is removed its row leaves the user's inbox. Devices that are connected are told at that
//! moment. For those that are away the last ones are remembered by name, with the feed version of
//! their end; a device that has been away for more of them than that starts anew.

use std::sync::Arc;

use anser_domain::{AppId, Code, Reject};
use anser_proto::stored;
use anser_store::{Outcome, Unit};

use super::inbox_changed;
use crate::conversation::{ConversationView, view};
use crate::delivery::Burst;
use crate::fault;
use crate::tables::{self, UserKeys};
use crate::tools::Tools;

/// Conversations remembered for devices that are away.
const REMEMBERED_MAX: usize = 64;
/// Times an inbox is tried again after somebody else changed it.
const TRIES_MAX: u32 = 32;

/// Remembers one more; the oldest may be forgotten for it.
fn remember(ended: &mut stored::EndedConversations, conversation: &str, feed_version: u64) {
    ended.conversations.push(stored::EndedConversation {
        conversation: conversation.to_owned(),
        feed_version,
    });
    while ended.conversations.len() > REMEMBERED_MAX {
        ended.floor = ended.conversations.remove(0).feed_version;
    }
}

/// The conversation leaves the user's inbox, the feed moves, and the user's sessions are told.
pub(crate) async fn forget(
    tools: &Arc<Tools>,
    app: AppId,
    user: &str,
    conversation: &Arc<str>,
) -> Result<(), Reject> {
    let keys = UserKeys::new(app, user);
    let wanted = [keys.inbox_head(), keys.inbox(conversation), keys.ended()];
    for _ in 0..TRIES_MAX {
        let read = tools.store.get_many(&wanted).await;
        let read = read.map_err(|e| fault::reject(&e))?;
        let Some(row) = tables::decode_some::<stored::InboxRow>(read[1].as_ref())? else {
            return Ok(());
        };
        let head: stored::InboxHead = tables::decode_some(read[0].as_ref())?.unwrap_or_default();
        let mut ended: stored::EndedConversations =
            tables::decode_some(read[2].as_ref())?.unwrap_or_default();
        let version = (head.feed_version + 1).max(tools.env.now().0);
        remember(&mut ended, conversation, version);
        let new_head = stored::InboxHead {
            feed_version: version,
        };
        let unit = Unit::new()
            .expect_unchanged(keys.inbox_head(), read[0].clone())
            .put(keys.inbox_head(), tables::encode(&new_head))
            .put(keys.ended(), tables::encode(&ended))
            .delete(keys.inbox(conversation))
            .delete(keys.inbox_feed(row.feed_version));
        match tools.committer.commit(app, unit).await? {
            Outcome::Committed => {
                let (previous, mut burst) = (head.feed_version, Burst::default());
                let told = &mut burst;
                inbox_changed(tools, app, user, conversation, version, previous, told).await;
                burst.flush();
                return Ok(());
            }
            Outcome::Conflict | Outcome::Unknown(_) => {}
            Outcome::Refused(error) => return Err(fault::reject(&error)),
        }
    }
    Err(Code::Unavailable.into())
}

/// The conversations that ended for the user after a feed version, up to another. `None`: they
/// can't be told any more.
pub(crate) async fn since(
    tools: &Tools,
    app: AppId,
    user: &str,
    (after, to): (u64, u64),
) -> Result<Option<Vec<ConversationView>>, Reject> {
    let row = tools.store.get(&UserKeys::new(app, user).ended()).await;
    let row = row.map_err(|e| fault::reject(&e))?;
    let ended: stored::EndedConversations = tables::decode_some(row.as_ref())?.unwrap_or_default();
    if after < ended.floor {
        return Ok(None);
    }
    let missed = ended.conversations.into_iter();
    let missed = missed.filter(|it| it.feed_version > after && it.feed_version <= to);
    let views = missed.map(|it| view::over(&it.conversation.into()));
    Ok(Some(views.collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_ones_are_remembered_and_it_is_known_from_when_on() {
        let mut ended = stored::EndedConversations::default();
        for version in 1..=66 {
            remember(&mut ended, &format!("t/{version}"), version);
        }
        assert_eq!(ended.conversations.len(), REMEMBERED_MAX);
        assert_eq!(ended.floor, 2);
        assert_eq!(ended.conversations[0].feed_version, 3);
    }
}
