//! Translation between the engine's types and what nodes send one another.

use std::sync::Arc;

use anser_bus::NodeId;
use anser_domain::message::Mention;
use anser_domain::settings::{ConversationSettings, Mute};
use anser_domain::{
    AppId, Code, ConversationId, DeviceId, MessageId, Platform, Reject, Timestamp, UserId,
};
use anser_proto::cluster as pb;
use pb::packet::Body;

use super::{control_wire, group_wire};
use crate::conversation::{ConversationView, Departure, Invitation};
use crate::delivery::{Broadcast, Outgoing};
use crate::event::{Event, EventBody};
use crate::group::By;
use crate::message::codec::cluster as codec;
use crate::message::{
    Change, ChangeMessage, Deleted, Message, MessageChanged, SendMessage, SendOptions, SendResult,
};
use crate::receipt::{Acknowledgement, Receipt, ReceiptNews};
use crate::session::{SessionId, SessionInfo};

/// What another release, or a damaged packet, may say that this one does not understand.
pub(crate) fn garbled() -> Reject {
    Reject::new(Code::Internal, "what another node says does not decode")
}

// ───────────── packets ─────────────

pub(crate) fn deliver(app: AppId, users: Vec<String>, events: &[Outgoing]) -> Body {
    Body::Deliver(pb::Deliver {
        app: app.0,
        users,
        events: events.iter().map(event).collect(),
    })
}

pub(crate) fn to_sessions(
    sessions: &[SessionId],
    events: &[Outgoing],
    close: Option<&Reject>,
) -> Body {
    Body::ToSessions(pb::ToSessions {
        sessions: sessions.iter().map(|session| session.0).collect(),
        events: events.iter().map(event).collect(),
        close: close.map(reject),
    })
}

pub(crate) fn broadcast(it: &Broadcast) -> Body {
    let seen = it.seen.iter().map(|(user, seq)| pb::SeenBy {
        user: user.as_str().to_owned(),
        seq: *seq,
    });
    Body::Broadcast(pb::Broadcast {
        app: it.app.0,
        conversation: it.conversation.to_string(),
        everyone: it.everyone,
        event: Some(event(&Outgoing::to_all(it.event.clone()))),
        seen: seen.collect(),
    })
}

/// What this release does not know becomes a check.
pub(crate) fn broadcast_from(it: pb::Broadcast) -> Broadcast {
    let seen = it.seen.into_iter().filter_map(|seen| {
        let user = user_from(&seen.user).ok()?;
        Some((user, seen.seq))
    });
    Broadcast {
        app: AppId(it.app),
        conversation: it.conversation.into(),
        everyone: it.everyone,
        seen: seen.collect(),
        event: event_from(it.event.unwrap_or_default()).event,
    }
}

fn event(outgoing: &Outgoing) -> pb::Event {
    use pb::event::Body;
    let body = match &outgoing.event.body {
        EventBody::Message { message: it, prev } => Body::Message(pb::MessageEvent {
            message: Some(message(it)),
            prev: *prev,
        }),
        EventBody::Read {
            conversation,
            read_seq,
            unread,
            unread_mentions,
        } => Body::Read(pb::ReadEvent {
            conversation: conversation.to_string(),
            read_seq: *read_seq,
            unread: *unread,
            unread_mentions: *unread_mentions,
        }),
        EventBody::Conversation {
            view,
            feed_version,
            feed_previous,
        } => Body::Conversation(conversation(view, *feed_version, *feed_previous)),
        EventBody::Change {
            message: it,
            previous_rev,
        } => Body::Change(pb::ChangeEvent {
            message: Some(message(it)),
            previous_rev: *previous_rev,
        }),
        EventBody::Deleted(it) => Body::Deleted(pb::DeletedEvent {
            conversation: it.conversation.to_string(),
            seqs: it.seqs.clone(),
            version: it.version,
            previous: it.previous,
        }),
        EventBody::Receipts(news) => Body::Receipts(pb::ReceiptEvent {
            conversation: news.conversation.to_string(),
            receipts: news
                .receipts
                .iter()
                .map(|it| pb::Receipt {
                    user: it.user.to_string(),
                    delivered_seq: it.delivered_seq,
                    read_seq: it.read_seq,
                })
                .collect(),
            acknowledgements: news
                .acknowledgements
                .iter()
                .map(|it| pb::Acknowledgement {
                    seq: it.seq,
                    user: it.user.to_string(),
                    time: it.time.0,
                })
                .collect(),
        }),
        EventBody::JoinRequest(it) => Body::JoinRequest(group_wire::join_request(it)),
        EventBody::Relations(it) => Body::Relation(control_wire::relation(it)),
        EventBody::Presence(it) => Body::Presence(control_wire::presence(it)),
        // What happens in rooms goes to nodes, in frames of its own.
        EventBody::Check | EventBody::Room(_) | EventBody::RoomLeft(_) => Body::Check(pb::Check {}),
    };
    pb::Event {
        skip_session: outgoing.skip.map_or(0, |session| session.0),
        body: Some(body),
    }
}

