//! What a client that comes in has missed.
//!
//! How much is unread in each conversation, with its last message; or, for clients that know no
//! such counts, the messages themselves. And what was edited or taken back since the client knew
//! last.

use anser_domain::{ConversationId, Reject, UserId};
use anser_engine::conversation::ConversationView;
use anser_engine::message::{Message, PageRequest};

use super::caller::Caller;
use super::event::{conversation_type, direct, is_said, millis, patch, push, split};
use super::message;
use crate::leancloud::wire::{CommandType, GenericCommand, UnreadCommand, UnreadTuple};
use crate::leancloud::{content, ids};

/// Conversations that a client is told about.
const CONVERSATIONS_MAX: usize = 50;
/// The highest count.
const UNREAD_MAX: u64 = 100;
/// Pages of the list that are looked at.
const PAGES_MAX: usize = 10;
/// Messages that are looked at for the newest that a user said.
const LOOKED_AT: usize = 20;

/// What the client knows.
#[derive(Copy, Clone)]
pub(super) struct Since {
    /// When it was last told what is unread.
    pub(super) unread: Option<i64>,
    /// When the last change of a message was that it knows; `None`: it asks for none.
    pub(super) patched: Option<i64>,
}

/// Tells a client what it has missed.
pub(super) async fn tell(caller: &Caller, since: Since, messages: bool) -> Result<(), Reject> {
    let views = views(caller).await?;
    let now = millis(caller.door.env.now());
    let mut tuples = Vec::new();
    for view in &views {
        let changed = since
            .unread
            .is_none_or(|since| millis(view.last_time) > since);
        if view.unread == 0 || !changed || tuples.len() >= CONVERSATIONS_MAX {
            continue;
        }
        if messages {
            tell_messages(caller, view).await?;
        } else if let Some(tuple) = tuple(caller, view).await? {
            tuples.push(tuple);
        }
    }
    if !tuples.is_empty() {
        caller.sink.tell(&GenericCommand {
            unread_message: Some(UnreadCommand {
                convs: tuples,
                notif_time: Some(now),
            }),
            ..push(CommandType::Unread)
        });
    }
    if let Some(patched) = since.patched {
        tell_patches(caller, &views, patched).await?;
    }
    Ok(())
}

/// The conversations that these clients can see, those with the newest message first.
async fn views(caller: &Caller) -> Result<Vec<ConversationView>, Reject> {
    let (engine, app, user) = (caller.engine(), caller.app_id(), &caller.user);
    let (mut cursor, mut all) = (String::new(), Vec::new());
    for _ in 0..PAGES_MAX {
        let page = engine.conversations(app, user, &cursor, 0).await?;
        let known = page.conversations.into_iter();
        all.extend(known.filter(|view| view.member && ids::object_id(&view.id).is_some()));
        cursor = page.cursor;
        if cursor.is_empty() {
            break;
        }
    }
    Ok(all)
}

/// The newest message of a view that somebody said.
async fn newest(caller: &Caller, view: &ConversationView) -> Result<Option<Message>, Reject> {
    if let Some(message) = view.newest.as_ref().filter(|it| is_said(it)) {
        return Ok(Some(message.clone()));
    }
    let Ok(conversation) = ConversationId::parse(&view.id) else {
        return Ok(None);
    };
    let page = PageRequest {
        from_seq: 0,
        descending: true,
        limit: LOOKED_AT,
    };
    let page = caller
        .engine()
        .pull(caller.app_id(), Some(&caller.user), &conversation, page);
    Ok(page.await?.messages.into_iter().find(is_said))
}

async fn tuple(caller: &Caller, view: &ConversationView) -> Result<Option<UnreadTuple>, Reject> {
    let newest = newest(caller, view).await?;
    let Some(cid) = ids::object_id(&view.id) else {
        return Ok(None);
    };
    let content = newest.as_ref().and_then(content::from_engine);
    let patch_timestamp = content.as_ref().and_then(|it| it.patched).map(millis);
    let (data, binary_msg) = content.map_or((None, None), split);
    Ok(Some(UnreadTuple {
        cid,
        unread: i32::try_from(view.unread.min(UNREAD_MAX)).unwrap_or(i32::MAX),
        mid: newest.as_ref().map(|it| ids::message_id(it.id)),
        timestamp: newest.as_ref().map(|it| millis(it.time)),
        from: newest.as_ref().map(|it| (*it.sender).to_owned()),
        data,
        patch_timestamp,
        mentioned: Some(view.unread_mentions > 0),
        binary_msg,
        conv_type: Some(conversation_type(&view.id)),
    }))
}

/// The messages themselves, the oldest first.
async fn tell_messages(caller: &Caller, view: &ConversationView) -> Result<(), Reject> {
    let Ok(conversation) = ConversationId::parse(&view.id) else {
        return Ok(());
    };
    let page = PageRequest {
        from_seq: 0,
        descending: true,
        limit: usize::try_from(view.unread.min(UNREAD_MAX)).unwrap_or(1),
    };
    let user: &UserId = &caller.user;
    let page = caller
        .engine()
        .pull(caller.app_id(), Some(user), &conversation, page);
    let page = page.await?;
    let more = page.more;
    let unread = page
        .messages
        .iter()
        .rev()
        .filter(|message| message.seq > view.read_seq && *message.sender != *user.as_str());
    for mut command in unread.filter_map(direct) {
        if let Some(direct) = &mut command.direct_message {
            direct.offline = Some(true);
            direct.has_more = Some(more);
        }
        caller.sink.tell(&command);
    }
    Ok(())
}

/// What was changed in conversations that moved since.
async fn tell_patches(
    caller: &Caller,
    views: &[ConversationView],
    since: i64,
) -> Result<(), Reject> {
    let (engine, app) = (caller.engine(), caller.app_id());
    let mut patches = Vec::new();
    for view in views
        .iter()
        .filter(|view| view.rev > 0)
        .take(CONVERSATIONS_MAX)
    {
        let Ok(conversation) = ConversationId::parse(&view.id) else {
            continue;
        };
        // The newest changes are those it can have missed.
        let from = view.rev.saturating_sub(UNREAD_MAX);
        let page = engine.pull_changes(app, Some(&caller.user), &conversation, from, 0);
        patches.extend(message::patches(&page.await?.messages, since));
    }
    if !patches.is_empty() {
        patches.sort_by_key(|item| item.patch_timestamp);
        caller.sink.tell(&patch(patches));
    }
    Ok(())
}
