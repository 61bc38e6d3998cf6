//! What the owner of a room does when it is asked.
//!
//! Requests come from this node and from others alike. What only concerns the memory is done under
//! the room's lock at once; what changes what is decided about the room takes its turn, is stored,
//! and then shows.

use std::sync::Arc;

use anser_bus::NodeId;
use anser_domain::limits::{
    ROOM_ATTRIBUTE_CHANGES_PER_SECOND, ROOM_MEMBERS_PAGE_DEFAULT, ROOM_MEMBERS_PAGE_MAX,
    ROOM_NEWEST_MAX,
};
use anser_domain::room::Class;
use anser_domain::room::attribute::{self, AttributeChange, Attributes, By};
use anser_domain::room::people::{self, List};
use anser_domain::{AppId, Code, MessageId, Reject, RoomId, Timestamp, UserId};
use anser_proto::cluster as pb;
use pb::room_answer::Answer;
use pb::room_request::Request;

use super::host::{Farewell, Host};
use super::keeper::{Room, Rooms};
use super::members::Coming;
use super::record::{Record, Writing};
use super::ring::recalled;
use super::{
    AttributesChanged, Happening, LeftReason, NoticeKind, RoomAttributes, RoomMemberPage,
    RoomMessage, RoomNotice, RoomSettings, SendRoomMessage, history, record, wire,
};
use crate::cluster::wire::garbled;
use crate::engine::page_limit;
use crate::metrics::count;
use crate::session::SessionId;
use crate::tables::RoomKeys;

/// Who asks: a user, or the app's backend.
type Asker = Option<UserId>;

/// Carries out a request.
pub(super) async fn answer(
    rooms: &Arc<Rooms>,
    app: AppId,
    id: &RoomId,
    by: Asker,
    request: Request,
) -> Result<Answer, Reject> {
    let done = || Answer::Done(pb::RoomDone {});
    match request {
        Request::Join(it) => {
            let user = by.ok_or_else(garbled)?;
            join(rooms, app, id, &user, &it).await.map(Answer::Entered)
        }
        Request::Create(it) => create(rooms, app, id, it).await,
        Request::Return(it) => {
            let room = rooms.room(app, id, false).await?;
            welcome_back(rooms, &room, it)?;
            Ok(done())
        }
        Request::Leave(it) => {
            if let (Some(room), Some(user)) = (rooms.get(app, id), by) {
                leave(rooms, &room, user, &it);
            }
            Ok(done())
        }
        request => {
            let room = rooms.room(app, id, false).await?;
            ask(rooms, &room, by, request).await
        }
    }
}

/// What is asked of a room that is there.
async fn ask(
    rooms: &Arc<Rooms>,
    room: &Arc<Room>,
    by: Asker,
    request: Request,
) -> Result<Answer, Reject> {
    let (now, done) = (rooms.tools().env.now(), || Answer::Done(pb::RoomDone {}));
    match request {
        Request::Send(it) => send(rooms, room, by.as_ref(), it).map(Answer::Sent),
        Request::Recall(it) => {
            let id = wire::message_id_from(&it.message_id)?;
            recall(rooms, room, by, id).await?;
            Ok(done())
        }
        Request::Get(_) => {
            let host = room.host.lock();
            let view = host.view(&room.id, by.as_ref(), now);
            Ok(Answer::Info(wire::view(&view)))
        }
        Request::ListMembers(it) => list_members(room, &it).map(Answer::Members),
        Request::AreMembers(it) => {
            let users = wire::users_from(&it.users)?;
            let host = room.host.lock();
            let are = users.iter().map(|user| host.members.contains(user));
            Ok(Answer::Are(pb::RoomAre { are: are.collect() }))
        }
        Request::GetAttributes(it) => Ok(Answer::Attributes(get_attributes(room, &it.keys))),
        Request::Fetch(it) => {
            let host = room.host.lock();
            let (items, whole) = match it.epoch == host.epoch {
                true => host.ring.behind(it.after),
                false => (Vec::new(), false),
            };
            Ok(Answer::Fetched(pb::RoomFetched {
                epoch: host.epoch,
                seq: host.seq,
                items: wire::items(&items),
                lost: !whole,
            }))
        }
        Request::SetAttributes(it) => {
            if let Some(user) = by.as_ref().filter(|_| !it.by_server) {
                room.host.lock().check_member(user)?;
            }
            let by = By {
                user: by.as_ref(),
                force: it.force,
            };
            let changes = wire::changes_from(it.changes);
            set_attributes(rooms, room, by, &changes).await?;
            Ok(done())
        }
        Request::Moderate(it) => {
            moderate(rooms, room, by, it).await?;
            Ok(done())
        }
        Request::Change(it) => {
            let update = wire::update_from(it.settings.unwrap_or_default());
            let new = room.host.lock().settings.change(&update)?;
            change_settings(rooms, room, new, None).await?;
            let view = room.host.lock().view(&room.id, None, now);
            Ok(Answer::Info(wire::view(&view)))
        }
        Request::Destroy(_) => {
            destroy(rooms, room).await?;
            Ok(done())
        }
        Request::Join(_) | Request::Create(_) | Request::Return(_) | Request::Leave(_) => {
            Err(garbled())
        }
    }
}

