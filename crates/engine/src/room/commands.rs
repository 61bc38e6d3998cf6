//! Rooms, by the engine's handle.

use std::sync::Arc;

use anser_bus::NodeId;
use anser_domain::limits::{
    MEMBERS_PAGE_DEFAULT, MEMBERS_PAGE_MAX, PAGE_ITEMS_MAX, ROOM_ATTRIBUTES_MAX,
    ROOM_ATTRIBUTES_OF_CLIENT_MAX, ROOM_ATTRIBUTES_OF_SERVER_MAX, ROOM_EXTRA_BYTES_MAX,
    ROOM_LIST_CHANGE_MAX, ROOMS_OF_SESSION,
};
use anser_domain::room::attribute::{self, AttributeChange};
use anser_domain::room::{ClassTypes, class_types};
use anser_domain::{AppId, Code, MessageId, Reject, RoomId, Timestamp, UserId, message as rules};
use anser_proto::cluster as pb;
use anser_proto::stored;
use pb::room_answer::Answer;
use pb::room_request::Request;

use super::{
    Entered, JoinRoom, LeftReason, List, Moderation, NewRoom, RoomAttributes, RoomLeft,
    RoomMemberPage, RoomMessagePage, RoomSent, RoomUpdate, RoomView, SendRoomMessage, Telling,
    history, owner, wire,
};
use crate::cluster::wire::{garbled, user_from};
use crate::control;
use crate::engine::{Engine, page_limit};
use crate::event::{Event, EventBody};
use crate::fault;
use crate::message::content;
use crate::session::SessionId;
use crate::tables::{self, RoomKeys};

/// Bytes of attributes on a page.
const ATTRIBUTES_BYTES_MAX: usize = 256 << 10;
/// Messages on a page unless it is said how many.
const MESSAGES_PAGE_DEFAULT: usize = 20;
/// Times an owner is told that a session is gone.
const LEAVE_TRIES: u32 = 5;
/// Milliseconds between them.
const LEAVE_WAIT_MS: u64 = 2_000;
/// Sessions that one request brings back.
const RETURNERS_MAX: usize = 1_000;

/// A page of a list of a room: users, until when, and where the next page starts.
pub type RoomUserPage = (Vec<(UserId, Timestamp)>, String);

impl Engine {
    fn room_owner(&self, app: AppId, room: &RoomId) -> NodeId {
        let shard = RoomKeys::new(app, room).shard();
        self.core.tools.cluster.view().owner(shard)
    }

    /// Asks the owner of a room, in a user's name or the backend's.
    async fn ask_room(
        &self,
        app: AppId,
        user: Option<&UserId>,
        room: &RoomId,
        request: Request,
    ) -> Result<Answer, Reject> {
        let cluster = &self.core.tools.cluster;
        let to = self.room_owner(app, room);
        if to == cluster.node() {
            return owner::answer(&self.core.rooms, app, room, user.cloned(), request).await;
        }
        let request = pb::request::Request::Room(pb::RoomRequest {
            app: app.0,
            room: room.to_string(),
            user: wire::user_text(user),
            request: Some(request),
        });
        match cluster.request(to, request).await? {
            pb::response::Response::Room(answer) => answer.answer.ok_or_else(garbled),
            _ => Err(garbled()),
        }
    }

    /// Another node asks.
    pub(crate) async fn answer_room(&self, it: pb::RoomRequest) -> Result<pb::RoomAnswer, Reject> {
        let (app, room) = (AppId(it.app), wire::room_from(&it.room)?);
        // A room with two owners would fall apart: better to ask again.
        if self.room_owner(app, &room) != self.core.tools.cluster.node() {
            return Err(Code::Unavailable.into());
        }
        let user = match it.user.as_str() {
            "" => None,
            user => Some(user_from(user)?),
        };
        let request = it.request.ok_or_else(garbled)?;
        let answer = owner::answer(&self.core.rooms, app, &room, user, request).await?;
        Ok(pb::RoomAnswer {
            answer: Some(answer),
        })
    }

