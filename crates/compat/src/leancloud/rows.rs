//! Conversations as rows of LeanCloud's table `_Conversation`.
//!
//! | Column | Here |
//! |---|---|
//! | `objectId` | the conversation's id ([`super::ids`]) |
//! | `name`, `c`, `m`, `createdAt`, `updatedAt`, `lm`, `unique` | the engine's own |
//! | `mu`, and `muted` for who asks | the users' settings of the conversation |
//! | `tr`, `sys`, `conv_type` | its kind |
//! | `uniqueId` | the attribute `_uniqueId`, written when it is created |
//! | `attr` and every column of the application's | an attribute of this name |
//!
//! No column begins with `_`, so what is kept beside the application's columns can't clash with
//! them. The attributes of a chat room are texts: there a column is kept as JSON text, and the
//! creator as `_c`.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use anser_domain::attributes::{Json, Object, PathChange};
use anser_domain::room::attribute::AttributeChange;
use anser_domain::{ConversationId, RoomId, Timestamp};
use anser_engine::group::Group;
use anser_engine::json;
use anser_engine::room::StoredRoom;
use anser_engine::system::SystemConversation;
use md5::{Digest as _, Md5};
use serde_json::{Map, Value};

use super::error::{Kind, Refusal};
use super::{ids, iso};

/// The columns of a row, by name.
pub type Columns = Map<String, Value>;

/// Where `uniqueId` is kept.
pub const UNIQUE_ID: &str = "_uniqueId";
/// Where the creator of a chat room is kept.
pub const CREATOR: &str = "_c";

/// Who a conversation belongs to that the back end made in nobody's name and without members. It is
/// in none, so it may do nothing there.
pub const NOBODY: &str = "_backend";

/// Columns that are not the application's to write.
const KEPT: &[&str] = &[
    "objectId",
    "createdAt",
    "updatedAt",
    "c",
    "m",
    "mu",
    "lm",
    "tr",
    "sys",
    "unique",
    "uniqueId",
    "conv_type",
    "muted",
    "temp",
    "ttl",
    "joined",
    "joinedAt",
];

/// Bytes of a column's name.
const NAME_BYTES_MAX: usize = 64;

fn refuse<T>(detail: impl Into<String>) -> Result<T, Refusal> {
    Err(Refusal::new(Kind::ConversationUpdateFailed, detail.into()))
}

/// Of exactly these members: the MD5 of their ids, sorted and put together.
#[must_use]
pub fn unique_id(members: &[String]) -> String {
    let mut members: Vec<&str> = members.iter().map(String::as_str).collect();
    members.sort_unstable();
    members.dedup();
    let mut text = String::with_capacity(32);
    for byte in Md5::digest(members.concat()) {
        write!(text, "{byte:02x}").expect("a string takes everything");
    }
    text
}

fn put(columns: &mut Columns, name: &str, value: impl Into<Value>) {
    columns.insert(name.to_owned(), value.into());
}

fn times(columns: &mut Columns, created: Timestamp, updated: Timestamp, last: Timestamp) {
    put(columns, "createdAt", iso::text(created));
    put(columns, "updatedAt", iso::text(updated.max(created)));
    // What was written at the creation says only that it was created.
    if last > created {
        put(columns, "lm", iso::value(last));
    }
}

fn own(columns: &mut Columns, attributes: &Object) {
    for (name, value) in attributes {
        match value {
            Json::Text(id) if name == UNIQUE_ID => put(columns, "uniqueId", id.as_str()),
            _ if name.starts_with('_') || KEPT.contains(&name.as_str()) => {}
            value => put(columns, name, json::to_value(value)),
        }
    }
}

/// The columns of a conversation of members, but for those that depend on who asks, and `m`.
#[must_use]
pub fn of_group(group: &Group, now: Timestamp) -> Columns {
    let mut columns = Columns::new();
    own(&mut columns, &group.nested_attributes);
    let id = group.conversation();
    let object_id = ids::object_id(&id.to_string()).unwrap_or_default();
    put(&mut columns, "objectId", object_id);
    put(&mut columns, "name", group.name.as_str());
    if group.owner != NOBODY {
        put(&mut columns, "c", group.owner.as_str());
    }
    put(&mut columns, "tr", false);
    put(&mut columns, "sys", false);
    put(&mut columns, "unique", group.unique);
    times(&mut columns, group.created, group.updated, group.last_time);
    if let ConversationId::Temporary(_) = &id {
        let left = id
            .end()
            .map_or(0, |end| end.0.saturating_sub(now.0) / 1_000);
        put(&mut columns, "temp", true);
        put(&mut columns, "ttl", left);
        put(&mut columns, "conv_type", 4);
    } else {
        put(&mut columns, "conv_type", 1);
    }
    columns
}

