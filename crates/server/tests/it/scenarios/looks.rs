//! What expectations see, and what they want; equal when they hold.

use anser_sdk::Client;
use anser_sdk::driver::LocalDatabase;
use anser_sdk::model::{
    GroupChange, GroupMember, GroupRole, GroupUserPage, JoinMode, Message, Mute,
};
use serde_json::{Map, Value, json};

use super::actors::{Actor, Names};
use super::args::Args;
use super::steps::Failure;
use super::{Stage, created, local, media, people, rooms, system};

/// What is seen, and what is wanted.
pub(super) type Look = Result<(Value, Value), Failure>;

pub(super) async fn look(stage: &Stage, name: &str, args: &Args, actor: &Actor) -> Look {
    let names = &stage.names;
    match name {
        "expect_timeline" | "expect_history" | "expect_received" | "expect_transient"
        | "expect_mentions" => messages(name, args, actor, names).await,
        "expect_unread" | "expect_total" | "expect_list" | "expect_conversation" => {
            rows(name, args, actor, names).await
        }
        "expect_position" | "expect_acknowledged" | "expect_readers" => {
            receipts(name, args, actor, names).await
        }
        _ => {
            if let Some(seen) = created::look(name, args, &actor.client, names).await? {
                return Ok(seen);
            }
            if let Some(seen) = system::look(name, args, &actor.client, names).await? {
                return Ok(seen);
            }
            if let Some(seen) = local::look(name, args, &actor.client, names).await? {
                return Ok(seen);
            }
            if let Some(seen) = media::look(stage, name, args, actor).await? {
                return Ok(seen);
            }
            if let Some(seen) = people::look(name, args, actor, names).await? {
                return Ok(seen);
            }
            if let Some(seen) = rooms::look(name, args, actor, names).await? {
                return Ok(seen);
            }
            groups(name, args, actor, names).await
        }
    }
}

/// Only those parts of what is seen that are wanted.
pub(super) fn part(seen: &Value, args: &Args, but: &[&str]) -> (Value, Value) {
    let but = [&["on"], but].concat();
    let keys = args.others(&but);
    let wanted = keys
        .iter()
        .filter_map(|key| Some((key.clone(), args.get(key)?.clone())));
    let wanted: Map<String, Value> = wanted.collect();
    let seen = keys
        .iter()
        .filter_map(|key| Some((key.clone(), seen.get(key)?.clone())));
    let seen: Map<String, Value> = seen.filter(|(_, value)| !value.is_null()).collect();
    (seen.into(), wanted.into())
}

/// What a notice tells of.
fn kind(change: &GroupChange) -> &'static str {
    match change {
        GroupChange::Created => "created",
        GroupChange::Added => "added",
        GroupChange::Removed => "removed",
        GroupChange::Quit => "quit",
        GroupChange::Dismissed => "dismissed",
        GroupChange::Updated { .. } => "updated",
        GroupChange::Transferred => "transferred",
        GroupChange::RoleSet { .. } => "role-set",
        GroupChange::RoleDefined { .. } => "role-defined",
        GroupChange::MemberUpdated { .. } => "member-updated",
        GroupChange::Muted { .. } => "muted",
        GroupChange::Exempted(_) => "exempted",
        GroupChange::Banned { .. } => "banned",
        GroupChange::Joined => "joined",
        GroupChange::Invited => "invited",
        GroupChange::Declined => "declined",
        GroupChange::Other => "unknown",
    }
}

/// A message in the words of scenarios.
fn view(message: &Message, names: &Names) -> Value {
    let sorted = |users: &[String]| {
        let mut users = names.plain_all(users);
        users.sort();
        users
    };
    let state = message.state.as_ref();
    let recall = state.and_then(|state| state.recall.as_ref());
    let notice = message.content.as_group_notice();
    let text = match (recall, &notice, message.content.as_text()) {
        (Some(_), ..) => "(recalled)".to_owned(),
        (None, Some(notice), _) => format!("[{}]", kind(&notice.change)),
        (None, None, Some(text)) => text.to_owned(),
        (None, None, None) => format!("<{}>", message.content.kind),
    };
    let edits = state
        .and_then(|state| state.edit.as_ref())
        .map_or(0, |edit| edit.count);
    let reactions = state.into_iter().flat_map(|state| &state.reactions);
    let reactions = reactions.map(|one| (one.reaction.clone(), json!(sorted(&one.users))));
    let expansion = state.into_iter().flat_map(|state| &state.expansion);
    let expansion = expansion.map(|one| (one.key.clone(), json!(one.value)));
    let mentions = match &message.mention {
        Some(mention) if mention.all => json!("all"),
        Some(mention) => json!(sorted(&mention.users)),
        None => json!([]),
    };
    json!({
        "seq": message.seq,
        "sender": names.plain(&message.sender),
        "text": text,
        "type": message.content.kind,
        "recalled_by": recall.map(|recall| names.plain(&recall.operator)),
        "edits": edits,
        "reactions": reactions.collect::<Map<String, Value>>(),
        "expansion": expansion.collect::<Map<String, Value>>(),
        "mentions": mentions,
        "targets": sorted(&message.targets),
        "notice": notice.as_ref().map(|notice| kind(&notice.change)),
        "users": notice.map(|notice| sorted(&notice.users)).unwrap_or_default(),
    })
}

