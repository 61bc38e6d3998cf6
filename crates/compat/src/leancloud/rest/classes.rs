//! `_Conversation` as a class of objects: what SDKs for back ends write conversations with.

use anser_domain::UserId;
use anser_engine::group::{By, GroupChange};
use axum::Json;
use axum::extract::Path;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use serde_json::Value;

use super::call::{Call, user};
use super::conversations::{What, create, delete, get, list, update};
use super::failure::{Answer, Failure};
use super::missed;
use crate::leancloud::query::{self, Kinds, Place};

/// Client ids in a change of members.
const CLIENTS_MAX: usize = 500;

pub(super) async fn create_one(call: Call) -> Result<Response, Failure> {
    let what = match (call.flag("sys", false)?, call.flag("tr", false)?) {
        (true, _) => What::System,
        (_, true) => What::Room,
        _ => What::Plain,
    };
    let made = create(call, what).await?;
    Ok((StatusCode::CREATED, made).into_response())
}

pub(super) async fn find(call: Call) -> Answer {
    list(call, Kinds::ALL).await
}

pub(super) async fn get_one(Path(id): Path<String>, call: Call) -> Answer {
    get(&call, &id).await
}

/// Changes columns, and members by operations on `m`.
pub(super) async fn update_one(Path(id): Path<String>, call: Call) -> Answer {
    let subject = query::lookup(&call.door, call.app.id, &id).await?;
    if let (Some(operation), Place::Plain(conversation)) = (call.value("m"), &subject.place) {
        call.check_master()?;
        let before = query::members(&call.door, call.app.id, conversation).await?;
        for change in members(operation, &before)? {
            let changed = call.door.engine.change_created(
                call.app.id,
                By::Server,
                conversation,
                change.clone(),
            );
            changed.await?;
            match &change {
                GroupChange::Add(users) => missed::joined(&call, &id, users).await,
                GroupChange::Remove(users) => missed::left(&call, &id, users).await,
                _ => {}
            }
        }
    }
    update(&call, &id, subject).await
}

pub(super) async fn delete_one(Path(id): Path<String>, call: Call) -> Answer {
    let subject = query::lookup(&call.door, call.app.id, &id).await?;
    delete(&call, subject).await
}

fn clients(value: &Value) -> Result<Vec<UserId>, Failure> {
    let wrong = || Failure::invalid("m has what is no list of client ids, or too many");
    let list = value.as_array().filter(|list| list.len() <= CLIENTS_MAX);
    list.ok_or_else(wrong)?
        .iter()
        .map(|one| user("m", one.as_str().unwrap_or_default()))
        .collect()
}

/// What has to be done for members to be as it is said: a list of all, or an operation.
fn members(wanted: &Value, before: &[UserId]) -> Result<Vec<GroupChange>, Failure> {
    let mut changes = Vec::new();
    let mut push = |add: Vec<UserId>, remove: Vec<UserId>| {
        let add: Vec<UserId> = add.into_iter().filter(|it| !before.contains(it)).collect();
        let remove: Vec<UserId> = remove
            .into_iter()
            .filter(|it| before.contains(it))
            .collect();
        if !add.is_empty() {
            changes.push(GroupChange::Add(add));
        }
        if !remove.is_empty() {
            changes.push(GroupChange::Remove(remove));
        }
    };
    match wanted {
        Value::Array(_) => {
            let all = clients(wanted)?;
            let gone = before
                .iter()
                .filter(|it| !all.contains(it))
                .cloned()
                .collect();
            push(all, gone);
        }
        Value::Object(operation) => {
            let objects = operation.get("objects").unwrap_or(&Value::Null);
            match operation.get("__op").and_then(Value::as_str) {
                Some("Add" | "AddUnique") => push(clients(objects)?, Vec::new()),
                Some("Remove") => push(Vec::new(), clients(objects)?),
                Some("Delete") => push(Vec::new(), before.to_vec()),
                Some("Batch") => {
                    let ops = operation.get("ops").and_then(Value::as_array);
                    for one in ops.into_iter().flatten() {
                        changes.extend(members(one, before)?);
                    }
                }
                _ => return Err(Failure::invalid("m: no such operation")),
            }
        }
        _ => return Err(Failure::invalid("m is a list, or an operation on it")),
    }
    Ok(changes)
}

/// `GET /1.1/date`.
pub(super) async fn date(
    axum::extract::State(door): axum::extract::State<crate::leancloud::LeanCloud>,
) -> Json<Value> {
    Json(crate::leancloud::iso::value(door.env.now()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn users(names: &[&str]) -> Vec<UserId> {
        names
            .iter()
            .map(|name| UserId::new(name).unwrap())
            .collect()
    }

    #[test]
    fn operations_on_members_become_comings_and_goings() {
        let before = users(&["a", "b"]);
        let add = |names: &[&str]| GroupChange::Add(users(names));
        let remove = |names: &[&str]| GroupChange::Remove(users(names));
        let table = [
            (
                json!({"__op": "Add", "objects": ["b", "c"]}),
                vec![add(&["c"])],
            ),
            (json!({"__op": "AddUnique", "objects": ["a"]}), vec![]),
            (
                json!({"__op": "Remove", "objects": ["b", "x"]}),
                vec![remove(&["b"])],
            ),
            (json!({"__op": "Delete"}), vec![remove(&["a", "b"])]),
            (json!(["b", "c"]), vec![add(&["c"]), remove(&["a"])]),
            (
                json!({"__op": "Batch", "ops": [{"__op": "Add", "objects": ["c"]},
                                                 {"__op": "Remove", "objects": ["a"]}]}),
                vec![add(&["c"]), remove(&["a"])],
            ),
        ];
        for (wanted, expected) in table {
            assert_eq!(members(&wanted, &before).unwrap(), expected, "{wanted}");
        }
        for wrong in [
            json!("a"),
            json!({"__op": "Explode"}),
            json!([1]),
            json!({"__op": "Add"}),
        ] {
            assert!(members(&wrong, &before).is_err(), "{wrong}");
        }
    }
}
