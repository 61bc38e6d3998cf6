//! Clients, as the back end sees them: who is connected, what they have not read, where they
//! subscribe; and putting one out.

use anser_domain::{ConversationId, UserId};
use axum::Json;
use axum::extract::Path;
use serde_json::{Value, json};

use super::call::{Call, user};
use super::failure::{Answer, Failure};
use crate::leancloud::ids;
use crate::leancloud::query;
use crate::leancloud::query::Place;
use crate::leancloud::rows;

/// Clients that are asked about at once.
const ASKED_MAX: usize = 20;
/// Conversations of a client that are looked at.
const CONVERSATIONS_MAX: usize = 1_000;
const PAGE: usize = 100;
/// Service conversations on a page.
const SERVICES_DEFAULT: u64 = 50;

/// Those of these clients who are connected.
pub(super) async fn online(call: &Call, users: &[UserId]) -> Result<Vec<String>, Failure> {
    let mut online = Vec::new();
    for user in users {
        if !call
            .door
            .engine
            .sessions(call.app.id, user)
            .await?
            .is_empty()
        {
            online.push(user.to_string());
        }
    }
    Ok(online)
}

pub(super) async fn check_online(call: Call) -> Answer {
    call.check_master()?;
    let users = call.some_users("client_ids", ASKED_MAX)?;
    Ok(Json(json!({"results": online(&call, &users).await?})))
}

pub(super) async fn kick(Path(client): Path<String>, call: Call) -> Answer {
    call.check_master()?;
    let user = user("client", &client)?;
    call.door.engine.sign_out(call.app.id, &user, None).await?;
    Ok(Json(json!({})))
}

pub(super) async fn unread(Path(client): Path<String>, call: Call) -> Answer {
    call.check_master()?;
    let user = user("client", &client)?;
    let count = match call.text("conv_id").filter(|id| !id.is_empty()) {
        Some(id) => unread_of(&call, &user, id).await?,
        None => {
            let views = views(&call, &user).await?;
            views.iter().map(|(_, unread)| unread).sum()
        }
    };
    Ok(Json(json!({"count": count})))
}

/// What a client has not read of a conversation.
pub(super) async fn unread_of(call: &Call, user: &UserId, id: &str) -> Result<u64, Failure> {
    let subject = query::lookup(&call.door, call.app.id, id).await?;
    let conversation = match subject.place {
        Place::Plain(conversation) => conversation,
        Place::System(system) => ConversationId::System(system),
        // Nobody's unread messages are counted there.
        Place::Room(_) => return Ok(0),
    };
    let engine = &call.door.engine;
    let view = engine
        .conversation(call.app.id, user, &conversation)
        .await?;
    Ok(view.unread)
}

/// A client's conversations, with what is unread in each.
async fn views(call: &Call, user: &UserId) -> Result<Vec<(ConversationId, u64)>, Failure> {
    let (mut all, mut cursor) = (Vec::new(), String::new());
    while all.len() < CONVERSATIONS_MAX {
        let page = call
            .door
            .engine
            .conversations(call.app.id, user, &cursor, PAGE)
            .await?;
        for view in &page.conversations {
            if let Ok(id) = ConversationId::parse(&view.id)
                && ids::object_id(&view.id).is_some()
            {
                all.push((id, view.unread));
            }
        }
        cursor = page.cursor;
        if cursor.is_empty() {
            break;
        }
    }
    Ok(all)
}

/// The service conversations that a client is subscribed to, the newest first.
pub(super) async fn services(Path(client): Path<String>, call: Call) -> Answer {
    call.check_master()?;
    let user = user("client", &client)?;
    let limit = call.number("limit")?.unwrap_or(SERVICES_DEFAULT);
    let limit = usize::try_from(limit.min(SERVICES_DEFAULT)).unwrap_or(1);
    let mut found: Vec<Value> = Vec::new();
    for (id, _) in views(&call, &user).await? {
        let ConversationId::System(id) = id else {
            continue;
        };
        if found.len() >= limit {
            break;
        }
        let engine = &call.door.engine;
        let since = engine.subscribed_since(call.app.id, &id, &user).await?;
        let system = engine.system(call.app.id, &id).await?;
        let mut row = Value::Object(rows::of_system(&system));
        row["conv_id"] = id.as_str().into();
        row["timestamp"] = since.unwrap_or_default().0.into();
        row["subscriber"] = user.as_str().into();
        found.push(row);
    }
    Ok(Json(found.into()))
}
