//! Chat rooms: what is asked of them.

use anser_domain::limits::{ROOM_LIST_CHANGE_MAX, ROOM_MEMBERS_PAGE_MAX};
use anser_domain::room::attribute::AttributeChange;
use anser_domain::{Code, MessageId, Reject, RoomId};
use anser_engine::room::{JoinRoom, List, Moderation, SendRoomMessage, Telling};
use anser_proto::client as wire;
use wire::moderate_room::Action;

use super::{bad_id, page_limit, user_list};

/// The name of a room, checked.
pub(crate) fn room_id(text: &str) -> Result<RoomId, Reject> {
    RoomId::new(text).map_err(|why| bad_id("room", why))
}

/// The id of a message, checked.
pub(crate) fn message_id(field: &str, text: &str) -> Result<MessageId, Reject> {
    MessageId::parse(text).map_err(|why| bad_id(field, why))
}

/// How a session goes in.
pub(crate) fn join_room(join: &wire::JoinRoom) -> JoinRoom {
    JoinRoom {
        newest: join.newest,
        known: (join.known_epoch != 0).then_some((join.known_epoch, join.known_seq)),
    }
}

/// What is to be said in a room.
pub(crate) fn send_to_room(send: wire::SendRoomMessage) -> Result<SendRoomMessage, Reject> {
    let low = send.priority() == wire::RoomPriority::Low;
    let content = send
        .content
        .ok_or_else(|| Reject::new(Code::InvalidRequest, "content is missing"))?;
    Ok(SendRoomMessage {
        client_message_id: send.client_message_id,
        content_type: content.r#type,
        body: content.body,
        low,
    })
}

/// The size of a page of members.
pub(crate) fn room_members_limit(asked: u32) -> Result<u32, Reject> {
    page_limit(asked, 0, ROOM_MEMBERS_PAGE_MAX)?;
    Ok(asked)
}

/// Attributes to set and to delete.
pub(crate) fn room_attribute_changes(
    changes: Vec<wire::RoomAttributeChange>,
) -> Vec<AttributeChange> {
    let change = |it: wire::RoomAttributeChange| AttributeChange {
        key: it.key,
        value: it.value,
        leaves: it.leaves,
    };
    changes.into_iter().map(change).collect()
}

/// What a moderator does, and how members hear of it.
pub(crate) fn moderation(it: wire::ModerateRoom) -> Result<(Moderation, Telling), Reject> {
    let users = |texts: &[String]| user_list("users", texts, ROOM_LIST_CHANGE_MAX);
    let what = match it.action {
        Some(Action::Remove(to)) => Moderation::Remove(users(&to.users)?, to.seconds),
        // For the engine zero takes off the list, and there is a word of its own for that here.
        Some(Action::Mute(to)) if to.seconds == 0 => {
            let message = "a mute lasts for one second at least";
            return Err(Reject::new(Code::InvalidRequest, message));
        }
        Some(Action::Mute(to)) => Moderation::List(List::Muted, users(&to.users)?, to.seconds),
        Some(Action::Unmute(to)) => Moderation::List(List::Muted, users(&to.users)?, 0),
        Some(Action::LiftBan(to)) => Moderation::List(List::Banned, users(&to.users)?, 0),
        Some(Action::MuteAll(on)) => Moderation::MuteAll(on),
        None => return Err(Reject::new(Code::InvalidRequest, "action is missing")),
    };
    let telling = Telling {
        notify: it.notify,
        extra: it.extra,
    };
    Ok((what, telling))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_matters_unless_its_sender_says_otherwise() {
        let low = |priority: i32| {
            let send = wire::SendRoomMessage {
                content: Some(wire::Content::default()),
                priority,
                ..Default::default()
            };
            send_to_room(send).unwrap().low
        };
        assert!(!low(0) && !low(1) && low(2));
        assert!(!low(99), "of a newer client");
    }

    #[test]
    fn a_client_that_knows_no_epoch_knows_nothing() {
        let known = |known_epoch, known_seq| {
            let join = wire::JoinRoom {
                known_epoch,
                known_seq,
                ..Default::default()
            };
            join_room(&join).known
        };
        assert_eq!(known(0, 7), None);
        assert_eq!(known(3, 0), Some((3, 0)));
    }

    #[test]
    fn a_mute_that_lasts_no_time_does_not_become_its_opposite() {
        let sentence = |seconds| wire::RoomSentence {
            users: vec!["u".into()],
            seconds,
        };
        let read = |action| {
            let it = wire::ModerateRoom {
                action,
                ..Default::default()
            };
            moderation(it).map(|(what, _)| what)
        };
        assert!(read(Some(Action::Mute(sentence(0)))).is_err());
        let muted = read(Some(Action::Mute(sentence(5)))).unwrap();
        assert!(matches!(muted, Moderation::List(List::Muted, _, 5)));
        let removed = read(Some(Action::Remove(sentence(0)))).unwrap();
        assert!(matches!(removed, Moderation::Remove(_, 0)));
        assert!(read(None).is_err());
    }
}
