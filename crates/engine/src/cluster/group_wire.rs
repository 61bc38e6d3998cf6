//! Groups, between the engine's types and what nodes send one another.

use anser_domain::attributes::PathChange;
use anser_domain::group::info::{AttributeChange, SettingsChange};
use anser_domain::group::role::NewRole;
use anser_domain::group::{Kind, Rights, Role, Settings};
use anser_domain::{AppId, ConversationId, GroupId, Reject, Timestamp, UserId};
use anser_proto::cluster as pb;
use pb::change_group::Change;

use super::wire::{garbled, user_from};
use crate::group::{
    By, Creation, Group, GroupChange, GroupUpdate, JoinRequest, MemberUpdate, rows,
};
use crate::json;

fn texts(users: &[UserId]) -> Vec<String> {
    users.iter().map(|user| user.as_str().to_owned()).collect()
}

fn users_from(texts: &[String]) -> Result<Vec<UserId>, Reject> {
    texts.iter().map(|text| user_from(text)).collect()
}

fn until(users: &[UserId], until: Timestamp) -> pb::UsersUntil {
    pb::UsersUntil {
        users: texts(users),
        until: until.0,
    }
}

fn flag(users: &[UserId], flag: bool) -> pb::UsersFlag {
    pb::UsersFlag {
        users: texts(users),
        flag,
    }
}

fn attributes(it: &AttributeChange) -> Option<pb::AttributeChange> {
    Some(pb::AttributeChange {
        put: it.put.clone(),
        remove: it.remove.clone(),
    })
}

fn attributes_from(it: Option<pb::AttributeChange>) -> AttributeChange {
    let it = it.unwrap_or_default();
    AttributeChange {
        put: it.put,
        remove: it.remove,
    }
}

fn update(it: &GroupUpdate) -> pb::UpdateGroup {
    pb::UpdateGroup {
        name: it.name.clone(),
        announcement: it.announcement.clone(),
        portrait: it.portrait.clone(),
        attributes: attributes(&it.attributes),
        join: it.settings.join.map(rows::join_number),
        invitations_need_acceptance: it.settings.invitations_need_acceptance,
        only_admins_invite: it.settings.only_admins_invite,
        muted: it.settings.muted,
        history_visible: it.settings.history_visible,
        open: it.settings.open,
        set_nested_attributes: json::object_text(&it.nested_attributes.set),
        unset_nested_attributes: it.nested_attributes.unset.clone(),
    }
}

fn update_from(it: pb::UpdateGroup) -> Result<GroupUpdate, Reject> {
    Ok(GroupUpdate {
        name: it.name,
        announcement: it.announcement,
        portrait: it.portrait,
        attributes: attributes_from(it.attributes),
        settings: SettingsChange {
            join: it.join.map(rows::join_of),
            invitations_need_acceptance: it.invitations_need_acceptance,
            only_admins_invite: it.only_admins_invite,
            muted: it.muted,
            history_visible: it.history_visible,
            open: it.open,
        },
        nested_attributes: PathChange {
            set: json::parse_object("attributes", &it.set_nested_attributes)?,
            unset: it.unset_nested_attributes,
        },
    })
}

fn change(it: &GroupChange) -> Change {
    match it {
        GroupChange::Create {
            name,
            owner,
            members,
            creation,
        } => Change::Create(pb::Create {
            nested_attributes: json::object_text(&creation.attributes),
            public: creation.public,
            unique: creation.unique,
            history_visible: creation.history_visible,
            name: name.clone(),
            owner: owner.as_str().to_owned(),
            members: texts(members),
        }),
        GroupChange::Add(users) => Change::Add(pb::Users {
            users: texts(users),
        }),
        GroupChange::Remove(users) => Change::Remove(pb::Users {
            users: texts(users),
        }),
        GroupChange::Quit => Change::Quit(pb::Quit {}),
        GroupChange::Dismiss => Change::Dismiss(pb::Dismiss {}),
        GroupChange::Update(it) => Change::Update(update(it)),
        GroupChange::Transfer(to) => Change::Transfer(to.as_str().to_owned()),
        GroupChange::SetRole { users, role } => {
            let (role, role_name) = match role {
                NewRole::Member => (Role::Member, String::new()),
                NewRole::Admin => (Role::Admin, String::new()),
                NewRole::Custom(name) => (Role::Member, name.clone()),
            };
            Change::SetRole(pb::SetRole {
                users: texts(users),
                role: rows::role_number(role),
                role_name,
            })
        }
        GroupChange::DefineRole { name, rights } => Change::DefineRole(pb::DefineRole {
            name: name.clone(),
            rights: rights.map(|rights| rights.0),
        }),
        GroupChange::UpdateMember { user, update } => Change::UpdateMember(pb::UpdateMember {
            user: user.as_str().to_owned(),
            nickname: update.nickname.clone(),
            attributes: attributes(&update.attributes),
        }),
        GroupChange::Mute { users, until: time } => Change::Mute(until(users, *time)),
        GroupChange::Exempt { users, exempt } => Change::Exempt(flag(users, *exempt)),
        GroupChange::Ban { users, until: time } => Change::Ban(until(users, *time)),
        GroupChange::Join => Change::Join(pb::Join {}),
        GroupChange::Approve(users) => Change::Approve(pb::Users {
            users: texts(users),
        }),
        GroupChange::Answer { accept } => Change::Answer(pb::Answer { accept: *accept }),
    }
}