/// The columns of a service conversation, but for those that depend on who asks.
#[must_use]
pub fn of_system(system: &SystemConversation) -> Columns {
    let mut columns = Columns::new();
    own(&mut columns, &system.attributes);
    put(&mut columns, "objectId", system.id.as_str());
    put(&mut columns, "name", system.name.as_str());
    put(&mut columns, "tr", false);
    put(&mut columns, "sys", true);
    put(&mut columns, "conv_type", 3);
    times(
        &mut columns,
        system.created,
        system.updated,
        system.last_time,
    );
    columns
}

/// The columns of a chat room.
#[must_use]
pub fn of_room(id: &RoomId, room: &StoredRoom) -> Columns {
    let mut columns = Columns::new();
    for (name, attribute) in &room.attributes {
        // What other clients have written there may be any text.
        let value = serde_json::from_str(&attribute.value)
            .unwrap_or_else(|_| Value::String(attribute.value.clone()));
        match value {
            creator @ Value::String(_) if name == CREATOR => put(&mut columns, "c", creator),
            _ if name.starts_with('_') || KEPT.contains(&name.as_str()) => {}
            value => put(&mut columns, name, value),
        }
    }
    put(&mut columns, "objectId", id.as_str());
    put(&mut columns, "name", room.settings.name.as_str());
    put(&mut columns, "tr", true);
    put(&mut columns, "sys", false);
    put(&mut columns, "conv_type", 2);
    times(&mut columns, room.created, room.created, Timestamp(0));
    columns
}

fn check_column(name: &str) -> Result<(), Refusal> {
    if KEPT.contains(&name) {
        return refuse(format!("{name} can't be written"));
    }
    let begins = name.bytes().next().is_some_and(|b| b.is_ascii_alphabetic());
    let form = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || b == b'-';
    if !begins || name.len() > NAME_BYTES_MAX || !name.bytes().all(form) {
        return refuse(format!(
            "a column is 1–{NAME_BYTES_MAX} of [A-Za-z0-9_-], beginning with a letter: {name:?}"
        ));
    }
    Ok(())
}

fn name_of(value: &Value) -> Result<String, Refusal> {
    match value {
        Value::String(name) => Ok(name.clone()),
        Value::Null => Ok(String::new()),
        _ => refuse("name is a string"),
    }
}

/// What a conversation is created with.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct NewColumns {
    /// Its name; empty if none was given.
    pub name: String,
    /// The application's columns.
    pub attributes: Object,
}

impl NewColumns {
    /// Reads columns as a client gives them: `name`, `attr`, and others.
    ///
    /// # Errors
    /// 4306 names a column that can't be written.
    pub fn parse(columns: &Columns) -> Result<Self, Refusal> {
        let mut new = Self::default();
        for (name, value) in columns {
            check_column(name)?;
            match name.as_str() {
                "name" => new.name = name_of(value)?,
                _ if value.is_null() => {}
                _ => {
                    let value = json::value(value.clone());
                    new.attributes.insert(name.clone(), value);
                }
            }
        }
        Ok(new)
    }

    /// With the id that a unique conversation of these members has.
    #[must_use]
    pub fn unique(mut self, members: &[String]) -> Self {
        let id = Json::Text(unique_id(members));
        self.attributes.insert(UNIQUE_ID.to_owned(), id);
        self
    }

    /// The same as attributes of a chat room.
    #[must_use]
    pub fn of_room(&self, creator: Option<&str>) -> Vec<AttributeChange> {
        let columns = self.attributes.iter();
        let columns = columns.map(|(name, value)| (name.clone(), Some(json::text(value))));
        let creator =
            creator.map(|creator| (CREATOR.to_owned(), Some(Value::from(creator).to_string())));
        columns.chain(creator).map(attribute).collect()
    }
}

fn attribute((key, value): (String, Option<String>)) -> AttributeChange {
    AttributeChange {
        key,
        value,
        leaves: false,
    }
}

/// A change of a row.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Update {
    /// The new name, if it changes.
    pub name: Option<String>,
    /// Of the application's columns.
    pub attributes: PathChange,
    /// The columns that change, whole, as they are afterwards; null: gone.
    after: BTreeMap<String, Value>,
}

