//! Chat rooms.

use super::client::{Client, unexpected};
use crate::core::{Reply, Request, RoomAsk, RoomRequest};
use crate::error::Error;
use crate::model::{
    Content, Room, RoomAttributeChange, RoomJoined, RoomMemberPage, RoomMessage, RoomModeration,
    RoomOutgoing, RoomSent,
};

impl Client {
    async fn ask_room(&self, room: impl Into<String>, ask: RoomAsk) -> Result<Reply, Error> {
        let room = room.into();
        self.ask(Request::Room(RoomRequest { room, ask })).await
    }

    /// Goes into a chat room; at most 50 of the newest messages are given. From here on
    /// [`Event::Room`](crate::core::Event::Room) tells what happens in it, and the client comes
    /// back into it by itself after a lost connection, until it leaves or is put out. Unless the
    /// app allows more rooms at a time, it leaves the one it was in.
    pub async fn join_room(
        &self,
        room: impl Into<String>,
        newest: u32,
    ) -> Result<RoomJoined, Error> {
        match self.ask_room(room, RoomAsk::Join { newest }).await? {
            Reply::RoomJoined(joined) => Ok(joined),
            other => unexpected(&other),
        }
    }

    /// Leaves a chat room.
    pub async fn leave_room(&self, room: impl Into<String>) -> Result<(), Error> {
        self.ask_room(room, RoomAsk::Leave).await.map(drop)
    }

    /// Says something in a chat room that the client is in.
    pub async fn send_to_room(
        &self,
        room: impl Into<String>,
        content: Content,
    ) -> Result<RoomSent, Error> {
        let outgoing = RoomOutgoing {
            content,
            ..RoomOutgoing::default()
        };
        self.send_to_room_with(room, outgoing).await
    }

    /// The same with a priority, an id of one's own, and the wish to be told if it was dropped.
    pub async fn send_to_room_with(
        &self,
        room: impl Into<String>,
        outgoing: RoomOutgoing,
    ) -> Result<RoomSent, Error> {
        match self.ask_room(room, RoomAsk::Send(outgoing)).await? {
            Reply::RoomSent(sent) => Ok(sent),
            other => unexpected(&other),
        }
    }

    /// Takes a message back: one's own, or as a moderator anybody's.
    pub async fn recall_room_message(
        &self,
        room: impl Into<String>,
        message_id: impl Into<String>,
    ) -> Result<(), Error> {
        let message_id = message_id.into();
        self.ask_room(room, RoomAsk::Recall { message_id })
            .await
            .map(drop)
    }

    /// Reads what a chat room is.
    pub async fn room(&self, room: impl Into<String>) -> Result<Room, Error> {
        match self.ask_room(room, RoomAsk::Get).await? {
            Reply::Room(room) => Ok(room),
            other => unexpected(&other),
        }
    }

    /// Reads who is in a chat room, in the order of joining or the last first; an empty cursor
    /// starts. `limit` 1–500; 0 takes 100.
    pub async fn room_members(
        &self,
        room: impl Into<String>,
        newest_first: bool,
        cursor: impl Into<String>,
        limit: u32,
    ) -> Result<RoomMemberPage, Error> {
        let ask = RoomAsk::ListMembers {
            newest_first,
            cursor: cursor.into(),
            limit,
        };
        match self.ask_room(room, ask).await? {
            Reply::RoomMembers(page) => Ok(page),
            other => unexpected(&other),
        }
    }

    /// Sets and deletes attributes of a chat room that the client is in, all or none; at most 10.
    /// What belongs to others only with `force`.
    /// [`RoomNews::AllAttributes`](crate::model::RoomNews::AllAttributes) gives those there are
    /// after joining.
    pub async fn set_room_attributes(
        &self,
        room: impl Into<String>,
        changes: Vec<RoomAttributeChange>,
        force: bool,
    ) -> Result<(), Error> {
        let ask = RoomAsk::SetAttributes { changes, force };
        self.ask_room(room, ask).await.map(drop)
    }

    /// Does a moderator's work. `notice`: all members are told, with these words.
    pub async fn moderate_room(
        &self,
        room: impl Into<String>,
        what: RoomModeration,
        notice: Option<String>,
    ) -> Result<(), Error> {
        let ask = RoomAsk::Moderate {
            what,
            notify: notice.is_some(),
            extra: notice.unwrap_or_default(),
        };
        self.ask_room(room, ask).await.map(drop)
    }

    /// Reads messages of a chat room that keeps them: those behind (`forward`) or before a message;
    /// from an end if it is empty. `limit` 1–100; 0 takes 20. Are there more?
    pub async fn room_messages(
        &self,
        room: impl Into<String>,
        from_message_id: impl Into<String>,
        forward: bool,
        limit: u32,
    ) -> Result<(Vec<RoomMessage>, bool), Error> {
        let ask = RoomAsk::History {
            from_message_id: from_message_id.into(),
            forward,
            limit,
        };
        match self.ask_room(room, ask).await? {
            Reply::RoomMessages { messages, more } => Ok((messages, more)),
            other => unexpected(&other),
        }
    }
}