    // ───────────── coming and going ─────────────

    /// A session goes into a room, or comes back into it. What follows the answer is pushed, and
    /// may be pushed before it. In more rooms than the app allows, the session leaves the one it
    /// joined first, and is told.
    ///
    /// # Errors
    /// `ROOM_NOT_FOUND`, `BANNED`.
    pub async fn join_room(
        &self,
        session: SessionId,
        app: AppId,
        user: &UserId,
        room: &RoomId,
        join: JoinRoom,
    ) -> Result<Entered, Reject> {
        self.check_running()?;
        let (tools, core) = (&self.core.tools, &self.core);
        let Some(local) = core.locals.get(session) else {
            return Err(Code::NotAuthenticated.into());
        };
        let audiences = &tools.audiences;
        let entry = audiences.seat(app, room, (session, user), local.sink.clone());
        let to = self.room_owner(app, room);
        let (known_epoch, known_seq) = join.known.unwrap_or_default();
        let request = Request::Join(pb::RoomJoin {
            session: session.0,
            node: tools.cluster.node().0,
            newest: join.newest,
            known_epoch,
            known_seq,
            entry,
        });
        let entered = match self.ask_room(app, Some(user), room, request).await {
            Ok(Answer::Entered(entered)) => wire::entered_from(room, entered),
            Ok(_) => Err(garbled()),
            Err(reject) => Err(reject),
        };
        let entered = match entered {
            Ok(entered) => entered,
            Err(reject) => {
                // Who was in before has been put out, or the room is gone; or nobody knows.
                core.locals.left_room(session, room);
                self.quit(app, user, room, session).await;
                return Err(reject);
            }
        };
        audiences.known_to(app, room, to);
        if self.room_owner(app, room) != to {
            audiences.unsettle();
        }
        let own = tools.controls.settings(app).rooms_of_session;
        let max = own.unwrap_or(ROOMS_OF_SESSION) as usize;
        let Some(former) = core.locals.join_room(session, room, max) else {
            // The session has ended meanwhile.
            self.lose(app, user, room, session);
            return Ok(entered);
        };
        for other in former {
            let left = EventBody::RoomLeft(Box::new(RoomLeft {
                room: other.clone(),
                reason: LeftReason::JoinedAnother,
                until: Timestamp(0),
                extra: "".into(),
            }));
            self.quit(app, user, &other, session).await;
            local.sink.push(&Event::new(left));
            local.sink.flush();
        }
        Ok(entered)
    }

    /// A session leaves a room; with the user's last one the user does.
    pub async fn leave_room(&self, session: SessionId, app: AppId, user: &UserId, room: &RoomId) {
        if self.core.locals.left_room(session, room) {
            self.quit(app, user, room, session).await;
        }
    }

    /// Once this is over the session hears the room no more, and the owner has been told, if it can
    /// be reached: a joining that follows is not undone.
    async fn quit(&self, app: AppId, user: &UserId, room: &RoomId, session: SessionId) {
        let audiences = &self.core.tools.audiences;
        let entry = audiences.unseat(app, room, session);
        audiences.serve_out(app, room).await;
        let leave = pb::RoomLeave {
            session: session.0,
            lost: false,
            entry,
        };
        let told = self.ask_room(app, Some(user), room, Request::Leave(leave));
        if told.await.is_err() {
            self.tell_owner_later(app, user, room, leave);
        }
    }

    /// The same of a session whose connection is gone: nobody waits for it.
    pub(crate) fn lose(&self, app: AppId, user: &UserId, room: &RoomId, session: SessionId) {
        let entry = self.core.tools.audiences.unseat(app, room, session);
        let leave = pb::RoomLeave {
            session: session.0,
            lost: true,
            entry,
        };
        self.tell_owner_later(app, user, room, leave);
    }

