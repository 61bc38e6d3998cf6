//! Bytes of every format ever released still mean what they meant.
//!
//! A fixture is a file of hex digits under `fixtures/`. It is written once, with the release that
//! first writes such bytes, and never changed: a test that fails here has found a change that
//! breaks somebody's data or somebody's client. `ANSER_WRITE_FIXTURES=1` writes those that are
//! missing, and only those.

use std::fmt::Debug;
use std::fs;
use std::path::PathBuf;

use anser_proto::{client, stored};
use prost::Message;

#[path = "fixtures/created.rs"]
mod created;
#[path = "fixtures/doors.rs"]
mod doors;
#[path = "fixtures/rooms.rs"]
mod rooms;
#[path = "fixtures/users.rs"]
mod users;

#[track_caller]
fn check<T: Message + Default + PartialEq + Debug>(name: &str, expected: &T) {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../../fixtures")
        .join(name)
        .with_extension("hex");
    if !path.exists() && std::env::var_os("ANSER_WRITE_FIXTURES").is_some() {
        let hex: String = expected
            .encode_to_vec()
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        fs::write(&path, hex + "\n").expect("the folder of fixtures is there");
    }
    let hex =
        fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let hex = hex.trim();
    let bytes: Vec<u8> = (0..hex.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&hex[at..at + 2], 16).expect("a fixture is hex digits"))
        .collect();
    assert_eq!(&T::decode(&bytes[..]).expect("a fixture decodes"), expected);
}

fn id() -> bytes::Bytes {
    bytes::Bytes::from_static(&[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16])
}

#[test]
fn a_conversations_heads() {
    check(
        "stored/v1/head",
        &stored::Head {
            seq: 9,
            rev: 2,
            ordinal: 7,
            last_time: 1_800_000_000_000,
            member_version: 3,
            first_seq: 1,
            member_count: 2,
            created_time: 1_700_000_000_000,
            name: "Geese 雁".into(),
            owner: "alice".into(),
            dismissed: true,
            ..Default::default()
        },
    );
    check(
        "stored/v1/head_tagged",
        &stored::Head {
            seq: 1,
            tag: 0x0123_4567_89ab_cdef,
            ..Default::default()
        },
    );
    check(
        "stored/v1/head_burning",
        &stored::Head {
            seq: 9,
            burn_seq: 8,
            ..Default::default()
        },
    );
    check(
        "stored/v1/head_with_beginning",
        &stored::Head {
            seq: 9,
            first_seq: 8,
            first_ordinal: 5,
            ..Default::default()
        },
    );
}

#[test]
fn a_conversations_rows() {
    check(
        "stored/v1/burn_row",
        &stored::BurnRow {
            sender: "alice".into(),
            seconds: 30,
        },
    );
    check(
        "stored/v1/message",
        &stored::Message {
            message_id: id(),
            sender: "alice".into(),
            client_message_id: "c-1".into(),
            time: 1_800_000_000_000,
            ordinal: 7,
            counted: true,
            content_type: "text".into(),
            content_body: "hello 你好".into(),
            ..Default::default()
        },
    );
    check(
        "stored/v1/sent",
        &stored::Sent {
            seq: 9,
            message_id: id(),
            time: 1_800_000_000_000,
            ..Default::default()
        },
    );
    check(
        "stored/v1/member",
        &stored::Member {
            role: 2,
            joined_time: 1_700_000_000_000,
            joined_seq: 4,
            joined_ordinal: 3,
            version: 5,
            ..Default::default()
        },
    );
    check(
        "stored/v1/position",
        &stored::Position {
            read_seq: 8,
            read_ordinal: 6,
            ..Default::default()
        },
    );
    check(
        "stored/v1/position_with_receipts",
        &stored::Position {
            read_seq: 8,
            read_ordinal: 6,
            delivered_seq: 9,
            receipt_version: 3_686_400_000_000_001,
            deleted_version: 4,
        },
    );
    check(
        "stored/v1/group_notice",
        &stored::GroupNotice {
            kind: 3,
            operator: "alice".into(),
            users: vec!["bob".into(), "carol".into()],
            user_count: 2,
            ..Default::default()
        },
    );
}