fn change_from(it: Change) -> Result<GroupChange, Reject> {
    Ok(match it {
        Change::Create(create) => GroupChange::Create {
            name: create.name,
            owner: user_from(&create.owner)?,
            members: users_from(&create.members)?,
            creation: Box::new(Creation {
                attributes: json::parse_object("attributes", &create.nested_attributes)?,
                public: create.public,
                unique: create.unique,
                history_visible: create.history_visible,
            }),
        },
        Change::Add(it) => GroupChange::Add(users_from(&it.users)?),
        Change::Remove(it) => GroupChange::Remove(users_from(&it.users)?),
        Change::Quit(_) => GroupChange::Quit,
        Change::Dismiss(_) => GroupChange::Dismiss,
        Change::Update(it) => GroupChange::Update(Box::new(update_from(it)?)),
        Change::Transfer(to) => GroupChange::Transfer(user_from(&to)?),
        Change::SetRole(it) => GroupChange::SetRole {
            users: users_from(&it.users)?,
            role: rows::new_role(it.role, it.role_name),
        },
        Change::DefineRole(it) => GroupChange::DefineRole {
            name: it.name,
            rights: it.rights.map(Rights),
        },
        Change::UpdateMember(it) => GroupChange::UpdateMember {
            user: user_from(&it.user)?,
            update: MemberUpdate {
                nickname: it.nickname,
                attributes: attributes_from(it.attributes),
            },
        },
        Change::Mute(it) => GroupChange::Mute {
            users: users_from(&it.users)?,
            until: Timestamp(it.until),
        },
        Change::Exempt(it) => GroupChange::Exempt {
            users: users_from(&it.users)?,
            exempt: it.flag,
        },
        Change::Ban(it) => GroupChange::Ban {
            users: users_from(&it.users)?,
            until: Timestamp(it.until),
        },
        Change::Join(_) => GroupChange::Join,
        Change::Approve(it) => GroupChange::Approve(users_from(&it.users)?),
        Change::Answer(it) => GroupChange::Answer { accept: it.accept },
    })
}

pub(crate) fn change_group(
    app: AppId,
    (kind, group): (Kind, &GroupId),
    by: &By,
    it: &GroupChange,
) -> pb::ChangeGroup {
    pb::ChangeGroup {
        app: app.0,
        kind: rows::kind_number(kind),
        group: group.as_str().to_owned(),
        operator: by.text().to_owned(),
        change: Some(change(it)),
    }
}

pub(crate) fn change_group_from(
    it: pb::ChangeGroup,
) -> Result<(AppId, ConversationId, By, GroupChange), Reject> {
    let group = GroupId::new(&it.group).map_err(|_| garbled())?;
    let id = ConversationId::with_members(rows::kind_of(it.kind), group);
    let by = if it.operator.is_empty() {
        By::Server
    } else {
        By::User(user_from(&it.operator)?)
    };
    let change = change_from(it.change.ok_or_else(garbled)?)?;
    Ok((AppId(it.app), id, by, change))
}

pub(crate) fn group(it: &Group) -> pb::Group {
    pb::Group {
        id: it.id.as_str().to_owned(),
        name: it.name.clone(),
        owner: it.owner.clone(),
        member_count: it.member_count,
        created: it.created.0,
        announcement: it.announcement.clone(),
        portrait: it.portrait.clone(),
        attributes: it.attributes.clone(),
        settings: Some(pb::GroupSettings {
            join: rows::join_number(it.settings.join),
            invitations_need_acceptance: it.settings.invitations_need_acceptance,
            only_admins_invite: it.settings.only_admins_invite,
            muted: it.settings.muted,
            history_visible: it.settings.history_visible,
            open: it.settings.open,
        }),
        kind: rows::kind_number(it.kind),
        nested_attributes: json::object_text(&it.nested_attributes),
        updated: it.updated.0,
        last_time: it.last_time.0,
        unique: it.unique,
        roles: it
            .roles
            .iter()
            .map(|(name, rights)| pb::DefinedRole {
                name: name.clone(),
                rights: rights.0,
            })
            .collect(),
        admins: it.admins.clone(),
    }
}

