//! What is decided about a room: it takes its turn, is stored, and then shows.
//!
//! One change of a room is under way at a time. What is planned on a room that another owner has
//! changed meanwhile is refused by the store, and the room is read anew before the next one.

use std::sync::Arc;

use anser_domain::room::Class;
use anser_domain::room::attribute::{self, Attributes, By};
use anser_domain::room::people::List;
use anser_domain::{AppId, Code, Reject, RoomId, Timestamp};
use anser_proto::cluster as pb;
use pb::room_answer::Answer;

use super::host::Host;
use super::keeper::{Room, Rooms};
use super::moderation::too_many;
use super::record::{Record, Writing};
use super::{Happening, NoticeKind, RoomNotice, RoomSettings, record, wire};
use crate::tables::RoomKeys;

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
pub(super) async fn decide<T, P, D>(
    rooms: &Arc<Rooms>,
    room: &Arc<Room>,
    plan: P,
) -> Result<T, Reject>
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

pub(super) async fn create(
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

pub(super) async fn change_settings(
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