// ───────────── coming and going ─────────────

async fn join(
    rooms: &Arc<Rooms>,
    app: AppId,
    id: &RoomId,
    user: &UserId,
    it: &pb::RoomJoin,
) -> Result<pb::RoomEntered, Reject> {
    let settings = rooms.tools().controls.settings(app);
    let make = settings.room_created_by_joining == Some(true);
    let room = rooms.room(app, id, make).await?;
    let now = rooms.tools().env.now();
    let mut host = room.host.lock();
    let may = host.standing(user).check_may_enter(now);
    // It may have been destroyed, and be another one by now.
    let is_there = host.exists || (make && !host.is_gone);
    if may.is_err() || !is_there {
        drop(host);
        rooms.let_go(&room);
        return Err(may.err().unwrap_or_else(|| Code::RoomNotFound.into()));
    }
    if !host.exists {
        (host.exists, host.created) = (true, now);
    }
    let seat = (SessionId(it.session), NodeId(it.node));
    if host.members.enter(user, seat, now) == Coming::New {
        host.active = now;
    }
    let newest = usize::try_from(it.newest).unwrap_or(usize::MAX);
    let newest = newest.min(ROOM_NEWEST_MAX);
    let (items, lost) = match it.known_epoch {
        0 => (host.ring.newest(newest), false),
        known if known == host.epoch => {
            let (items, whole) = host.ring.behind(it.known_seq);
            (items, !whole)
        }
        _ => (host.ring.newest(newest), true),
    };
    let entered = pb::RoomEntered {
        info: Some(wire::view(&host.view(id, Some(user), now))),
        epoch: host.epoch,
        seq: host.seq,
        items: wire::items(&items),
        lost,
        joined_time: host.members.joined(user).unwrap_or_default().0,
    };
    rooms.advance(&room, &mut host);
    Ok(entered)
}

fn leave(rooms: &Arc<Rooms>, room: &Arc<Room>, user: UserId, it: &pb::RoomLeave) {
    let (session, now) = (SessionId(it.session), rooms.tools().env.now());
    let mut host = room.host.lock();
    if it.lost {
        let seq = host.seq;
        if host.members.unseat(&user, session, seq, now) {
            rooms.watch(room);
        }
    } else if host.members.leave(&user, session) {
        rooms.gone(room, &host, vec![user]);
    }
    rooms.advance(room, &mut host);
}

/// Sessions of a node whose owner was another one are in the room as they were.
fn welcome_back(rooms: &Arc<Rooms>, room: &Arc<Room>, it: pb::RoomReturn) -> Result<(), Reject> {
    let mut host = room.host.lock();
    for one in it.members {
        let user = crate::cluster::wire::user_from(&one.user)?;
        let seat = (SessionId(one.session), NodeId(it.node));
        host.members.enter(&user, seat, Timestamp(one.joined_time));
    }
    rooms.advance(room, &mut host);
    Ok(())
}

fn list_members(room: &Room, it: &pb::RoomListMembers) -> Result<pb::RoomMembers, Reject> {
    let limit = usize::try_from(it.limit).unwrap_or(usize::MAX);
    let limit = page_limit(limit, ROOM_MEMBERS_PAGE_DEFAULT, ROOM_MEMBERS_PAGE_MAX)?;
    let behind = match it.cursor.split_once('/') {
        None if it.cursor.is_empty() => None,
        Some((joined, user)) => {
            let joined = joined.parse().map(Timestamp).map_err(|_| bad_cursor())?;
            Some((UserId::new(user).map_err(|_| bad_cursor())?, joined))
        }
        None => return Err(bad_cursor()),
    };
    let host = room.host.lock();
    let behind = behind.as_ref().map(|(user, joined)| (user, *joined));
    let (members, more) = host.members.page(it.newest_first, behind, limit);
    let cursor = members.last().filter(|_| more);
    let page = RoomMemberPage {
        cursor: cursor.map_or_else(String::new, |(user, joined)| format!("{}/{user}", joined.0)),
        members,
        member_count: u32::try_from(host.members.len()).unwrap_or(u32::MAX),
    };
    Ok(wire::members(&page))
}