pub(crate) fn group_from(it: pb::Group) -> Result<Group, Reject> {
    let settings = it.settings.unwrap_or_default();
    let kind = rows::kind_of(it.kind);
    Ok(Group {
        kind,
        nested_attributes: json::parse_object("attributes", &it.nested_attributes)?,
        updated: Timestamp(it.updated),
        last_time: Timestamp(it.last_time),
        unique: it.unique,
        id: GroupId::new(&it.id).map_err(|_| garbled())?,
        name: it.name,
        owner: it.owner,
        member_count: it.member_count,
        created: Timestamp(it.created),
        announcement: it.announcement,
        portrait: it.portrait,
        attributes: it.attributes,
        settings: Settings {
            join: rows::join_of(settings.join),
            invitations_need_acceptance: settings.invitations_need_acceptance,
            only_admins_invite: settings.only_admins_invite,
            muted: settings.muted,
            history_visible: settings.history_visible,
            open: settings.open,
            kind,
        },
        roles: it
            .roles
            .into_iter()
            .map(|role| (role.name, Rights(role.rights)))
            .collect(),
        admins: it.admins,
    })
}

pub(super) fn join_request(it: &JoinRequest) -> pb::JoinRequestEvent {
    pb::JoinRequestEvent {
        group: it.group.as_str().to_owned(),
        user: it.user.as_str().to_owned(),
        time: it.time.0,
        message: it.message.clone(),
        rejected_by: it.rejected_by.clone(),
    }
}

pub(super) fn join_request_from(it: pb::JoinRequestEvent) -> Option<JoinRequest> {
    Some(JoinRequest {
        group: GroupId::new(&it.group).ok()?,
        user: UserId::new(&it.user).ok()?,
        time: Timestamp(it.time),
        message: it.message,
        rejected_by: it.rejected_by,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(text: &str) -> UserId {
        UserId::new(text).unwrap()
    }

    #[test]
    fn every_change_survives_the_way_to_another_node() {
        let users = vec![user("bob"), user("carol")];
        let attributes = AttributeChange {
            put: [("k".to_owned(), "v".to_owned())].into(),
            remove: vec!["old".to_owned()],
        };
        let settings = SettingsChange {
            join: Some(anser_domain::group::JoinMode::Closed),
            invitations_need_acceptance: Some(false),
            only_admins_invite: None,
            muted: Some(true),
            history_visible: Some(true),
            open: Some(false),
        };
        let nested = json::parse_object("attributes", r#"{"a":[1,2.5,{"b":null}]}"#).unwrap();
        let changes = [
            GroupChange::Create {
                name: "n".into(),
                owner: user("alice"),
                members: users.clone(),
                creation: Box::new(Creation {
                    attributes: nested.clone(),
                    public: true,
                    unique: true,
                    history_visible: true,
                }),
            },
            GroupChange::Add(users.clone()),
            GroupChange::Remove(users.clone()),
            GroupChange::Quit,
            GroupChange::Dismiss,
            GroupChange::Update(Box::new(GroupUpdate {
                name: Some(String::new()),
                announcement: None,
                portrait: Some("p".into()),
                attributes: attributes.clone(),
                settings,
                nested_attributes: PathChange {
                    set: nested,
                    unset: vec!["a.b".into()],
                },
            })),
            GroupChange::Transfer(user("bob")),
            GroupChange::SetRole {
                users: users.clone(),
                role: NewRole::Admin,
            },
            GroupChange::SetRole {
                users: users.clone(),
                role: NewRole::Custom("scribe".into()),
            },
            GroupChange::DefineRole {
                name: "scribe".into(),
                rights: Some(Rights(5)),
            },
            GroupChange::DefineRole {
                name: "scribe".into(),
                rights: None,
            },
            GroupChange::UpdateMember {
                user: user("bob"),
                update: MemberUpdate {
                    nickname: Some("B".into()),
                    attributes,
                },
            },
            GroupChange::Mute {
                users: users.clone(),
                until: Timestamp(5),
            },
            GroupChange::Exempt {
                users: users.clone(),
                exempt: true,
            },
            GroupChange::Ban {
                users: users.clone(),
                until: Timestamp(0),
            },
            GroupChange::Join,
            GroupChange::Approve(users),
            GroupChange::Answer { accept: true },
        ];
        for it in changes {
            assert_eq!(change_from(change(&it)), Ok(it));
        }
    }
}
