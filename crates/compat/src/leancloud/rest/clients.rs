//! What clients ask for beside their WebSocket: notifications that they missed, and who manages a
//! conversation.

use anser_domain::{Timestamp, UserId};
use anser_engine::group::{By, Group};
use axum::Json;
use serde_json::{Value, json};

use super::call::Call;
use super::failure::{Answer, Failure};
use crate::leancloud::{ids, rows};

/// Notifications of an answer.
const NOTIFICATIONS_MAX: usize = 100;

/// `GET /1.1/rtm/notifications`: what a client was told while it was away. One form says which
/// kind it wants; the other gets all, divided into what must be told and what may be lost.
pub(super) async fn notifications(call: Call) -> Answer {
    let user = the_client(&call)?;
    let after = Timestamp(call.number("start_ts")?.unwrap_or(0));
    let page = call
        .door
        .engine
        .notices(call.app.id, &user, after, NOTIFICATIONS_MAX)
        .await?;
    let told = page
        .notices
        .iter()
        .filter_map(|(_, body)| serde_json::from_slice::<Value>(body).ok());
    let (permanent, droppable): (Vec<Value>, Vec<Value>) =
        told.partition(|notice| notice["notificationType"] == 1);
    let kind = call.text("notification_type");
    Ok(Json(match kind {
        Some("permanent") => json!({"hasMore": page.more, "notifications": permanent}),
        Some("droppable") => json!({"hasMore": page.more, "notifications": droppable}),
        Some(_) => {
            let error = "notification_type is permanent or droppable";
            return Err(Failure::invalid(error));
        }
        None => json!({
            "permanent": {"hasMore": page.more, "notifications": permanent},
            "droppable": {
                "hasMore": page.more,
                "notifications": droppable,
                "invalidLocalConvCache": false,
            },
        }),
    }))
}

/// The client that asks: by its session, or in whose name the back end asks.
fn the_client(call: &Call) -> Result<UserId, Failure> {
    let named = match call.text("client_id") {
        Some(_) => Some(call.user("client_id")?),
        None => None,
    };
    match (&call.client, named) {
        (Some(client), None) => Ok(client.clone()),
        (Some(client), Some(named)) if *client == named => Ok(named),
        (None, Some(named)) if call.master => Ok(named),
        _ => Err(Failure::unauthorized()),
    }
}

/// `GET /1.1/classes/_ConversationMemberInfo`: who manages a conversation.
pub(super) async fn member_infos(call: Call) -> Answer {
    let by = match call.master && call.client.is_none() {
        true => By::Server,
        false => By::User(the_client(&call)?),
    };
    let wanted: Value = serde_json::from_str(&call.json("where")).unwrap_or_default();
    let cid = wanted["cid"].as_str().or_else(|| call.text("cid"));
    let cid = cid.ok_or_else(|| Failure::invalid("where has no cid"))?;
    let conversation = ids::conversation(cid).ok_or_else(Failure::not_found)?;
    let group = call
        .door
        .engine
        .created(call.app.id, by, &conversation)
        .await?;
    let client = wanted["clientId"].as_str();
    let skip = usize::try_from(call.number("skip")?.unwrap_or(0)).unwrap_or(usize::MAX);
    let limit = usize::try_from(call.number("limit")?.unwrap_or(100)).unwrap_or(usize::MAX);
    let rows = infos(cid, &group);
    let rows = rows
        .into_iter()
        .filter(|row| client.is_none_or(|client| row["clientId"] == client))
        .skip(skip)
        .take(limit);
    Ok(Json(json!({"results": rows.collect::<Vec<Value>>()})))
}

/// The rows of those who manage a conversation.
pub(super) fn infos(cid: &str, group: &Group) -> Vec<Value> {
    let managers = group.admins.iter();
    managers
        .map(|client| {
            json!({
                "objectId": info_id(cid, client),
                "cid": cid,
                "clientId": client,
                "role": "Manager",
            })
        })
        .collect()
}

/// The id of such a row. It follows from what the row is about, so nothing has to be kept.
pub(super) fn info_id(cid: &str, client: &str) -> String {
    let mut id = rows::unique_id(&[format!("{cid}:{client}")]);
    id.truncate(24);
    id
}
