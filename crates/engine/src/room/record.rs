//! What is decided about a room, as it is stored.
//!
//! Every change is one unit: the room's row, with a version that grows, and the rows that changed
//! with it, conditional on the row as it was known. Whoever was wrong about it reads anew.

use std::collections::BTreeMap;

use anser_domain::room::attribute::{Attribute, Attributes};
use anser_domain::room::info::{LifeRule, RoomSettings};
use anser_domain::room::people::{List, Standing};
use anser_domain::{AppId, Code, Reject, RoomId, Timestamp, UserId};
use anser_proto::stored;
use anser_store::{Key, Outcome, SCAN_LIMIT_MAX, Unit};
use bytes::Bytes;

use super::host::Host;
use super::keeper::ACTIVE_EVERY_MS;
use crate::fault;
use crate::tables::{self, RoomKeys};
use crate::tools::Tools;

/// Puts what the store has into a room.
pub(super) async fn read(tools: &Tools, app: AppId, id: &RoomId) -> Result<Record, Reject> {
    let keys = RoomKeys::new(app, id);
    let bytes = tools.store.get(&keys.room()).await;
    let bytes = bytes.map_err(|e| fault::reject(&e))?;
    let Some(row) = tables::decode_some::<stored::Room>(bytes.as_ref())? else {
        return Ok(Record::default());
    };
    let (mut attributes, mut after) = (Attributes::new(), None);
    loop {
        let page = tools.store.scan(keys.attributes(after)).await;
        let page = page.map_err(|e| fault::reject(&e))?;
        for (key, value) in &page.rows {
            let key = keys.of_attribute(key).ok_or(Code::Internal)?;
            let row: stored::RoomAttribute = tables::decode(value)?;
            attributes.insert(key.to_owned(), attribute(row)?);
        }
        after = page.rows.last().map(|(key, _)| key.clone());
        if !page.more {
            break;
        }
    }
    let (mut people, mut after) = (BTreeMap::new(), None);
    loop {
        let page = tools.store.scan(keys.users(after, SCAN_LIMIT_MAX)).await;
        let page = page.map_err(|e| fault::reject(&e))?;
        for (key, value) in &page.rows {
            let (list, user) = keys.of_user(key).ok_or(Code::Internal)?;
            let row: stored::RoomUser = tables::decode(value)?;
            put_on(&mut people, list, user, Some(Timestamp(row.until)));
        }
        after = page.rows.last().map(|(key, _)| key.clone());
        if !page.more {
            break;
        }
    }
    Ok(Record {
        row,
        bytes,
        attributes,
        people,
    })
}

/// What the store has of a room.
#[derive(Default)]
pub(super) struct Record {
    row: stored::Room,
    bytes: Option<Bytes>,
    attributes: Attributes,
    people: BTreeMap<UserId, Standing>,
}

impl Record {
    /// Is there such a room?
    pub(super) fn exists(&self) -> bool {
        self.bytes.is_some() && !self.row.destroyed
    }

    /// Somebody was there about then, as far as was written.
    pub(super) fn active(&self) -> Timestamp {
        Timestamp(self.row.active_time.max(self.row.created_time))
    }

    /// Its settings, and when it was created.
    pub(super) fn life(&self) -> (RoomSettings, Timestamp) {
        (settings(&self.row), Timestamp(self.row.created_time))
    }

    /// Its attributes, by key.
    pub(super) fn into_attributes(self) -> Attributes {
        self.attributes
    }

    /// A room taken up now. It may have been in use a little longer than was written.
    pub(super) fn into_host(self, epoch: u64, now: Timestamp) -> Host {
        let mut host = Host::new(epoch, now);
        if self.exists() {
            host.active = self.active().plus_ms(ACTIVE_EVERY_MS).min(now);
        }
        self.put_into(&mut host);
        // They were in the room when it was in memory last, and come back, or leave.
        let owners = host.attributes.values().filter(|one| one.leaves);
        for owner in owners.filter_map(|one| one.owner.as_ref()) {
            host.members.expect(owner, now);
        }
        host
    }

    /// Takes the place of what the room knew.
    pub(super) fn put_into(self, host: &mut Host) {
        // One that came to be by joining has no row.
        host.exists = self.exists() || (host.exists && self.bytes.is_none());
        host.settings = settings(&self.row);
        if self.bytes.is_some() {
            host.created = Timestamp(self.row.created_time);
        }
        host.touched = Timestamp(self.row.active_time);
        host.version = self.row.version;
        host.row = self.bytes;
        host.attributes = self.attributes;
        host.attributes_version = self.row.attributes_version;
        host.people = self.people;
        host.is_stale = false;
    }
}

/// Puts a user on a list, or takes them off.
pub(super) fn put_on(
    people: &mut BTreeMap<UserId, Standing>,
    list: List,
    user: UserId,
    until: Option<Timestamp>,
) {
    let mut standing = people.get(&user).copied().unwrap_or_default();
    match list {
        List::Banned => standing.banned_until = until.unwrap_or_default(),
        List::Muted => standing.muted_until = until.unwrap_or_default(),
        List::Exempt => standing.exempt = until.is_some(),
        List::Protected => standing.protected = until.is_some(),
        List::Moderators => standing.moderator = until.is_some(),
    }
    if standing == Standing::default() {
        people.remove(&user);
    } else {
        people.insert(user, standing);
    }
}