fn bad_cursor() -> Reject {
    Reject::new(
        Code::InvalidRequest,
        "cursor is not one that a page came with",
    )
}

// ───────────── messages ─────────────

fn send(
    rooms: &Arc<Rooms>,
    room: &Arc<Room>,
    sender: Option<&UserId>,
    it: pb::RoomSend,
) -> Result<pb::RoomSent, Reject> {
    let tools = rooms.tools();
    let now = tools.env.now();
    let id = tools.env.message_id(now);
    let send = SendRoomMessage {
        client_message_id: it.client_message_id,
        content_type: it.content_type,
        body: it.content_body,
        low: it.low,
    };
    if let Some(sender) = sender {
        let mute = anser_domain::control::mute::Kind::Room;
        tools
            .controls
            .check_may_speak_in(room.app, mute, sender, now)?;
    }
    let rules = rooms.rules(room.app);
    let mut host = room.host.lock();
    if let Some(sender) = sender {
        host.check_member(sender)?;
    }
    let (sent, message) = host.take(&rules, sender, send, id, now)?;
    match &message {
        Some(message) => {
            count(&tools.metrics.room_messages);
            if host.settings.history_days > 0 {
                history::keep(rooms, room, (sent.epoch, sent.seq), message);
            }
            rooms.advance(room, &mut host);
        }
        None if sent.dropped => count(&tools.metrics.room_messages_dropped),
        None => {}
    }
    Ok(wire::sent(sent))
}

async fn recall(
    rooms: &Arc<Rooms>,
    room: &Arc<Room>,
    by: Asker,
    id: MessageId,
) -> Result<(), Reject> {
    let tools = rooms.tools();
    let (known, keeps) = {
        let host = room.host.lock();
        (
            host.ring.message(id).cloned(),
            host.settings.history_days > 0,
        )
    };
    let stored = match keeps {
        true => history::stored(tools, room.app, &room.id, id).await?,
        false => None,
    };
    let message = known.as_deref().or(stored.as_ref().map(|(_, it)| it));
    let Some(message) = message else {
        let why = "the room does not remember the message";
        return Err(Reject::new(Code::NotFound, why));
    };
    let now = tools.env.now();
    let mut host = room.host.lock();
    if let Some(user) = &by {
        host.check_member(user)?;
        may_recall(&host, user, message, tools.recall_seconds(room.app), now)?;
    }
    let again = host.ring.message(id).is_some_and(|it| it.recalled);
    if again || message.recalled {
        return Ok(());
    }
    host.ring.recall(id);
    let operator = by;
    host.stamp(
        Class::Protected,
        Happening::Recall {
            message_id: id,
            operator,
        },
    );
    if keeps {
        let place = stored.as_ref().map_or((host.epoch, 0), |(place, _)| *place);
        history::keep(rooms, room, place, &recalled(message));
    }
    rooms.advance(room, &mut host);
    Ok(())
}

/// Moderators take back everything, everybody else their own for a while.
fn may_recall(
    host: &Host,
    user: &UserId,
    message: &RoomMessage,
    seconds: u64,
    now: Timestamp,
) -> Result<(), Reject> {
    if host.standing(user).moderator {
        return Ok(());
    }
    if message.sender.as_ref() != Some(user) {
        let why = "only the sender and moderators take a message back";
        return Err(Reject::new(Code::NotAllowed, why));
    }
    match now.since_ms(message.time) > seconds * 1_000 {
        true => Err(Code::TooLate.into()),
        false => Ok(()),
    }
}

// ───────────── what is decided ─────────────

/// Reads a room anew whose row may have been changed by another owner.
async fn refresh(rooms: &Rooms, room: &Room) -> Result<(), Reject> {
    if !room.host.lock().is_stale {
        return Ok(());
    }
    let record: Record = record::read(rooms.tools(), room.app, &room.id).await?;
    record.put_into(&mut room.host.lock());
    Ok(())
}

