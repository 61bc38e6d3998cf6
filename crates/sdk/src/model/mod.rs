//! What an application sees: messages, conversations, groups. Apart from the wire, so that the
//! wire may grow without breaking an application.

mod state;
mod wire_form;

use anser_domain::Timestamp;
use anser_proto::client as wire;
use bytes::Bytes;
use prost::Message as _;

pub use state::{
    Acknowledgement, Edit, Expansion, Mention, MessageState, Reaction, Recall, Receipt,
};

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

    /// The text, if it is one.
    #[must_use]
    pub fn as_text(&self) -> Option<&str> {
        (self.kind == "text")
            .then(|| std::str::from_utf8(&self.body).ok())
            .flatten()
    }

    /// What happened to the group, if it is the server's notice of that.
    #[must_use]
    pub fn as_group_notice(&self) -> Option<GroupNotice> {
        if self.kind != "anser.group" {
            return None;
        }
        let notice = wire::GroupNotice::decode(self.body.clone()).ok()?;
        Some(GroupNotice {
            change: match notice.kind() {
                wire::group_notice::Kind::Created => GroupChange::Created,
                wire::group_notice::Kind::Added => GroupChange::Added,
                wire::group_notice::Kind::Removed => GroupChange::Removed,
                wire::group_notice::Kind::Quit => GroupChange::Quit,
                wire::group_notice::Kind::Dismissed => GroupChange::Dismissed,
                _ => GroupChange::Other,
            },
            operator: notice.operator,
            users: notice.users,
            user_count: notice.user_count,
        })
    }
}

/// What happened to a group, told within its conversation.
#[derive(Clone, Eq, PartialEq, Debug)]
pub struct GroupNotice {
    /// What.
    pub change: GroupChange,
    /// Who did it; empty: the customer's backend.
    pub operator: String,
    /// To whom; at most 100 of them.
    pub users: Vec<String>,
    /// To how many.
    pub user_count: u32,
}

/// A change of a group.
#[derive(Copy, Clone, Eq, PartialEq, Debug)]
pub enum GroupChange {
    /// It was created.
    Created,
    /// Users were added.
    Added,
    /// Users were removed.
    Removed,
    /// A user left.
    Quit,
    /// It was ended.
    Dismissed,
    /// A change that this release does not know.
    Other,
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
    /// The name: `p/<user>/<user>` or `g/<group>`.
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
    /// The name of a group.
    pub name: String,
    /// False once the user is no longer in it.
    pub member: bool,
    /// How many unread messages mention the user, @all included.
    pub unread_mentions: u64,
    /// Grows with every message that the user deletes for themself.
    pub deleted_version: u64,
}

/// A part of the conversation list, by last activity, newest first.
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

/// A group.
#[derive(Clone, Eq, PartialEq, Debug)]
pub struct Group {
    /// Its id; its conversation is `g/<id>`.
    pub group_id: String,
    /// Its name.
    pub name: String,
    /// Who created it.
    pub owner: String,
    /// Members, the owner included.
    pub member_count: u32,
    /// When it was created.
    pub created: Timestamp,
}

/// What a member of a group may do.
#[derive(Copy, Clone, Eq, PartialEq, Debug)]
pub enum GroupRole {
    /// Talks.
    Member,
    /// Has every right over those who stand lower.
    Admin,
    /// Names admins, hands over, dismisses besides.
    Owner,
    /// A role of a newer server.
    Other,
}

/// A member of a group.
#[derive(Clone, Eq, PartialEq, Debug)]
pub struct GroupMember {
    /// Who.
    pub user_id: String,
    /// What they may do.
    pub role: GroupRole,
    /// Since when.
    pub joined: Timestamp,
}

/// A part of the members of a group.
#[derive(Clone, Eq, PartialEq, Debug, Default)]
pub struct GroupMemberPage {
    /// The members.
    pub members: Vec<GroupMember>,
    /// Continues the list; empty on the last page.
    pub cursor: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_notice_is_read_and_nothing_else_is_one() {
        let notice = wire::GroupNotice {
            kind: wire::group_notice::Kind::Added.into(),
            operator: "alice".to_owned(),
            users: vec!["bob".to_owned()],
            user_count: 1,
            ..Default::default()
        };
        let content = |kind: &str, body: Vec<u8>| Content {
            kind: kind.to_owned(),
            body: body.into(),
        };
        let body = notice.encode_to_vec();
        let read = content("anser.group", body.clone()).as_group_notice();
        let read = read.expect("it is one");
        assert_eq!((read.change, read.user_count), (GroupChange::Added, 1));
        assert!(content("text", body).as_group_notice().is_none());
        assert!(
            content("anser.group", vec![0xff])
                .as_group_notice()
                .is_none()
        );
        assert_eq!(content("text", vec![0xff]).as_text(), None);
    }
}
