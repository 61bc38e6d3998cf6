//! How many messages an app's backend may send, so that one app's loop does not become every
//! app's load. Token buckets: an app that was quiet may send a whole period's worth at once.

use std::collections::BTreeMap;

use anser_domain::control::AppSettings;
use anser_domain::{AppId, Code, Reject, Timestamp};
use parking_lot::Mutex;

use super::Settings;

/// A kind of message with a limit of its own.
#[derive(Copy, Clone, Eq, PartialEq, Ord, PartialOrd, Debug)]
pub(super) enum Kind {
    /// To one user.
    User,
    /// To a group.
    Group,
    /// To a chat room.
    Room,
}

#[derive(Copy, Clone)]
struct Rate {
    per_period: u32,
    period_ms: u32,
}

#[derive(Copy, Clone)]
struct Bucket {
    /// Thousandths of a message: refills of a few milliseconds must not be rounded away.
    level: u64,
    filled: Timestamp,
}

/// The buckets of all apps. There are at most three for every app that exists.
pub(super) struct Quota {
    user: Rate,
    group: Rate,
    room: Rate,
    buckets: Mutex<BTreeMap<(AppId, Kind), Bucket>>,
}

const ONE: u64 = 1_000;

impl Quota {
    pub(super) fn new(settings: &Settings) -> Self {
        Self {
            user: Rate {
                per_period: settings.user_messages_per_minute,
                period_ms: 60_000,
            },
            group: Rate {
                per_period: settings.group_messages_per_second,
                period_ms: 1_000,
            },
            room: Rate {
                per_period: settings.room_messages_per_second,
                period_ms: 1_000,
            },
            buckets: Mutex::default(),
        }
    }

    /// Takes one message of the app's share: by its own settings, or else the operator's.
    pub(super) fn take(
        &self,
        app: AppId,
        own: &AppSettings,
        kind: Kind,
        now: Timestamp,
    ) -> Result<(), Reject> {
        let (operators, own) = match kind {
            Kind::User => (self.user, own.user_messages_per_minute),
            Kind::Group => (self.group, own.group_messages_per_second),
            Kind::Room => (self.room, own.room_messages_per_second),
        };
        let rate = Rate {
            per_period: own.unwrap_or(operators.per_period),
            ..operators
        };
        if rate.per_period == 0 {
            return Ok(());
        }
        let full = u64::from(rate.per_period) * ONE;
        let mut buckets = self.buckets.lock();
        let bucket = buckets.entry((app, kind)).or_insert(Bucket {
            level: full,
            filled: now,
        });
        let passed = now.since_ms(bucket.filled).min(u64::from(rate.period_ms));
        let refill = full * passed / u64::from(rate.period_ms);
        bucket.level = (bucket.level + refill).min(full);
        bucket.filled = now;
        if bucket.level >= ONE {
            bucket.level -= ONE;
            return Ok(());
        }
        let wait = ((ONE - bucket.level) * u64::from(rate.period_ms)).div_ceil(full);
        let message = match kind {
            Kind::User => format!("{} messages a minute to users", rate.per_period),
            Kind::Group => format!("{} messages a second to groups", rate.per_period),
            Kind::Room => format!("{} messages a second to chat rooms", rate.per_period),
        };
        Err(
            Reject::new(Code::RateLimited, format!("an app may send {message}"))
                .retry_after_ms(u32::try_from(wait).unwrap_or(u32::MAX)),
        )
    }
}

#[cfg(test)]
mod tests {
    use std::sync::LazyLock;

    use super::*;

    /// Of an app that has set nothing.
    static OPERATORS: LazyLock<AppSettings> = LazyLock::new(AppSettings::default);

    fn quota(user: u32, group: u32) -> Quota {
        Quota::new(&Settings {
            user_messages_per_minute: user,
            group_messages_per_second: group,
            ..Settings::default()
        })
    }

    #[test]
    fn a_period_holds_its_number_and_apps_do_not_share() {
        let quota = quota(0, 20);
        let (one, other) = (AppId(1), AppId(2));
        let now = Timestamp(1_000_000);
        for _ in 0..20 {
            quota.take(one, &OPERATORS, Kind::Group, now).unwrap();
        }
        let refused = quota.take(one, &OPERATORS, Kind::Group, now).unwrap_err();
        assert_eq!(refused.code, Code::RateLimited);
        assert_eq!(refused.retry_after_ms, 50);
        quota.take(other, &OPERATORS, Kind::Group, now).unwrap();
        quota.take(one, &OPERATORS, Kind::User, now).unwrap();
    }

    #[test]
    fn waiting_as_told_is_enough_and_small_steps_add_up() {
        let quota = quota(6_000, 0);
        let mut now = Timestamp(1);
        let mut sent = 0u32;
        while quota.take(AppId(1), &OPERATORS, Kind::User, now).is_ok() {
            sent += 1;
        }
        assert_eq!(sent, 6_000);
        for _ in 0..100 {
            let wait = quota
                .take(AppId(1), &OPERATORS, Kind::User, now)
                .unwrap_err()
                .retry_after_ms;
            assert!((1..=10).contains(&wait));
            now = now.plus_ms(u64::from(wait));
            quota.take(AppId(1), &OPERATORS, Kind::User, now).unwrap();
        }
    }

    #[test]
    fn a_clock_that_jumps_back_neither_fills_nor_panics() {
        let quota = quota(1, 0);
        quota
            .take(AppId(1), &OPERATORS, Kind::User, Timestamp(90_000))
            .unwrap();
        assert!(
            quota
                .take(AppId(1), &OPERATORS, Kind::User, Timestamp(1))
                .is_err()
        );
    }

    #[test]
    fn an_app_has_its_own_share_as_soon_as_it_is_set() {
        let quota = quota(0, 1);
        let own = |group_messages_per_second| AppSettings {
            user_messages_per_minute: Some(2),
            group_messages_per_second,
            ..AppSettings::default()
        };
        let (app, now) = (AppId(1), Timestamp(1_000_000));
        let take = |own: &AppSettings, kind| quota.take(app, own, kind, now).is_ok();
        assert!(take(&own(None), Kind::User) && take(&own(None), Kind::User));
        assert!(!take(&own(None), Kind::User));
        assert!(take(&own(None), Kind::Group) && !take(&own(None), Kind::Group));
        assert!(take(&own(Some(0)), Kind::Group));
    }
}
