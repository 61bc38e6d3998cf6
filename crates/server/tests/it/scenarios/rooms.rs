//! Steps in chat rooms, and what is looked at of them.

use std::collections::BTreeMap;

use anser_sdk::model::{
    Content, RoomAttributeChange, RoomLeft, RoomMessage, RoomModeration, RoomNews, RoomNotice,
    RoomNoticeKind, RoomOutgoing, RoomPriority,
};
use serde_json::{Value, json};

use super::actors::{Actor, Names};
use super::args::Args;
use super::looks::part;
use super::steps::{Failure, HOUR};

/// What a device heard of a room since it joined.
#[derive(Default)]
pub(super) struct RoomHeard {
    /// Message ids and texts.
    said: Vec<(String, String)>,
    attributes: BTreeMap<String, String>,
    notices: Vec<RoomNotice>,
    left: Option<&'static str>,
    /// Those that it was given when it joined.
    given: Vec<(String, String)>,
}

const RECALLED: &str = "[recalled]";

fn shown(message: &RoomMessage) -> (String, String) {
    let text = match message.recalled {
        true => RECALLED.to_owned(),
        false => String::from_utf8_lossy(&message.content.body).into_owned(),
    };
    (message.message_id.clone(), text)
}

impl RoomHeard {
    pub(super) fn take(&mut self, news: RoomNews) {
        match news {
            RoomNews::Message(message) => self.said.push(shown(&message)),
            RoomNews::Recalled { message_id, .. } => {
                for (id, text) in self.said.iter_mut().chain(&mut self.given) {
                    if *id == message_id {
                        RECALLED.clone_into(text);
                    }
                }
            }
            RoomNews::Attributes { set, deleted, .. } => {
                for one in set {
                    self.attributes.insert(one.key, one.value);
                }
                for key in deleted {
                    self.attributes.remove(&key);
                }
            }
            RoomNews::AllAttributes(all) => {
                let all = all.into_iter().map(|one| (one.key, one.value));
                self.attributes = all.collect();
            }
            RoomNews::Notice(notice) => self.notices.push(notice),
            RoomNews::Left(left) => {
                self.left = Some(match left {
                    RoomLeft::Removed { .. } => "removed",
                    RoomLeft::Destroyed => "destroyed",
                    RoomLeft::JoinedAnother => "joined_another",
                    RoomLeft::Refused(_) => "refused",
                });
            }
            RoomNews::MemberCount(_) | RoomNews::Missed(_) => {}
        }
    }

    fn id_of(&self, text: &str) -> Option<String> {
        let all = self.given.iter().chain(&self.said);
        let mut all = all.filter(|(_, said)| said == text);
        all.next_back().map(|(id, _)| id.clone())
    }
}

/// False: there is no such step.
pub(super) async fn step(
    name: &str,
    args: &Args,
    actor: &Actor,
    names: &Names,
) -> Result<bool, Failure> {
    let client = &actor.client;
    let room = names.user(&args.text("room"));
    match name {
        "join_room" => {
            {
                let mut heard = actor.heard.lock().unwrap();
                *heard.rooms.entry(room.clone()).or_default() = RoomHeard::default();
            }
            let joined = client.join_room(&room, args.small("newest")).await?;
            let given: Vec<(String, String)> = joined.messages.iter().map(shown).collect();
            let texts: Vec<&String> = given.iter().map(|(_, text)| text).collect();
            if args.get("messages").is_some()
                && texts != args.texts("messages").iter().collect::<Vec<_>>()
            {
                return Err(format!("joining gave {texts:?}").into());
            }
            let mut heard = actor.heard.lock().unwrap();
            heard.rooms.entry(room).or_default().given = given;
        }
        "leave_room" => client.leave_room(&room).await?,
        "say" => {
            let outgoing = RoomOutgoing {
                content: Content::text(args.text("text")),
                priority: match args.flag("low") {
                    true => RoomPriority::Low,
                    false => RoomPriority::High,
                },
                tell_dropped: args.flag("tell_dropped"),
                client_message_id: None,
            };
            let sent = client.send_to_room_with(&room, outgoing).await?;
            if let Some(dropped) = args.maybe_flag("dropped")
                && sent.dropped != dropped
            {
                return Err(format!("dropped: {}", sent.dropped).into());
            }
        }
        "recall_said" => {
            let text = args.text("text");
            let id = {
                let heard = actor.heard.lock().unwrap();
                heard.rooms.get(&room).and_then(|heard| heard.id_of(&text))
            };
            let id = id.ok_or_else(|| format!("\"{text}\" was not heard yet"))?;
            client.recall_room_message(&room, id).await?;
        }
        "room_attributes" => {
            let leaves = args.flag("leaves");
            let set = args.map("set").map(|(key, value)| RoomAttributeChange {
                key,
                value: Some(value),
                leaves,
            });
            let deleted = args.texts("delete").into_iter();
            let deleted = deleted.map(|key| RoomAttributeChange {
                key,
                value: None,
                leaves: false,
            });
            let changes = set.chain(deleted).collect();
            let force = args.flag("force");
            client.set_room_attributes(&room, changes, force).await?;
        }
        "moderate" => {
            let what = moderation(args, names);
            let words = args.maybe_text("words");
            client.moderate_room(&room, what, words).await?;
        }
        _ => return Ok(false),
    }
    Ok(true)
}