/// Stores a change in its turn and has it show. `plan` says what is written and what becomes of the
/// room then, or why not.
async fn decide<T, P, D>(rooms: &Arc<Rooms>, room: &Arc<Room>, plan: P) -> Result<T, Reject>
where
    P: FnOnce(&mut Host, Writing) -> Result<Option<(Writing, D)>, Reject>,
    D: FnOnce(&mut Host) -> T,
    T: Default,
{
    let _turn = room.turn.lock().await;
    refresh(rooms, room).await?;
    let tools = rooms.tools();
    let planned = {
        let mut host = room.host.lock();
        let writing = Writing::new(&host, tools.env.now());
        plan(&mut host, writing)?
    };
    let Some((writing, done)) = planned else {
        return Ok(T::default());
    };
    let version = writing.version();
    match writing.commit(tools, room.app, &room.id).await {
        Ok(row) => {
            let mut host = room.host.lock();
            (host.row, host.version) = (Some(row), version);
            host.touched = host.active;
            let result = done(&mut host);
            rooms.advance(room, &mut host);
            Ok(result)
        }
        Err(failed) => {
            room.host.lock().is_stale |= failed.is_stale;
            Err(failed.reject)
        }
    }
}

async fn create(
    rooms: &Arc<Rooms>,
    app: AppId,
    id: &RoomId,
    it: pb::RoomCreate,
) -> Result<Answer, Reject> {
    let update = wire::update_from(it.settings.unwrap_or_default());
    let settings = RoomSettings::default().change(&update)?;
    let changes = wire::changes_from(it.attributes);
    let owner = match it.attributes_owner.as_str() {
        "" => None,
        owner => Some(crate::cluster::wire::user_from(owner)?),
    };
    let by = By {
        user: owner.as_ref(),
        force: true,
    };
    let attributes = attribute::change(&Attributes::new(), &changes, by)?.0;
    let moderators = wire::users_from(&it.moderators)?;
    if moderators.len() > List::Moderators.max() {
        return Err(too_many(List::Moderators));
    }
    let room = rooms.room(app, id, true).await?;
    let now = rooms.tools().env.now();
    let keys = RoomKeys::new(app, id);
    let created = decide(rooms, &room, |host, mut writing| {
        if host.exists {
            return Err(Code::AlreadyExists.into());
        }
        writing.settings(&settings, now);
        let version = writing.attributes();
        for (key, one) in &attributes {
            writing.row(keys.attribute(key), Some(record::attribute_row(one)));
        }
        for user in &moderators {
            let key = keys.user(List::Moderators, user.as_str());
            writing.row(key, Some(record::user_row(Timestamp(0))));
        }
        let done = move |host: &mut Host| {
            host.exists = true;
            (host.created, host.active, host.settings) = (now, now, settings);
            (host.attributes, host.attributes_version) = (attributes, version);
            for user in moderators {
                record::put_on(&mut host.people, List::Moderators, user, Some(Timestamp(0)));
            }
        };
        Ok(Some((writing, done)))
    })
    .await;
    if let Err(reject) = created {
        rooms.let_go(&room);
        return Err(reject);
    }
    let view = room.host.lock().view(id, None, now);
    Ok(Answer::Info(wire::view(&view)))
}

async fn change_settings(
    rooms: &Arc<Rooms>,
    room: &Arc<Room>,
    new: RoomSettings,
    notice: Option<RoomNotice>,
) -> Result<(), Reject> {
    decide(rooms, room, |host, mut writing| {
        if host.settings == new && notice.is_none() {
            return Ok(None);
        }
        writing.settings(&new, host.created);
        let done = move |host: &mut Host| {
            let renamed = host.settings.name != new.name;
            host.settings = new;
            let changed = renamed.then(|| RoomNotice {
                kind: NoticeKind::Changed,
                operator: None,
                users: Vec::new(),
                until: Timestamp(0),
                extra: "".into(),
            });
            for notice in changed.into_iter().chain(notice) {
                host.stamp(Class::Protected, Happening::Notice(Arc::new(notice)));
            }
        };
        Ok(Some((writing, done)))
    })
    .await
}

/// Has the store know that the room is in use.
pub(super) async fn touch(rooms: &Arc<Rooms>, room: &Arc<Room>) -> Result<(), Reject> {
    decide(rooms, room, |_, writing| {
        Ok(Some((writing, |_: &mut Host| ())))
    })
    .await
}

