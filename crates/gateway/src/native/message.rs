//! Messages: sending, pages of history.

use anser_domain::limits::{MESSAGES_PAGE_DEFAULT, PAGE_ITEMS_MAX, TARGETS_MAX};
use anser_domain::{AppId, Code, ConversationId, Reject, Timestamp, UserId};
use anser_engine::message::{
    Message, MessagePage, PageRequest, SendMessage, SendOptions, SendResult,
};
use anser_engine::session::SessionId;
use anser_proto::client as wire;

use super::{bad_id, change, page_limit, user_list};

/// The name of a conversation, checked.
pub(crate) fn conversation_id(text: &str) -> Result<ConversationId, Reject> {
    ConversationId::parse(text).map_err(|why| bad_id("conversation", why))
}

/// A send of this session.
pub(crate) fn send(
    app: AppId,
    sender: UserId,
    session: Option<SessionId>,
    send: wire::SendMessage,
) -> Result<SendMessage, Reject> {
    let content = send
        .content
        .ok_or_else(|| Reject::new(Code::InvalidRequest, "content is missing"))?;
    Ok(SendMessage {
        app,
        sender,
        conversation: conversation_id(&send.conversation)?,
        client_message_id: send.client_message_id.into_boxed_str(),
        content_type: content.r#type.into_boxed_str(),
        body: content.body,
        first_try: Timestamp(send.first_try_time),
        read_up_to: send.read_up_to,
        session,
        options: SendOptions {
            transient: send.transient,
            uncounted: send.uncounted,
            mention: change::mention_from(send.mention)?,
            targets: user_list("targets", &send.targets, TARGETS_MAX)?,
            receipt_wanted: send.receipt_wanted,
            burn_after_seconds: send.burn_after_seconds,
            by_server: false,
        },
    })
}

/// A will of this user: a send that nobody waits for, whenever it comes to it.
pub(crate) fn will(
    app: AppId,
    sender: UserId,
    will: wire::SendMessage,
) -> Result<SendMessage, Reject> {
    if will.first_try_time != 0 || will.read_up_to != 0 {
        return Err(Reject::new(
            Code::InvalidRequest,
            "a will has neither first_try_time nor read_up_to",
        ));
    }
    send(app, sender, None, will)
}

/// The message is on disk.
pub(crate) fn sent(sent: &SendResult) -> wire::SendMessageResult {
    wire::SendMessageResult {
        conversation: (*sent.conversation).to_owned(),
        seq: sent.seq,
        message_id: sent.id.to_string(),
        time: sent.time.0,
        prev: sent.prev,
    }
}

/// Which page of which conversation.
pub(crate) fn pull(pull: &wire::PullMessages) -> Result<(ConversationId, PageRequest), Reject> {
    let page = PageRequest {
        from_seq: pull.from_seq,
        descending: pull.descending,
        limit: page_limit(pull.limit, MESSAGES_PAGE_DEFAULT, PAGE_ITEMS_MAX)?,
    };
    Ok((conversation_id(&pull.conversation)?, page))
}

/// A message.
pub(crate) fn message(message: &Message) -> wire::Message {
    wire::Message {
        conversation: (*message.conversation).to_owned(),
        seq: message.seq,
        message_id: message.id.to_string(),
        sender: (*message.sender).to_owned(),
        client_message_id: message.client_message_id.to_string(),
        time: message.time.0,
        content: Some(wire::Content {
            r#type: message.content_type.to_string(),
            body: message.body.clone(),
        }),
        counted: message.counted,
        mention: message.mention.as_deref().map(change::mention),
        targets: message
            .targets
            .iter()
            .map(|user| user.as_str().to_owned())
            .collect(),
        burn_after_seconds: message.burn_after_seconds,
        receipt_wanted: message.receipt_wanted,
        state: message.state.as_deref().map(change::state),
    }
}

/// A page of messages.
pub(crate) fn message_page(page: &MessagePage) -> wire::MessagePage {
    wire::MessagePage {
        conversation: (*page.conversation).to_owned(),
        messages: page.messages.iter().map(message).collect(),
        more: page.more,
        head_seq: page.head_seq,
        first_seq: page.first_seq,
        rev: page.rev,
        next_seq: page.next_seq,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_has_a_size_and_a_conversation() {
        let asked = |conversation: &str, limit| {
            pull(&wire::PullMessages {
                conversation: conversation.into(),
                limit,
                ..Default::default()
            })
        };
        assert_eq!(asked("g/1", 0).unwrap().1.limit, 50);
        assert_eq!(asked("g/1", 100).unwrap().1.limit, 100);
        assert_eq!(asked("g/1", 101).unwrap_err().code, Code::InvalidRequest);
        assert_eq!(
            asked("p/b/a", 1).unwrap_err().message,
            "conversation is malformed"
        );
    }

    #[test]
    fn a_send_without_content_is_refused_by_name() {
        let user = UserId::new("u").unwrap();
        let refused = send(AppId(1), user, None, wire::SendMessage::default());
        assert_eq!(refused.unwrap_err().message, "content is missing");
    }
}
