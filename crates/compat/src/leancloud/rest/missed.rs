//! What clients that are away have to hear of a change by the back end, when they come back.
//!
//! Who is connected hears of it by the conversation's notice, as of every change; this is the copy
//! for `/1.1/rtm/notifications`.

use anser_domain::UserId;
use serde_json::json;

use super::call::Call;
use crate::leancloud::iso;

/// They are in the conversation from now on.
pub(super) async fn joined(call: &Call, cid: &str, users: &[UserId]) {
    tell(call, "joined", cid, users).await;
    tell(call, "members_joined", cid, users).await;
}

/// They are in it no more.
pub(super) async fn left(call: &Call, cid: &str, users: &[UserId]) {
    tell(call, "left", cid, users).await;
}

async fn tell(call: &Call, op: &str, cid: &str, users: &[UserId]) {
    if users.is_empty() {
        return;
    }
    let now = call.door.env.now();
    let members: Vec<&str> = users.iter().map(UserId::as_str).collect();
    let body = json!({
        "cmd": "conv",
        "op": op,
        "serverTs": now.0,
        "notificationType": 1,
        "cid": cid,
        "udate": iso::text(now),
        "m": members,
    });
    let body = body.to_string().into();
    let noted = call
        .door
        .engine
        .append_notice(call.app.id, users, now, &body);
    if let Err(reject) = noted.await {
        // The change itself is made, and everybody who is connected has heard of it.
        tracing::warn!(%reject, op, "a change was not noted for those who are away");
    }
}