/// The room is gone, for everybody in it.
pub(super) async fn destroy(rooms: &Arc<Rooms>, room: &Arc<Room>) -> Result<(), Reject> {
    let keys = RoomKeys::new(room.app, &room.id);
    let has_row = room.host.lock().row.is_some();
    if has_row {
        decide(rooms, room, |host, mut writing| {
            if !host.exists {
                return Ok(None);
            }
            writing.destroyed();
            for key in host.attributes.keys() {
                writing.row(keys.attribute(key), None);
            }
            for (user, standing) in &host.people {
                let gone = [
                    (List::Exempt, standing.exempt),
                    (List::Protected, standing.protected),
                    (List::Moderators, standing.moderator),
                ];
                for (list, _) in gone.into_iter().filter(|(_, is_on)| *is_on) {
                    writing.row(keys.user(list, user.as_str()), None);
                }
            }
            Ok(Some((writing, Host::destroy)))
        })
        .await?;
    } else {
        let mut host = room.host.lock();
        if host.exists {
            host.destroy();
            rooms.advance(room, &mut host);
        }
    }
    rooms.let_go(room);
    Ok(())
}

// ───────────── attributes ─────────────

fn get_attributes(room: &Room, keys: &[String]) -> pb::RoomAttributes {
    let host = room.host.lock();
    let wanted = |key: &String| keys.is_empty() || keys.contains(key);
    let all = host.attributes.iter().filter(|(key, _)| wanted(key));
    let attributes = RoomAttributes {
        attributes: all.map(|(key, one)| (key.clone(), one.clone())).collect(),
        version: host.attributes_version,
    };
    wire::attributes(&attributes)
}

async fn set_attributes(
    rooms: &Arc<Rooms>,
    room: &Arc<Room>,
    by: By<'_>,
    changes: &[AttributeChange],
) -> Result<(), Reject> {
    let tools = rooms.tools();
    let own = tools.controls.settings(room.app);
    let per_second = own.room_attribute_changes_per_second;
    let per_second = per_second.unwrap_or(ROOM_ATTRIBUTE_CHANGES_PER_SECOND);
    {
        let mut host = room.host.lock();
        host.take_changes(changes.len(), per_second, tools.env.now())?;
    }
    write_attributes(rooms, room, by, changes).await
}

async fn write_attributes(
    rooms: &Arc<Rooms>,
    room: &Arc<Room>,
    by: By<'_>,
    changes: &[AttributeChange],
) -> Result<(), Reject> {
    let keys = RoomKeys::new(room.app, &room.id);
    decide(rooms, room, |host, mut writing| {
        if !host.exists {
            return Err(Code::RoomNotFound.into());
        }
        let (new, effective) = attribute::change(&host.attributes, changes, by)?;
        if effective.is_empty() {
            return Ok(None);
        }
        let (mut set, mut deleted) = (Vec::new(), Vec::new());
        for change in effective {
            let one = new.get(&change.key);
            writing.row(keys.attribute(&change.key), one.map(record::attribute_row));
            match one {
                Some(one) => set.push((change.key, one.clone())),
                None => deleted.push(change.key),
            }
        }
        let version = writing.attributes();
        let changed = AttributesChanged {
            version,
            operator: by.user.cloned(),
            set,
            deleted,
        };
        let done = move |host: &mut Host| {
            (host.attributes, host.attributes_version) = (new, version);
            let what = Happening::Attributes(Arc::new(changed));
            host.stamp(Class::Protected, what);
        };
        Ok(Some((writing, done)))
    })
    .await
}

/// Deletes the attributes that go with users who have left.
pub(super) async fn clear_up(rooms: &Arc<Rooms>, room: &Arc<Room>, users: &[UserId]) {
    let changes: Vec<AttributeChange> = {
        let host = room.host.lock();
        let gone = users.iter().filter(|user| !host.members.contains(user));
        gone.flat_map(|user| attribute::of_leaver(&host.attributes, user))
            .collect()
    };
    if changes.is_empty() {
        return;
    }
    let by = By {
        user: None,
        force: true,
    };
    if let Err(reject) = write_attributes(rooms, room, by, &changes).await {
        tracing::warn!(%reject, room = %room.id, "attributes of users who left could not go");
    }
}

// ───────────── moderation ─────────────