#[test]
fn rows_of_files() {
    check(
        "stored/v1/media",
        &stored::Media {
            owner: "alice".into(),
            name: "雁.png".into(),
            bytes: 4_096,
            content_type: "image/png".into(),
            width: 640,
            height: 480,
            ready: true,
            created_time: 1_700_000_000_000,
            expires: 1_700_086_400_000,
        },
    );
    check(
        "stored/v1/media_use",
        &stored::MediaUse {
            day: 19_675,
            bytes: 4_096,
            uploads: 1,
        },
    );
}

#[test]
fn a_groups_rows() {
    check(
        "stored/v1/head_with_settings",
        &stored::Head {
            seq: 9,
            tag: 77,
            settings: Some(stored::GroupSettings {
                join: 2,
                invitations_need_acceptance: true,
                only_admins_invite: true,
                muted: true,
                history_visible: true,
                bans: 3,
                ..Default::default()
            }),
            ..Default::default()
        },
    );
    let attributes = || [("colour".to_owned(), "grey".to_owned())].into();
    check(
        "stored/v1/group_info",
        &stored::GroupInfo {
            announcement: "south 南".into(),
            portrait: "https://example.org/g.png".into(),
            attributes: attributes(),
            roles: vec![stored::GroupRole {
                name: "scribe".into(),
                rights: 0x21,
            }],
            admins: vec!["bob".into()],
            ..Default::default()
        },
    );
    check(
        "stored/v1/member_with_nickname",
        &stored::Member {
            role: 3,
            joined_time: 1_700_000_000_000,
            joined_seq: 4,
            joined_ordinal: 3,
            version: 5,
            custom_role: "scribe".into(),
            nickname: "雁".into(),
            attributes: attributes(),
            muted_until: 1_800_000_000_000,
            exempt: true,
            first_seq: 1,
        },
    );
    check(
        "stored/v1/group_ban",
        &stored::GroupBan {
            until: 1_800_000_000_000,
            time: 1_700_000_000_000,
            operator: "alice".into(),
        },
    );
    check(
        "stored/v1/join_request",
        &stored::JoinRequest {
            time: 1_700_000_000_000,
            message: "please".into(),
        },
    );
    let invitation = || stored::GroupInvitation {
        time: 1_700_000_000_000,
        operator: "alice".into(),
    };
    check("stored/v1/group_invitation", &invitation());
    check(
        "stored/v1/inbox_row_with_invitation",
        &stored::InboxRow {
            member_version: 3,
            feed_version: 1_800_000_000_001,
            invitation: Some(invitation()),
            ..Default::default()
        },
    );
    check(
        "stored/v1/group_notice_of_an_update",
        &stored::GroupNotice {
            kind: 6,
            operator: "alice".into(),
            users: vec![],
            user_count: 0,
            changed: vec!["name".into()],
            name: "Geese".into(),
            announcement: "south".into(),
            portrait: "p".into(),
            role: 3,
            role_name: "scribe".into(),
            until: 1_800_000_000_000,
            nickname: "雁".into(),
            ..Default::default()
        },
    );
}

#[test]
fn a_system_conversations_rows() {
    check(
        "stored/v1/head_of_a_system_conversation",
        &stored::Head {
            kind: 3,
            everyone: true,
            targeted_tail: 3,
            ..Default::default()
        },
    );
    check(
        "stored/v1/subscriber",
        &stored::Subscriber {
            subscribed: true,
            time: 1_800_000_000_000,
            seq: 9,
            ordinal: 7,
            version: 1_800_000_000_001,
        },
    );
    check(
        "stored/v1/app_control_with_names_for_everyone",
        &stored::AppControl {
            version: 3,
            everyone: vec!["s/news".into(), "s/雁".into()],
            ..Default::default()
        },
    );
}

