//! Conversations as objects: made, found, changed and taken away by the back end.
//!
//! The same for the three kinds: conversations of members, chat rooms, service conversations.

use anser_domain::room::attribute::AttributeChange;
use anser_domain::{ConversationId, GroupId, RoomId, Timestamp, UserId};
use anser_engine::created::NewConversation;
use anser_engine::group::{By, GroupChange, GroupUpdate};
use anser_engine::room::{NewRoom, RoomUpdate};
use anser_engine::system::{NewSystem, SystemUpdate};
use axum::Json;
use axum::extract::Path;
use serde_json::{Map, Value, json};

use super::call::Call;
use super::failure::{Answer, Failure};
use super::missed;
use crate::leancloud::query::{self, Kinds, Place, Query, Subject};
use crate::leancloud::rows::{Columns, NewColumns, Update};
use crate::leancloud::{ids, iso, rows};

/// Members that a conversation begins with.
const MEMBERS_MAX: usize = 500;
/// Days for which a chat room keeps its messages: six months, as with LeanCloud.
const ROOM_HISTORY_DAYS: u32 = 180;
/// Attributes of a room that are written at once.
const ROOM_ATTRIBUTES_AT_ONCE: usize = 20;
/// Rows of an answer unless it is said otherwise.
const LIMIT_DEFAULT: u64 = 100;

/// Which kind of conversations a path is about.
#[derive(Copy, Clone, Eq, PartialEq, Debug)]
pub(super) enum What {
    Plain,
    Room,
    System,
}

impl What {
    fn kinds(self) -> Kinds {
        match self {
            Self::Plain => Kinds::PLAIN,
            Self::Room => Kinds::ROOMS,
            Self::System => Kinds::SYSTEMS,
        }
    }

    fn is(self, place: &Place) -> bool {
        matches!(
            (self, place),
            (Self::Plain, Place::Plain(_))
                | (Self::Room, Place::Room(_))
                | (Self::System, Place::System(_))
        )
    }
}

/// The conversation of this id and kind.
pub(super) async fn find_one(call: &Call, what: What, id: &str) -> Result<Subject, Failure> {
    let subject = query::lookup(&call.door, call.app.id, id).await?;
    match what.is(&subject.place) {
        true => Ok(subject),
        false => Err(crate::leancloud::error::Refusal::from(
            crate::leancloud::error::Kind::ConversationNotFound,
        )
        .into()),
    }
}

/// A conversation of members by its id.
pub(super) async fn plain(call: &Call, id: &str) -> Result<ConversationId, Failure> {
    match find_one(call, What::Plain, id).await?.place {
        Place::Plain(conversation) => Ok(conversation),
        _ => Err(Failure::not_found()),
    }
}

/// A chat room by its id.
pub(super) async fn room(call: &Call, id: &str) -> Result<RoomId, Failure> {
    match find_one(call, What::Room, id).await?.place {
        Place::Room(room) => Ok(room),
        _ => Err(Failure::not_found()),
    }
}

/// A service conversation by its id.
pub(super) async fn system(call: &Call, id: &str) -> Result<GroupId, Failure> {
    match find_one(call, What::System, id).await?.place {
        Place::System(system) => Ok(system),
        _ => Err(Failure::not_found()),
    }
}

/// The arguments that are columns.
fn columns(call: &Call, others: &[&str]) -> Columns {
    let all = call.input.iter();
    let own = all.filter(|(name, _)| !others.contains(&name.as_str()));
    own.map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}

pub(super) async fn create_plain(call: Call) -> Answer {
    create(call, What::Plain).await
}

pub(super) async fn create_room(call: Call) -> Answer {
    create(call, What::Room).await
}

pub(super) async fn create_system(call: Call) -> Answer {
    create(call, What::System).await
}

/// Makes a conversation of this kind.
pub(super) async fn create(call: Call, what: What) -> Answer {
    call.check_master()?;
    let others = ["m", "mu", "c", "unique", "tr", "sys", "ACL", "uniqueId"];
    let new = NewColumns::parse(&columns(&call, &others))?;
    let env = &call.door.env;
    let id = ids::new_object_id(env.now().0, env.random());
    let creator = match call.text("c") {
        Some(_) => Some(call.user("c")?),
        None => None,
    };
    let created = match what {
        What::Plain => return create_of_members(&call, &id, creator, new).await,
        What::Room => {
            let id = RoomId::new(&id).map_err(|_| Failure::not_found())?;
            let settings = RoomUpdate {
                name: Some(new.name.clone()),
                kept_alive: Some(true),
                history_days: Some(ROOM_HISTORY_DAYS),
                ..RoomUpdate::default()
            };
            let attributes = new.of_room(creator.as_ref().map(UserId::as_str));
            if attributes.len() > ROOM_ATTRIBUTES_AT_ONCE {
                return Err(Failure::invalid(
                    "a chat room begins with at most 20 columns",
                ));
            }
            let new = NewRoom {
                settings,
                attributes,
                ..NewRoom::default()
            };
            call.door
                .engine
                .create_room(call.app.id, &id, new)
                .await?
                .created
        }
        What::System => {
            let new = NewSystem {
                id: Some(GroupId::new(&id).map_err(|_| Failure::not_found())?),
                name: new.name,
                attributes: new.attributes,
                ..NewSystem::default()
            };
            call.door
                .engine
                .create_system(call.app.id, new)
                .await?
                .created
        }
    };
    Ok(Json(made(&id, created, created)))
}

