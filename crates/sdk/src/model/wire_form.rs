//! The wire's types into the application's, and back where they are sent or kept.

use anser_domain::Timestamp;
use anser_proto::client as wire;

use crate::core::Outgoing;

use super::{
    Content, Conversation, ConversationPage, ConversationSettings, Message, MessagePage, Mute,
    ReadPosition, ReaderPage, ReceiptPage,
};

impl From<wire::Content> for Content {
    fn from(content: wire::Content) -> Self {
        Self {
            kind: content.r#type,
            body: content.body,
        }
    }
}

impl From<Content> for wire::Content {
    fn from(content: Content) -> Self {
        Self {
            r#type: content.kind,
            body: content.body,
        }
    }
}

impl From<wire::Message> for Message {
    fn from(message: wire::Message) -> Self {
        Self {
            conversation: message.conversation,
            seq: message.seq,
            message_id: message.message_id,
            sender: message.sender,
            client_message_id: message.client_message_id,
            time: Timestamp(message.time),
            content: message.content.unwrap_or_default().into(),
            counted: message.counted,
            mention: message.mention.map(Into::into),
            targets: message.targets,
            burn_after_seconds: message.burn_after_seconds,
            receipt_wanted: message.receipt_wanted,
            state: message.state.map(Into::into),
        }
    }
}

impl From<wire::Conversation> for Conversation {
    fn from(row: wire::Conversation) -> Self {
        Self {
            pinned: row.pinned,
            muted: row.muted().into(),
            hidden: row.hidden,
            marks: row.marks,
            draft: row.draft,
            invitation: row.invitation.map(Into::into),
            id: row.id,
            head_seq: row.head_seq,
            rev: row.rev,
            last_time: Timestamp(row.last_time),
            newest: row.newest.map(Into::into),
            unread: row.unread,
            read_seq: row.read_seq,
            first_seq: row.first_seq,
            name: row.name,
            member: row.member,
            unread_mentions: row.unread_mentions,
            deleted_version: row.deleted_version,
            ends: Some(Timestamp(row.end_time)).filter(|end| end.0 > 0),
        }
    }
}

impl From<wire::ConversationPage> for ConversationPage {
    fn from(page: wire::ConversationPage) -> Self {
        Self {
            conversations: page.conversations.into_iter().map(Into::into).collect(),
            cursor: page.cursor,
        }
    }
}

impl From<wire::MessagePage> for MessagePage {
    fn from(page: wire::MessagePage) -> Self {
        Self {
            messages: page.messages.into_iter().map(Into::into).collect(),
            more: page.more,
            head_seq: page.head_seq,
            first_seq: page.first_seq,
            rev: page.rev,
            next_seq: page.next_seq,
        }
    }
}

impl From<wire::Mute> for Mute {
    fn from(mute: wire::Mute) -> Self {
        match mute {
            wire::Mute::None => Self::None,
            wire::Mute::ExceptMentions => Self::ExceptMentions,
            wire::Mute::All => Self::All,
        }
    }
}

impl From<Mute> for wire::Mute {
    fn from(mute: Mute) -> Self {
        match mute {
            Mute::None => Self::None,
            Mute::ExceptMentions => Self::ExceptMentions,
            Mute::All => Self::All,
        }
    }
}

impl ConversationSettings {
    /// The command that makes these the settings of a conversation.
    pub(crate) fn of(self, conversation: String) -> wire::UpdateConversation {
        wire::UpdateConversation {
            conversation,
            pinned: self.pinned,
            muted: self.muted.map(|mute| wire::Mute::from(mute).into()),
            hidden: self.hidden,
            marks: self.marks.map(|marks| wire::ConversationMarks { marks }),
            draft: self.draft,
        }
    }
}

impl From<wire::ReceiptPage> for ReceiptPage {
    fn from(page: wire::ReceiptPage) -> Self {
        Self {
            receipts: page.receipts.into_iter().map(Into::into).collect(),
            version: page.version,
            more: page.more,
        }
    }
}

impl From<wire::ReaderPage> for ReaderPage {
    fn from(page: wire::ReaderPage) -> Self {
        Self {
            users: page.users,
            cursor: page.cursor,
            count: page.count,
            of: page.of,
        }
    }
}

impl From<wire::MarkReadResult> for ReadPosition {
    fn from(result: wire::MarkReadResult) -> Self {
        Self {
            read_seq: result.read_seq,
            unread: result.unread,
            unread_mentions: result.unread_mentions,
        }
    }
}

impl From<wire::ReadPush> for ReadPosition {
    fn from(push: wire::ReadPush) -> Self {
        Self {
            read_seq: push.read_seq,
            unread: push.unread,
            unread_mentions: push.unread_mentions,
        }
    }
}

impl From<Message> for wire::Message {
    fn from(message: Message) -> Self {
        Self {
            conversation: message.conversation,
            seq: message.seq,
            message_id: message.message_id,
            sender: message.sender,
            client_message_id: message.client_message_id,
            time: message.time.0,
            content: Some(message.content.into()),
            counted: message.counted,
            mention: message.mention.map(Into::into),
            targets: message.targets,
            burn_after_seconds: message.burn_after_seconds,
            receipt_wanted: message.receipt_wanted,
            state: message.state.map(Into::into),
        }
    }
}

impl From<Conversation> for wire::Conversation {
    fn from(row: Conversation) -> Self {
        Self {
            end_time: row.ends.map_or(0, |end| end.0),
            id: row.id,
            head_seq: row.head_seq,
            rev: row.rev,
            last_time: row.last_time.0,
            newest: row.newest.map(Into::into),
            unread: row.unread,
            read_seq: row.read_seq,
            first_seq: row.first_seq,
            name: row.name,
            member: row.member,
            unread_mentions: row.unread_mentions,
            deleted_version: row.deleted_version,
            pinned: row.pinned,
            muted: wire::Mute::from(row.muted).into(),
            hidden: row.hidden,
            marks: row.marks,
            draft: row.draft,
            invitation: row.invitation.map(Into::into),
        }
    }
}

impl From<Outgoing> for wire::SendMessage {
    fn from(outgoing: Outgoing) -> Self {
        Self {
            conversation: outgoing.conversation,
            client_message_id: outgoing.client_message_id.unwrap_or_default(),
            content: Some(outgoing.content.into()),
            first_try_time: outgoing.first_try.0,
            read_up_to: outgoing.read_up_to,
            transient: outgoing.transient,
            uncounted: outgoing.uncounted,
            mention: outgoing.mention.map(Into::into),
            targets: outgoing.targets,
            burn_after_seconds: outgoing.burn_after_seconds,
            receipt_wanted: outgoing.receipt_wanted,
        }
    }
}

impl From<wire::SendMessage> for Outgoing {
    fn from(send: wire::SendMessage) -> Self {
        Self {
            conversation: send.conversation,
            client_message_id: Some(send.client_message_id).filter(|id| !id.is_empty()),
            content: send.content.unwrap_or_default().into(),
            first_try: Timestamp(send.first_try_time),
            read_up_to: send.read_up_to,
            transient: send.transient,
            uncounted: send.uncounted,
            mention: send.mention.map(Into::into),
            targets: send.targets,
            burn_after_seconds: send.burn_after_seconds,
            receipt_wanted: send.receipt_wanted,
        }
    }
}
