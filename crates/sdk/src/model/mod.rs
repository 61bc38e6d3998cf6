//! What an application sees: messages, conversations, groups. Apart from the wire, so that the
//! wire may grow without breaking an application.

mod created;
mod group;
mod media;
mod people;
mod room;
mod search;
mod state;
mod system;
mod wire_form;

use anser_domain::Timestamp;
use bytes::Bytes;

pub use created::{
    ConversationQuery, ConversationsFound, CreatedConversation, CreatedSettings, CreatedUpdate,
    NewConversation,
};
pub use group::{
    DefinedRole, Group, GroupChange, GroupInvitation, GroupMember, GroupMemberPage,
    GroupMemberUpdate, GroupNotice, GroupRole, GroupSettings, GroupUpdate, GroupUser,
    GroupUserPage, JoinMode, JoinRequest,
};
pub use media::MediaFile;
pub use people::{
    DevicePresence, Presence, PresenceSubscription, RelationChange, RelationList, RelationPage,
    RelationUpdate,
};
pub(crate) use room::news as room_news;
pub use room::{
    Room, RoomAttribute, RoomAttributeChange, RoomJoined, RoomLeft, RoomMember, RoomMemberPage,
    RoomMessage, RoomModeration, RoomNews, RoomNotice, RoomNoticeKind, RoomOutgoing, RoomPriority,
    RoomSent,
};
pub use search::{FoundPage, MessageSearch};
pub use state::{
    Acknowledgement, Edit, Expansion, Mention, MessageState, Reaction, Recall, Receipt,
};
pub use system::SystemConversation;

/// What a message says.
#[derive(Clone, Eq, PartialEq, Debug, Default)]
pub struct Content {
    /// `"text"`, or the application's own: 1–64 of `[a-z0-9._:-]`. `anser.` is the server's.
    pub kind: String,
    /// Opaque to the server. For `"text"`: UTF-8.
    pub body: Bytes,
}

impl Content {
    /// Text.
    #[must_use]
    pub fn text(text: impl Into<String>) -> Self {
        Self {
            kind: "text".to_owned(),
            body: Bytes::from(text.into()),
        }
    }

    /// Is it for the application and not for its user? Then it is told like any message, and
    /// neither kept nor shown.
    #[must_use]
    pub fn is_command(&self) -> bool {
        self.kind == "command"
    }

    /// The text, if it is one.
    #[must_use]
    pub fn as_text(&self) -> Option<&str> {
        (self.kind == "text")
            .then(|| std::str::from_utf8(&self.body).ok())
            .flatten()
    }
}

/// A message as the conversation holds it.
#[derive(Clone, Eq, PartialEq, Debug, Default)]
pub struct Message {
    /// The name of its conversation.
    pub conversation: String,
    /// Its place: 1, 2, 3 … within the conversation.
    pub seq: u64,
    /// 26 characters, unique.
    pub message_id: String,
    /// The user who sent it.
    pub sender: String,
    /// Given by the sender; empty on notices of the server.
    pub client_message_id: String,
    /// When the server took it, by its clock.
    pub time: Timestamp,
    /// What it says.
    pub content: Content,
    /// Does it count as unread for those who did not send it?
    pub counted: bool,
    /// Whom it mentions.
    pub mention: Option<Mention>,
    /// Not empty: only these users, and the sender, can see it.
    pub targets: Vec<String>,
    /// Deleted for both sides so many seconds after the receiver has read it; 0: it stays.
    pub burn_after_seconds: u32,
    /// The sender asked to be told who acknowledges it.
    pub receipt_wanted: bool,
    /// What happened to it since it was sent; `None` if nothing did.
    pub state: Option<MessageState>,
}

impl Message {
    /// The conversation's count of changes at its last change; 0 if it was never changed. Of two
    /// states of a message the one with the higher `rev` is the later.
    #[must_use]
    pub fn rev(&self) -> u64 {
        self.state.as_ref().map_or(0, |state| state.rev)
    }

    /// Was it taken back, or did it burn?
    #[must_use]
    pub fn is_recalled(&self) -> bool {
        let recall = self.state.as_ref().and_then(|state| state.recall.as_ref());
        recall.is_some()
    }

    /// Does it mention this user, by name or with all others?
    #[must_use]
    pub fn mentions(&self, user: &str) -> bool {
        let mention = self.mention.as_ref();
        mention.is_some_and(|mention| mention.all || mention.users.iter().any(|u| u == user))
    }
}