    /// Tells the owner of a room, until it has heard it, or could not be reached for long.
    fn tell_owner_later(&self, app: AppId, user: &UserId, room: &RoomId, leave: pb::RoomLeave) {
        let (this, user, room) = (self.clone(), user.clone(), room.clone());
        self.core.tools.env.spawn(async move {
            for _ in 0..LEAVE_TRIES {
                let told = this.ask_room(app, Some(&user), &room, Request::Leave(leave));
                if told.await.is_ok() {
                    return;
                }
                this.core.tools.env.sleep(LEAVE_WAIT_MS).await;
            }
        });
    }

    /// Tells new owners of rooms who of this node is in them.
    pub(crate) async fn return_to_rooms(&self) {
        let audiences: &Arc<_> = &self.core.tools.audiences;
        if !audiences.is_unsettled() {
            return;
        }
        let node = self.core.tools.cluster.node().0;
        for (app, room, owner, members) in audiences.strays() {
            let mut result = Ok(());
            for some in members.chunks(RETURNERS_MAX) {
                let request = Request::Return(pb::RoomReturn {
                    node,
                    members: some.to_vec(),
                });
                if let Err(reject) = self.ask_room(app, None, &room, request).await {
                    result = Err(reject);
                    break;
                }
            }
            match result {
                // One that came to be by joining, and of which nothing is stored, is gone with its
                // owner: the clients that come back make it anew.
                Err(reject) if reject.code == Code::RoomNotFound => {
                    audiences.tell_destroyed(app, &room);
                }
                Err(_) => audiences.unsettle(),
                Ok(()) => audiences.returned(app, &room, owner),
            }
        }
    }

    // ───────────── messages ─────────────

    /// Says something in a room, in the name of a member or of the backend. What is over the room's
    /// quota is taken and goes nowhere: see [`RoomSent`].
    ///
    /// # Errors
    /// `NOT_IN_ROOM`, `MUTED`, `MUTED_EVERYWHERE`; `ROOM_NOT_FOUND`.
    pub async fn send_to_room(
        &self,
        app: AppId,
        sender: Option<&UserId>,
        room: &RoomId,
        message: SendRoomMessage,
    ) -> Result<RoomSent, Reject> {
        self.say_in_room(app, sender, room, message, false).await
    }

    /// The backend sends in a user's name, who need not be in the room.
    ///
    /// # Errors
    /// `MUTED`; see [`Engine::send_to_room`].
    pub async fn send_to_room_for(
        &self,
        app: AppId,
        sender: &UserId,
        room: &RoomId,
        message: SendRoomMessage,
    ) -> Result<RoomSent, Reject> {
        self.say_in_room(app, Some(sender), room, message, true)
            .await
    }

    async fn say_in_room(
        &self,
        app: AppId,
        sender: Option<&UserId>,
        room: &RoomId,
        message: SendRoomMessage,
        by_server: bool,
    ) -> Result<RoomSent, Reject> {
        self.check_running()?;
        let bytes_max = self.core.tools.content_bytes_max(app);
        content::check(&message.content_type, &message.body, bytes_max)?;
        if !(sender.is_none() && message.client_message_id.is_empty()) {
            rules::check_client_message_id(&message.client_message_id)?;
        }
        let request = Request::Send(pb::RoomSend {
            client_message_id: message.client_message_id,
            content_type: message.content_type,
            content_body: message.body,
            low: message.low,
            by_server,
        });
        match self.ask_room(app, sender, room, request).await? {
            Answer::Sent(sent) => wire::sent_from(&sent),
            _ => Err(garbled()),
        }
    }

    /// Takes a message back: one's own, or as a moderator, or the backend, anybody's.
    ///
    /// # Errors
    /// `NOT_FOUND`: the room does not remember it. `NOT_ALLOWED`, `TOO_LATE`.
    pub async fn recall_in_room(
        &self,
        app: AppId,
        by: Option<&UserId>,
        room: &RoomId,
        message_id: MessageId,
    ) -> Result<(), Reject> {
        self.check_running()?;
        let request = Request::Recall(pb::RoomRecallIt {
            message_id: message_id.0.to_vec().into(),
        });
        self.ask_room(app, by, room, request).await.map(drop)
    }