fn too_many(list: List) -> Reject {
    let message = format!(
        "the list \"{}\" has at most {} users",
        list.name(),
        list.max()
    );
    Reject::new(Code::InvalidRequest, message)
}

async fn moderate(
    rooms: &Arc<Rooms>,
    room: &Arc<Room>,
    by: Asker,
    it: pb::RoomModerate,
) -> Result<(), Reject> {
    let users = wire::users_from(&it.users)?;
    let now = rooms.tools().env.now();
    if let Some(by) = &by {
        let host = room.host.lock();
        host.check_member(by)?;
        let standing = host.standing(by);
        standing.check_may_moderate(None)?;
        for user in &users {
            standing.check_may_moderate(Some(host.standing(user)))?;
        }
    }
    let list = u8::try_from(it.list).ok().and_then(List::from_number);
    let until = |list: List| match it.seconds {
        0 => Ok(None),
        seconds if list.ends() => people::until(seconds, now).map(Some),
        _ => Ok(Some(Timestamp(0))),
    };
    let notice = |kind, until: Option<Timestamp>| {
        it.notify.then(|| RoomNotice {
            kind,
            operator: by.clone(),
            users: users.clone(),
            until: until.unwrap_or_default(),
            extra: it.extra.as_str().into(),
        })
    };
    match (it.action, list) {
        (1, _) => {
            let until = until(List::Banned)?;
            let kind = match until {
                Some(_) => NoticeKind::Banned,
                None => NoticeKind::Removed,
            };
            let notice = notice(kind, until);
            let farewell = Farewell {
                reason: LeftReason::Removed,
                until: until.unwrap_or_default(),
                extra: it.extra.as_str().into(),
            };
            if until.is_some() {
                put_on_list(rooms, room, List::Banned, &users, until, None).await?;
            }
            let mut host = room.host.lock();
            let out = users.iter().filter(|user| host.put_out(user, &farewell));
            let out: Vec<UserId> = out.cloned().collect();
            if let Some(notice) = notice {
                host.stamp(Class::Protected, Happening::Notice(Arc::new(notice)));
            }
            rooms.gone(room, &host, out);
            rooms.advance(room, &mut host);
            Ok(())
        }
        (2, Some(list)) => {
            if by.is_some() && !list.ends() {
                let why = "who is exempt, protected or moderator is for the backend to say";
                return Err(Reject::new(Code::NotAllowed, why));
            }
            let until = until(list)?;
            let kind = match (list, until) {
                (List::Muted, Some(_)) => NoticeKind::Muted,
                (List::Muted, None) => NoticeKind::Unmuted,
                (List::Banned, Some(_)) => NoticeKind::Banned,
                (List::Banned, None) => NoticeKind::BanLifted,
                _ => NoticeKind::Changed,
            };
            put_on_list(rooms, room, list, &users, until, notice(kind, until)).await
        }
        (3, _) => {
            let mut new = room.host.lock().settings.clone();
            new.muted = it.on;
            let kind = match it.on {
                true => NoticeKind::AllMuted,
                false => NoticeKind::AllUnmuted,
            };
            change_settings(rooms, room, new, notice(kind, None)).await
        }
        _ => Err(garbled()),
    }
}

async fn put_on_list(
    rooms: &Arc<Rooms>,
    room: &Arc<Room>,
    list: List,
    users: &[UserId],
    until: Option<Timestamp>,
    notice: Option<RoomNotice>,
) -> Result<(), Reject> {
    let (keys, now) = (RoomKeys::new(room.app, &room.id), rooms.tools().env.now());
    decide(rooms, room, |host, mut writing| {
        let is_on = |user: &UserId| record::is_on(host.standing(user), list, now);
        let others = host.people.iter();
        let others =
            others.filter(|(user, it)| record::is_on(**it, list, now) && !users.contains(user));
        if until.is_some() && others.count() + users.len() > list.max() {
            return Err(too_many(list));
        }
        if until.is_none() && notice.is_none() && !users.iter().any(is_on) {
            return Ok(None);
        }
        for user in users {
            let key = keys.user(list, user.as_str());
            writing.row(key, until.map(record::user_row));
        }
        let done = move |host: &mut Host| {
            for user in users {
                record::put_on(&mut host.people, list, user.clone(), until);
            }
            if let Some(notice) = notice {
                host.stamp(Class::Protected, Happening::Notice(Arc::new(notice)));
            }
        };
        Ok(Some((writing, done)))
    })
    .await
}
