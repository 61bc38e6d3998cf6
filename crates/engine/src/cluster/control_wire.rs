//! What users and apps decide, between nodes.

use std::sync::Arc;

use anser_domain::presence::DevicePresence;
use anser_domain::relation::List;
use anser_domain::{DeviceId, Platform, Timestamp};
use anser_proto::cluster as pb;

use crate::presence::Presence;
use crate::relation::RelationNews;

fn texts(users: &[Arc<str>]) -> Vec<String> {
    users.iter().map(ToString::to_string).collect()
}

pub(super) fn relation(news: &RelationNews) -> pb::RelationEvent {
    pb::RelationEvent {
        list: match news.list {
            List::Blocked => 1,
            List::Allowed => 2,
        },
        added: texts(&news.added),
        removed: texts(&news.removed),
        allow_only: news.allow_only,
        version: news.version,
        previous: news.previous,
    }
}

pub(super) fn relation_from(it: pb::RelationEvent) -> Option<RelationNews> {
    let users = |texts: Vec<String>| texts.into_iter().map(Arc::from).collect();
    Some(RelationNews {
        list: match it.list {
            1 => List::Blocked,
            2 => List::Allowed,
            _ => return None,
        },
        added: users(it.added),
        removed: users(it.removed),
        allow_only: it.allow_only,
        version: it.version,
        previous: it.previous,
    })
}

pub(super) fn presence(told: &Presence) -> pb::PresenceEvent {
    let device = |it: &DevicePresence| pb::DevicePresence {
        device: it.device.as_str().to_owned(),
        platform: it.platform.name().to_owned(),
        online: it.online,
        time: it.time.0,
    };
    pb::PresenceEvent {
        user: told.user.to_string(),
        devices: told.devices.iter().map(device).collect(),
        status: told.status.clone(),
        status_until: told.status_until.0,
    }
}

/// Devices of a newer release are left out.
pub(super) fn presence_from(it: pb::PresenceEvent) -> Presence {
    let device = |it: pb::DevicePresence| {
        Some(DevicePresence {
            device: DeviceId::new(&it.device).ok()?,
            platform: Platform::from_name(&it.platform)?,
            online: it.online,
            time: Timestamp(it.time),
        })
    };
    Presence {
        user: it.user.into(),
        devices: it.devices.into_iter().filter_map(device).collect(),
        status: it.status,
        status_until: Timestamp(it.status_until),
    }
}
