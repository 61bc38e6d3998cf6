//! Other people: whom the user keeps away or lets in, and who is online.

use anser_domain::{Platform, Timestamp};
use anser_proto::client as wire;

/// One of the user's two lists of others.
#[derive(Copy, Clone, Eq, PartialEq, Debug)]
pub enum RelationList {
    /// They write to the user no more.
    Blocked,
    /// They may write even when only they may.
    Allowed,
}

/// What is to be changed of a list.
#[derive(Clone, Eq, PartialEq, Debug)]
pub struct RelationUpdate {
    /// Which.
    pub list: RelationList,
    /// With those removed at most 100; 1,000 in a list.
    pub add: Vec<String>,
    /// Who is taken off it.
    pub remove: Vec<String>,
    /// Do only those on the allow list write to the user? `None`: stays.
    pub allow_only: Option<bool>,
}

/// A part of a list, by user id.
#[derive(Clone, Eq, PartialEq, Debug, Default)]
pub struct RelationPage {
    /// Who is on it.
    pub users: Vec<String>,
    /// Continues the list; empty on the last page.
    pub cursor: String,
    /// Do only those on the allow list write to the user?
    pub allow_only: bool,
    /// Of both lists; grows with each change.
    pub version: u64,
}

/// One of the user's lists changed, on whichever device.
#[derive(Clone, Eq, PartialEq, Debug)]
pub struct RelationChange {
    /// Which; `None`: one of a newer server.
    pub list: Option<RelationList>,
    /// Who came onto it.
    pub added: Vec<String>,
    /// Who went off it.
    pub removed: Vec<String>,
    /// Do only those on the allow list write to the user?
    pub allow_only: bool,
    /// Of both lists after the change.
    pub version: u64,
    /// Before it. When it is not the version that is known, a change was missed: list anew.
    pub previous: u64,
}

/// What is told of a user. The newest replaces the one before.
#[derive(Clone, Eq, PartialEq, Debug, Default)]
pub struct Presence {
    /// Of whom.
    pub user: String,
    /// Is any device connected?
    pub online: bool,
    /// When a device came or went last; 0: never, as far as is known.
    pub last_seen: Timestamp,
    /// At most 16, those connected first.
    pub devices: Vec<DevicePresence>,
    /// The user's own words; empty if there are none.
    pub status: String,
    /// When they are over, without an event; 0 without them.
    pub status_until: Timestamp,
}

/// A device of a user.
#[derive(Clone, Eq, PartialEq, Debug, Default)]
pub struct DevicePresence {
    /// Its installation.
    pub device_id: String,
    /// What kind it is; `None`: one of a newer server.
    pub platform: Option<Platform>,
    /// Is it connected?
    pub online: bool,
    /// Since when it is as it is.
    pub time: Timestamp,
}

/// A user of whose presence the user is told.
#[derive(Clone, Eq, PartialEq, Debug, Default)]
pub struct PresenceSubscription {
    /// Whose.
    pub user: String,
    /// Until when.
    pub until: Timestamp,
}

impl From<RelationList> for wire::RelationList {
    fn from(list: RelationList) -> Self {
        match list {
            RelationList::Blocked => Self::Blocked,
            RelationList::Allowed => Self::Allowed,
        }
    }
}

impl From<wire::RelationPage> for RelationPage {
    fn from(page: wire::RelationPage) -> Self {
        Self {
            users: page.users,
            cursor: page.cursor,
            allow_only: page.allow_only,
            version: page.version,
        }
    }
}

impl From<wire::RelationPush> for RelationChange {
    fn from(push: wire::RelationPush) -> Self {
        Self {
            list: match push.list() {
                wire::RelationList::Blocked => Some(RelationList::Blocked),
                wire::RelationList::Allowed => Some(RelationList::Allowed),
                wire::RelationList::Unspecified => None,
            },
            added: push.added,
            removed: push.removed,
            allow_only: push.allow_only,
            version: push.version,
            previous: push.previous,
        }
    }
}

impl From<wire::Presence> for Presence {
    fn from(presence: wire::Presence) -> Self {
        Self {
            user: presence.user,
            online: presence.online,
            last_seen: Timestamp(presence.last_seen),
            devices: presence.devices.into_iter().map(Into::into).collect(),
            status: presence.status,
            status_until: Timestamp(presence.status_until),
        }
    }
}

impl From<wire::DevicePresence> for DevicePresence {
    fn from(device: wire::DevicePresence) -> Self {
        Self {
            platform: platform(device.platform()),
            device_id: device.device_id,
            online: device.online,
            time: Timestamp(device.time),
        }
    }
}

fn platform(platform: wire::Platform) -> Option<Platform> {
    Some(match platform {
        wire::Platform::Unspecified => return None,
        wire::Platform::Ios => Platform::Ios,
        wire::Platform::Android => Platform::Android,
        wire::Platform::Web => Platform::Web,
        wire::Platform::Desktop => Platform::Desktop,
        wire::Platform::MiniProgram => Platform::MiniProgram,
        wire::Platform::Server => Platform::Server,
    })
}

impl From<wire::PresenceSubscription> for PresenceSubscription {
    fn from(subscription: wire::PresenceSubscription) -> Self {
        Self {
            user: subscription.user,
            until: Timestamp(subscription.until),
        }
    }
}
