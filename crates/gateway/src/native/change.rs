//! Changes of messages: recalls, edits, expansions, reactions.

use anser_domain::change::MessageState;
use anser_domain::limits::{MENTIONS_MAX, MESSAGES_PAGE_DEFAULT, PAGE_ITEMS_MAX};
use anser_domain::message::Mention;
use anser_domain::{Code, ConversationId, Reject};
use anser_engine::message::{Change, ChangePage, Message, MessageChanged};
use anser_proto::client as wire;

use super::{conversation_id, message, page_limit, user_list};

/// A mention, checked.
pub(super) fn mention_from(mention: Option<wire::Mention>) -> Result<Option<Mention>, Reject> {
    let Some(mention) = mention else {
        return Ok(None);
    };
    if !mention.all && mention.users.is_empty() {
        return Ok(None);
    }
    Ok(Some(Mention {
        all: mention.all,
        users: user_list("mention.users", &mention.users, MENTIONS_MAX)?,
        overrides_mute: mention.overrides_mute,
    }))
}

/// A mention.
pub(super) fn mention(mention: &Mention) -> wire::Mention {
    wire::Mention {
        all: mention.all,
        users: mention
            .users
            .iter()
            .map(|user| user.as_str().to_owned())
            .collect(),
        overrides_mute: mention.overrides_mute,
    }
}

/// What happened to a message.
pub(super) fn state(state: &MessageState) -> wire::MessageState {
    wire::MessageState {
        rev: state.rev,
        time: state.time.0,
        recall: state.recall.as_ref().map(|recall| wire::Recall {
            operator: recall.operator.clone(),
            time: recall.time.0,
            burned: recall.burned,
        }),
        edit: state.edit.as_ref().map(|edit| wire::Edit {
            operator: edit.operator.clone(),
            time: edit.time.0,
            count: edit.count,
        }),
        expansion: state
            .expansion
            .iter()
            .map(|(key, it)| wire::Expansion {
                key: key.clone(),
                value: it.value.clone(),
                user: it.user.clone(),
            })
            .collect(),
        reactions: state
            .reactions
            .iter()
            .map(|it| wire::Reaction {
                reaction: it.reaction.clone(),
                users: it.users.clone(),
            })
            .collect(),
    }
}

/// An edit.
pub(crate) fn edit(edit: wire::EditMessage) -> Result<(ConversationId, u64, Change), Reject> {
    let content = edit
        .content
        .ok_or_else(|| Reject::new(Code::InvalidRequest, "content is missing"))?;
    let change = Change::Edit {
        content_type: content.r#type.into_boxed_str(),
        body: content.body,
        mention: mention_from(edit.mention)?,
    };
    Ok((conversation_id(&edit.conversation)?, edit.seq, change))
}

/// An update of an expansion.
pub(crate) fn expand(
    update: wire::UpdateExpansion,
) -> Result<(ConversationId, u64, Change), Reject> {
    let change = Change::Expand {
        put: update.put.into_iter().collect(),
        remove: update.remove,
    };
    Ok((conversation_id(&update.conversation)?, update.seq, change))
}

/// A reaction.
pub(crate) fn react(react: wire::React) -> Result<(ConversationId, u64, Change), Reject> {
    let change = Change::React {
        reaction: react.reaction,
        remove: react.remove,
    };
    Ok((conversation_id(&react.conversation)?, react.seq, change))
}

/// The change is on disk.
pub(crate) fn message_changed(changed: &MessageChanged) -> wire::MessageChanged {
    wire::MessageChanged {
        conversation: (*changed.conversation).to_owned(),
        seq: changed.seq,
        state: Some(state(&changed.state)),
    }
}

/// Which changes of which conversation.
pub(crate) fn pull_changes(
    pull: &wire::PullChanges,
) -> Result<(ConversationId, u64, usize), Reject> {
    let limit = page_limit(pull.limit, MESSAGES_PAGE_DEFAULT, PAGE_ITEMS_MAX)?;
    Ok((conversation_id(&pull.conversation)?, pull.from_rev, limit))
}

/// A page of changes.
pub(crate) fn change_page(page: &ChangePage) -> wire::ChangePage {
    wire::ChangePage {
        conversation: (*page.conversation).to_owned(),
        messages: page.messages.iter().map(message::message).collect(),
        rev: page.rev,
        more: page.more,
        reset: page.reset,
    }
}

/// Messages.
pub(crate) fn message_list(messages: &[Message]) -> wire::MessageList {
    wire::MessageList {
        messages: messages.iter().map(message::message).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mention_of_nobody_is_none() {
        let nobody = Some(wire::Mention::default());
        assert_eq!(mention_from(nobody).unwrap(), None);
    }
}
