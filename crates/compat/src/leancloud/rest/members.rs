//! Who is in a conversation, and what they may do there: members, mutes of notifications, roles,
//! silences, block lists.

use anser_domain::group::role::NewRole;
use anser_domain::limits::BAN_SECONDS_MAX;
use anser_domain::settings::{Mute, SettingsChange};
use anser_domain::{Timestamp, UserId};
use anser_engine::group::{By, GroupChange, Members};
use anser_engine::room::{List, Moderation, Telling};
use axum::Json;
use axum::extract::Path;
use serde_json::json;

use super::call::Call;
use super::clients::{info_id, infos};
use super::conversations::{plain, room};
use super::failure::{Answer, Failure};
use super::missed;
use crate::leancloud::error::{Kind, Refusal};
use crate::leancloud::{iso, query};

/// Client ids in a request.
const CLIENTS_MAX: usize = 500;
/// Client ids on a page.
const PAGE_MAX: u64 = 500;
/// Seconds of a silence that has an end.
const SILENCE_SECONDS_MAX: u64 = 86_400;
/// Seconds of one that has none.
const FOR_EVER: u64 = BAN_SECONDS_MAX;

async fn change(call: &Call, id: &str, change: GroupChange) -> Answer {
    call.check_master()?;
    let conversation = plain(call, id).await?;
    let changed = call
        .door
        .engine
        .change_created(call.app.id, By::Server, &conversation, change)
        .await?;
    let updated = iso::text(changed.updated.max(changed.created));
    Ok(Json(json!({"objectId": id, "updatedAt": updated})))
}

pub(super) async fn add(Path(id): Path<String>, call: Call) -> Answer {
    let users = call.some_users("client_ids", CLIENTS_MAX)?;
    let before = of(&call, &id).await?;
    let answer = change(&call, &id, GroupChange::Add(users.clone())).await?;
    let new: Vec<UserId> = users
        .into_iter()
        .filter(|it| !before.contains(it))
        .collect();
    missed::joined(&call, &id, &new).await;
    Ok(answer)
}

/// The members of a conversation.
async fn of(call: &Call, id: &str) -> Result<Vec<UserId>, Failure> {
    call.check_master()?;
    let conversation = plain(call, id).await?;
    Ok(query::members(&call.door, call.app.id, &conversation).await?)
}

pub(super) async fn remove(Path(id): Path<String>, call: Call) -> Answer {
    let users = call.some_users("client_ids", CLIENTS_MAX)?;
    let before = of(&call, &id).await?;
    let answer = change(&call, &id, GroupChange::Remove(users.clone())).await?;
    let gone: Vec<UserId> = users.into_iter().filter(|it| before.contains(it)).collect();
    missed::left(&call, &id, &gone).await;
    Ok(answer)
}

pub(super) async fn list(Path(id): Path<String>, call: Call) -> Answer {
    let members = of(&call, &id).await?;
    let members: Vec<&str> = members.iter().map(UserId::as_str).collect();
    Ok(Json(json!({"result": members})))
}

// ───────────── chat rooms ─────────────

pub(super) async fn in_room(Path(id): Path<String>, call: Call) -> Answer {
    call.check_master()?;
    let room = room(&call, &id).await?;
    let page = call
        .door
        .engine
        .room_members(call.app.id, &room, true, "", 0)
        .await?;
    let members: Vec<&str> = page.members.iter().map(|(user, _)| user.as_str()).collect();
    Ok(Json(json!({"result": members})))
}

pub(super) async fn count_in_room(Path(id): Path<String>, call: Call) -> Answer {
    call.check_master()?;
    let room = room(&call, &id).await?;
    let view = call.door.engine.room(call.app.id, None, &room).await?;
    Ok(Json(json!({"result": view.member_count})))
}

// ───────────── notifications ─────────────

async fn mute(call: &Call, id: &str, mute: Mute) -> Answer {
    call.check_master()?;
    let users = call.some_users("client_ids", CLIENTS_MAX)?;
    let conversation = plain(call, id).await?;
    let change = SettingsChange {
        muted: Some(mute),
        ..SettingsChange::default()
    };
    for user in &users {
        call.door
            .engine
            .update_conversation(call.app.id, user, &conversation, &change)
            .await?;
    }
    let updated = iso::text(call.door.env.now());
    Ok(Json(json!({"objectId": id, "updatedAt": updated})))
}

pub(super) async fn mute_on(Path(id): Path<String>, call: Call) -> Answer {
    mute(&call, &id, Mute::All).await
}

pub(super) async fn mute_off(Path(id): Path<String>, call: Call) -> Answer {
    mute(&call, &id, Mute::None).await
}

