//! A room's attributes at its owner, such as who sits at which microphone.

use std::sync::Arc;

use anser_domain::limits::ROOM_ATTRIBUTE_CHANGES_PER_SECOND;
use anser_domain::room::Class;
use anser_domain::room::attribute::{self, AttributeChange, By};
use anser_domain::{Code, Reject, UserId};
use anser_proto::cluster as pb;

use super::decided::decide;
use super::host::Host;
use super::keeper::{Room, Rooms};
use super::{AttributesChanged, Happening, RoomAttributes, record, wire};
use crate::tables::RoomKeys;

pub(super) fn get(room: &Room, keys: &[String]) -> pb::RoomAttributes {
    let host = room.host.lock();
    let wanted = |key: &String| keys.is_empty() || keys.contains(key);
    let all = host.attributes.iter().filter(|(key, _)| wanted(key));
    let attributes = RoomAttributes {
        attributes: all.map(|(key, one)| (key.clone(), one.clone())).collect(),
        version: host.attributes_version,
    };
    wire::attributes(&attributes)
}

pub(super) async fn set(
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
    write(rooms, room, by, changes).await
}

async fn write(
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
    if let Err(reject) = write(rooms, room, by, &changes).await {
        tracing::warn!(%reject, room = %room.id, "attributes of users who left could not go");
    }
}