#[test]
fn a_changed_message_and_its_rows() {
    let mention = stored::Mention {
        all: true,
        users: vec!["bob".into()],
        overrides_mute: true,
    };
    let state = stored::MessageState {
        rev: 5,
        time: 1_800_000_000_001,
        recall: Some(stored::Recall {
            operator: "alice".into(),
            time: 1_800_000_000_001,
            burned: true,
        }),
        edit: Some(stored::Edit {
            operator: "alice".into(),
            time: 1_800_000_000_000,
            count: 2,
        }),
        expansion: vec![stored::Expansion {
            key: "k".into(),
            value: "v".into(),
            user: "bob".into(),
        }],
        reactions: vec![stored::Reaction {
            reaction: "雁".into(),
            users: vec!["bob".into(), "carol".into()],
        }],
    };
    check(
        "stored/v1/message_changed",
        &stored::Message {
            message_id: id(),
            sender: "alice".into(),
            client_message_id: "c-1".into(),
            time: 1_800_000_000_000,
            ordinal: 7,
            counted: true,
            content_type: "text".into(),
            content_body: "hello".into(),
            mention: Some(mention.clone()),
            targets: vec!["bob".into()],
            burn_after_seconds: 30,
            receipt_wanted: true,
            state: Some(state),
        },
    );
    check(
        "stored/v1/head_changed",
        &stored::Head {
            seq: 9,
            rev: 5,
            rev_floor: 2,
            targeted_tail: 1,
            changed_time: 1_800_000_000_001,
            ..Default::default()
        },
    );
    check(
        "stored/v1/sent_prev",
        &stored::Sent {
            seq: 9,
            message_id: id(),
            time: 1_800_000_000_000,
            prev: 7,
        },
    );
    check(
        "stored/v1/edit_row",
        &stored::EditRow {
            content_body: "helo".into(),
            mention: Some(mention),
            operator: "alice".into(),
            time: 1_800_000_000_000,
            content_type: "text".into(),
        },
    );
    check(
        "stored/v1/recalled_row",
        &stored::RecalledRow {
            sender: "alice".into(),
            counted: true,
            targets: vec!["bob".into()],
            ordinal: 7,
        },
    );
    check(
        "stored/v1/mention_row",
        &stored::MentionRow {
            sender: "alice".into(),
        },
    );
}

#[test]
fn a_users_rows() {
    check(
        "stored/v1/inbox_head",
        &stored::InboxHead {
            feed_version: 1_800_000_000_001,
        },
    );
    check(
        "stored/v1/inbox_row",
        &stored::InboxRow {
            member: true,
            member_version: 3,
            feed_version: 1_800_000_000_001,
            joined_time: 1_700_000_000_000,
            first_seq: 5,
            joined_ordinal: 3,
            ..Default::default()
        },
    );
    check(
        "stored/v1/inbox_row_with_older_history",
        &stored::InboxRow {
            member: true,
            first_seq: 1,
            joined_ordinal: 3,
            joined_seq: 4,
            ..Default::default()
        },
    );
    check(
        "stored/v1/inbox_row_with_settings",
        &stored::InboxRow {
            member: true,
            member_version: 3,
            feed_version: 1_800_000_000_001,
            joined_time: 1_700_000_000_000,
            first_seq: 5,
            joined_ordinal: 3,
            pinned: true,
            muted: 1,
            hidden: true,
            hidden_seq: 9,
            marks: vec!["work".into(), "家".into()],
            draft: "dear".into(),
            cleared_seq: 7,
            cleared_ordinal: 6,
            ..Default::default()
        },
    );
    check(
        "stored/v1/outbox_row_of_a_touch",
        &stored::OutboxRow {
            attempts: 1,
            created_time: 1_700_000_000_000,
            effect: Some(stored::outbox_row::Effect::Touch(stored::TouchEffect {
                app: 7,
                user: "bob".into(),
                conversation: "g/geese".into(),
                nonce: 5,
                ..Default::default()
            })),
        },
    );
    check(
        "stored/v1/user",
        &stored::User {
            created_time: 1_700_000_000_000,
            name: "Alice".into(),
            portrait: "https://example.org/a.png".into(),
            tokens_not_before: 1_750_000_000_000,
            ..Default::default()
        },
    );
}

