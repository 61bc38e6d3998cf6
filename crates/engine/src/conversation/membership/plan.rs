//! From a change to a draft, by the rules of the domain.

use anser_domain::attributes;
use anser_domain::group::joining::{self, Addition, Joining};
use anser_domain::group::notice::NoticeKind;
use anser_domain::group::role::{self, NewRole};
use anser_domain::group::{self, JoinMode, Rights, Role, Settings, ban, info, membership, speech};
use anser_domain::limits::{BAN_SECONDS_MAX, GROUP_CHANGE_USERS_MAX};
use anser_domain::{Code, Reject, Timestamp, UserId};
use anser_proto::stored;

use super::draft::Draft;
use super::facts::GroupFacts;
use crate::group::{By, Creation, GroupChange, GroupUpdate, MemberUpdate, rows};
use crate::json;

/// `false`: there is nothing to change.
pub(super) fn plan(
    draft: &mut Draft<'_>,
    change: &GroupChange,
    facts: &GroupFacts,
) -> Result<bool, Reject> {
    match change {
        GroupChange::Create {
            name,
            owner,
            members,
            creation,
        } => create(draft, name, owner, members, creation),
        GroupChange::Add(users) => add(draft, users, facts),
        GroupChange::Remove(users) => remove(draft, users),
        GroupChange::Quit => quit(draft),
        GroupChange::Dismiss => dismiss(draft),
        GroupChange::Update(update) => self::update(draft, update),
        GroupChange::Transfer(to) => transfer(draft, to),
        GroupChange::SetRole { users, role } => set_role(draft, users, role),
        GroupChange::DefineRole { name, rights } => define_role(draft, name, *rights),
        GroupChange::UpdateMember { user, update } => update_member(draft, user, update),
        GroupChange::Mute { users, until } => mute(draft, users, *until),
        GroupChange::Exempt { users, exempt } => self::exempt(draft, users, *exempt),
        GroupChange::Ban { users, until } if until.0 == 0 => unban(draft, users, facts),
        GroupChange::Ban { users, until } => self::ban(draft, users, *until, facts),
        GroupChange::Join => join(draft, facts),
        GroupChange::Approve(users) => approve(draft, users, facts),
        GroupChange::Answer { accept } => answer(draft, *accept, facts),
    }
}

/// The user who asks; some things nobody can do for another.
fn user<'a>(draft: &Draft<'a>) -> Result<&'a UserId, Reject> {
    match draft.by {
        By::User(user) => Ok(user),
        By::Server => Err(Reject::new(Code::InvalidRequest, "only a user can do this")),
    }
}

fn check_users(users: &[UserId]) -> Result<(), Reject> {
    if users.len() > GROUP_CHANGE_USERS_MAX {
        let message = format!("at most {GROUP_CHANGE_USERS_MAX} users at once");
        return Err(Reject::new(Code::InvalidRequest, message));
    }
    Ok(())
}

fn check_until(until: Timestamp, now: Timestamp) -> Result<(), Reject> {
    // A clock behind the one that counted the seconds is forgiven a day.
    if until.0 > now.0 + (BAN_SECONDS_MAX + 86_400) * 1_000 {
        return Err(Reject::new(
            Code::InvalidRequest,
            "a mute or a ban is at most ten years",
        ));
    }
    Ok(())
}

fn create(
    draft: &mut Draft<'_>,
    name: &str,
    owner: &UserId,
    members: &[UserId],
    creation: &Creation,
) -> Result<bool, Reject> {
    let state = draft.state();
    let joining = membership::create(state, name, owner, members)?;
    if state.settings.kind != group::Kind::Group {
        attributes::check(&creation.attributes)?;
        let temporary = state.settings.kind == group::Kind::Temporary;
        if !temporary || !creation.attributes.is_empty() {
            draft.info().nested_attributes = json::object_text(&creation.attributes);
        }
        let settings = Settings {
            open: state.policy().open,
            join: match creation.public {
                true => JoinMode::Public,
                false => JoinMode::Closed,
            },
            history_visible: creation.history_visible,
            ..state.settings
        };
        draft.head.settings = Some(rows::settings_row(settings, 0));
        draft.head.unique = creation.unique;
        match temporary {
            true => draft.ends(),
            false => draft.index(true),
        }
    }
    name.clone_into(&mut draft.head.name);
    draft.head.owner = owner.as_str().to_owned();
    draft.head.created_time = draft.now().0;
    draft.say(NoticeKind::Created, &joining);
    draft.join(&joining, Some(owner));
    Ok(true)
}

