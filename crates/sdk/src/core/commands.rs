//! Requests of the application on the wire, and the answers to them.

use anser_domain::code::Code;
use anser_proto::client as wire;
use wire::request::Command;
use wire::response::Result as Answer;

use super::api::{Reply, Request};
use super::groups;
use crate::error::Error;

/// Does repeating it change nothing?
pub(super) fn repeatable(request: &Request) -> bool {
    match request {
        Request::Send(_)
        | Request::Queue(_)
        | Request::Discard { .. }
        | Request::CreateGroup { .. }
        | Request::AddGroupMembers { .. }
        | Request::RemoveGroupMembers { .. }
        | Request::QuitGroup { .. }
        | Request::DismissGroup { .. }
        | Request::Logout => false,
        Request::Group(request) => groups::repeatable(request),
        Request::Created(request) => request.repeatable(),
        Request::Room(request) => request.repeatable(),
        // They read, or set what is then as they say.
        _ => true,
    }
}

/// The conversation that a request names, other than a send.
pub(super) fn conversation_of(request: &Request) -> Option<&str> {
    match request {
        Request::History { conversation, .. }
        | Request::MarkRead { conversation, .. }
        | Request::Recall { conversation, .. }
        | Request::Edit { conversation, .. }
        | Request::UpdateExpansion { conversation, .. }
        | Request::React { conversation, .. }
        | Request::GetMessages { conversation, .. }
        | Request::DeleteMessages { conversation, .. }
        | Request::ClearHistory { conversation, .. }
        | Request::DeleteConversation { conversation, .. }
        | Request::UpdateConversation { conversation, .. }
        | Request::MarkDelivered { conversation, .. }
        | Request::Acknowledge { conversation, .. }
        | Request::GetReceipts { conversation, .. }
        | Request::ListReaders { conversation, .. }
        | Request::ListMentions { conversation } => Some(conversation),
        Request::Created(request) => request.conversation(),
        Request::System(request) => Some(request.conversation()),
        Request::Search(search) => search.conversation.as_deref(),
        _ => None,
    }
}

/// The request on the wire. A send has more to it and is made by the outbox's owner.
pub(super) fn encode(request: &Request) -> Option<Command> {
    Some(match request.clone() {
        Request::Send(_) | Request::Queue(_) | Request::Discard { .. } => return None,
        Request::Group(request) => return groups::encode(request),
        Request::Created(request) => request.encode(),
        Request::System(request) => request.encode(),
        Request::People(request) => request.encode(),
        Request::Room(request) => return request.encode(),
        Request::Search(search) => Command::SearchMessages(search.into()),
        Request::History {
            conversation,
            from_seq,
            descending,
            limit,
        } => Command::PullMessages(wire::PullMessages {
            conversation,
            from_seq,
            descending,
            limit,
        }),
        Request::MarkRead { conversation, seq } => {
            Command::MarkRead(wire::MarkRead { conversation, seq })
        }
        Request::ListConversations { cursor, limit } => {
            Command::ListConversations(wire::ListConversations { cursor, limit })
        }
        Request::CreateGroup {
            group_id,
            name,
            members,
        } => Command::CreateGroup(wire::CreateGroup {
            group_id,
            name,
            members,
        }),
        Request::AddGroupMembers { group_id, members } => {
            Command::AddGroupMembers(wire::AddGroupMembers { group_id, members })
        }
        Request::RemoveGroupMembers { group_id, members } => {
            Command::RemoveGroupMembers(wire::RemoveGroupMembers { group_id, members })
        }
        Request::QuitGroup { group_id } => Command::QuitGroup(wire::QuitGroup { group_id }),
        Request::DismissGroup { group_id } => {
            Command::DismissGroup(wire::DismissGroup { group_id })
        }
        Request::GetGroup { group_id } => Command::GetGroup(wire::GetGroup { group_id }),
        Request::ListGroupMembers {
            group_id,
            cursor,
            limit,
        } => Command::ListGroupMembers(wire::ListGroupMembers {
            group_id,
            cursor,
            limit,
        }),
        Request::Logout => Command::Logout(wire::Logout {}),
        other => return encode_message(other),
    })
}

