//! What apps decide, as it is stored.

use anser_domain::control::AppSettings;
use anser_proto::stored;

pub(super) fn settings(row: Option<&stored::AppSettings>) -> AppSettings {
    let Some(row) = row else {
        return AppSettings::default();
    };
    AppSettings {
        content_bytes_max: row.content_bytes_max,
        client_messages_per_second: row.client_messages_per_second,
        client_messages_burst: row.client_messages_burst,
        user_messages_per_minute: row.user_messages_per_minute,
        group_messages_per_second: row.group_messages_per_second,
        recall_seconds: row.recall_seconds,
        edit_seconds: row.edit_seconds,
        group_members_max: row.group_members_max,
        private_retention_days: row.private_retention_days,
        group_retention_days: row.group_retention_days,
        media_retention_days: row.media_retention_days,
        room_messages_per_second: row.room_messages_per_second,
        room_window_messages: row.room_window_messages,
        room_window_reserved: row.room_window_reserved,
        room_window_protected: row.room_window_protected,
        room_missed: row.room_missed,
        room_away_seconds: row.room_away_seconds,
        room_idle_minutes: row.room_idle_minutes,
        rooms_of_session: row.rooms_of_session,
        room_attribute_changes_per_second: row.room_attribute_changes_per_second,
        room_created_by_joining: row.room_created_by_joining,
        swallow_blocked: row.swallow_blocked,
        presence: row.presence,
    }
}

pub(super) fn settings_row(settings: &AppSettings) -> stored::AppSettings {
    stored::AppSettings {
        content_bytes_max: settings.content_bytes_max,
        client_messages_per_second: settings.client_messages_per_second,
        client_messages_burst: settings.client_messages_burst,
        user_messages_per_minute: settings.user_messages_per_minute,
        group_messages_per_second: settings.group_messages_per_second,
        recall_seconds: settings.recall_seconds,
        edit_seconds: settings.edit_seconds,
        group_members_max: settings.group_members_max,
        private_retention_days: settings.private_retention_days,
        group_retention_days: settings.group_retention_days,
        media_retention_days: settings.media_retention_days,
        room_messages_per_second: settings.room_messages_per_second,
        room_window_messages: settings.room_window_messages,
        room_window_reserved: settings.room_window_reserved,
        room_window_protected: settings.room_window_protected,
        room_missed: settings.room_missed,
        room_away_seconds: settings.room_away_seconds,
        room_idle_minutes: settings.room_idle_minutes,
        rooms_of_session: settings.rooms_of_session,
        room_attribute_changes_per_second: settings.room_attribute_changes_per_second,
        room_created_by_joining: settings.room_created_by_joining,
        swallow_blocked: settings.swallow_blocked,
        presence: settings.presence,
    }
}
