//! Who is kept out of a room, put out of it or may not speak in it; and who moderates.

use std::sync::Arc;

use anser_domain::room::Class;
use anser_domain::room::people::{self, List};
use anser_domain::{Code, Reject, Timestamp, UserId};
use anser_proto::cluster as pb;

use super::decided::{change_settings, decide};
use super::host::{Farewell, Host};
use super::keeper::{Room, Rooms};
use super::owner::Asker;
use super::{Happening, LeftReason, NoticeKind, RoomNotice, record, wire};
use crate::cluster::wire::garbled;
use crate::tables::RoomKeys;

/// Of those whose time on a list is over, so many are removed with a change of the list.
const OVER_MAX: usize = 20;

pub(super) fn too_many(list: List) -> Reject {
    let message = format!(
        "the list \"{}\" has at most {} users",
        list.name(),
        list.max()
    );
    Reject::new(Code::InvalidRequest, message)
}

pub(super) async fn moderate(
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
        // Those whose time is over go along, some at a time.
        let over = host.people.iter().filter(|(user, standing)| {
            record::is_over(**standing, list, now) && !users.contains(user)
        });
        let over: Vec<UserId> = over.map(|(user, _)| user.clone()).take(OVER_MAX).collect();
        for user in &over {
            writing.row(keys.user(list, user.as_str()), None);
        }
        let done = move |host: &mut Host| {
            for user in over {
                record::put_on(&mut host.people, list, user, None);
            }
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