impl Update {
    /// Reads a change: values by column or by path into one, or operations on them. What operations
    /// come to follows from the row as it is.
    ///
    /// # Errors
    /// 4306 names what can't be done.
    pub fn parse(change: &Columns, row: &Columns) -> Result<Self, Refusal> {
        let mut update = Self::default();
        for (path, value) in change {
            let column = path.split('.').next().unwrap_or_default();
            check_column(column)?;
            let old = update.after.get(column).or_else(|| row.get(column));
            let mut whole = old.cloned().unwrap_or_default();
            let inner: Vec<&str> = path.split('.').skip(1).collect();
            if inner.iter().any(|key| key.is_empty()) {
                return refuse(format!("{path:?} is no path"));
            }
            let place = descend(&mut whole, &inner, path)?;
            let new = operate(path, value, place)?;
            *place = new.clone().unwrap_or_default();
            if column == "name" {
                if !inner.is_empty() {
                    return refuse("name is a string");
                }
                update.name = Some(name_of(&whole)?);
            } else {
                match new {
                    Some(value) => {
                        let value = json::value(value);
                        update.attributes.set.insert(path.clone(), value);
                    }
                    None => update.attributes.unset.push(path.clone()),
                }
            }
            if !inner.is_empty() && new_is_gone(&whole, &inner) {
                remove(&mut whole, &inner);
            }
            update.after.insert(column.to_owned(), whole);
        }
        Ok(update)
    }

    /// The columns that changed and are there, as they are afterwards.
    #[must_use]
    pub fn modified(&self) -> Columns {
        let there = self.after.iter().filter(|(_, value)| !value.is_null());
        there
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect()
    }

    /// The same as attributes of a chat room, whose name is none of them.
    #[must_use]
    pub fn of_room(&self) -> Vec<AttributeChange> {
        let columns = self.after.iter().filter(|(name, _)| *name != "name");
        columns
            .map(|(name, value)| {
                let text = (!value.is_null()).then(|| value.to_string());
                attribute((name.clone(), text))
            })
            .collect()
    }
}

/// The place of a path inside a column, made if it is not there.
fn descend<'a>(whole: &'a mut Value, inner: &[&str], path: &str) -> Result<&'a mut Value, Refusal> {
    let mut place = whole;
    for key in inner {
        if place.is_null() {
            *place = Value::Object(Map::new());
        }
        let Value::Object(members) = place else {
            return refuse(format!("{path} leads through what is no object"));
        };
        place = members.entry((*key).to_owned()).or_insert(Value::Null);
    }
    Ok(place)
}

fn new_is_gone(whole: &Value, inner: &[&str]) -> bool {
    let mut place = Some(whole);
    for key in inner {
        place = place.and_then(|place| place.get(key));
    }
    place.is_none_or(Value::is_null)
}

fn remove(whole: &mut Value, inner: &[&str]) {
    let Some((last, way)) = inner.split_last() else {
        return;
    };
    let mut place = Some(whole);
    for key in way {
        place = place.and_then(|place| place.get_mut(key));
    }
    if let Some(Value::Object(members)) = place {
        members.remove(*last);
    }
}

/// What a value is after an operation; `None`: gone. A plain value takes its place.
fn operate(path: &str, value: &Value, old: &Value) -> Result<Option<Value>, Refusal> {
    let Some(operation) = value.get("__op") else {
        return Ok(Some(value.clone()));
    };
    let wrong = || refuse(format!("{path}: {value} can't be applied"));
    let listed = match old {
        Value::Array(items) => items.clone(),
        Value::Null => Vec::new(),
        _ => match operation.as_str() {
            Some("Add" | "AddUnique" | "Remove") => return wrong(),
            _ => Vec::new(),
        },
    };
    let objects = value.get("objects").and_then(Value::as_array);
    match (operation.as_str(), objects) {
        (Some("Delete"), _) => Ok(None),
        (Some("Increment" | "Decrement"), _) => {
            let falls = operation == "Decrement";
            match sum(old, value.get("amount").unwrap_or(&Value::from(1)), falls) {
                Some(sum) => Ok(Some(sum)),
                None => wrong(),
            }
        }
        (Some("Add"), Some(objects)) => Ok(Some([listed, objects.clone()].concat().into())),
        (Some("AddUnique"), Some(objects)) => {
            let mut all = listed;
            for object in objects {
                if !all.contains(object) {
                    all.push(object.clone());
                }
            }
            Ok(Some(all.into()))
        }
        (Some("Remove"), Some(objects)) => {
            let mut rest = listed;
            rest.retain(|item| !objects.contains(item));
            Ok(Some(rest.into()))
        }
        _ => wrong(),
    }
}

