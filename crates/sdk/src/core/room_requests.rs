//! Requests about chat rooms. Joining and leaving are [`rooms`](super::rooms)'.

use anser_proto::client as wire;
use wire::moderate_room::Action;
use wire::request::Command;
use wire::response::Result as Answer;

use super::api::Reply;
use super::commands::unexpected;
use crate::error::Error;
use crate::model::{RoomAttributeChange, RoomModeration, RoomOutgoing, RoomSent};

/// What an application asks about a chat room.
#[derive(Clone, Eq, PartialEq, Debug)]
pub struct RoomRequest {
    /// Which.
    pub room: String,
    /// What.
    pub ask: RoomAsk,
}

/// See [`RoomRequest`].
#[derive(Clone, Eq, PartialEq, Debug)]
pub enum RoomAsk {
    /// Goes into the room, and comes back into it by itself until it leaves.
    Join {
        /// So many of the newest messages are wanted, at most 50.
        newest: u32,
    },
    /// Leaves it.
    Leave,
    /// Says something in it.
    Send(RoomOutgoing),
    /// Takes one's own message back; a moderator, anybody's.
    Recall {
        /// Which.
        message_id: String,
    },
    /// Reads what the room is.
    Get,
    /// Reads who is in it.
    ListMembers {
        /// The last to join come first.
        newest_first: bool,
        /// Continues a page; empty starts.
        cursor: String,
        /// 1–500; 0 takes 100.
        limit: u32,
    },
    /// Sets and deletes attributes, all or none; at most 10.
    SetAttributes {
        /// What becomes of them.
        changes: Vec<RoomAttributeChange>,
        /// Also what belongs to others.
        force: bool,
    },
    /// Does a moderator's work.
    Moderate {
        /// What.
        what: RoomModeration,
        /// Tell all members.
        notify: bool,
        /// With these words, at most 1,024 bytes.
        extra: String,
    },
    /// Reads messages that the room keeps.
    History {
        /// Those behind or before this one; empty: from an end.
        from_message_id: String,
        /// The oldest first.
        forward: bool,
        /// 1–100; 0 takes 20.
        limit: u32,
    },
}

impl RoomRequest {
    /// Does repeating it change nothing? A send is known by its id.
    pub(super) fn repeatable(&self) -> bool {
        !matches!(
            self.ask,
            RoomAsk::SetAttributes { .. } | RoomAsk::Moderate { .. }
        )
    }

    /// The request on the wire; `None` of joining, which is not asked for here.
    pub(super) fn encode(self) -> Option<Command> {
        let room = self.room;
        Some(match self.ask {
            RoomAsk::Join { .. } => return None,
            RoomAsk::Leave => Command::LeaveRoom(wire::LeaveRoom { room }),
            RoomAsk::Send(outgoing) => Command::SendRoomMessage(wire::SendRoomMessage {
                room,
                client_message_id: outgoing.client_message_id.unwrap_or_default(),
                content: Some(outgoing.content.into()),
                priority: wire::RoomPriority::from(outgoing.priority).into(),
                tell_dropped: outgoing.tell_dropped,
            }),
            RoomAsk::Recall { message_id } => {
                Command::RecallRoomMessage(wire::RecallRoomMessage { room, message_id })
            }
            RoomAsk::Get => Command::GetRoom(wire::GetRoom { room }),
            RoomAsk::ListMembers {
                newest_first,
                cursor,
                limit,
            } => Command::ListRoomMembers(wire::ListRoomMembers {
                room,
                newest_first,
                cursor,
                limit,
            }),
            RoomAsk::SetAttributes { changes, force } => {
                Command::SetRoomAttributes(wire::SetRoomAttributes {
                    room,
                    changes: changes.into_iter().map(Into::into).collect(),
                    force,
                })
            }
            RoomAsk::Moderate {
                what,
                notify,
                extra,
            } => Command::ModerateRoom(wire::ModerateRoom {
                room,
                action: Some(action(what)),
                notify,
                extra,
            }),
            RoomAsk::History {
                from_message_id,
                forward,
                limit,
            } => Command::PullRoomMessages(wire::PullRoomMessages {
                room,
                from_message_id,
                forward,
                limit,
            }),
        })
    }

    /// The answer for the application.
    pub(super) fn decode(&self, answer: Answer) -> Result<Reply, Error> {
        match (&self.ask, answer) {
            (RoomAsk::Send(outgoing), Answer::RoomMessageSent(sent)) => {
                let client_message_id = outgoing.client_message_id.clone();
                Ok(Reply::RoomSent(RoomSent {
                    seq: sent.seq,
                    message_id: sent.message_id,
                    client_message_id: client_message_id.unwrap_or_default(),
                    time: anser_domain::Timestamp(sent.time),
                    dropped: sent.dropped,
                }))
            }
            (RoomAsk::Get, Answer::Room(room)) => Ok(Reply::Room(room.into())),
            (RoomAsk::ListMembers { .. }, Answer::RoomMembers(page)) => {
                Ok(Reply::RoomMembers(page.into()))
            }
            (RoomAsk::History { .. }, Answer::RoomMessages(page)) => Ok(Reply::RoomMessages {
                messages: page.messages.into_iter().map(Into::into).collect(),
                more: page.more,
            }),
            (
                RoomAsk::Leave | RoomAsk::Recall { .. } | RoomAsk::Moderate { .. },
                Answer::Done(_),
            ) => Ok(Reply::Done),
            (RoomAsk::SetAttributes { .. }, Answer::RoomAttributes(_)) => Ok(Reply::Done),
            _ => Err(unexpected()),
        }
    }
}

fn action(what: RoomModeration) -> Action {
    let sentence = |users, seconds| wire::RoomSentence { users, seconds };
    match what {
        RoomModeration::Remove(users, seconds) => Action::Remove(sentence(users, seconds)),
        RoomModeration::Mute(users, seconds) => Action::Mute(sentence(users, seconds)),
        RoomModeration::Unmute(users) => Action::Unmute(wire::RoomUsers { users }),
        RoomModeration::LiftBan(users) => Action::LiftBan(wire::RoomUsers { users }),
        RoomModeration::MuteAll(on) => Action::MuteAll(on),
    }
}
