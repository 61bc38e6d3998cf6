//! What is told of users, as it is stored.

use std::sync::Arc;

use anser_domain::presence::DevicePresence;
use anser_domain::{DeviceId, Platform, Timestamp};
use anser_proto::stored;

use super::Presence;

/// The devices of a row. What a newer release wrote and this one does not know is left out.
pub(super) fn devices(row: &stored::Presence) -> Vec<DevicePresence> {
    let known = |it: &stored::DevicePresence| {
        Some(DevicePresence {
            device: DeviceId::new(&it.device).ok()?,
            platform: Platform::from_name(&it.platform)?,
            online: it.online,
            time: Timestamp(it.time),
        })
    };
    row.devices.iter().filter_map(known).collect()
}

pub(super) fn device_rows(devices: &[DevicePresence]) -> Vec<stored::DevicePresence> {
    let row = |it: &DevicePresence| stored::DevicePresence {
        device: it.device.as_str().to_owned(),
        platform: it.platform.name().to_owned(),
        online: it.online,
        time: it.time.0,
    };
    devices.iter().map(row).collect()
}

/// What is told of a user by this row, now.
pub(super) fn presence(user: &str, row: &stored::Presence, now: Timestamp) -> Presence {
    let lasts = Timestamp(row.status_until) > now;
    Presence {
        user: Arc::from(user),
        devices: devices(row),
        status: if lasts {
            row.status.clone()
        } else {
            String::new()
        },
        status_until: Timestamp(if lasts { row.status_until } else { 0 }),
    }
}