fn add(draft: &mut Draft<'_>, users: &[UserId], facts: &GroupFacts) -> Result<bool, Reject> {
    let (loaded, now) = (draft.loaded, draft.now());
    let addition = joining::add(
        draft.state(),
        draft.operator(),
        users,
        |user| loaded.members.contains_key(user),
        |user| facts.is_banned(user, now),
        (facts.living(), |user| facts.is_invited(user, now)),
    )?;
    draft.take_away(facts.over());
    match addition {
        Addition::Joined(users) if !users.is_empty() => {
            draft.say(NoticeKind::Added, &users);
            draft.join(&users, None);
        }
        Addition::Invited(users) if !users.is_empty() => {
            draft.say(NoticeKind::Invited, &users);
            draft.invite(&users);
        }
        _ => return Ok(false),
    }
    Ok(true)
}

fn remove(draft: &mut Draft<'_>, users: &[UserId]) -> Result<bool, Reject> {
    let loaded = draft.loaded;
    let leaving = membership::remove(draft.state(), draft.operator(), users, |user| {
        loaded.standing(user)
    })?;
    draft.say(NoticeKind::Removed, &leaving);
    draft.leave(&leaving);
    Ok(!leaving.is_empty())
}

fn quit(draft: &mut Draft<'_>) -> Result<bool, Reject> {
    let user = user(draft)?;
    membership::quit(draft.state(), draft.loaded.standing(user))?;
    let leaving = std::slice::from_ref(user);
    draft.say(NoticeKind::Quit, leaving);
    draft.leave(leaving);
    Ok(true)
}

fn dismiss(draft: &mut Draft<'_>) -> Result<bool, Reject> {
    membership::dismiss(draft.state(), draft.operator())?;
    let leaving: Vec<UserId> = draft.loaded.members.keys().cloned().collect();
    draft.head.dismissed = true;
    if draft.state().settings.kind == group::Kind::Created {
        draft.index(false);
    }
    draft.say(NoticeKind::Dismissed, &leaving);
    draft.leave(&leaving);
    Ok(true)
}

fn update(draft: &mut Draft<'_>, update: &GroupUpdate) -> Result<bool, Reject> {
    let settings = rows::settings(&draft.loaded.head);
    let new_settings = update.settings.apply(settings);
    let told = update.name.is_some()
        || update.announcement.is_some()
        || update.portrait.is_some()
        || !update.attributes.is_empty()
        || !update.nested_attributes.is_empty();
    let asked = update.settings != info::SettingsChange::default();
    info::check_update(draft.state(), draft.operator(), told, asked)?;
    let old = draft.loaded.info.clone();
    let attributes = update.attributes.of_group(&old.attributes)?;
    draft.say(NoticeKind::Updated, &[]);
    if let Some(name) = &update.name
        && *name != draft.head.name
    {
        info::check_name(name)?;
        draft.head.name.clone_from(name);
        draft.notice.name.clone_from(name);
        draft.notice.changed.push("name".to_owned());
    }
    if let Some(text) = &update.announcement
        && *text != old.announcement
    {
        info::check_announcement(text)?;
        draft.info().announcement.clone_from(text);
        draft.notice.announcement.clone_from(text);
        draft.notice.changed.push("announcement".to_owned());
    }
    if let Some(text) = &update.portrait
        && *text != old.portrait
    {
        info::check_portrait(text)?;
        draft.info().portrait.clone_from(text);
        draft.notice.portrait.clone_from(text);
        draft.notice.changed.push("portrait".to_owned());
    }
    if new_settings != settings {
        let bans = draft.head.settings.as_ref().map_or(0, |row| row.bans);
        draft.head.settings = Some(rows::settings_row(new_settings, bans));
        draft.notice.changed.push("settings".to_owned());
    }
    if attributes != old.attributes {
        draft.say_attributes(&old.attributes, &attributes);
        draft.info().attributes = attributes;
    }
    if !update.nested_attributes.is_empty() {
        let before = json::parse_object("attributes", &old.nested_attributes)?;
        let after = update.nested_attributes.apply(&before)?;
        if after != before {
            draft.info().nested_attributes = json::object_text(&after);
            draft.say_nested(&update.nested_attributes);
        }
    }
    Ok(!draft.notice.changed.is_empty())
}

fn transfer(draft: &mut Draft<'_>, to: &UserId) -> Result<bool, Reject> {
    let standing = draft.loaded.standing(to);
    if !membership::transfer(draft.state(), draft.operator(), to, standing)? {
        return Ok(false);
    }
    if let Ok(old) = UserId::new(&draft.loaded.head.owner) {
        give_role(draft, &old, Role::Member, "");
    }
    give_role(draft, to, Role::Owner, "");
    draft.head.owner = to.as_str().to_owned();
    draft.say(NoticeKind::Transferred, std::slice::from_ref(to));
    Ok(true)
}