fn made(id: &str, created: Timestamp, updated: Timestamp) -> Value {
    json!({
        "objectId": id,
        "createdAt": iso::text(created),
        "updatedAt": iso::text(updated.max(created)),
    })
}

/// The members of a new conversation: an array, or what SDKs write for one that begins empty.
fn first_members(call: &Call) -> Result<Vec<UserId>, Failure> {
    match call.value("m") {
        Some(Value::Object(operation)) => {
            let objects = operation.get("objects").cloned().unwrap_or_default();
            let texts: Vec<String> = serde_json::from_value(objects)
                .map_err(|_| Failure::invalid("m has what is no client id"))?;
            if texts.len() > MEMBERS_MAX {
                return Err(Failure::invalid("m has more than 500 client ids"));
            }
            texts
                .iter()
                .map(|text| super::call::user("m", text))
                .collect()
        }
        _ => call.users("m", MEMBERS_MAX),
    }
}

async fn create_of_members(
    call: &Call,
    id: &str,
    creator: Option<UserId>,
    new: NewColumns,
) -> Answer {
    let members = first_members(call)?;
    let unique = call.flag("unique", false)? && !members.is_empty();
    let names: Vec<String> = members.iter().map(ToString::to_string).collect();
    let new = if unique { new.unique(&names) } else { new };
    // Who creates is a member, unless the back end creates for others.
    let nobody = creator
        .as_ref()
        .filter(|creator| members.contains(creator))
        .is_none();
    let owner = match (&creator, members.first()) {
        (Some(creator), _) => creator.clone(),
        (None, Some(first)) => first.clone(),
        (None, None) => super::call::user("c", rows::NOBODY)?,
    };
    let leaves = nobody && !members.contains(&owner);
    let (engine, app) = (&call.door.engine, call.app.id);
    let created = engine.create_conversation(
        app,
        By::Server,
        NewConversation {
            id: Some(GroupId::new(id).map_err(|_| Failure::not_found())?),
            name: new.name,
            owner: owner.clone(),
            members: members.iter().filter(|it| **it != owner).cloned().collect(),
            attributes: new.attributes,
            public: true,
            unique,
            history_visible: true,
            temporary_seconds: None,
        },
    );
    let created = created.await?;
    let conversation = created.conversation.conversation();
    if leaves && !created.reused {
        let change = GroupChange::Remove(vec![owner]);
        engine
            .change_created(app, By::Server, &conversation, change)
            .await?;
    }
    let group = created.conversation;
    let id = ids::object_id(&conversation.to_string()).unwrap_or_default();
    if !created.reused {
        missed::joined(call, &id, &members).await;
    }
    let mut answer = made(&id, group.created, group.updated);
    if unique {
        answer["unique"] = true.into();
        answer["uniqueId"] = rows::unique_id(&names).into();
    }
    Ok(Json(answer))
}

pub(super) async fn list_plain(call: Call) -> Answer {
    list(call, What::Plain.kinds()).await
}

pub(super) async fn list_rooms(call: Call) -> Answer {
    list(call, What::Room.kinds()).await
}

pub(super) async fn list_systems(call: Call) -> Answer {
    list(call, What::System.kinds()).await
}

pub(super) async fn list_all(call: Call) -> Answer {
    list(call, Kinds::ALL).await
}

/// Finds conversations. A client that shows its session may ask too, as it may on its socket.
pub(super) async fn list(call: Call, kinds: Kinds) -> Answer {
    if call.client.is_none() {
        call.check_master()?;
    }
    let signed = |number: Option<u64>| i64::try_from(number.unwrap_or(0)).unwrap_or(i64::MAX);
    let order = call.text("order").or_else(|| call.text("sort"));
    let limit = call.number("limit")?.or(Some(LIMIT_DEFAULT));
    let mut query = Query::parse(
        &call.json("where"),
        order.unwrap_or_default(),
        signed(call.number("skip")?),
        signed(limit),
    )?;
    query.kinds = kinds;
    let viewer = call.client.as_ref().filter(|_| !call.master);
    let rows = query::run(&call.door, call.app.id, viewer, &query).await?;
    let mut answer = Map::new();
    if call.flag("count", false)? {
        answer.insert("count".to_owned(), rows.len().into());
    }
    answer.insert("results".to_owned(), rows.into());
    Ok(Json(Value::Object(answer)))
}