    /// A page of the messages that a room keeps, from one of them on, which is not included: the
    /// oldest first, or backwards. `limit` 0 takes the default.
    ///
    /// # Errors
    /// `NOT_IN_ROOM`; the backend, `None`, need not be.
    pub async fn room_messages(
        &self,
        app: AppId,
        reader: Option<&UserId>,
        room: &RoomId,
        from: Option<MessageId>,
        forward: bool,
        limit: usize,
    ) -> Result<RoomMessagePage, Reject> {
        let limit = page_limit(limit, MESSAGES_PAGE_DEFAULT, PAGE_ITEMS_MAX)?;
        if let Some(reader) = reader {
            let are = self
                .are_in_room(app, room, std::slice::from_ref(reader))
                .await?;
            if are != [true] {
                return Err(Code::NotInRoom.into());
            }
        }
        history::page(&self.core.tools, app, room, from, forward, limit).await
    }

    // ───────────── looking ─────────────

    /// A room, as it is shown to a user or to the backend.
    ///
    /// # Errors
    /// `ROOM_NOT_FOUND`.
    pub async fn room(
        &self,
        app: AppId,
        by: Option<&UserId>,
        room: &RoomId,
    ) -> Result<RoomView, Reject> {
        match self
            .ask_room(app, by, room, Request::Get(pb::RoomGet {}))
            .await?
        {
            Answer::Info(info) => wire::view_from(room, info),
            _ => Err(garbled()),
        }
    }

    /// A page of the members in the order of joining, or the last first. `limit` 0 takes the
    /// default.
    pub async fn room_members(
        &self,
        app: AppId,
        room: &RoomId,
        newest_first: bool,
        cursor: &str,
        limit: u32,
    ) -> Result<RoomMemberPage, Reject> {
        let request = Request::ListMembers(pb::RoomListMembers {
            newest_first,
            cursor: cursor.to_owned(),
            limit,
        });
        match self.ask_room(app, None, room, request).await? {
            Answer::Members(members) => wire::members_from(members),
            _ => Err(garbled()),
        }
    }

    /// Which of these users are in the room, in the order asked for.
    pub async fn are_in_room(
        &self,
        app: AppId,
        room: &RoomId,
        users: &[UserId],
    ) -> Result<Vec<bool>, Reject> {
        let request = Request::AreMembers(pb::RoomAreMembers {
            users: users.iter().map(ToString::to_string).collect(),
        });
        match self.ask_room(app, None, room, request).await? {
            Answer::Are(are) => Ok(are.are),
            _ => Err(garbled()),
        }
    }

    // ───────────── attributes ─────────────

    /// Attributes by key: these, or all; and the key behind which there are more.
    pub async fn room_attributes(
        &self,
        app: AppId,
        room: &RoomId,
        keys: &[String],
        after: &str,
    ) -> Result<(RoomAttributes, String), Reject> {
        if keys.len() > ROOM_ATTRIBUTES_MAX {
            let message = format!("keys are at most {ROOM_ATTRIBUTES_MAX}");
            return Err(Reject::new(Code::InvalidRequest, message));
        }
        let request = Request::GetAttributes(pb::RoomGetAttributes {
            keys: keys.to_vec(),
        });
        let mut all = match self.ask_room(app, None, room, request).await? {
            Answer::Attributes(all) => wire::attributes_from(all)?,
            _ => return Err(garbled()),
        };
        all.attributes.retain(|(key, _)| key.as_str() > after);
        let mut bytes = 0;
        let fits = all.attributes.iter().take_while(|(key, one)| {
            let first = bytes == 0;
            bytes += key.len() + one.value.len();
            first || bytes <= ATTRIBUTES_BYTES_MAX
        });
        let count = fits.count();
        let more = count < all.attributes.len();
        all.attributes.truncate(count);
        let last = all.attributes.last().filter(|_| more);
        let after = last.map_or_else(String::new, |(key, _)| key.clone());
        Ok((all, after))
    }

