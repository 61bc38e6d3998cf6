//! Keys of what apps decide for their users.

use std::ops::Bound;

use anser_domain::control::mute::Kind;
use anser_domain::{AppId, UserId};
use anser_store::{Key, Scan, Shard};
use bytes::{BufMut, Bytes, BytesMut};

use super::key::app_shard;
use super::{APP_MUTE, CONTROL, USER_BAN};
use crate::control::MuteList;

fn app_bytes(app: AppId) -> Bytes {
    Bytes::copy_from_slice(&app.0.to_be_bytes())
}

/// The key of what an app decides.
pub(crate) fn control_key(app: AppId) -> Key {
    Key::new(CONTROL, Shard(0), app_bytes(app))
}

/// What apps behind this one decide, all if there is none.
pub(crate) fn controls_after(app: Option<AppId>, limit: usize) -> Scan {
    let from = app.map_or(Bound::Unbounded, |app| Bound::Excluded(app_bytes(app)));
    Scan::range(CONTROL, Shard(0), from, Bound::Unbounded).limit(limit)
}

/// The app of such a key.
pub(crate) fn app_of_control(key: &[u8]) -> Option<AppId> {
    Some(AppId(u32::from_be_bytes(key.try_into().ok()?)))
}

fn mute_prefix(app: AppId, kind: Kind, list: MuteList) -> BytesMut {
    let mut key = BytesMut::with_capacity(6 + 64);
    key.put_u32(app.0);
    key.put_u8(kind.number());
    key.put_u8(list.number());
    key
}

/// The key of an app-wide mute, or exemption.
pub(crate) fn app_mute_key(app: AppId, kind: Kind, list: MuteList, user: &str) -> Key {
    let mut key = mute_prefix(app, kind, list);
    key.put_slice(user.as_bytes());
    Key::new(APP_MUTE, Shard(0), key.freeze())
}

/// One list of a kind behind a user, from the start if that is empty.
pub(crate) fn app_mutes(app: AppId, kind: Kind, list: MuteList, after: &str, limit: usize) -> Scan {
    let scan = Scan::prefix(APP_MUTE, Shard(0), mute_prefix(app, kind, list).freeze());
    let after = app_mute_key(app, kind, list, after).bytes;
    scan.from(Bound::Excluded(after)).limit(limit)
}

/// Every such row of an app behind a key.
pub(crate) fn all_app_mutes(app: AppId, after: Option<Bytes>, limit: usize) -> Scan {
    let scan = Scan::prefix(APP_MUTE, Shard(0), app_bytes(app)).limit(limit);
    match after {
        Some(after) => scan.from(Bound::Excluded(after)),
        None => scan,
    }
}

/// What the key of such a row says.
pub(crate) fn of_app_mute(app: AppId, key: &[u8]) -> Option<(Kind, MuteList, UserId)> {
    let rest = key.strip_prefix(&app.0.to_be_bytes())?;
    let ([kind, list], user) = rest.split_first_chunk()?;
    let list = match list {
        1 => MuteList::Muted,
        2 => MuteList::Exempt,
        _ => return None,
    };
    let user = UserId::new(std::str::from_utf8(user).ok()?).ok()?;
    Some((Kind::from_number(*kind)?, list, user))
}

/// The key by which a banned user is listed.
pub(crate) fn user_ban_key(app: AppId, user: &str) -> Key {
    let mut key = BytesMut::from(&app_bytes(app)[..]);
    key.put_slice(user.as_bytes());
    Key::new(USER_BAN, app_shard(app), key.freeze())
}

/// Banned users behind this one, all from the start if it is empty.
pub(crate) fn user_bans(app: AppId, after: &str, limit: usize) -> Scan {
    let scan = Scan::prefix(USER_BAN, app_shard(app), app_bytes(app));
    let after = user_ban_key(app, after).bytes;
    scan.from(Bound::Excluded(after)).limit(limit)
}

/// The user of such a key.
pub(crate) fn user_of_ban(app: AppId, key: &[u8]) -> Option<UserId> {
    let user = key.strip_prefix(&app.0.to_be_bytes())?;
    UserId::new(std::str::from_utf8(user).ok()?).ok()
}