/// Is the user on the list now?
pub(super) fn is_on(standing: Standing, list: List, now: Timestamp) -> bool {
    match list {
        List::Banned => standing.banned_until > now,
        List::Muted => standing.muted_until > now,
        List::Exempt => standing.exempt,
        List::Protected => standing.protected,
        List::Moderators => standing.moderator,
    }
}

/// Was the user on the list until some time ago?
pub(super) fn is_over(standing: Standing, list: List, now: Timestamp) -> bool {
    let until = match list {
        List::Banned => standing.banned_until,
        List::Muted => standing.muted_until,
        List::Exempt | List::Protected | List::Moderators => return false,
    };
    until > Timestamp(0) && until <= now
}

fn attribute(row: stored::RoomAttribute) -> Result<Attribute, Reject> {
    let owner = match row.owner.as_str() {
        "" => None,
        owner => Some(UserId::new(owner).map_err(|_| Code::Internal)?),
    };
    Ok(Attribute {
        value: row.value,
        owner,
        leaves: row.leaves,
    })
}

/// An attribute as it is stored.
pub(super) fn attribute_row(one: &Attribute) -> Bytes {
    tables::encode(&stored::RoomAttribute {
        value: one.value.clone(),
        owner: one
            .owner
            .as_ref()
            .map(ToString::to_string)
            .unwrap_or_default(),
        leaves: one.leaves,
    })
}

/// A user on a list, as it is stored.
pub(super) fn user_row(until: Timestamp) -> Bytes {
    tables::encode(&stored::RoomUser { until: until.0 })
}

fn settings(row: &stored::Room) -> RoomSettings {
    RoomSettings {
        name: row.name.clone(),
        life: match row.life_kind {
            1 => LifeRule::Idle(row.life_minutes),
            2 => LifeRule::Fixed(row.life_minutes),
            _ => LifeRule::Default,
        },
        kept_alive: row.kept_alive,
        muted: row.muted,
        held: row.held,
        history_days: row.history_days,
    }
}

fn settings_row(settings: &RoomSettings, created: Timestamp) -> stored::Room {
    let (life_kind, life_minutes) = match settings.life {
        LifeRule::Default => (0, 0),
        LifeRule::Idle(minutes) => (1, minutes),
        LifeRule::Fixed(minutes) => (2, minutes),
    };
    stored::Room {
        name: settings.name.clone(),
        created_time: created.0,
        life_kind,
        life_minutes,
        kept_alive: settings.kept_alive,
        muted: settings.muted,
        held: settings.held,
        history_days: settings.history_days,
        ..stored::Room::default()
    }
}

/// A change of what is decided about a room.
pub(super) struct Writing {
    before: Option<Bytes>,
    row: stored::Room,
    rows: Vec<(Key, Option<Bytes>)>,
}

impl Writing {
    /// The room's row as it is, with the version that follows.
    pub(super) fn new(host: &Host, now: Timestamp) -> Self {
        let row = stored::Room {
            // Of a room that is there again its version is higher than it ever was.
            version: now.0.max(host.version + 1),
            attributes_version: host.attributes_version,
            active_time: host.active.0,
            destroyed: !host.exists,
            ..settings_row(&host.settings, host.created)
        };
        Self {
            before: host.row.clone(),
            row,
            rows: Vec::new(),
        }
    }

    /// With these settings; there is such a room then.
    pub(super) fn settings(&mut self, new: &RoomSettings, created: Timestamp) {
        self.row = stored::Room {
            version: self.row.version,
            attributes_version: self.row.attributes_version,
            active_time: self.row.active_time,
            ..settings_row(new, created)
        };
    }

    /// The room is gone.
    pub(super) fn destroyed(&mut self) {
        self.row = stored::Room {
            version: self.row.version,
            destroyed: true,
            ..stored::Room::default()
        };
    }

    /// The attributes have changed: their version.
    pub(super) fn attributes(&mut self) -> u64 {
        self.row.attributes_version = self.row.version;
        self.row.version
    }

    /// This row is written with it; `None` deletes it.
    pub(super) fn row(&mut self, key: Key, value: Option<Bytes>) {
        self.rows.push((key, value));
    }

    /// The version of the room's row.
    pub(super) fn version(&self) -> u64 {
        self.row.version
    }

    /// Commits. The room's row as it stands then.
    ///
    /// # Errors
    /// The room is to be read anew, unless the store refused.
    pub(super) async fn commit(
        self,
        tools: &Tools,
        app: AppId,
        id: &RoomId,
    ) -> Result<Bytes, Failed> {
        let key = RoomKeys::new(app, id).room();
        let bytes = tables::encode(&self.row);
        let mut unit = Unit::new()
            .expect_unchanged(key.clone(), self.before)
            .put(key, bytes.clone());
        for (key, value) in self.rows {
            unit = match value {
                Some(value) => unit.put(key, value),
                None => unit.delete(key),
            };
        }
        let stale = |reject: Code| Failed {
            reject: reject.into(),
            is_stale: true,
        };
        let known = |reject: Reject| Failed {
            reject,
            is_stale: false,
        };
        match tools.committer.commit(app, unit).await.map_err(known)? {
            Outcome::Committed => Ok(bytes),
            Outcome::Conflict => Err(stale(Code::Unavailable)),
            Outcome::Refused(error) => Err(known(fault::reject(&error))),
            Outcome::Unknown(_) => Err(stale(Code::Timeout)),
        }
    }
}

/// A change that was not made, or of which that is not known.
pub(super) struct Failed {
    pub(super) reject: Reject,
    /// What the room knows may not be what is stored.
    pub(super) is_stale: bool,
}