/// Requests about messages, and about one's own view of them.
fn encode_message(request: Request) -> Option<Command> {
    Some(match request {
        Request::Recall { conversation, seq } => {
            Command::RecallMessage(wire::RecallMessage { conversation, seq })
        }
        Request::Edit {
            conversation,
            seq,
            content,
            mention,
        } => Command::EditMessage(wire::EditMessage {
            conversation,
            seq,
            content: Some(content.into()),
            mention: mention.map(Into::into),
        }),
        Request::UpdateExpansion {
            conversation,
            seq,
            put,
            remove,
        } => Command::UpdateExpansion(wire::UpdateExpansion {
            conversation,
            seq,
            put: put.into_iter().collect(),
            remove,
        }),
        Request::React {
            conversation,
            seq,
            reaction,
            remove,
        } => Command::React(wire::React {
            conversation,
            seq,
            reaction,
            remove,
        }),
        Request::GetMessages { conversation, seqs } => {
            Command::GetMessages(wire::GetMessages { conversation, seqs })
        }
        Request::DeleteMessages { conversation, seqs } => {
            Command::DeleteMessages(wire::DeleteMessages { conversation, seqs })
        }
        Request::ClearHistory {
            conversation,
            up_to_seq,
        } => Command::ClearHistory(wire::ClearHistory {
            conversation,
            up_to_seq,
        }),
        Request::DeleteConversation {
            conversation,
            with_history,
        } => Command::DeleteConversation(wire::DeleteConversation {
            conversation,
            with_history,
        }),
        Request::UpdateConversation {
            conversation,
            settings,
        } => Command::UpdateConversation(settings.of(conversation)),
        Request::MarkDelivered { conversation, seq } => {
            Command::MarkDelivered(wire::MarkDelivered { conversation, seq })
        }
        Request::Acknowledge { conversation, seqs } => {
            Command::AcknowledgeMessages(wire::AcknowledgeMessages { conversation, seqs })
        }
        Request::GetReceipts {
            conversation,
            from_version,
            limit,
        } => Command::GetReceipts(wire::GetReceipts {
            conversation,
            from_version,
            limit,
        }),
        Request::ListReaders {
            conversation,
            seq,
            acknowledged,
            cursor,
            limit,
        } => Command::ListReaders(wire::ListReaders {
            conversation,
            seq,
            acknowledged,
            cursor,
            limit,
        }),
        Request::ListMentions { conversation } => {
            Command::ListMentions(wire::ListMentions { conversation })
        }
        Request::SetWill(outgoing) => Command::SetWill(wire::SetWill {
            message: Some(outgoing.into()),
        }),
        _ => return None,
    })
}

/// The answer for the application; an error if it is not of the kind the request asks for.
pub(super) fn decode(request: &Request, answer: Answer) -> Result<Reply, Error> {
    match (request, answer) {
        (_, Answer::Error(error)) => Err(error.into()),
        (Request::Group(request), answer) => groups::decode(request, answer),
        (Request::Created(request), answer) => request.decode(answer),
        (Request::System(request), answer) => request.decode(answer),
        (Request::People(request), answer) => request.decode(answer),
        (Request::Room(request), answer) => request.decode(answer),
        (Request::Search(_), Answer::SearchPage(page)) => Ok(Reply::Found(page.into())),
        (Request::History { .. }, Answer::Messages(page)) => Ok(Reply::Messages(page.into())),
        (Request::MarkRead { .. }, Answer::MarkRead(result)) => Ok(Reply::Read(result.into())),
        (Request::ListConversations { .. }, Answer::Conversations(page)) => {
            Ok(Reply::Conversations(page.into()))
        }
        (Request::CreateGroup { .. } | Request::GetGroup { .. }, Answer::Group(group)) => {
            Ok(Reply::Group((*group).into()))
        }
        (Request::ListGroupMembers { .. }, Answer::GroupMembers(page)) => {
            Ok(Reply::GroupMembers(page.into()))
        }
        (
            Request::Recall { .. }
            | Request::Edit { .. }
            | Request::UpdateExpansion { .. }
            | Request::React { .. },
            Answer::MessageChanged(changed),
        ) => Ok(Reply::Changed(changed.state.unwrap_or_default().into())),
        (Request::GetMessages { .. } | Request::ListMentions { .. }, Answer::MessageList(list)) => {
            let messages = list.messages.into_iter().map(Into::into);
            Ok(Reply::MessageList(messages.collect()))
        }
        (Request::DeleteMessages { .. }, Answer::Deleted(page)) => Ok(Reply::Deleted {
            version: page.deleted_version,
        }),
        (
            Request::UpdateConversation { .. } | Request::ClearHistory { .. },
            Answer::Conversation(row),
        ) => Ok(Reply::Conversation((*row).into())),
        (Request::GetReceipts { .. }, Answer::Receipts(page)) => Ok(Reply::Receipts(page.into())),
        (Request::ListReaders { .. }, Answer::Readers(page)) => Ok(Reply::Readers(page.into())),
        (
            Request::AddGroupMembers { .. }
            | Request::RemoveGroupMembers { .. }
            | Request::QuitGroup { .. }
            | Request::DismissGroup { .. }
            | Request::DeleteConversation { .. }
            | Request::MarkDelivered { .. }
            | Request::Acknowledge { .. }
            | Request::SetWill(_)
            | Request::Logout,
            Answer::Done(_) | Answer::Group(_),
        ) => Ok(Reply::Done),
        _ => Err(unexpected()),
    }
}

pub(super) fn unexpected() -> Error {
    Error::new(
        Code::Internal,
        "the server's answer is not of the kind asked for",
    )
}