    /// Sets and deletes attributes, all or none, in the name of a member.
    ///
    /// # Errors
    /// `NOT_IN_ROOM`, `ROOM_ATTRIBUTE_TAKEN`, `TOO_MANY_ROOM_ATTRIBUTES`, `RATE_LIMITED`.
    pub async fn change_room_attributes(
        &self,
        app: AppId,
        user: &UserId,
        room: &RoomId,
        changes: &[AttributeChange],
        force: bool,
    ) -> Result<(), Reject> {
        self.check_running()?;
        attribute::check(changes, ROOM_ATTRIBUTES_OF_CLIENT_MAX)?;
        let request = Request::SetAttributes(pb::RoomSetAttributes {
            changes: wire::changes(changes),
            force,
            by_server: false,
        });
        self.ask_room(app, Some(user), room, request)
            .await
            .map(drop)
    }

    /// The same by the backend, which takes what belongs to others; in a user's name, who need not
    /// be in the room, or in nobody's.
    pub async fn put_room_attributes(
        &self,
        app: AppId,
        owner: Option<&UserId>,
        room: &RoomId,
        changes: &[AttributeChange],
    ) -> Result<(), Reject> {
        self.check_running()?;
        attribute::check(changes, ROOM_ATTRIBUTES_OF_SERVER_MAX)?;
        let request = Request::SetAttributes(pb::RoomSetAttributes {
            changes: wire::changes(changes),
            force: true,
            by_server: true,
        });
        self.ask_room(app, owner, room, request).await.map(drop)
    }

    // ───────────── moderation ─────────────

    /// Does something about others in a room, as a moderator who is in it or as the backend.
    ///
    /// # Errors
    /// `NOT_ALLOWED`; `INVALID_REQUEST` beyond a limit.
    pub async fn moderate_room(
        &self,
        app: AppId,
        by: Option<&UserId>,
        room: &RoomId,
        what: &Moderation,
        telling: &Telling,
    ) -> Result<(), Reject> {
        self.check_running()?;
        if telling.extra.len() > ROOM_EXTRA_BYTES_MAX {
            let message = format!("extra has at most {ROOM_EXTRA_BYTES_MAX} bytes");
            return Err(Reject::new(Code::InvalidRequest, message));
        }
        let (action, list, users, seconds, on): (_, _, &[UserId], _, _) = match what {
            Moderation::Remove(users, seconds) => (1, 0, users, *seconds, false),
            Moderation::List(list, users, seconds) => (2, list.number(), users, *seconds, false),
            Moderation::MuteAll(on) => (3, 0, &[], 0, *on),
        };
        let needed = usize::from(action != 3);
        if users.len() < needed || users.len() > ROOM_LIST_CHANGE_MAX {
            let message = format!("users are 1–{ROOM_LIST_CHANGE_MAX}");
            return Err(Reject::new(Code::InvalidRequest, message));
        }
        let request = Request::Moderate(pb::RoomModerate {
            action,
            list: list.into(),
            users: users.iter().map(ToString::to_string).collect(),
            seconds,
            on,
            notify: telling.notify,
            extra: telling.extra.clone(),
        });
        self.ask_room(app, by, room, request).await.map(drop)
    }