/// The events of a packet; what this release does not know becomes a check.
pub(crate) fn events_from(events: Vec<pb::Event>) -> Vec<Outgoing> {
    events.into_iter().map(event_from).collect()
}

fn event_from(event: pb::Event) -> Outgoing {
    use pb::event::Body;
    let skip = (event.skip_session != 0).then_some(SessionId(event.skip_session));
    let body = match event.body {
        Some(Body::Message(it)) => {
            it.message
                .and_then(message_from)
                .map(|message| EventBody::Message {
                    message: Arc::new(message),
                    prev: it.prev,
                })
        }
        Some(Body::Read(it)) => Some(EventBody::Read {
            conversation: it.conversation.into(),
            read_seq: it.read_seq,
            unread: it.unread,
            unread_mentions: it.unread_mentions,
        }),
        Some(Body::Conversation(it)) => {
            let (feed_version, feed_previous) = (it.feed_version, it.feed_previous);
            Some(EventBody::Conversation {
                view: Box::new(conversation_from(it)),
                feed_version,
                feed_previous,
            })
        }
        Some(Body::Change(it)) => {
            it.message
                .and_then(message_from)
                .map(|message| EventBody::Change {
                    message: Arc::new(message),
                    previous_rev: it.previous_rev,
                })
        }
        Some(Body::Deleted(it)) => Some(EventBody::Deleted(Deleted {
            conversation: it.conversation.into(),
            seqs: it.seqs,
            version: it.version,
            previous: it.previous,
            more: false,
        })),
        Some(Body::Receipts(it)) => Some(EventBody::Receipts(receipts_from(it))),
        Some(Body::JoinRequest(it)) => group_wire::join_request_from(it)
            .map(|request| EventBody::JoinRequest(Box::new(request))),
        Some(Body::Relation(it)) => {
            control_wire::relation_from(it).map(|news| EventBody::Relations(Box::new(news)))
        }
        Some(Body::Presence(it)) => Some(EventBody::Presence(Box::new(
            control_wire::presence_from(it),
        ))),
        Some(Body::Check(_)) | None => None,
    };
    Outgoing {
        event: Event::new(body.unwrap_or(EventBody::Check)),
        skip,
    }
}

fn receipts_from(it: pb::ReceiptEvent) -> ReceiptNews {
    let receipts = it.receipts.into_iter().map(|it| Receipt {
        user: it.user.into(),
        delivered_seq: it.delivered_seq,
        read_seq: it.read_seq,
    });
    let acknowledgements = it.acknowledgements.into_iter().map(|it| Acknowledgement {
        seq: it.seq,
        user: it.user.into(),
        time: Timestamp(it.time),
    });
    ReceiptNews {
        conversation: it.conversation.into(),
        receipts: receipts.collect(),
        acknowledgements: acknowledgements.collect(),
    }
}

fn message(it: &Message) -> pb::Message {
    pb::Message {
        conversation: it.conversation.to_string(),
        seq: it.seq,
        message_id: it.id.0.to_vec().into(),
        sender: it.sender.to_string(),
        client_message_id: it.client_message_id.to_string(),
        time: it.time.0,
        ordinal: it.ordinal,
        counted: it.counted,
        content_type: it.content_type.to_string(),
        content_body: it.body.clone(),
        mention: it.mention.as_deref().map(codec::mention),
        targets: codec::users(&it.targets),
        burn_after_seconds: it.burn_after_seconds,
        receipt_wanted: it.receipt_wanted,
        state: it.state.as_deref().map(codec::state),
    }
}

fn message_from(it: pb::Message) -> Option<Message> {
    Some(Message {
        conversation: it.conversation.into(),
        seq: it.seq,
        id: MessageId(it.message_id[..].try_into().ok()?),
        sender: it.sender.into(),
        client_message_id: it.client_message_id.into(),
        time: Timestamp(it.time),
        ordinal: it.ordinal,
        counted: it.counted,
        content_type: it.content_type.into(),
        body: it.content_body,
        mention: match it.mention {
            Some(mention) => Some(Box::new(codec::mention_from(mention)?)),
            None => None,
        },
        targets: codec::users_from(it.targets)?,
        burn_after_seconds: it.burn_after_seconds,
        receipt_wanted: it.receipt_wanted,
        state: it.state.map(codec::state_from).map(Box::new),
    })
}

