//! What happened to messages, as JSON.

use anser_domain::change::MessageState;
use anser_domain::limits::MENTIONS_MAX;
use anser_domain::message::Mention;
use anser_engine::message::{ChangePage, FormerContent, FormerContents, MessageChanged};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use utoipa::ToSchema;

use super::extract::users;
use super::failure::Result;
use super::message_json::{Content, MessageJson};

/// Whom a message mentions.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct MentionJson {
    /// Everybody who sees it.
    #[serde(default)]
    all: bool,
    /// These users.
    #[serde(default)]
    #[schema(max_items = 100)]
    users: Vec<String>,
    /// Notify even those who do not want to be disturbed by this conversation.
    #[serde(default)]
    overrides_mute: bool,
}

impl MentionJson {
    /// Checked; `None` if it mentions nobody.
    pub(super) fn read(self) -> Result<Option<Mention>> {
        if !self.all && self.users.is_empty() {
            return Ok(None);
        }
        Ok(Some(Mention {
            all: self.all,
            users: users("mention.users", &self.users, 0..=MENTIONS_MAX)?,
            overrides_mute: self.overrides_mute,
        }))
    }
}

impl From<&Mention> for MentionJson {
    fn from(mention: &Mention) -> Self {
        Self {
            all: mention.all,
            users: mention
                .users
                .iter()
                .map(|user| user.as_str().to_owned())
                .collect(),
            overrides_mute: mention.overrides_mute,
        }
    }
}

/// It was taken back, or has burned: content and mention are gone.
#[derive(Serialize, ToSchema)]
pub(super) struct RecallJson {
    /// Who did it; empty: the server API, or the message burned.
    operator: String,
    time: u64,
    /// It burned after it was read.
    burned: bool,
}

/// Its content is a later one than was sent.
#[derive(Serialize, ToSchema)]
pub(super) struct EditJson {
    /// Who did it last; empty: the server API.
    operator: String,
    time: u64,
    /// How often it was edited.
    count: u32,
}

/// A value attached to a message.
#[derive(Serialize, ToSchema)]
pub(super) struct ExpansionJson {
    value: String,
    /// Who set it last; empty: the server API.
    user: String,
}

/// Who reacted how.
#[derive(Serialize, ToSchema)]
pub(super) struct ReactionJson {
    reaction: String,
    /// In the order of their reacting.
    users: Vec<String>,
}

/// What happened to a message since it was sent.
#[derive(Serialize, ToSchema)]
pub(super) struct StateJson {
    /// The conversation's `rev` of the last change; 0: there was none.
    rev: u64,
    /// When that was.
    time: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = RecallJson)]
    recall: Option<RecallJson>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = EditJson)]
    edit: Option<EditJson>,
    /// Attached values by key.
    expansion: BTreeMap<String, ExpansionJson>,
    reactions: Vec<ReactionJson>,
}

impl From<&MessageState> for StateJson {
    fn from(state: &MessageState) -> Self {
        Self {
            rev: state.rev,
            time: state.time.0,
            recall: state.recall.as_ref().map(|it| RecallJson {
                operator: it.operator.clone(),
                time: it.time.0,
                burned: it.burned,
            }),
            edit: state.edit.as_ref().map(|it| EditJson {
                operator: it.operator.clone(),
                time: it.time.0,
                count: it.count,
            }),
            expansion: state
                .expansion
                .iter()
                .map(|(key, it)| {
                    let value = ExpansionJson {
                        value: it.value.clone(),
                        user: it.user.clone(),
                    };
                    (key.clone(), value)
                })
                .collect(),
            reactions: state
                .reactions
                .iter()
                .map(|it| ReactionJson {
                    reaction: it.reaction.clone(),
                    users: it.users.clone(),
                })
                .collect(),
        }
    }
}

/// The change is on disk.
#[derive(Serialize, ToSchema)]
pub(super) struct ChangedJson {
    #[schema(example = "p/alice/bob")]
    conversation: String,
    seq: u64,
    state: StateJson,
}

impl From<MessageChanged> for ChangedJson {
    fn from(changed: MessageChanged) -> Self {
        Self {
            conversation: changed.conversation.to_string(),
            seq: changed.seq,
            state: StateJson::from(&changed.state),
        }
    }
}

/// Messages that changed, in the order of their last change.
#[derive(Serialize, ToSchema)]
pub(super) struct ChangePageJson {
    #[schema(example = "p/alice/bob")]
    conversation: String,
    /// As they are now.
    messages: Vec<MessageJson>,
    /// All changes up to here are told: the next `after`.
    rev: u64,
    /// There are more.
    more: bool,
    /// The changes since `after` are not kept any more, and the page is empty: read the messages
    /// anew.
    reset: bool,
}

impl From<ChangePage> for ChangePageJson {
    fn from(page: ChangePage) -> Self {
        Self {
            conversation: page.conversation.to_string(),
            messages: page.messages.into_iter().map(MessageJson::from).collect(),
            rev: page.rev,
            more: page.more,
            reset: page.reset,
        }
    }
}

/// What a message said before an edit.
#[derive(Serialize, ToSchema)]
pub(super) struct FormerContentJson {
    /// The `rev` of the edit that replaced it.
    rev: u64,
    /// Who wrote it; empty: the server API.
    operator: String,
    /// When.
    time: u64,
    content: Content,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = MentionJson)]
    mention: Option<MentionJson>,
}

/// A page of former contents, the oldest first.
#[derive(Serialize, ToSchema)]
pub(super) struct FormerContentsJson {
    contents: Vec<FormerContentJson>,
    /// There are more: ask again `after` the `rev` of the last.
    more: bool,
}

impl From<FormerContents> for FormerContentsJson {
    fn from(page: FormerContents) -> Self {
        let content = |it: FormerContent| FormerContentJson {
            rev: it.rev,
            operator: it.operator,
            time: it.time.0,
            content: Content::write(&it.content_type, &it.body),
            mention: it.mention.as_ref().map(MentionJson::from),
        };
        Self {
            contents: page.contents.into_iter().map(content).collect(),
            more: page.more,
        }
    }
}