fn give_role(draft: &mut Draft<'_>, user: &UserId, role: Role, name: &str) {
    draft.change_member(user, |row| {
        row.role = rows::role_number(role);
        name.clone_into(&mut row.custom_role);
    });
    let was = draft
        .loaded
        .info
        .admins
        .iter()
        .any(|admin| admin == user.as_str());
    if was != (role == Role::Admin) {
        let admins = &mut draft.info().admins;
        admins.retain(|admin| admin != user.as_str());
        if role == Role::Admin {
            admins.push(user.as_str().to_owned());
        }
    }
}

fn set_role(draft: &mut Draft<'_>, users: &[UserId], new: &NewRole) -> Result<bool, Reject> {
    check_users(users)?;
    let loaded = draft.loaded;
    let changing = role::set_role(
        draft.state(),
        draft.operator(),
        users,
        new,
        loaded.info.admins.len(),
        |name| loaded.info.roles.iter().any(|role| role.name == name),
        |user| {
            let row = loaded.members.get(user)?;
            Some((rows::role_of(row.role), row.custom_role.clone()))
        },
    )?;
    let (role, name) = match new {
        NewRole::Member => (Role::Member, ""),
        NewRole::Admin => (Role::Admin, ""),
        NewRole::Custom(name) => (Role::Member, name.as_str()),
    };
    for user in &changing {
        give_role(draft, user, role, name);
    }
    draft.say(NoticeKind::RoleSet, &changing);
    draft.notice.role = rows::role_number(role);
    name.clone_into(&mut draft.notice.role_name);
    Ok(!changing.is_empty())
}

fn define_role(draft: &mut Draft<'_>, name: &str, rights: Option<Rights>) -> Result<bool, Reject> {
    let loaded = draft.loaded;
    let defined: Vec<(&str, Rights)> = loaded
        .info
        .roles
        .iter()
        .map(|role| (role.name.as_str(), Rights(role.rights)))
        .collect();
    if !role::define(draft.state(), draft.operator(), name, rights, &defined)? {
        return Ok(false);
    }
    draft.info().roles.retain(|role| role.name != name);
    match rights {
        Some(rights) => draft.info().roles.push(stored::GroupRole {
            name: name.to_owned(),
            rights: rights.0,
        }),
        None => {
            let holders: Vec<UserId> = loaded
                .members
                .iter()
                .filter(|(_, row)| row.custom_role == name)
                .map(|(user, _)| user.clone())
                .collect();
            for user in &holders {
                draft.change_member(user, |row| row.custom_role.clear());
            }
        }
    }
    draft.say(NoticeKind::RoleDefined, &[]);
    name.clone_into(&mut draft.notice.role_name);
    Ok(true)
}

fn update_member(
    draft: &mut Draft<'_>,
    user: &UserId,
    update: &MemberUpdate,
) -> Result<bool, Reject> {
    let standing = draft.loaded.standing(user);
    info::check_update_member(draft.state(), draft.operator(), user, standing)?;
    let old = draft.loaded.members.get(user).cloned().unwrap_or_default();
    let attributes = update.attributes.of_member(&old.attributes)?;
    draft.say(NoticeKind::MemberUpdated, std::slice::from_ref(user));
    if let Some(nickname) = &update.nickname
        && *nickname != old.nickname
    {
        info::check_name(nickname)?;
        draft.change_member(user, |row| row.nickname.clone_from(nickname));
        draft.notice.nickname.clone_from(nickname);
        draft.notice.changed.push("nickname".to_owned());
    }
    if attributes != old.attributes {
        draft.say_attributes(&old.attributes, &attributes);
        draft.change_member(user, |row| row.attributes = attributes);
    }
    Ok(!draft.notice.changed.is_empty())
}

fn mute(draft: &mut Draft<'_>, users: &[UserId], until: Timestamp) -> Result<bool, Reject> {
    check_users(users)?;
    check_until(until, draft.now())?;
    let loaded = draft.loaded;
    let mut users = speech::mute(draft.state(), draft.operator(), users, |user| {
        loaded.standing(user)
    })?;
    users.retain(|user| {
        loaded
            .members
            .get(user)
            .is_some_and(|row| row.muted_until != until.0)
    });
    for user in &users {
        draft.change_member(user, |row| row.muted_until = until.0);
    }
    draft.say(NoticeKind::Muted, &users);
    draft.notice.until = until.0;
    Ok(!users.is_empty())
}