fn conversation(
    view: &ConversationView,
    feed_version: u64,
    feed_previous: u64,
) -> pb::ConversationEvent {
    pb::ConversationEvent {
        id: view.id.to_string(),
        head_seq: view.head_seq,
        rev: view.rev,
        last_time: view.last_time.0,
        newest: view.newest.as_ref().map(message),
        unread: view.unread,
        read_seq: view.read_seq,
        first_seq: view.first_seq,
        name: view.name.clone(),
        member: view.member,
        feed_version,
        feed_previous,
        pinned: view.settings.pinned,
        muted: view.settings.muted.number(),
        hidden: view.is_hidden(),
        marks: view.settings.marks.clone(),
        draft: view.settings.draft.clone(),
        unread_mentions: view.unread_mentions,
        deleted_version: view.deleted_version,
        invitation: view.invitation.as_ref().map(|it| pb::Invitation {
            operator: it.operator.clone(),
            time: it.time.0,
        }),
        put_out_by: view.departure.operator.clone(),
        banned: view.departure.banned,
    }
}

fn conversation_from(it: pb::ConversationEvent) -> ConversationView {
    ConversationView {
        id: it.id.into(),
        head_seq: it.head_seq,
        rev: it.rev,
        last_time: Timestamp(it.last_time),
        newest: it.newest.and_then(message_from),
        unread: it.unread,
        read_seq: it.read_seq,
        first_seq: it.first_seq,
        name: it.name,
        member: it.member,
        unread_mentions: it.unread_mentions,
        deleted_version: it.deleted_version,
        settings: ConversationSettings {
            pinned: it.pinned,
            muted: Mute::from_number(it.muted).unwrap_or(Mute::All),
            hidden_at: it.hidden.then_some(it.head_seq),
            marks: it.marks,
            draft: it.draft,
        },
        invitation: it.invitation.map(|it| Invitation {
            operator: it.operator,
            time: Timestamp(it.time),
        }),
        departure: Departure {
            operator: it.put_out_by,
            banned: it.banned,
        },
    }
}

// ───────────── requests ─────────────

pub(crate) fn reject(it: &Reject) -> pb::Reject {
    pb::Reject {
        code: it.code.number(),
        message: it.message.to_string(),
        retry_after_ms: it.retry_after_ms,
    }
}

pub(crate) fn reject_from(it: pb::Reject) -> Reject {
    let code = Code::from_number(it.code).unwrap_or(Code::Internal);
    Reject::new(code, it.message).retry_after_ms(it.retry_after_ms)
}

pub(crate) fn send(it: &SendMessage, conversation: &str) -> pb::Send {
    pb::Send {
        app: it.app.0,
        sender: it.sender.as_str().to_owned(),
        conversation: conversation.to_owned(),
        client_message_id: it.client_message_id.to_string(),
        content_type: it.content_type.to_string(),
        content_body: it.body.clone(),
        first_try: it.first_try.0,
        session: it.session.map_or(0, |session| session.0),
        read_up_to: it.read_up_to,
        options: Some(send_options(&it.options)),
    }
}

fn send_options(it: &SendOptions) -> pb::SendOptions {
    pb::SendOptions {
        transient: it.transient,
        uncounted: it.uncounted,
        mention: it.mention.as_ref().map(codec::mention),
        targets: codec::users(&it.targets),
        receipt_wanted: it.receipt_wanted,
        burn_after_seconds: it.burn_after_seconds,
        by_server: it.by_server,
    }
}

fn send_options_from(it: pb::SendOptions) -> Result<SendOptions, Reject> {
    Ok(SendOptions {
        transient: it.transient,
        uncounted: it.uncounted,
        mention: mention_from(it.mention)?,
        targets: codec::users_from(it.targets).ok_or_else(garbled)?,
        receipt_wanted: it.receipt_wanted,
        burn_after_seconds: it.burn_after_seconds,
        by_server: it.by_server,
    })
}

fn mention_from(it: Option<pb::Mention>) -> Result<Option<Mention>, Reject> {
    it.map(|it| codec::mention_from(it).ok_or_else(garbled))
        .transpose()
}

pub(crate) fn send_from(it: pb::Send) -> Result<SendMessage, Reject> {
    Ok(SendMessage {
        app: AppId(it.app),
        sender: user_from(&it.sender)?,
        conversation: ConversationId::parse(&it.conversation).map_err(|_| garbled())?,
        client_message_id: it.client_message_id.into(),
        content_type: it.content_type.into(),
        body: it.content_body,
        first_try: Timestamp(it.first_try),
        read_up_to: it.read_up_to,
        session: (it.session != 0).then_some(SessionId(it.session)),
        options: send_options_from(it.options.unwrap_or_default())?,
    })
}