/// Messages as far as they are wanted to be something.
pub(super) fn compare<'a>(
    messages: impl IntoIterator<Item = &'a Message>,
    args: &Args,
    names: &Names,
) -> (Value, Value) {
    let wanted = args.get("messages").cloned().unwrap_or_default();
    let seen = messages.into_iter().enumerate().map(|(i, message)| {
        let all = view(message, names);
        match wanted.get(i).and_then(Value::as_object) {
            None => all["text"].clone(),
            Some(want) => {
                let parts = want.keys().map(|key| (key.clone(), all[key].clone()));
                let parts = parts.filter(|(_, value)| !value.is_null());
                Value::Object(parts.collect())
            }
        }
    });
    (seen.collect(), wanted)
}

async fn messages(name: &str, args: &Args, actor: &Actor, names: &Names) -> Look {
    let at = names.conversation(&args.text("in"));
    let here = |messages: &[Message]| -> Vec<Message> {
        let here = messages.iter().filter(|message| message.conversation == at);
        here.cloned().collect()
    };
    Ok(match name {
        "expect_timeline" => {
            let shown = actor.timeline(&at).await;
            let (items, loading) = {
                let shown = shown.lock().unwrap();
                (shown.0.clone(), shown.1.loading)
            };
            let (seen, wanted) = compare(items.iter().map(|item| &item.message), args, names);
            (if loading { json!("not loaded") } else { seen }, wanted)
        }
        "expect_history" => {
            let limit = args.small("limit");
            let client = &actor.client;
            let messages = match (args.maybe_number("before"), args.maybe_number("after")) {
                (_, Some(after)) => client.history_after(at, after, limit).await?.messages,
                (before, None) => {
                    let before = before.unwrap_or(0);
                    let mut page = client.history_before(at, before, limit).await?;
                    page.messages.reverse();
                    page.messages
                }
            };
            compare(&messages, args, names)
        }
        "expect_received" => {
            let received = here(&actor.heard.lock().unwrap().received);
            compare(&received, args, names)
        }
        "expect_transient" => {
            let transient = here(&actor.heard.lock().unwrap().transient);
            let kinds = transient.iter().map(|message| &message.content.kind);
            (json!(kinds.collect::<Vec<_>>()), json!(args.texts("types")))
        }
        _ => {
            let messages = actor.client.mentions(at).await?;
            let seqs = messages.iter().map(|message| message.seq);
            (json!(seqs.collect::<Vec<_>>()), json!(args.numbers("seqs")))
        }
    })
}

pub(super) fn database(client: &Client) -> &LocalDatabase {
    client.database().expect("every actor has one")
}

async fn rows(name: &str, args: &Args, actor: &Actor, names: &Names) -> Look {
    let database = database(&actor.client);
    let at = names.conversation(&args.text("in"));
    Ok(match name {
        "expect_unread" => {
            let row = database.conversation(at).await?.unwrap_or_default();
            let seen = json!({ "unread": row.unread, "mentions": row.unread_mentions });
            let seen = if row.id.is_empty() { json!({}) } else { seen };
            part(&seen, args, &["in"])
        }
        "expect_total" => {
            let total = database.unread().await?.unread;
            (json!(total), json!(args.number("unread")))
        }
        "expect_list" => {
            let rows = actor.list.lock().unwrap().0.clone();
            let rows = rows
                .iter()
                .filter(|row| row.member || row.invitation.is_some());
            let ids = names.plain_all(rows.map(|row| &row.id));
            (json!(ids), json!(args.texts("conversations")))
        }
        _ => {
            let seen = database.conversation(at).await?.map(|row| {
                let muted = match row.muted {
                    Mute::None => "none",
                    Mute::ExceptMentions => "except-mentions",
                    Mute::All => "all",
                };
                json!({
                    "name": row.name,
                    "newest": row.newest.map(|newest| view(&newest, names)["text"].clone()),
                    "pinned": row.pinned,
                    "muted": muted,
                    "hidden": row.hidden,
                    "marks": row.marks,
                    "draft": row.draft,
                    "member": row.member,
                    "invited_by": row.invitation.map(|one| names.plain(&one.operator)),
                    "read_seq": row.read_seq,
                    "first_seq": row.first_seq,
                })
            });
            part(&seen.unwrap_or_default(), args, &["in"])
        }
    })
}