fn sum(old: &Value, amount: &Value, falls: bool) -> Option<Value> {
    let zero = Value::from(0);
    let old = if old.is_null() { &zero } else { old };
    if let (Some(old), Some(amount)) = (old.as_i64(), amount.as_i64()) {
        let sum = match falls {
            true => old.checked_sub(amount),
            false => old.checked_add(amount),
        };
        return sum.map(Value::from);
    }
    let (old, amount) = (old.as_f64()?, amount.as_f64()?);
    let sum = if falls { old - amount } else { old + amount };
    sum.is_finite().then(|| Value::from(sum))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn columns(value: Value) -> Columns {
        match value {
            Value::Object(columns) => columns,
            _ => panic!("columns are an object"),
        }
    }

    #[test]
    fn the_id_of_a_unique_conversation_is_that_of_the_guide() {
        let members = ["Steve Jobs", "BillGates"].map(str::to_owned);
        assert_eq!(unique_id(&members).len(), 32);
        let both = |a: &str, b: &str| unique_id(&[a.to_owned(), b.to_owned()]);
        assert_eq!(
            both("SteveJobs", "BillGates"),
            "6c7b0e5afcae9aa1139a0afa25833dec"
        );
        assert_eq!(
            both("BillGates", "SteveJobs"),
            both("SteveJobs", "BillGates")
        );
    }

    #[test]
    fn a_new_row_has_a_name_and_the_applications_columns() {
        let new = json!({"name": "Tom & Jerry", "attr": {"type": 1}, "foo": [1], "none": null});
        let new = NewColumns::parse(&columns(new))
            .unwrap()
            .unique(&["a".into()]);
        assert_eq!(new.name, "Tom & Jerry");
        let names: Vec<&str> = new.attributes.keys().map(String::as_str).collect();
        assert_eq!(names, ["_uniqueId", "attr", "foo"]);
        let room = new.of_room(Some("tom"));
        assert_eq!(room[1].value.as_deref(), Some("{\"type\":1}"));
        assert_eq!(
            (room[3].key.as_str(), room[3].value.as_deref()),
            ("_c", Some("\"tom\""))
        );
        for bad in [
            json!({"objectId": "x"}),
            json!({"m": ["a"]}),
            json!({"_c": "x"}),
            json!({"a.b": 1}),
            json!({"": 1}),
            json!({"name": 1}),
        ] {
            assert!(NewColumns::parse(&columns(bad.clone())).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_change_says_what_it_comes_to() {
        let row = columns(json!({
            "name": "old", "attr": {"a": 1, "list": [1, 2]}, "n": 5, "gone": true, "list": ["x"],
        }));
        let change = columns(json!({
            "name": "new",
            "attr.a": 2,
            "attr.b.c": "deep",
            "attr.list": {"__op": "Remove", "objects": [1]},
            "n": {"__op": "Increment", "amount": 2},
            "m2": {"__op": "Decrement"},
            "gone": {"__op": "Delete"},
            "list": {"__op": "AddUnique", "objects": ["x", "y"]},
            "more": {"__op": "Add", "objects": [1, 1]},
        }));
        let update = Update::parse(&change, &row).unwrap();
        assert_eq!(update.name.as_deref(), Some("new"));
        assert_eq!(
            Value::Object(update.modified()),
            json!({
                "name": "new",
                "attr": {"a": 2, "b": {"c": "deep"}, "list": [2]},
                "n": 7,
                "m2": -1,
                "list": ["x", "y"],
                "more": [1, 1],
            })
        );
        assert_eq!(update.attributes.unset, ["gone"]);
        let keys: Vec<&str> = update.attributes.set.keys().map(String::as_str).collect();
        let paths = ["attr.a", "attr.b.c", "attr.list", "list", "m2", "more", "n"];
        assert_eq!(keys, paths, "only what changes is written");
        let room = update.of_room();
        assert!(
            room.iter()
                .any(|one| one.key == "gone" && one.value.is_none())
        );
        assert!(room.iter().all(|one| one.key != "name"));
    }

    #[test]
    fn what_is_deleted_inside_a_column_is_gone() {
        let row = columns(json!({"attr": {"a": 1, "b": 2}}));
        let change = columns(json!({"attr.a": {"__op": "Delete"}, "attr.x": {"__op": "Delete"}}));
        let update = Update::parse(&change, &row).unwrap();
        assert_eq!(Value::Object(update.modified()), json!({"attr": {"b": 2}}));
        assert_eq!(update.attributes.unset, ["attr.a", "attr.x"]);
    }

    #[test]
    fn what_can_not_be_changed_is_refused() {
        let row = columns(json!({"s": "text", "n": i64::MAX}));
        for bad in [
            json!({"objectId": "x"}),
            json!({"m": {"__op": "AddUnique", "objects": ["a"]}}),
            json!({"s.inner": 1}),
            json!({"s": {"__op": "Add", "objects": [1]}}),
            json!({"s": {"__op": "Increment", "amount": 1}}),
            json!({"n": {"__op": "Increment", "amount": 1}}),
            json!({"n": {"__op": "Explode"}}),
            json!({"n": {"__op": "Add"}}),
            json!({"a..b": 1}),
            json!({"name": 7}),
            json!({"name.x": "y"}),
            json!({"_uniqueId": "y"}),
        ] {
            let refusal = Update::parse(&columns(bad.clone()), &row).unwrap_err();
            assert_eq!(refusal.kind.number(), 4306, "{bad}");
        }
    }
}