pub(crate) fn change_message(it: &ChangeMessage, conversation: &str) -> pb::ChangeMessage {
    use pb::change_message::Change as Body;
    pb::ChangeMessage {
        app: it.app.0,
        conversation: conversation.to_owned(),
        operator: match &it.by {
            By::Server => String::new(),
            By::User(user) => user.as_str().to_owned(),
        },
        seq: it.seq,
        change: Some(match &it.change {
            Change::Recall => Body::Recall(pb::RecallIt {}),
            Change::Burn => Body::Burn(pb::BurnIt {}),
            Change::Edit {
                content_type,
                body,
                mention,
            } => Body::Edit(pb::NewContent {
                content_type: content_type.to_string(),
                content_body: body.clone(),
                mention: mention.as_ref().map(codec::mention),
            }),
            Change::Expand { put, remove } => Body::Expansion(pb::UpdateExpansion {
                put: put.clone().into_iter().collect(),
                remove: remove.clone(),
            }),
            Change::React { reaction, remove } => Body::Reaction(pb::React {
                reaction: reaction.clone(),
                remove: *remove,
            }),
        }),
    }
}

pub(crate) fn change_message_from(
    it: pb::ChangeMessage,
) -> Result<(ConversationId, ChangeMessage), Reject> {
    use pb::change_message::Change as Body;
    let by = if it.operator.is_empty() {
        By::Server
    } else {
        By::User(user_from(&it.operator)?)
    };
    let change = match it.change.ok_or_else(garbled)? {
        Body::Recall(_) => Change::Recall,
        Body::Burn(_) => Change::Burn,
        Body::Edit(it) => Change::Edit {
            content_type: it.content_type.into(),
            body: it.content_body,
            mention: mention_from(it.mention)?,
        },
        Body::Expansion(it) => Change::Expand {
            put: it.put.into_iter().collect(),
            remove: it.remove,
        },
        Body::Reaction(it) => Change::React {
            reaction: it.reaction,
            remove: it.remove,
        },
    };
    let conversation = ConversationId::parse(&it.conversation).map_err(|_| garbled())?;
    let change = ChangeMessage {
        app: AppId(it.app),
        by,
        seq: it.seq,
        change,
    };
    Ok((conversation, change))
}

pub(crate) fn message_changed(it: &MessageChanged) -> pb::MessageChanged {
    pb::MessageChanged {
        conversation: it.conversation.to_string(),
        seq: it.seq,
        state: Some(codec::state(&it.state)),
    }
}

pub(crate) fn message_changed_from(it: pb::MessageChanged) -> Result<MessageChanged, Reject> {
    Ok(MessageChanged {
        conversation: it.conversation.into(),
        seq: it.seq,
        state: codec::state_from(it.state.ok_or_else(garbled)?),
    })
}

pub(crate) fn sent(it: &SendResult) -> pb::Sent {
    pb::Sent {
        conversation: it.conversation.to_string(),
        seq: it.seq,
        message_id: it.id.0.to_vec().into(),
        time: it.time.0,
        prev: it.prev,
    }
}

pub(crate) fn sent_from(it: pb::Sent) -> Result<SendResult, Reject> {
    Ok(SendResult {
        conversation: it.conversation.into(),
        seq: it.seq,
        id: MessageId(it.message_id[..].try_into().map_err(|_| garbled())?),
        time: Timestamp(it.time),
        prev: it.prev,
    })
}

pub(crate) fn session(it: &SessionInfo) -> pb::Session {
    pb::Session {
        id: it.id.0,
        device: it.device.as_str().to_owned(),
        platform: it.platform.name().to_owned(),
        client: it.client.to_string(),
        since: it.since.0,
        node: it.node,
        attempt: it.attempt,
    }
}

pub(crate) fn session_from(it: pb::Session) -> Result<SessionInfo, Reject> {
    Ok(SessionInfo {
        id: SessionId(it.id),
        device: DeviceId::new(&it.device).map_err(|_| garbled())?,
        platform: Platform::from_name(&it.platform).ok_or_else(garbled)?,
        client: it.client.into(),
        since: Timestamp(it.since),
        node: NodeId(it.node).0,
        attempt: it.attempt,
    })
}

pub(crate) fn user_from(text: &str) -> Result<UserId, Reject> {
    UserId::new(text).map_err(|_| garbled())
}