pub(super) async fn muted(Path(id): Path<String>, call: Call) -> Answer {
    call.check_master()?;
    let conversation = plain(&call, &id).await?;
    let mut muted = Vec::new();
    for user in query::members(&call.door, call.app.id, &conversation).await? {
        let view = call
            .door
            .engine
            .conversation(call.app.id, &user, &conversation)
            .await;
        if view.is_ok_and(|view| view.settings.muted != Mute::None) {
            muted.push(user.to_string());
        }
    }
    Ok(Json(json!({"result": muted})))
}

// ───────────── roles ─────────────

async fn give(call: &Call, id: &str, user: UserId, role: NewRole) -> Answer {
    let info = info_id(id, user.as_str());
    let users = vec![user];
    let mut answer = change(call, id, GroupChange::SetRole { users, role }).await?;
    answer.0["objectId"] = info.into();
    Ok(answer)
}

fn role(call: &Call) -> Result<NewRole, Failure> {
    match call.need("role")? {
        "Manager" => Ok(NewRole::Admin),
        "Member" => Ok(NewRole::Member),
        _ => Err(Refusal::from(Kind::UnknownConversationRole).into()),
    }
}

pub(super) async fn add_info(Path(id): Path<String>, call: Call) -> Answer {
    let (user, role) = (call.user("clientId")?, role(&call)?);
    give(&call, &id, user, role).await
}

/// The manager whom a row is about.
async fn of_info(call: &Call, id: &str, info: &str) -> Result<UserId, Failure> {
    call.check_master()?;
    let conversation = plain(call, id).await?;
    let group = call
        .door
        .engine
        .created(call.app.id, By::Server, &conversation)
        .await?;
    let admin = group.admins.iter().find(|admin| info_id(id, admin) == info);
    let admin = admin.ok_or_else(Failure::not_found)?;
    super::call::user("clientId", admin)
}

pub(super) async fn change_info(Path((id, info)): Path<(String, String)>, call: Call) -> Answer {
    let user = of_info(&call, &id, &info).await?;
    let role = role(&call)?;
    give(&call, &id, user, role).await
}

pub(super) async fn remove_info(Path((id, info)): Path<(String, String)>, call: Call) -> Answer {
    let user = of_info(&call, &id, &info).await?;
    drop(give(&call, &id, user, NewRole::Member).await?);
    Ok(Json(json!({})))
}

pub(super) async fn list_infos(Path(id): Path<String>, call: Call) -> Answer {
    call.check_master()?;
    let conversation = plain(&call, &id).await?;
    let group = call
        .door
        .engine
        .created(call.app.id, By::Server, &conversation)
        .await?;
    Ok(Json(json!({"results": infos(&id, &group)})))
}

// ───────────── silences and block lists ─────────────

/// A list of a conversation, or of a chat room.
#[derive(Copy, Clone)]
enum Kept {
    Silenced,
    Blocked,
}

async fn keep(call: &Call, id: &str, kept: Kept, users: Vec<UserId>, seconds: u64) -> Answer {
    let until = call.door.engine.until(seconds);
    let change_it = match kept {
        Kept::Silenced => GroupChange::Mute { users, until },
        Kept::Blocked => GroupChange::Ban { users, until },
    };
    drop(change(call, id, change_it).await?);
    Ok(Json(json!({})))
}

async fn keep_in_room(
    call: &Call,
    id: &str,
    kept: Kept,
    users: Vec<UserId>,
    seconds: u64,
) -> Answer {
    call.check_master()?;
    let room = room(call, id).await?;
    let list = match kept {
        Kept::Silenced => List::Muted,
        Kept::Blocked => List::Banned,
    };
    let what = Moderation::List(list, users, seconds);
    let telling = Telling {
        notify: true,
        ..Telling::default()
    };
    call.door
        .engine
        .moderate_room(call.app.id, None, &room, &what, &telling)
        .await?;
    Ok(Json(json!({})))
}

/// A page of a list: client ids, and where the next page begins.
async fn kept(call: &Call, id: &str, kept: Kept) -> Answer {
    call.check_master()?;
    let conversation = plain(call, id).await?;
    let (next, limit) = (call.text("next").unwrap_or_default(), limit(call)?);
    let (engine, app) = (&call.door.engine, call.app.id);
    let (users, next) = match kept {
        Kept::Silenced => {
            let which = Members::Muted;
            let page = engine.created_members(app, By::Server, &conversation, which, next, limit);
            let page = page.await?;
            let users: Vec<UserId> = page.members.into_iter().map(|one| one.user).collect();
            (users, page.cursor)
        }
        Kept::Blocked => {
            let page = engine.created_blocks(app, By::Server, &conversation, next, limit);
            let page = page.await?;
            let users: Vec<UserId> = page.users.into_iter().map(|one| one.user).collect();
            (users, page.cursor)
        }
    };
    Ok(Json(page(&users, &next)))
}