/// A row of the user's conversation list.
#[derive(Clone, Eq, PartialEq, Debug, Default)]
pub struct Conversation {
    /// The name: `p/<user>/<user>`, `g/<group>` or `c/<id>`.
    pub id: String,
    /// The last sequence that exists; 0 when it is empty.
    pub head_seq: u64,
    /// How many changes of messages it has seen.
    pub rev: u64,
    /// The time of the newest message, or of joining when there is none.
    pub last_time: Timestamp,
    /// The newest message the user may see.
    pub newest: Option<Message>,
    /// What the user has not read.
    pub unread: u64,
    /// Up to where the user has read.
    pub read_seq: u64,
    /// The lowest sequence the user may read.
    pub first_seq: u64,
    /// The name of a group, or of a conversation that a user created.
    pub name: String,
    /// False once the user is no longer in it.
    pub member: bool,
    /// How many unread messages mention the user, @all included.
    pub unread_mentions: u64,
    /// Grows with every message that the user deletes for themself.
    pub deleted_version: u64,
    /// The user's own settings, the same on all devices: does it come first in the list?
    pub pinned: bool,
    /// Of what the user does not want to be notified.
    pub muted: Mute,
    /// Left out of the list until the next message.
    pub hidden: bool,
    /// The application's labels.
    pub marks: Vec<String>,
    /// What the user began to write, on whichever device.
    pub draft: String,
    /// The user is not in it and may come in.
    pub invitation: Option<GroupInvitation>,
    /// Of a temporary one: when it ends, by the server's clock; `None`: never.
    pub ends: Option<Timestamp>,
}

/// Of what the user does not want to be notified.
#[derive(Copy, Clone, Eq, PartialEq, Debug, Default)]
pub enum Mute {
    /// Nothing.
    #[default]
    None,
    /// All but messages that mention the user.
    ExceptMentions,
    /// All.
    All,
}

/// The user's own settings of a conversation. What is `None` stays.
#[derive(Clone, Eq, PartialEq, Debug, Default)]
pub struct ConversationSettings {
    /// Pinned conversations come first in the list.
    pub pinned: Option<bool>,
    /// Of what the user does not want to be notified.
    pub muted: Option<Mute>,
    /// True leaves it out of the list until the next message.
    pub hidden: Option<bool>,
    /// Replaces all: at most 8 of 1–32 bytes.
    pub marks: Option<Vec<String>>,
    /// At most 4,096 bytes.
    pub draft: Option<String>,
}

/// A part of the conversation list, pinned ones first, then by last activity, newest first.
#[derive(Clone, Eq, PartialEq, Debug, Default)]
pub struct ConversationPage {
    /// The rows.
    pub conversations: Vec<Conversation>,
    /// Continues the list; empty on the last page.
    pub cursor: String,
}

/// A part of the history of a conversation.
#[derive(Clone, Eq, PartialEq, Debug, Default)]
pub struct MessagePage {
    /// In the direction asked for.
    pub messages: Vec<Message>,
    /// Is there more in this direction?
    pub more: bool,
    /// The last sequence of the conversation when the page was read.
    pub head_seq: u64,
    /// The lowest sequence this user may read.
    pub first_seq: u64,
    /// How many changes of messages the conversation had seen by then.
    pub rev: u64,
    /// While there is more: where the next page starts. Not always the last message here, since
    /// messages that only others may see are left out.
    pub next_seq: u64,
}

/// A send that the server has on disk.
#[derive(Clone, Eq, PartialEq, Debug)]
pub struct Sent {
    /// Where.
    pub conversation: String,
    /// Its place there.
    pub seq: u64,
    /// Its id.
    pub message_id: String,
    /// When the server took it.
    pub time: Timestamp,
    /// The id under which it was sent.
    pub client_message_id: String,
}

/// Where a read position stands.
#[derive(Copy, Clone, Eq, PartialEq, Debug, Default)]
pub struct ReadPosition {
    /// Everything up to here is read.
    pub read_seq: u64,
    /// What is unread beyond.
    pub unread: u64,
    /// How many of these mention the user.
    pub unread_mentions: u64,
}

/// Where members of a conversation stand.
#[derive(Clone, Eq, PartialEq, Debug, Default)]
pub struct ReceiptPage {
    /// Of those who moved since the version asked for.
    pub receipts: Vec<Receipt>,
    /// To be asked with the next time.
    pub version: u64,
    /// Is there more?
    pub more: bool,
}

/// Who has read a message, or acknowledged it.
#[derive(Clone, Eq, PartialEq, Debug, Default)]
pub struct ReaderPage {
    /// Who.
    pub users: Vec<String>,
    /// Continues the list; empty on the last page.
    pub cursor: String,
    /// How many, on all pages.
    pub count: u32,
    /// Of how many who could.
    pub of: u32,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_text_is_not_read_as_one() {
        let content = |kind: &str, body: Vec<u8>| Content {
            kind: kind.to_owned(),
            body: body.into(),
        };
        assert_eq!(content("text", vec![0xff]).as_text(), None);
        assert_eq!(content("other", b"x".to_vec()).as_text(), None);
        assert_eq!(content("text", b"x".to_vec()).as_text(), Some("x"));
    }
}
