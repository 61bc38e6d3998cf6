//! What the owner of a room does when it is asked.
//!
//! Requests come from this node and from others alike. What only concerns the memory is done here,
//! under the room's lock, at once; what changes what is [`decided`] about the room takes its turn.

use std::sync::Arc;

use anser_bus::NodeId;
use anser_domain::limits::{ROOM_MEMBERS_PAGE_DEFAULT, ROOM_MEMBERS_PAGE_MAX, ROOM_NEWEST_MAX};
use anser_domain::room::Class;
use anser_domain::room::attribute::By;
use anser_domain::{AppId, Code, MessageId, Reject, RoomId, Timestamp, UserId};
use anser_proto::cluster as pb;
use pb::room_answer::Answer;
use pb::room_request::Request;

use super::host::Host;
use super::keeper::{Room, Rooms};
use super::members::{Coming, Seat};
use super::ring::recalled;
use super::{
    Happening, RoomMemberPage, RoomMessage, SendRoomMessage, attributes, decided, history,
    moderation, wire,
};
use crate::cluster::wire::garbled;
use crate::engine::page_limit;
use crate::metrics::count;
use crate::session::SessionId;

/// Who asks: a user, or the app's backend.
pub(super) type Asker = Option<UserId>;

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
        Request::Create(it) => decided::create(rooms, app, id, it).await,
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
        Request::GetAttributes(it) => Ok(Answer::Attributes(attributes::get(room, &it.keys))),
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
            attributes::set(rooms, room, by, &changes).await?;
            Ok(done())
        }
        Request::Moderate(it) => {
            moderation::moderate(rooms, room, by, it).await?;
            Ok(done())
        }
        Request::Change(it) => {
            let update = wire::update_from(it.settings.unwrap_or_default());
            let new = room.host.lock().settings.change(&update)?;
            decided::change_settings(rooms, room, new, None).await?;
            let view = room.host.lock().view(&room.id, None, now);
            Ok(Answer::Info(wire::view(&view)))
        }
        Request::Destroy(_) => {
            decided::destroy(rooms, room).await?;
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
    let seat = Seat {
        session: SessionId(it.session),
        node: NodeId(it.node),
        entry: it.entry,
    };
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
        if host.members.unseat(&user, (session, it.entry), seq, now) {
            rooms.watch(room);
        }
    } else if host.members.leave(&user, session, it.entry) {
        rooms.gone(room, &host, vec![user]);
    }
    rooms.advance(room, &mut host);
}

/// Sessions of a node whose owner was another one are in the room as they were.
fn welcome_back(rooms: &Arc<Rooms>, room: &Arc<Room>, it: pb::RoomReturn) -> Result<(), Reject> {
    let mut host = room.host.lock();
    for one in it.members {
        let user = crate::cluster::wire::user_from(&one.user)?;
        let seat = Seat {
            session: SessionId(one.session),
            node: NodeId(it.node),
            entry: one.entry,
        };
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
    let checked = sender.filter(|_| !it.by_server);
    let send = SendRoomMessage {
        client_message_id: it.client_message_id,
        content_type: it.content_type,
        body: it.content_body,
        low: it.low,
    };
    if let Some(sender) = checked {
        let mute = anser_domain::control::mute::Kind::Room;
        tools
            .controls
            .check_may_speak_in(room.app, mute, sender, now)?;
    }
    let rules = rooms.rules(room.app);
    let mut host = room.host.lock();
    if let Some(sender) = checked {
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