fn moderation(args: &Args, names: &Names) -> RoomModeration {
    let users = |key: &str| {
        let users = names.users(&args.texts(key));
        (!users.is_empty()).then_some(users)
    };
    let seconds = args.maybe_number("seconds");
    if let Some(users) = users("remove") {
        return RoomModeration::Remove(users, seconds.unwrap_or(0));
    }
    if let Some(users) = users("mute") {
        return RoomModeration::Mute(users, seconds.unwrap_or(HOUR));
    }
    if let Some(users) = users("unmute") {
        return RoomModeration::Unmute(users);
    }
    match users("lift_ban") {
        Some(users) => RoomModeration::LiftBan(users),
        None => RoomModeration::MuteAll(args.flag("mute_all")),
    }
}

/// `None`: there is no such expectation.
pub(super) async fn look(
    name: &str,
    args: &Args,
    actor: &Actor,
    names: &Names,
) -> Result<Option<(Value, Value)>, Failure> {
    let client = &actor.client;
    let room = names.user(&args.text("room"));
    let heard = |pick: &dyn Fn(&RoomHeard) -> Value| {
        let heard = actor.heard.lock().unwrap();
        heard.rooms.get(&room).map_or(Value::Null, pick)
    };
    Ok(Some(match name {
        "expect_heard" => {
            let seen = heard(&|room| room.said.iter().map(|(_, text)| text.as_str()).collect());
            (seen, json!(args.texts("messages")))
        }
        "expect_room_attributes" => {
            let wanted: BTreeMap<String, String> = args.map("attributes").collect();
            (heard(&|room| json!(room.attributes)), json!(wanted))
        }
        "expect_room_notices" => {
            let seen = heard(&|room| {
                let notices = room.notices.iter();
                notices.map(|notice| told(notice, names)).collect()
            });
            (seen, json!(args.texts("notices")))
        }
        "expect_left_room" => (heard(&|room| json!(room.left)), json!(args.text("reason"))),
        "expect_room" => {
            let room = client.room(&room).await?;
            let seen = json!({
                "name": room.name,
                "member_count": room.member_count,
                "muted": room.muted,
                "moderators": names.plain_all(&room.moderators),
            });
            part(&seen, args, &["room"])
        }
        "expect_room_members" => {
            let newest_first = args.flag("newest_first");
            let page = client.room_members(&room, newest_first, "", 0).await?;
            let users = page.members.iter().map(|member| member.user.as_str());
            (json!(names.plain_all(users)), json!(args.texts("members")))
        }
        "expect_room_history" => {
            let forward = args.flag("forward");
            let (messages, _) = client.room_messages(&room, "", forward, 0).await?;
            let texts: Vec<String> = messages.iter().map(|it| shown(it).1).collect();
            (json!(texts), json!(args.texts("messages")))
        }
        _ => return Ok(None),
    }))
}

fn told(notice: &RoomNotice, names: &Names) -> String {
    let kind = match notice.kind {
        Some(RoomNoticeKind::Muted) => "muted",
        Some(RoomNoticeKind::Unmuted) => "unmuted",
        Some(RoomNoticeKind::Banned) => "banned",
        Some(RoomNoticeKind::BanLifted) => "ban_lifted",
        Some(RoomNoticeKind::AllMuted) => "all_muted",
        Some(RoomNoticeKind::AllUnmuted) => "all_unmuted",
        Some(RoomNoticeKind::Removed) => "removed",
        Some(RoomNoticeKind::Changed) => "changed",
        None => "unknown",
    };
    let mut text = kind.to_owned();
    if !notice.users.is_empty() {
        text += " ";
        text += &names.plain_all(&notice.users).join(", ");
    }
    text += " by ";
    text += &match notice.operator.as_str() {
        "" => "backend".to_owned(),
        operator => names.plain(operator),
    };
    if !notice.extra.is_empty() {
        text += ": ";
        text += &notice.extra;
    }
    text
}