fn limit(call: &Call) -> Result<usize, Failure> {
    let limit = call.number("limit")?.unwrap_or(0).min(PAGE_MAX);
    Ok(usize::try_from(limit).unwrap_or(0))
}

fn page(users: &[UserId], next: &str) -> serde_json::Value {
    let users: Vec<&str> = users.iter().map(UserId::as_str).collect();
    let mut page = json!({"client_ids": users});
    if !next.is_empty() {
        page["next"] = next.into();
    }
    page
}

async fn kept_in_room(call: &Call, id: &str, list: List) -> Answer {
    call.check_master()?;
    let room = room(call, id).await?;
    let (next, limit) = (call.text("next").unwrap_or_default(), limit(call)?);
    let (users, next): (Vec<(UserId, Timestamp)>, String) = call
        .door
        .engine
        .room_list(call.app.id, &room, list, next, limit)
        .await?;
    let users: Vec<UserId> = users.into_iter().map(|(user, _)| user).collect();
    Ok(Json(page(&users, &next)))
}

fn ttl(call: &Call) -> Result<u64, Failure> {
    match call.number("ttl")? {
        Some(ttl) if (1..=SILENCE_SECONDS_MAX).contains(&ttl) => Ok(ttl),
        _ => Err(Failure::invalid("ttl is 1–86400 seconds")),
    }
}

pub(super) async fn silence_for(Path(id): Path<String>, call: Call) -> Answer {
    let (users, seconds) = (vec![call.user("client_id")?], ttl(&call)?);
    keep(&call, &id, Kept::Silenced, users, seconds).await
}

pub(super) async fn silence_for_no_more(Path(id): Path<String>, call: Call) -> Answer {
    let users = vec![call.user("client_id")?];
    keep(&call, &id, Kept::Silenced, users, 0).await
}

pub(super) async fn silence_in_room_for(Path(id): Path<String>, call: Call) -> Answer {
    let (users, seconds) = (vec![call.user("client_id")?], ttl(&call)?);
    keep_in_room(&call, &id, Kept::Silenced, users, seconds).await
}

pub(super) async fn silence_in_room_for_no_more(Path(id): Path<String>, call: Call) -> Answer {
    let users = vec![call.user("client_id")?];
    keep_in_room(&call, &id, Kept::Silenced, users, 0).await
}

pub(super) async fn silence(Path(id): Path<String>, call: Call) -> Answer {
    let users = call.some_users("client_ids", CLIENTS_MAX)?;
    keep(&call, &id, Kept::Silenced, users, FOR_EVER).await
}

pub(super) async fn silence_no_more(Path(id): Path<String>, call: Call) -> Answer {
    let users = call.some_users("client_ids", CLIENTS_MAX)?;
    keep(&call, &id, Kept::Silenced, users, 0).await
}

pub(super) async fn silenced(Path(id): Path<String>, call: Call) -> Answer {
    kept(&call, &id, Kept::Silenced).await
}

pub(super) async fn block(Path(id): Path<String>, call: Call) -> Answer {
    let users = call.some_users("client_ids", CLIENTS_MAX)?;
    keep(&call, &id, Kept::Blocked, users, FOR_EVER).await
}

pub(super) async fn unblock(Path(id): Path<String>, call: Call) -> Answer {
    let users = call.some_users("client_ids", CLIENTS_MAX)?;
    keep(&call, &id, Kept::Blocked, users, 0).await
}

pub(super) async fn blocked(Path(id): Path<String>, call: Call) -> Answer {
    kept(&call, &id, Kept::Blocked).await
}

pub(super) async fn silence_in_room(Path(id): Path<String>, call: Call) -> Answer {
    let users = call.some_users("client_ids", CLIENTS_MAX)?;
    keep_in_room(&call, &id, Kept::Silenced, users, FOR_EVER).await
}

pub(super) async fn silence_in_room_no_more(Path(id): Path<String>, call: Call) -> Answer {
    let users = call.some_users("client_ids", CLIENTS_MAX)?;
    keep_in_room(&call, &id, Kept::Silenced, users, 0).await
}

pub(super) async fn silenced_in_room(Path(id): Path<String>, call: Call) -> Answer {
    kept_in_room(&call, &id, List::Muted).await
}

pub(super) async fn block_in_room(Path(id): Path<String>, call: Call) -> Answer {
    let users = call.some_users("client_ids", CLIENTS_MAX)?;
    keep_in_room(&call, &id, Kept::Blocked, users, FOR_EVER).await
}

pub(super) async fn unblock_in_room(Path(id): Path<String>, call: Call) -> Answer {
    let users = call.some_users("client_ids", CLIENTS_MAX)?;
    keep_in_room(&call, &id, Kept::Blocked, users, 0).await
}

pub(super) async fn blocked_in_room(Path(id): Path<String>, call: Call) -> Answer {
    kept_in_room(&call, &id, List::Banned).await
}