    /// A page of a list of a room, by user id. It may be shorter than asked for, since entries that
    /// are over are left out. `limit` 0 takes the default.
    pub async fn room_list(
        &self,
        app: AppId,
        room: &RoomId,
        list: List,
        cursor: &str,
        limit: usize,
    ) -> Result<RoomUserPage, Reject> {
        tables::check_user_cursor(cursor)?;
        let limit = page_limit(limit, MEMBERS_PAGE_DEFAULT, MEMBERS_PAGE_MAX)?;
        let (tools, keys) = (&self.core.tools, RoomKeys::new(app, room));
        let page = tools.store.scan(keys.users_of(list, cursor, limit)).await;
        let page = page.map_err(|e| fault::reject(&e))?;
        let (mut users, mut last, now) = (Vec::new(), String::new(), tools.env.now());
        for (key, value) in &page.rows {
            let (_, user) = keys.of_user(key).ok_or(Code::Internal)?;
            let row: stored::RoomUser = tables::decode(value)?;
            user.as_str().clone_into(&mut last);
            if !list.ends() || Timestamp(row.until) > now {
                users.push((user, Timestamp(row.until)));
            }
        }
        if !page.more {
            last.clear();
        }
        Ok((users, last))
    }

    // ───────────── the backend's ─────────────

    /// Creates a room.
    ///
    /// # Errors
    /// `ALREADY_EXISTS`; `INVALID_REQUEST` beyond a limit.
    pub async fn create_room(
        &self,
        app: AppId,
        room: &RoomId,
        new: NewRoom,
    ) -> Result<RoomView, Reject> {
        self.check_running()?;
        if !new.attributes.is_empty() {
            attribute::check(&new.attributes, ROOM_ATTRIBUTES_OF_SERVER_MAX)?;
        }
        let request = Request::Create(pb::RoomCreate {
            settings: Some(wire::update(&new.settings)),
            attributes: wire::changes(&new.attributes),
            attributes_owner: wire::user_text(new.attributes_owner.as_ref()),
            moderators: new.moderators.iter().map(ToString::to_string).collect(),
        });
        match self.ask_room(app, None, room, request).await? {
            Answer::Info(info) => wire::view_from(room, info),
            _ => Err(garbled()),
        }
    }

    /// Changes what is decided about a room.
    pub async fn change_room(
        &self,
        app: AppId,
        room: &RoomId,
        update: &RoomUpdate,
    ) -> Result<RoomView, Reject> {
        self.check_running()?;
        let request = Request::Change(pb::RoomChange {
            settings: Some(wire::update(update)),
        });
        match self.ask_room(app, None, room, request).await? {
            Answer::Info(info) => wire::view_from(room, info),
            _ => Err(garbled()),
        }
    }

    /// Destroys a room: everybody is out, and told. Who is banned or muted stays so if there is
    /// one of this name again.
    pub async fn destroy_room(&self, app: AppId, room: &RoomId) -> Result<(), Reject> {
        self.check_running()?;
        let request = Request::Destroy(pb::RoomDestroy {});
        self.ask_room(app, None, room, request).await.map(drop)
    }

    /// The types of content that the app places in a class.
    pub async fn room_types(&self, app: AppId) -> Result<ClassTypes, Reject> {
        let row = control::row(&self.core.tools, app).await?;
        Ok(ClassTypes {
            low: row.room_low_types,
            protected: row.room_protected_types,
        })
    }

    /// Sets them; `None` stays. At once on this node, within a second or two on the others.
    pub async fn set_room_types(
        &self,
        app: AppId,
        low: Option<&[String]>,
        protected: Option<&[String]>,
    ) -> Result<ClassTypes, Reject> {
        self.check_running()?;
        let (low, protected) = (low.map(class_types), protected.map(class_types));
        let (low, protected) = (low.transpose()?, protected.transpose()?);
        let row = control::update(&self.core.tools, app, |row| {
            if let Some(low) = &low {
                row.room_low_types.clone_from(low);
            }
            if let Some(protected) = &protected {
                row.room_protected_types.clone_from(protected);
            }
            Ok(())
        });
        let row = row.await?;
        Ok(ClassTypes {
            low: row.room_low_types,
            protected: row.room_protected_types,
        })
    }

    /// How many rooms this node has in memory.
    #[must_use]
    pub fn rooms_in_memory(&self) -> usize {
        self.core.rooms.count()
    }
}
