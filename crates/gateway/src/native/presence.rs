//! Presence.

use anser_engine::presence::{Presence, Subscription};
use anser_proto::client as wire;

use super::hello;

/// What is told of a user.
pub(crate) fn presence(told: &Presence) -> wire::Presence {
    let device = |it: &anser_domain::presence::DevicePresence| wire::DevicePresence {
        device_id: it.device.to_string(),
        platform: hello::platform(it.platform).into(),
        online: it.online,
        time: it.time.0,
    };
    wire::Presence {
        user: told.user.to_string(),
        online: told.is_online(),
        last_seen: told.last_seen().0,
        devices: told.devices.iter().map(device).collect(),
        status: told.status.clone(),
        status_until: told.status_until.0,
    }
}

/// What is told of several users.
pub(crate) fn presence_list(told: &[Presence]) -> wire::PresenceList {
    wire::PresenceList {
        presences: told.iter().map(presence).collect(),
    }
}

/// Whom a user watches.
pub(crate) fn presence_subscriptions(watched: &[Subscription]) -> wire::PresenceSubscriptions {
    let subscription = |it: &Subscription| wire::PresenceSubscription {
        user: it.user.to_string(),
        until: it.until.0,
    };
    wire::PresenceSubscriptions {
        subscriptions: watched.iter().map(subscription).collect(),
    }
}