async fn receipts(name: &str, args: &Args, actor: &Actor, names: &Names) -> Look {
    let at = names.conversation(&args.text("in"));
    let seq = args.number("seq");
    Ok(match name {
        "expect_position" => {
            let key = (at, names.user(&args.text("user")));
            let position = actor.heard.lock().unwrap().positions.get(&key).copied();
            let seen =
                position.map(|(delivered, read)| json!({ "delivered": delivered, "read": read }));
            part(&seen.unwrap_or_default(), args, &["in", "user"])
        }
        "expect_acknowledged" => {
            let heard = actor.heard.lock().unwrap();
            let told = heard.acknowledged.iter();
            let told = told.filter(|(conversation, of, _)| *conversation == at && *of == seq);
            let mut users = names.plain_all(told.map(|(_, _, user)| user));
            users.sort();
            (json!(users), json!(args.texts("users")))
        }
        _ => {
            let acknowledged = args.flag("acknowledged");
            let page = actor.client.readers(at, seq, acknowledged, "", 0).await?;
            let mut seen = names.plain_all(&page.users);
            seen.sort();
            let users = args.texts("users");
            (
                json!([seen, page.count, page.of]),
                json!([users, users.len(), args.number("of")]),
            )
        }
    })
}

fn role_name(role: GroupRole) -> &'static str {
    match role {
        GroupRole::Member => "member",
        GroupRole::Admin => "admin",
        GroupRole::Owner => "owner",
        GroupRole::Other => "unknown",
    }
}

/// A member's role, and what they are called.
pub(super) fn called(member: &GroupMember) -> String {
    let role = match member.role_name.as_str() {
        "" => role_name(member.role),
        own => own,
    };
    match member.nickname.as_str() {
        "" => role.to_owned(),
        nickname => format!("{role} ({nickname})"),
    }
}

fn join_name(join: JoinMode) -> &'static str {
    match join {
        JoinMode::Approval => "approval",
        JoinMode::Public => "public",
        JoinMode::Closed => "closed",
        JoinMode::Other => "unknown",
    }
}

pub(super) fn users(page: &GroupUserPage, args: &Args, names: &Names) -> (Value, Value) {
    let users = names.plain_all(page.users.iter().map(|user| &user.user_id));
    (json!(users), json!(args.texts("users")))
}

async fn groups(name: &str, args: &Args, actor: &Actor, names: &Names) -> Look {
    let (client, group) = (&actor.client, names.user(&args.text("group")));
    Ok(match name {
        "expect_group" => {
            let group = client.group(group).await?;
            let seen = json!({
                "name": group.name,
                "owner": names.plain(&group.owner),
                "admins": names.plain_all(&group.admins),
                "members": group.member_count,
                "announcement": group.announcement,
                "attributes": group.attributes,
                "join": join_name(group.settings.join),
                "muted": group.settings.muted,
            });
            part(&seen, args, &["group"])
        }
        "expect_members" => {
            let page = client.group_members(group, "", 0).await?;
            let members = page.members.iter();
            let members = members.map(|one| (names.plain(&one.user_id), json!(called(one))));
            let wanted = args.get("members").cloned().unwrap_or_default();
            (Value::Object(members.collect()), wanted)
        }
        "expect_requests" => users(&client.join_requests(group, "", 0).await?, args, names),
        "expect_invited" => users(&client.group_invitations(group, "", 0).await?, args, names),
        "expect_banned" => users(&client.group_bans(group, "", 0).await?, args, names),
        "expect_join_request" => {
            let heard = actor.heard.lock().unwrap();
            let told = heard.join_requests.iter().filter(|(of, _)| *of == group);
            let told = names.plain_all(told.map(|(_, told)| told));
            (json!(told), json!(args.texts("told")))
        }
        _ => return Err(format!("there is no step {name}").into()),
    })
}