/// A row by its id.
pub(super) async fn get(call: &Call, id: &str) -> Answer {
    if call.client.is_none() {
        call.check_master()?;
    }
    let quoted = json!({"objectId": id}).to_string();
    let query = Query::parse(&quoted, "", 0, 1)?;
    let viewer = call.client.as_ref().filter(|_| !call.master);
    let rows = query::run(&call.door, call.app.id, viewer, &query).await?;
    rows.into_iter()
        .next()
        .map(Json)
        .ok_or_else(Failure::not_found)
}

pub(super) async fn update_plain(Path(id): Path<String>, call: Call) -> Answer {
    let subject = find_one(&call, What::Plain, &id).await?;
    update(&call, &id, subject).await
}

pub(super) async fn update_room(Path(id): Path<String>, call: Call) -> Answer {
    let subject = find_one(&call, What::Room, &id).await?;
    update(&call, &id, subject).await
}

pub(super) async fn update_system(Path(id): Path<String>, call: Call) -> Answer {
    let subject = find_one(&call, What::System, &id).await?;
    update(&call, &id, subject).await
}

/// Changes what is told of a conversation.
pub(super) async fn update(call: &Call, id: &str, subject: Subject) -> Answer {
    call.check_master()?;
    let update = Update::parse(&columns(call, &["m", "mu", "ACL"]), &subject.columns)?;
    let (engine, app) = (&call.door.engine, call.app.id);
    let updated = match &subject.place {
        Place::Plain(conversation) => {
            let update = GroupUpdate {
                name: update.name.clone(),
                nested_attributes: update.attributes.clone(),
                ..GroupUpdate::default()
            };
            let change = GroupChange::Update(Box::new(update));
            let changed = engine.change_created(app, By::Server, conversation, change);
            changed.await?.updated
        }
        Place::Room(room) => {
            update_room_row(call, room, &update).await?;
            call.door.env.now()
        }
        Place::System(system) => {
            let update = SystemUpdate {
                name: update.name.clone(),
                attributes: update.attributes.clone(),
                ..SystemUpdate::default()
            };
            engine.update_system(app, system, update).await?.updated
        }
    };
    let mut answer = json!({"objectId": id, "updatedAt": iso::text(updated)});
    if call.flag("fetchWhenSave", false)? {
        for (name, value) in update.modified() {
            answer[name] = value;
        }
    }
    Ok(Json(answer))
}

async fn update_room_row(call: &Call, room: &RoomId, update: &Update) -> Result<(), Failure> {
    let (engine, app) = (&call.door.engine, call.app.id);
    let changes: Vec<AttributeChange> = update.of_room();
    for chunk in changes.chunks(ROOM_ATTRIBUTES_AT_ONCE) {
        engine.put_room_attributes(app, None, room, chunk).await?;
    }
    if let Some(name) = &update.name {
        let update = RoomUpdate {
            name: Some(name.clone()),
            ..RoomUpdate::default()
        };
        engine.change_room(app, room, &update).await?;
    }
    Ok(())
}

pub(super) async fn delete_plain(Path(id): Path<String>, call: Call) -> Answer {
    let subject = find_one(&call, What::Plain, &id).await?;
    delete(&call, subject).await
}

pub(super) async fn delete_room(Path(id): Path<String>, call: Call) -> Answer {
    let subject = find_one(&call, What::Room, &id).await?;
    delete(&call, subject).await
}

pub(super) async fn delete_system(Path(id): Path<String>, call: Call) -> Answer {
    let subject = find_one(&call, What::System, &id).await?;
    delete(&call, subject).await
}

/// Ends a conversation for all.
pub(super) async fn delete(call: &Call, subject: Subject) -> Answer {
    call.check_master()?;
    let (engine, app) = (&call.door.engine, call.app.id);
    match &subject.place {
        Place::Plain(conversation) => {
            let change = GroupChange::Dismiss;
            let dismissed = engine.change_created(app, By::Server, conversation, change);
            dismissed.await?;
        }
        Place::Room(room) => engine.destroy_room(app, room).await?,
        Place::System(system) => engine.dismiss_system(app, system).await?,
    }
    Ok(Json(json!({})))
}
