//! An app's own settings.

use crate::code::{Code, Reject};
use crate::limits::{BAN_SECONDS_MAX, CONTENT_BYTES_MAX, GROUP_MEMBERS_MAX, ROOMS_OF_SESSION_MAX};
use crate::retention::{RETENTION_DAYS_MAX, RETENTION_DAYS_MIN};

macro_rules! app_settings {
    ($($(#[doc = $doc:literal])+ $name:ident: $min:expr => $max:expr;)*) => {
        /// What an app has set. `None`: as the operator's configuration says.
        #[derive(Copy, Clone, Eq, PartialEq, Debug, Default)]
        pub struct AppSettings {
            $($(#[doc = $doc])+ pub $name: Option<u32>,)*
            /// A message from a blocked sender is acknowledged like any other and goes nowhere.
            /// Otherwise it is refused.
            pub swallow_blocked: Option<bool>,
            /// Presence is kept, and told to who subscribes. Otherwise it is off.
            pub presence: Option<bool>,
            /// Whoever joins a chat room that is not there creates it. Otherwise the backend does.
            pub room_created_by_joining: Option<bool>,
        }

        /// What is to be changed. `None` stays, `Some(None)` goes back to the operator's.
        #[derive(Copy, Clone, Eq, PartialEq, Debug, Default)]
        pub struct AppSettingsChange {
            $(#[doc = concat!("See [`AppSettings::", stringify!($name), "`].")]
            pub $name: Option<Option<u32>>,)*
            /// See [`AppSettings::swallow_blocked`].
            pub swallow_blocked: Option<Option<bool>>,
            /// See [`AppSettings::presence`].
            pub presence: Option<Option<bool>>,
            /// See [`AppSettings::room_created_by_joining`].
            pub room_created_by_joining: Option<Option<bool>>,
        }

        impl AppSettings {
            /// The settings after a change.
            ///
            /// # Errors
            /// `INVALID_REQUEST` names the setting and its bounds.
            pub fn change(self, change: &AppSettingsChange) -> Result<Self, Reject> {
                $(if let Some(Some(value)) = change.$name {
                    check(stringify!($name), value, u64::from($min), $max)?;
                })*
                Ok(Self {
                    $($name: change.$name.unwrap_or(self.$name),)*
                    swallow_blocked: change.swallow_blocked.unwrap_or(self.swallow_blocked),
                    presence: change.presence.unwrap_or(self.presence),
                    room_created_by_joining: change
                        .room_created_by_joining
                        .unwrap_or(self.room_created_by_joining),
                })
            }
        }
    };
}

app_settings! {
    /// Bytes of a message's content, type and body together.
    content_bytes_max: 1_u32 => CONTENT_BYTES_MAX as u64;
    /// Messages a second that one connection of a client may send in the long run; 0: as many as
    /// it likes.
    client_messages_per_second: 0_u32 => 1_000;
    /// Messages that it may send at once after a pause.
    client_messages_burst: 1_u32 => 10_000;
    /// Messages to users that the app's backend may send in a minute; 0: as many as it likes.
    user_messages_per_minute: 0_u32 => 10_000_000;
    /// Messages to groups that the app's backend may send in a second; 0: as many as it likes.
    group_messages_per_second: 0_u32 => 100_000;
    /// How long a sender may take a message back, in seconds; 0: not at all.
    recall_seconds: 0_u32 => BAN_SECONDS_MAX;
    /// How long a sender may edit a message, in seconds; 0: not at all.
    edit_seconds: 0_u32 => BAN_SECONDS_MAX;
    /// Members of a group. One that has more already keeps them.
    group_members_max: 1_u32 => GROUP_MEMBERS_MAX as u64;
    /// Days after which messages of private chats are removed.
    private_retention_days: RETENTION_DAYS_MIN => u64::from(RETENTION_DAYS_MAX);
    /// Days after which messages of groups, and of everything like them, are removed.
    group_retention_days: RETENTION_DAYS_MIN => u64::from(RETENTION_DAYS_MAX);
    /// Days after which files are removed; 0: they are kept.
    media_retention_days: 0_u32 => u64::from(RETENTION_DAYS_MAX);
    /// Messages to chat rooms that the server API takes in a second; 0: any number.
    room_messages_per_second: 0_u32 => 100_000;
    /// Messages that a chat room takes in 200 ms.
    room_window_messages: 1_u32 => 10_000;
    /// How many of these are not for class low.
    room_window_reserved: 0_u32 => 10_000;
    /// Protected messages that it takes beyond.
    room_window_protected: 0_u32 => 10_000;
    /// Messages that a member of a chat room who is away may miss before leaving.
    room_missed: 0_u32 => 1_000;
    /// Seconds that a member may be away before leaving.
    room_away_seconds: 1_u32 => 3_600;
    /// Minutes without messages and joins after which a chat room is destroyed.
    room_idle_minutes: 1_u32 => 10_080;
    /// Chat rooms that a connection is in at a time; joining another leaves the first.
    rooms_of_session: 1_u32 => ROOMS_OF_SESSION_MAX;
    /// Attributes of one chat room that are changed in a second.
    room_attribute_changes_per_second: 1_u32 => 10_000;
}

fn check(name: &str, value: u32, min: u64, max: u64) -> Result<(), Reject> {
    if (min..=max).contains(&u64::from(value)) {
        return Ok(());
    }
    Err(Reject::new(
        Code::InvalidRequest,
        format!("{name} is in {min}–{max}"),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_sets_resets_and_leaves_alone() {
        let before = AppSettings {
            content_bytes_max: Some(100),
            recall_seconds: Some(5),
            ..AppSettings::default()
        };
        let change = AppSettingsChange {
            content_bytes_max: Some(None),
            edit_seconds: Some(Some(0)),
            swallow_blocked: Some(Some(true)),
            ..AppSettingsChange::default()
        };
        let after = before.change(&change).unwrap();
        assert_eq!(
            after,
            AppSettings {
                content_bytes_max: None,
                edit_seconds: Some(0),
                swallow_blocked: Some(true),
                ..before
            }
        );
    }

    #[test]
    fn every_number_has_bounds_and_one_that_breaks_them_changes_nothing() {
        let refused = |change: AppSettingsChange| {
            let result = AppSettings::default().change(&change);
            result.is_err_and(|reject| reject.code == Code::InvalidRequest)
        };
        let content = |value| AppSettingsChange {
            content_bytes_max: Some(Some(value)),
            ..AppSettingsChange::default()
        };
        let members = |value| AppSettingsChange {
            group_members_max: Some(Some(value)),
            ..AppSettingsChange::default()
        };
        assert!(refused(content(0)) && refused(content(131_073)));
        assert!(!refused(content(1)) && !refused(content(131_072)));
        assert!(refused(members(0)) && refused(members(3_001)));
        assert!(!refused(members(3_000)));
        let burst = AppSettingsChange {
            client_messages_burst: Some(Some(0)),
            ..AppSettingsChange::default()
        };
        assert!(refused(burst));
    }
}
