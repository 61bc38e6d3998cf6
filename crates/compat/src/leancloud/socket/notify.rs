//! What clients that are away ask for when they come back: changes that concern themselves.

use anser_domain::{Timestamp, UserId};
use serde_json::json;

use super::caller::Caller;
use super::event::millis;
use crate::leancloud::iso;

/// Writes down what these clients are told of a change.
pub(super) async fn tell(caller: &Caller, op: &str, cid: &str, users: &[UserId], time: Timestamp) {
    let members: Vec<&str> = users.iter().map(UserId::as_str).collect();
    let body = json!({
        "cmd": "conv",
        "op": op,
        "serverTs": millis(time),
        "notificationType": 1,
        "cid": cid,
        "initBy": caller.user.as_str(),
        "udate": iso::text(time),
        "m": members,
    });
    let (engine, app) = (caller.engine(), caller.app_id());
    let body = body.to_string().into();
    let noted = engine.append_notice(app, users, time, &body);
    if let Err(reject) = noted.await {
        // The change itself is made, and everybody who is connected has heard of it.
        tracing::warn!(%reject, op, "a change was not noted for those who are away");
    }
}

/// These clients are in a conversation from now on.
pub(super) async fn joined(caller: &Caller, cid: &str, users: &[UserId], time: Timestamp) {
    tell(caller, "joined", cid, users, time).await;
    tell(caller, "members_joined", cid, users, time).await;
}
