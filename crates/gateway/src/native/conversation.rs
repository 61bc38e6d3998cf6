//! Conversations: the list, and one row of it.

use anser_domain::Reject;
use anser_domain::limits::{CONVERSATIONS_PAGE_DEFAULT, PAGE_ITEMS_MAX};
use anser_engine::conversation::{ConversationPage, ConversationView};
use anser_proto::client as wire;

use super::{group, message, own_view, page_limit};

/// How many conversations are asked for.
pub(crate) fn list_conversations(list: &wire::ListConversations) -> Result<usize, Reject> {
    page_limit(list.limit, CONVERSATIONS_PAGE_DEFAULT, PAGE_ITEMS_MAX)
}

/// A conversation as it stands in the user's list.
pub(crate) fn conversation(view: &ConversationView) -> wire::Conversation {
    wire::Conversation {
        id: (*view.id).to_owned(),
        head_seq: view.head_seq,
        rev: view.rev,
        last_time: view.last_time.0,
        newest: view.newest.as_ref().map(message::message),
        unread: view.unread,
        read_seq: view.read_seq,
        first_seq: view.first_seq,
        name: view.name.clone(),
        member: view.member,
        unread_mentions: view.unread_mentions,
        deleted_version: view.deleted_version,
        pinned: view.settings.pinned,
        muted: own_view::mute(view.settings.muted).into(),
        hidden: view.is_hidden(),
        marks: view.settings.marks.clone(),
        draft: view.settings.draft.clone(),
        invitation: view.invitation.as_ref().map(group::invitation),
        end_time: view.end().map_or(0, |end| end.0),
    }
}

/// A page of the list.
pub(crate) fn conversation_page(page: ConversationPage) -> wire::ConversationPage {
    wire::ConversationPage {
        conversations: page.conversations.iter().map(conversation).collect(),
        cursor: page.cursor,
    }
}