fn exempt(draft: &mut Draft<'_>, users: &[UserId], exempt: bool) -> Result<bool, Reject> {
    check_users(users)?;
    let loaded = draft.loaded;
    let mut users = speech::mute(draft.state(), draft.operator(), users, |user| {
        loaded.standing(user)
    })?;
    users.retain(|user| {
        loaded
            .members
            .get(user)
            .is_some_and(|row| row.exempt != exempt)
    });
    for user in &users {
        draft.change_member(user, |row| row.exempt = exempt);
    }
    draft.say(NoticeKind::Exempted, &users);
    let name = if exempt { "exempt" } else { "not_exempt" };
    draft.notice.changed.push(name.to_owned());
    Ok(!users.is_empty())
}

/// How many rows of bans there are, after so many came and went.
fn count_bans(draft: &mut Draft<'_>, came: usize, went: usize) {
    let settings = rows::settings(&draft.head);
    let bans = draft.head.settings.as_ref().map_or(0, |row| row.bans) as usize;
    let bans = u32::try_from((bans + came).saturating_sub(went)).expect("bans are bounded");
    draft.head.settings = Some(rows::settings_row(settings, bans));
}

fn ban(
    draft: &mut Draft<'_>,
    users: &[UserId],
    until: Timestamp,
    facts: &GroupFacts,
) -> Result<bool, Reject> {
    check_users(users)?;
    check_until(until, draft.now())?;
    let loaded = draft.loaded;
    let bans = loaded.head.settings.as_ref().map_or(0, |row| row.bans);
    let over = facts.over().len();
    let users = ban::ban(
        draft.state(),
        draft.operator(),
        users,
        (bans as usize).saturating_sub(over),
        |user| facts.has_ban(user),
        |user| loaded.standing(user),
    )?;
    let new = users.iter().filter(|user| !facts.has_ban(user)).count();
    count_bans(draft, new, over);
    draft.take_away(facts.over());
    for user in &users {
        draft.ban(user, until);
    }
    let leaving: Vec<UserId> = users
        .iter()
        .filter(|user| loaded.members.contains_key(*user) || facts.is_invited(user, draft.now()))
        .cloned()
        .collect();
    draft.say(NoticeKind::Banned, &users);
    draft.notice.until = until.0;
    draft.leave(&leaving);
    Ok(!users.is_empty())
}

fn unban(draft: &mut Draft<'_>, users: &[UserId], facts: &GroupFacts) -> Result<bool, Reject> {
    check_users(users)?;
    let users = ban::unban(draft.state(), draft.operator(), users, |user| {
        facts.has_ban(user)
    })?;
    count_bans(draft, 0, users.len());
    for user in &users {
        draft.ban(user, Timestamp(0));
    }
    draft.say(NoticeKind::Banned, &users);
    Ok(!users.is_empty())
}

fn join(draft: &mut Draft<'_>, facts: &GroupFacts) -> Result<bool, Reject> {
    let (user, now) = (user(draft)?, draft.now());
    let joining = joining::join(
        draft.state(),
        draft.loaded.members.contains_key(user),
        facts.is_banned(user, now),
        facts.is_invited(user, now),
        "",
    )?;
    match joining {
        Joining::Already => Ok(false),
        Joining::Joined => {
            let users = std::slice::from_ref(user);
            draft.say(NoticeKind::Joined, users);
            draft.join(users, None);
            Ok(true)
        }
        // The mode changed at this moment.
        Joining::Requested => Err(Code::Unavailable.into()),
    }
}

fn approve(draft: &mut Draft<'_>, users: &[UserId], facts: &GroupFacts) -> Result<bool, Reject> {
    check_users(users)?;
    let (loaded, now) = (draft.loaded, draft.now());
    let users = joining::decide(
        draft.state(),
        draft.operator(),
        users,
        true,
        |user| facts.waits(user, now) && !loaded.members.contains_key(user),
        |user| facts.is_banned(user, now),
    )?;
    draft.say(NoticeKind::Added, &users);
    draft.join(&users, None);
    Ok(!users.is_empty())
}

fn answer(draft: &mut Draft<'_>, accept: bool, facts: &GroupFacts) -> Result<bool, Reject> {
    let (user, now) = (user(draft)?, draft.now());
    joining::answer(
        draft.state(),
        draft.loaded.standing(user),
        facts.is_invited(user, now),
        facts.is_banned(user, now),
        accept,
    )?;
    let users = std::slice::from_ref(user);
    if accept {
        draft.say(NoticeKind::Joined, users);
        draft.join(users, None);
    } else {
        draft.say(NoticeKind::Declined, users);
        draft.decline(user);
    }
    Ok(true)
}