#[test]
fn effects_and_apps() {
    let effect = stored::InboxEffect {
        app: 7,
        conversation: "g/geese".into(),
        member_version: 3,
        users: vec!["bob".into()],
        member: true,
        joined_time: 1_700_000_000_000,
        first_seq: 5,
        joined_ordinal: 3,
        ..Default::default()
    };
    check(
        "stored/v1/outbox_row",
        &stored::OutboxRow {
            attempts: 1,
            created_time: 1_800_000_000_000,
            effect: Some(stored::outbox_row::Effect::Inbox(effect)),
        },
    );
    let burning = stored::OutboxRow {
        attempts: 2,
        created_time: 1_800_000_000_000,
        effect: Some(stored::outbox_row::Effect::Burn(stored::BurnEffect {
            app: 7,
            conversation: "p/alice/bob".into(),
            seq: 5,
        })),
    };
    check("stored/v1/outbox_row_of_a_burning", &burning);
    check(
        "stored/v1/dead_letter",
        &stored::DeadLetter {
            row: Some(burning),
            time: 1_800_000_000_001,
            reason: "UNAVAILABLE".into(),
        },
    );
    let key = |id: &str| stored::SealedKey {
        id: id.into(),
        nonce: vec![1; 12].into(),
        sealed: vec![2; 48].into(),
        created_time: 1_700_000_000_000,
    };
    check(
        "stored/v1/app",
        &stored::App {
            name: "Shop".into(),
            created_time: 1_700_000_000_000,
            api_secrets: vec![key("7.1")],
            token_keys: vec![key("7.2"), key("7.3")],
            next_key: 4,
            number: 7,
            demo: true,
        },
    );
    check(
        "stored/v1/installation",
        &stored::Installation {
            epoch: 42,
            next_app_number: 8,
            created_time: 1_700_000_000_000,
        },
    );
}

#[test]
fn what_apps_and_users_decide() {
    check(
        "stored/v1/app_control",
        &stored::AppControl {
            version: 7,
            settings: Some(stored::AppSettings {
                content_bytes_max: Some(8_192),
                client_messages_per_second: Some(0),
                client_messages_burst: Some(50),
                user_messages_per_minute: Some(600),
                group_messages_per_second: Some(40),
                recall_seconds: Some(3_600),
                edit_seconds: Some(0),
                group_members_max: Some(200),
                swallow_blocked: Some(true),
                ..Default::default()
            }),
            ..Default::default()
        },
    );
    check(
        "stored/v1/app_control_with_retention",
        &stored::AppControl {
            version: 8,
            settings: Some(stored::AppSettings {
                private_retention_days: Some(30),
                group_retention_days: Some(7),
                ..Default::default()
            }),
            ..Default::default()
        },
    );
    check(
        "stored/v1/app_control_with_mutes",
        &stored::AppControl {
            version: 8,
            kinds: vec![stored::KindMute {
                kind: 2,
                until: 1_800_000_000_000,
            }],
            mutes: 3,
            ..Default::default()
        },
    );
    check(
        "stored/v1/app_mute",
        &stored::AppMute {
            until: 1_800_000_000_000,
        },
    );
    check(
        "stored/v1/user_ban",
        &stored::UserBan {
            time: 1_700_000_000_000,
        },
    );
    check(
        "stored/v1/user_with_lists",
        &stored::User {
            created_time: 1_700_000_000_000,
            blocks: 2,
            allows: 3,
            relation_version: 5,
            allow_only: true,
            ..Default::default()
        },
    );
    check(
        "stored/v1/relation",
        &stored::Relation {
            time: 1_700_000_000_000,
        },
    );
    check(
        "stored/v1/outbox_row_of_lists",
        &stored::OutboxRow {
            created_time: 1_700_000_000_000,
            effect: Some(stored::outbox_row::Effect::Relation(
                stored::RelationEffect {
                    app: 1,
                    user: "alice".into(),
                    peers: vec!["bob".into()],
                    all: true,
                },
            )),
            ..Default::default()
        },
    );
    check(
        "stored/v1/app_control_with_presence",
        &stored::AppControl {
            version: 9,
            settings: Some(stored::AppSettings {
                presence: Some(true),
                ..Default::default()
            }),
            ..Default::default()
        },
    );
}

