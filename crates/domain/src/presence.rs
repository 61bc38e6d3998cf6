//! Presence: which of a user's devices are connected, and since when not.

use crate::code::{Code, Reject};
use crate::id::DeviceId;
use crate::limits::{PRESENCE_DEVICES_MAX, PRESENCE_SECONDS_MAX, PRESENCE_STATUS_BYTES_MAX};
use crate::login::Platform;
use crate::time::Timestamp;

/// A device of a user.
#[derive(Clone, Eq, PartialEq, Debug)]
pub struct DevicePresence {
    /// The installation.
    pub device: DeviceId,
    /// Its kind.
    pub platform: Platform,
    /// Is it connected?
    pub online: bool,
    /// Since when it is as it is.
    pub time: Timestamp,
}

/// The devices as they are now, given those known before and those that are connected. The last
/// changed come first; of more than [`PRESENCE_DEVICES_MAX`] those that are away longest go.
#[must_use]
pub fn observe(
    known: &[DevicePresence],
    connected: &[(DeviceId, Platform)],
    now: Timestamp,
) -> Vec<DevicePresence> {
    let is = |one: &DevicePresence, device: &DeviceId, platform: Platform| {
        one.device == *device && one.platform == platform
    };
    let mut devices: Vec<DevicePresence> = known
        .iter()
        .map(|one| {
            let online = connected
                .iter()
                .any(|(device, platform)| is(one, device, *platform));
            let time = if online == one.online { one.time } else { now };
            DevicePresence {
                online,
                time,
                ..one.clone()
            }
        })
        .collect();
    for (device, platform) in connected {
        if !devices.iter().any(|one| is(one, device, *platform)) {
            devices.push(DevicePresence {
                device: device.clone(),
                platform: *platform,
                online: true,
                time: now,
            });
        }
    }
    devices.sort_by_key(|one| std::cmp::Reverse((one.online, one.time)));
    devices.truncate(PRESENCE_DEVICES_MAX);
    devices
}

/// May this be a user's status for so long?
///
/// # Errors
/// `INVALID_REQUEST` names the limit.
pub fn check_status(status: &str, seconds: u64) -> Result<(), Reject> {
    if status.len() > PRESENCE_STATUS_BYTES_MAX || status.chars().any(char::is_control) {
        return Err(Reject::new(
            Code::InvalidRequest,
            format!("a status has at most {PRESENCE_STATUS_BYTES_MAX} bytes, printable"),
        ));
    }
    check_seconds(seconds)
}

/// May a status or a subscription last so long?
///
/// # Errors
/// `INVALID_REQUEST` names the limit.
pub fn check_seconds(seconds: u64) -> Result<(), Reject> {
    if seconds > PRESENCE_SECONDS_MAX {
        return Err(Reject::new(
            Code::InvalidRequest,
            format!("seconds is above {PRESENCE_SECONDS_MAX}"),
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn device(name: &str) -> DeviceId {
        DeviceId::new(name).unwrap()
    }

    fn told(devices: &[DevicePresence]) -> Vec<(&str, bool, u64)> {
        devices
            .iter()
            .map(|one| (one.device.as_str(), one.online, one.time.0))
            .collect()
    }

    #[test]
    fn a_device_is_online_since_it_came_and_away_since_it_went() {
        let (phone, tab) = (device("phone"), device("tab"));
        let both = [(phone.clone(), Platform::Ios), (tab, Platform::Web)];
        let first = observe(&[], &both[..1], Timestamp(1));
        assert_eq!(told(&first), [("phone", true, 1)]);
        let second = observe(&first, &both, Timestamp(2));
        assert_eq!(told(&second), [("tab", true, 2), ("phone", true, 1)]);
        let third = observe(&second, &both[1..], Timestamp(3));
        assert_eq!(told(&third), [("tab", true, 2), ("phone", false, 3)]);
        assert_eq!(observe(&third, &both[1..], Timestamp(9)), third);
        let none = observe(&third, &[], Timestamp(4));
        assert_eq!(told(&none), [("tab", false, 4), ("phone", false, 3)]);
        let again = observe(&none, &both[..1], Timestamp(5));
        assert_eq!(told(&again), [("phone", true, 5), ("tab", false, 4)]);
    }

    #[test]
    fn tabs_of_one_browser_are_one_device_and_platforms_are_two() {
        let one = device("one");
        let twice = [(one.clone(), Platform::Web), (one.clone(), Platform::Web)];
        assert_eq!(observe(&[], &twice, Timestamp(1)).len(), 1);
        let two = [(one.clone(), Platform::Web), (one, Platform::Desktop)];
        assert_eq!(observe(&[], &two, Timestamp(1)).len(), 2);
    }

    #[test]
    fn of_too_many_those_away_longest_go() {
        let name = |n: usize| device(&format!("d{n}"));
        let mut known = Vec::new();
        for n in 0..=PRESENCE_DEVICES_MAX {
            let connected = [(name(n), Platform::Server)];
            known = observe(&known, &connected, Timestamp(n as u64 + 1));
        }
        assert_eq!(known.len(), PRESENCE_DEVICES_MAX);
        assert!(known[0].online && !known.iter().any(|one| one.device == name(0)));
    }

    #[test]
    fn a_status_is_short_and_does_not_last_for_ever() {
        assert!(check_status(&"x".repeat(256), 2_592_000).is_ok());
        assert!(check_status(&"x".repeat(257), 0).is_err());
        assert!(check_status("a\nb", 0).is_err());
        assert!(check_status("", 2_592_001).is_err());
    }
}
