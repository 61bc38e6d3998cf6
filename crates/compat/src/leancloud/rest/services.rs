//! Service conversations' subscribers.

use anser_domain::{GroupId, UserId};
use axum::Json;
use axum::extract::Path;
use serde_json::{Value, json};

use super::call::{Call, user};
use super::conversations::system;
use super::failure::Answer;

/// Subscribers on a page.
const PAGE_MAX: u64 = 50;
/// Subscribers that are counted, and how many at a time.
const COUNTED_MAX: usize = 200_000;
const COUNTED_AT_ONCE: usize = 500;

async fn change(call: &Call, id: &GroupId, users: &[UserId], subscribe: bool) -> Answer {
    let engine = &call.door.engine;
    engine.subscribe(call.app.id, id, users, subscribe).await?;
    Ok(Json(json!({})))
}

pub(super) async fn subscribe(Path(id): Path<String>, call: Call) -> Answer {
    call.check_master()?;
    let system = system(&call, &id).await?;
    change(&call, &system, &[call.user("client_id")?], true).await
}

pub(super) async fn unsubscribe(Path((id, client)): Path<(String, String)>, call: Call) -> Answer {
    call.check_master()?;
    let system = system(&call, &id).await?;
    change(&call, &system, &[user("client", &client)?], false).await
}

/// A page of subscribers: those behind `client_id`.
pub(super) async fn list(Path(id): Path<String>, call: Call) -> Answer {
    call.check_master()?;
    let system = system(&call, &id).await?;
    let limit = call.number("limit")?.unwrap_or(PAGE_MAX).clamp(1, PAGE_MAX);
    let limit = usize::try_from(limit).unwrap_or(1);
    let after = call.text("client_id").unwrap_or_default();
    let engine = &call.door.engine;
    let page = engine
        .subscribers(call.app.id, &system, after, limit)
        .await?;
    let subscribers = page.subscribers.iter().map(
        |(user, since)| json!({"timestamp": since.0, "subscriber": user.as_str(), "conv_id": id}),
    );
    Ok(Json(subscribers.collect::<Vec<Value>>().into()))
}

pub(super) async fn count(Path(id): Path<String>, call: Call) -> Answer {
    call.check_master()?;
    let system = system(&call, &id).await?;
    let (mut count, mut cursor) = (0, String::new());
    while count < COUNTED_MAX {
        let page = call
            .door
            .engine
            .subscribers(call.app.id, &system, &cursor, COUNTED_AT_ONCE)
            .await?;
        count += page.subscribers.len();
        cursor = page.cursor;
        if cursor.is_empty() {
            break;
        }
    }
    Ok(Json(json!({"count": count})))
}
