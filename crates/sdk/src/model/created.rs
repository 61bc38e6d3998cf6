//! Conversations that users create, and finding them.

use std::collections::BTreeMap;

use anser_domain::Timestamp;
use anser_proto::client as wire;

/// A conversation that a user created. Its members, mutes, blocks and notices are of the types of
/// groups.
#[derive(Clone, Eq, PartialEq, Debug, Default)]
pub struct CreatedConversation {
    /// Its name for everything else, `c/<id>` or `t/<id>`; the server made the id.
    pub conversation: String,
    /// What it is called.
    pub name: String,
    /// Who created it, or was handed it over; possibly not in it any more.
    pub owner: String,
    /// Members, the owner included.
    pub member_count: u32,
    /// When it was created.
    pub created: Timestamp,
    /// When members, name, attributes or settings changed last.
    pub updated: Timestamp,
    /// Of the newest message, notices included.
    pub last_time: Timestamp,
    /// The application's own: a JSON object; empty: none.
    pub attributes: String,
    /// How it is run.
    pub settings: CreatedSettings,
    /// Who is a manager: an admin in the words of groups.
    pub managers: Vec<String>,
    /// It was created as the one of exactly these members.
    pub unique: bool,
    /// In the answer to its creation: it was there already.
    pub reused: bool,
    /// Of a temporary one: when it ends, by the server's clock; `None`: never.
    pub ends: Option<Timestamp>,
}

/// How a created conversation is run.
#[derive(Copy, Clone, Eq, PartialEq, Debug, Default)]
pub struct CreatedSettings {
    /// Anybody may join who knows its name; else members add others.
    pub public: bool,
    /// Every member invites, removes plain members, and changes name and attributes.
    pub open: bool,
    /// All are muted, but for the owner, managers and those exempt.
    pub muted: bool,
    /// New members may read what was written before they came.
    pub history_visible: bool,
}

/// A conversation to be created. Who creates it owns it.
#[derive(Clone, Eq, PartialEq, Debug, Default)]
pub struct NewConversation {
    /// At most 128 bytes.
    pub name: String,
    /// Besides the creator; at most 499.
    pub members: Vec<String>,
    /// A JSON object; empty: none. At most 16 KiB, nested at most 16 levels deep.
    pub attributes: String,
    /// Anybody may join who knows its name.
    pub public: bool,
    /// If there is one already that was created like this and has exactly these members, it is the
    /// answer, as it is.
    pub unique: bool,
    /// It is temporary, `t/<id>`: at most 50 members, never unique, never found by queries, and
    /// gone with all its messages when its time is over.
    pub temporary: bool,
    /// So long a temporary one lives, 1–86,400 s; 0: a day.
    pub seconds: u32,
}

/// What is to be changed of a created conversation. What is `None` stays.
#[derive(Clone, Eq, PartialEq, Debug, Default)]
pub struct CreatedUpdate {
    /// At most 128 bytes.
    pub name: Option<String>,
    /// JSON values by path: the keys from the outside in, with dots between. With those removed at
    /// most 100.
    pub set_attributes: BTreeMap<String, String>,
    /// Paths to be removed, before anything is set.
    pub unset_attributes: Vec<String>,
    /// For the owner and managers, as all below; see [`CreatedSettings`].
    pub public: Option<bool>,
    /// See [`CreatedSettings`].
    pub open: Option<bool>,
    /// See [`CreatedSettings`].
    pub muted: Option<bool>,
    /// See [`CreatedSettings`].
    pub history_visible: Option<bool>,
}

/// Asks for created conversations that the user is in.
#[derive(Clone, Eq, PartialEq, Debug, Default)]
pub struct ConversationQuery {
    /// JSON: `{"field", "op", "value"}`, `{"all": […]}`, `{"any": […]}` or `{"not": …}`; the
    /// protocol has the fields and operators. Empty: everything.
    pub filter: String,
    /// Names of at most 4 fields, each with `-` before it for the greatest first; none: newest
    /// activity first.
    pub sort: Vec<String>,
    /// So many are passed over; at most 5,000.
    pub skip: u32,
    /// 1–100; 0 takes 20.
    pub limit: u32,
}

/// The created conversations that were found.
#[derive(Clone, Eq, PartialEq, Debug, Default)]
pub struct ConversationsFound {
    /// In the order asked for.
    pub conversations: Vec<CreatedConversation>,
    /// How many there are, those passed over or left out included.
    pub matched: u32,
    /// If not, the query's budget was used up before every conversation was looked at.
    pub complete: bool,
}

impl From<wire::ConversationSettings> for CreatedSettings {
    fn from(settings: wire::ConversationSettings) -> Self {
        Self {
            public: settings.public,
            open: settings.open,
            muted: settings.muted,
            history_visible: settings.history_visible,
        }
    }
}

impl From<wire::CreatedConversation> for CreatedConversation {
    fn from(created: wire::CreatedConversation) -> Self {
        Self {
            conversation: created.conversation,
            name: created.name,
            owner: created.owner,
            member_count: created.member_count,
            created: Timestamp(created.created_time),
            updated: Timestamp(created.updated_time),
            last_time: Timestamp(created.last_time),
            attributes: created.attributes,
            settings: created.settings.unwrap_or_default().into(),
            managers: created.managers,
            unique: created.unique,
            reused: created.reused,
            ends: Some(Timestamp(created.end_time)).filter(|end| end.0 > 0),
        }
    }
}

impl From<NewConversation> for wire::CreateConversation {
    fn from(new: NewConversation) -> Self {
        Self {
            name: new.name,
            members: new.members,
            attributes: new.attributes,
            public: new.public,
            unique: new.unique,
            temporary: new.temporary,
            seconds: new.seconds,
        }
    }
}

impl From<CreatedUpdate> for wire::UpdateCreatedConversation {
    fn from(update: CreatedUpdate) -> Self {
        Self {
            name: update.name,
            set_attributes: update.set_attributes,
            unset_attributes: update.unset_attributes,
            public: update.public,
            open: update.open,
            muted: update.muted,
            history_visible: update.history_visible,
        }
    }
}

impl From<ConversationQuery> for wire::QueryConversations {
    fn from(query: ConversationQuery) -> Self {
        Self {
            filter: query.filter,
            sort: query.sort,
            skip: query.skip,
            limit: query.limit,
        }
    }
}

impl From<wire::ConversationsFound> for ConversationsFound {
    fn from(found: wire::ConversationsFound) -> Self {
        Self {
            conversations: found.conversations.into_iter().map(Into::into).collect(),
            matched: found.matched,
            complete: found.complete,
        }
    }
}