#[test]
fn presence_of_users() {
    check(
        "stored/v1/presence",
        &stored::Presence {
            devices: vec![stored::DevicePresence {
                device: "phone".into(),
                platform: "ios".into(),
                online: true,
                time: 1_800_000_000_000,
            }],
            status: "at lunch".into(),
            status_until: 1_800_000_003_000,
        },
    );
    check(
        "stored/v1/subscriptions",
        &stored::Subscriptions {
            subscriptions: vec![stored::Subscription {
                user: "bob".into(),
                until: 1_800_000_000_000,
            }],
        },
    );
    check(
        "stored/v1/watcher",
        &stored::Watcher {
            until: 1_800_000_000_000,
        },
    );
    check(
        "stored/v1/user_banned",
        &stored::User {
            created_time: 1_700_000_000_000,
            banned_until: u64::MAX,
            ..Default::default()
        },
    );
}

#[test]
fn frames_of_clients_and_servers() {
    use client::{request::Command, response, server_item::Item};
    let request = |id, command| client::Request {
        id,
        command: Some(command),
    };
    check(
        "client/v1/client_frame",
        &client::ClientFrame {
            requests: vec![
                request(
                    1,
                    Command::Hello(client::Hello {
                        version_min: 1,
                        version_max: 1,
                        token: "token".into(),
                        device_id: "phone".into(),
                        platform: client::Platform::Ios.into(),
                        client: "sdk 1".into(),
                        heartbeat_seconds: 60,
                        attempt: 0,
                    }),
                ),
                request(
                    2,
                    Command::SendMessage(client::SendMessage {
                        conversation: "p/alice/bob".into(),
                        client_message_id: "c-1".into(),
                        content: Some(client::Content {
                            r#type: "text".into(),
                            body: "hello".into(),
                        }),
                        first_try_time: 1_800_000_000_000,
                        read_up_to: 8,
                        ..Default::default()
                    }),
                ),
            ],
        },
    );
    let message = client::Message {
        conversation: "p/alice/bob".into(),
        seq: 9,
        message_id: "00000000000000000000000000".into(),
        sender: "alice".into(),
        client_message_id: "c-1".into(),
        time: 1_800_000_000_000,
        content: Some(client::Content {
            r#type: "text".into(),
            body: "hello".into(),
        }),
        counted: true,
        ..Default::default()
    };
    let error = client::Error {
        code: 3011,
        name: "NOT_A_MEMBER".into(),
        message: "no".into(),
        retry_after_ms: 0,
    };
    let items = [
        Item::Message(client::MessagePush {
            message: Some(message),
            prev: 8,
        }),
        Item::Read(client::ReadPush {
            conversation: "p/alice/bob".into(),
            read_seq: 9,
            unread: 0,
            ..Default::default()
        }),
        Item::Check(client::CheckPush {}),
        Item::Response(client::Response {
            id: 2,
            result: Some(response::Result::Error(error)),
        }),
    ];
    check(
        "client/v1/server_frame",
        &client::ServerFrame {
            items: items
                .map(|item| client::ServerItem { item: Some(item) })
                .to_vec(),
        },
    );
}

#[test]
fn a_stored_notice_is_a_notice_on_the_wire() {
    let stored = stored::GroupNotice {
        kind: 2,
        operator: "alice".into(),
        users: vec!["bob".into()],
        user_count: 1,
        ..Default::default()
    };
    let wire = client::GroupNotice::decode(&stored.encode_to_vec()[..]).expect("the same bytes");
    assert_eq!(wire.kind(), client::group_notice::Kind::Added);
    assert_eq!(
        (wire.operator, wire.users, wire.user_count),
        (stored.operator, stored.users, stored.user_count)
    );
}
