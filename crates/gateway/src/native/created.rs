//! Conversations that users create.

use std::collections::BTreeMap;

use anser_domain::attributes::{Json, PathChange};
use anser_domain::group::JoinMode;
use anser_domain::group::info::SettingsChange;
use anser_domain::group::role::NewRole;
use anser_domain::limits::GROUP_MEMBERS_MAX;
use anser_domain::query::{Filter, Sorting};
use anser_domain::temporary::TEMPORARY_SECONDS_MAX;
use anser_domain::{Code, Reject, UserId};
use anser_engine::created::{Created, Found, NewConversation, Query};
use anser_engine::group::{Group, GroupUpdate};
use anser_engine::json;
use anser_proto::client as wire;

use super::user_list;

/// What a user wants to create.
pub(crate) fn new_conversation(
    owner: &UserId,
    create: wire::CreateConversation,
) -> Result<NewConversation, Reject> {
    refuse_unique(create.temporary, create.unique)?;
    Ok(NewConversation {
        id: None,
        history_visible: false,
        owner: owner.clone(),
        members: user_list("members", &create.members, GROUP_MEMBERS_MAX)?,
        attributes: json::parse_object("attributes", &create.attributes)?,
        name: create.name,
        temporary_seconds: temporary_seconds(create.temporary, create.seconds)?,
        public: create.public,
        unique: create.unique,
    })
}

/// Which temporary conversation of the same members would it be?
pub(crate) fn refuse_unique(temporary: bool, unique: bool) -> Result<(), Reject> {
    if temporary && unique {
        let why = "a temporary conversation can't be unique";
        return Err(Reject::new(Code::InvalidRequest, why));
    }
    Ok(())
}

/// How long a conversation lives: a day unless it is said otherwise, if it is temporary.
pub(crate) fn temporary_seconds(temporary: bool, seconds: u32) -> Result<Option<u32>, Reject> {
    match (temporary, seconds) {
        (false, 0) => Ok(None),
        (false, _) => Err(Reject::new(
            Code::InvalidRequest,
            "only a temporary conversation lives for so many seconds",
        )),
        (true, 0) => Ok(Some(TEMPORARY_SECONDS_MAX)),
        (true, seconds) => Ok(Some(seconds)),
    }
}

/// A created conversation.
pub(crate) fn created(it: Group) -> wire::CreatedConversation {
    wire::CreatedConversation {
        end_time: it.conversation().end().map_or(0, |end| end.0),
        conversation: it.conversation().to_string(),
        name: it.name,
        owner: it.owner,
        member_count: it.member_count,
        created_time: it.created.0,
        updated_time: it.updated.0,
        last_time: it.last_time.0,
        attributes: json::object_text(&it.nested_attributes),
        settings: Some(wire::ConversationSettings {
            public: it.settings.join == JoinMode::Public,
            open: it.settings.open,
            muted: it.settings.muted,
            history_visible: it.settings.history_visible,
        }),
        managers: it.admins,
        unique: it.unique,
        reused: false,
    }
}

/// What creating came to.
pub(crate) fn creation(it: Created) -> wire::CreatedConversation {
    wire::CreatedConversation {
        reused: it.reused,
        ..created(it.conversation)
    }
}

fn set_attributes(texts: BTreeMap<String, String>) -> Result<BTreeMap<String, Json>, Reject> {
    let parse = |(path, text): (String, String)| {
        let value = json::parse(&format!("set_attributes[{path:?}]"), &text)?;
        Ok((path, value))
    };
    texts.into_iter().map(parse).collect()
}

/// What an update changes.
pub(crate) fn created_update(it: wire::UpdateCreatedConversation) -> Result<GroupUpdate, Reject> {
    Ok(GroupUpdate {
        name: it.name,
        settings: SettingsChange {
            join: it.public.map(join_mode),
            open: it.open,
            muted: it.muted,
            history_visible: it.history_visible,
            ..SettingsChange::default()
        },
        nested_attributes: PathChange {
            set: set_attributes(it.set_attributes)?,
            unset: it.unset_attributes,
        },
        ..GroupUpdate::default()
    })
}

/// How one gets into a conversation that is public, or is not.
pub(crate) fn join_mode(public: bool) -> JoinMode {
    if public {
        JoinMode::Public
    } else {
        JoinMode::Closed
    }
}

/// The role to give.
pub(crate) fn conversation_role(set: &wire::SetConversationRole) -> Result<NewRole, Reject> {
    match set.role() {
        wire::GroupRole::Member => Ok(NewRole::Member),
        wire::GroupRole::Admin => Ok(NewRole::Admin),
        wire::GroupRole::Owner | wire::GroupRole::Unspecified => Err(Reject::new(
            Code::InvalidRequest,
            "role is member or admin; transfer makes an owner",
        )),
    }
}

/// A query of the user's conversations.
pub(crate) fn query(of: &UserId, it: &wire::QueryConversations) -> Result<Query, Reject> {
    let filter = json::parse_object("filter", &it.filter)?;
    Ok(Query {
        of: Some(of.clone()),
        filter: Filter::parse(&Json::Object(filter))?,
        sorting: Sorting::parse(&it.sort)?,
        skip: it.skip as usize,
        limit: it.limit as usize,
    })
}

/// What a query found.
pub(crate) fn found(found: Found) -> wire::ConversationsFound {
    wire::ConversationsFound {
        conversations: found.conversations.into_iter().map(created).collect(),
        matched: u32::try_from(found.matched).expect("a query looks at few"),
        complete: found.complete,
    }
}
