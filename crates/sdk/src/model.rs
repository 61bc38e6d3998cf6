//! What an application sees: messages, conversations, groups. Apart from the wire, so that the
//! wire may grow without breaking an application.

use anser_domain::Timestamp;
use anser_proto::client as wire;
use bytes::Bytes;
use prost::Message as _;

/// What a message says.
#[derive(Clone, Eq, PartialEq, Debug)]
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
#[derive(Clone, Eq, PartialEq, Debug)]
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
}

/// A row of the user's conversation list.
#[derive(Clone, Eq, PartialEq, Debug)]
pub struct Conversation {
    /// The name: `p/<user>/<user>` or `g/<group>`.
    pub id: String,
    /// The last sequence that exists; 0 when it is empty.
    pub head_seq: u64,
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
#[derive(Copy, Clone, Eq, PartialEq, Debug)]
pub struct ReadPosition {
    /// Everything up to here is read.
    pub read_seq: u64,
    /// What is unread beyond.
    pub unread: u64,
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
        }
    }
}

impl From<wire::Conversation> for Conversation {
    fn from(row: wire::Conversation) -> Self {
        Self {
            id: row.id,
            head_seq: row.head_seq,
            last_time: Timestamp(row.last_time),
            newest: row.newest.map(Into::into),
            unread: row.unread,
            read_seq: row.read_seq,
            first_seq: row.first_seq,
            name: row.name,
            member: row.member,
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
        }
    }
}

impl From<wire::MarkReadResult> for ReadPosition {
    fn from(result: wire::MarkReadResult) -> Self {
        Self {
            read_seq: result.read_seq,
            unread: result.unread,
        }
    }
}

impl From<wire::Group> for Group {
    fn from(group: wire::Group) -> Self {
        Self {
            group_id: group.group_id,
            name: group.name,
            owner: group.owner,
            member_count: group.member_count,
            created: Timestamp(group.created_time),
        }
    }
}

impl From<wire::GroupMember> for GroupMember {
    fn from(member: wire::GroupMember) -> Self {
        Self {
            role: match member.role() {
                wire::GroupRole::Member => GroupRole::Member,
                wire::GroupRole::Admin => GroupRole::Admin,
                wire::GroupRole::Owner => GroupRole::Owner,
                wire::GroupRole::Unspecified => GroupRole::Other,
            },
            user_id: member.user_id,
            joined: Timestamp(member.joined_time),
        }
    }
}

impl From<wire::GroupMemberPage> for GroupMemberPage {
    fn from(page: wire::GroupMemberPage) -> Self {
        Self {
            members: page.members.into_iter().map(Into::into).collect(),
            cursor: page.cursor,
        }
    }
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
