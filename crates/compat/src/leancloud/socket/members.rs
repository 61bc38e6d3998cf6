//! Who is in a conversation, and who may do what there.

use anser_domain::group::role::NewRole;
use anser_domain::limits::BAN_SECONDS_MAX;
use anser_domain::{Code, ConversationId, Reject, UserId};
use anser_engine::group::{By, Group, GroupChange, Members};

use super::caller::{Answer, Caller, answer, error};
use super::conversation::{about, failed, named, users};
use super::{notify, room};
use crate::leancloud::error::{Kind, Refusal};
use crate::leancloud::iso;
use crate::leancloud::query::{self, Place};
use crate::leancloud::signature::Operation;
use crate::leancloud::wire::{
    BlacklistCommand, CommandType, ConvCommand, ErrorCommand, GenericCommand, OpType,
};

/// Users on a page of a list, unless it is said otherwise, and at most.
const PAGE: (i32, i32) = (10, 100);
/// Pages looked at for some users on a list.
const PAGES_MAX: usize = 50;

/// Changes a conversation in the client's name.
pub(super) async fn change(
    caller: &Caller,
    conversation: &ConversationId,
    change: GroupChange,
) -> Result<Group, Refusal> {
    attempt(caller, conversation, change).await.map_err(failed)
}

async fn attempt(
    caller: &Caller,
    conversation: &ConversationId,
    change: GroupChange,
) -> Result<Group, Reject> {
    let by = By::User(caller.user.clone());
    let (engine, app) = (caller.engine(), caller.app_id());
    engine.change_created(app, by, conversation, change).await
}

/// What became of each of several clients.
#[derive(Default)]
struct Outcome {
    allowed: Vec<UserId>,
    failed: Vec<ErrorCommand>,
    updated: anser_domain::Timestamp,
}

impl Outcome {
    fn all(users: &[UserId], group: &Group) -> Self {
        Self {
            allowed: users.to_vec(),
            failed: Vec::new(),
            updated: group.updated,
        }
    }

    fn fail(&mut self, refusal: &Refusal, user: &UserId) {
        self.failed.push(error(refusal, vec![user.to_string()]));
    }

    fn answer(self, op: OpType, cid: &str) -> GenericCommand {
        about(
            op,
            ConvCommand {
                cid: Some(cid.to_owned()),
                udate: Some(iso::text(self.updated)),
                allowed_pids: self.allowed.iter().map(ToString::to_string).collect(),
                failed_pids: self.failed,
                ..ConvCommand::default()
            },
        )
    }
}

/// Is it the client alone, who comes or goes?
fn is_self(caller: &Caller, users: &[UserId]) -> bool {
    matches!(users, [only] if *only == caller.user)
}

/// Adds clients, or comes in.
pub(super) async fn add(caller: Caller, conv: ConvCommand) -> Answer {
    let cid = conv.cid.clone().unwrap_or_default();
    let operation = Operation::Invite {
        conversation: &cid,
        members: &conv.m,
    };
    let given = (conv.t, conv.n.as_deref(), conv.s.as_deref());
    let wanted = caller.app.settings.sign_conversation;
    let refused = Kind::ConversationSignatureFailed;
    caller.check_signed(wanted, refused, operation, given)?;
    let users = users(&conv.m)?;
    let app = caller.app_id();
    let subject = query::lookup(&caller.door, app, &cid).await?;
    let outcome = match subject.place {
        Place::Plain(conversation) => add_to(&caller, &conversation, &users).await?,
        Place::Room(room) if is_self(&caller, &users) => {
            room::join(&caller, &room).await?;
            simple(&caller, users)
        }
        Place::System(service) if is_self(&caller, &users) => {
            let subscribed = caller.engine().subscribe(app, &service, &users, true).await;
            subscribed.map_err(failed)?;
            simple(&caller, users)
        }
        Place::Room(_) | Place::System(_) => return Err(Kind::NormalConversationRequired.into()),
    };
    if !outcome.allowed.is_empty() && matches!(named(&conv), Ok(ConversationId::Created(_))) {
        notify::joined(&caller, &cid, &outcome.allowed, outcome.updated).await;
    }
    Ok(outcome.answer(OpType::Added, &cid))
}

fn simple(caller: &Caller, users: Vec<UserId>) -> Outcome {
    Outcome {
        allowed: users,
        failed: Vec::new(),
        updated: caller.door.env.now(),
    }
}

async fn add_to(
    caller: &Caller,
    conversation: &ConversationId,
    users: &[UserId],
) -> Result<Outcome, Refusal> {
    let add = |users: &[UserId]| match is_self(caller, users) {
        true => GroupChange::Join,
        false => GroupChange::Add(users.to_vec()),
    };
    let all = attempt(caller, conversation, add(users)).await;
    match all {
        Ok(group) => Ok(Outcome::all(users, &group)),
        // Somebody among them is kept out: the others are not.
        Err(reject) if reject.code == Code::Banned => {
            let mut outcome = simple(caller, Vec::new());
            for user in users {
                let one = attempt(caller, conversation, add(std::slice::from_ref(user))).await;
                match one {
                    Ok(group) => {
                        outcome.updated = group.updated;
                        outcome.allowed.push(user.clone());
                    }
                    Err(reject) if reject.code == Code::Banned => {
                        outcome.fail(&Kind::BlockedByConv.into(), user);
                    }
                    Err(reject) => return Err(failed(reject)),
                }
            }
            Ok(outcome)
        }
        Err(reject) => Err(failed(reject)),
    }
}

/// Removes clients, or goes out.
pub(super) async fn remove(caller: Caller, conv: ConvCommand) -> Answer {
    let cid = conv.cid.clone().unwrap_or_default();
    let users = users(&conv.m)?;
    let operation = Operation::Kick {
        conversation: &cid,
        members: &conv.m,
    };
    let given = (conv.t, conv.n.as_deref(), conv.s.as_deref());
    let wanted = caller.app.settings.sign_conversation && !is_self(&caller, &users);
    let refused = Kind::ConversationSignatureFailed;
    caller.check_signed(wanted, refused, operation, given)?;
    let app = caller.app_id();
    let subject = query::lookup(&caller.door, app, &cid).await?;
    let outcome = match subject.place {
        Place::Plain(conversation) => remove_from(&caller, &conversation, &users).await?,
        Place::Room(room) if is_self(&caller, &users) => {
            room::leave(&caller, &room).await;
            simple(&caller, users)
        }
        Place::System(service) if is_self(&caller, &users) => {
            let engine = caller.engine();
            let gone = engine.subscribe(app, &service, &users, false).await;
            gone.map_err(failed)?;
            simple(&caller, users)
        }
        Place::Room(_) | Place::System(_) => return Err(Kind::NormalConversationRequired.into()),
    };
    if !outcome.allowed.is_empty() && matches!(named(&conv), Ok(ConversationId::Created(_))) {
        notify::tell(&caller, "left", &cid, &outcome.allowed, outcome.updated).await;
    }
    Ok(outcome.answer(OpType::Removed, &cid))
}

async fn remove_from(
    caller: &Caller,
    conversation: &ConversationId,
    users: &[UserId],
) -> Result<Outcome, Refusal> {
    let (engine, app) = (caller.engine(), caller.app_id());
    let group = engine.created(app, By::Server, conversation).await;
    let group = group.map_err(failed)?;
    // Where roles were given, somebody has to be above all others.
    let stays = |user: &UserId| !group.admins.is_empty() && group.owner == user.as_str();
    let (staying, leaving): (Vec<UserId>, Vec<UserId>) =
        users.iter().cloned().partition(|user| stays(user));
    let mut outcome = Outcome::all(&leaving, &group);
    for owner in &staying {
        outcome.fail(&Kind::ConversationNeedOwner.into(), owner);
    }
    if leaving.is_empty() {
        return Ok(outcome);
    }
    let what = match is_self(caller, &leaving) {
        true => GroupChange::Quit,
        false => GroupChange::Remove(leaving),
    };
    outcome.updated = change(caller, conversation, what).await?.updated;
    Ok(outcome)
}

/// Gives a member a role.
pub(super) async fn set_role(caller: Caller, conv: ConvCommand) -> Answer {
    check_roles(&caller)?;
    let conversation = named(&conv)?;
    let info = conv.info.unwrap_or_default();
    let target = conv.target_client_id.or(info.pid).unwrap_or_default();
    let user = users(std::slice::from_ref(&target))?;
    let role = match info.role.as_deref() {
        Some("Manager") => NewRole::Admin,
        Some("Member") => NewRole::Member,
        Some("Owner") => return Err(Kind::ConversationOperationUnauthorized.into()),
        _ => return Err(Kind::UnknownConversationRole.into()),
    };
    let set = GroupChange::SetRole { users: user, role };
    change(&caller, &conversation, set).await?;
    Ok(about(
        OpType::MemberInfoUpdated,
        ConvCommand {
            cid: conv.cid,
            ..ConvCommand::default()
        },
    ))
}

fn check_roles(caller: &Caller) -> Result<(), Refusal> {
    match caller.app.settings.roles {
        true => Ok(()),
        false => Err(Kind::ConversationMemberInfoFeatureDisabled.into()),
    }
}

/// For as long as anything lasts, or no longer.
fn until(caller: &Caller, on: bool) -> anser_domain::Timestamp {
    caller.engine().until(if on { BAN_SECONDS_MAX } else { 0 })
}

/// Silences members, or lets them speak again.
pub(super) async fn shut_up(caller: Caller, conv: ConvCommand, on: bool) -> Answer {
    let conversation = named(&conv)?;
    let users = users(&conv.m)?;
    let mute = GroupChange::Mute {
        users: users.clone(),
        until: until(&caller, on),
    };
    let group = change(&caller, &conversation, mute).await?;
    let cid = conv.cid.unwrap_or_default();
    let (op, told) = match on {
        true => (OpType::ShutupAdded, "shutuped"),
        false => (OpType::ShutupRemoved, "unshutuped"),
    };
    notify::tell(&caller, told, &cid, &users, group.updated).await;
    Ok(Outcome::all(&users, &group).answer(op, &cid))
}

fn page_of(limit: Option<i32>) -> usize {
    let limit = limit.unwrap_or(PAGE.0).clamp(1, PAGE.1);
    limit.unsigned_abs() as usize
}

/// A page of those who are silent.
pub(super) async fn silent(caller: Caller, conv: ConvCommand) -> Answer {
    let conversation = named(&conv)?;
    let limit = page_of(conv.limit);
    let (muted, next) = muted(&caller, &conversation, conv.next.unwrap_or_default(), limit).await?;
    Ok(about(
        OpType::ShutupResult,
        ConvCommand {
            cid: conv.cid,
            m: muted,
            next: (!next.is_empty()).then_some(next),
            ..ConvCommand::default()
        },
    ))
}

/// At most so many who are muted, behind a place, and the next place; empty at the end.
async fn muted(
    caller: &Caller,
    conversation: &ConversationId,
    mut cursor: String,
    limit: usize,
) -> Result<(Vec<String>, String), Refusal> {
    let (engine, app) = (caller.engine(), caller.app_id());
    let mut found = Vec::new();
    for _ in 0..PAGES_MAX {
        let by = By::User(caller.user.clone());
        let page = engine.created_members(app, by, conversation, Members::Muted, &cursor, 0);
        let page = page.await.map_err(failed)?;
        for member in page.members {
            found.push(member.user.to_string());
            if found.len() >= limit {
                let next = found.last().cloned().unwrap_or_default();
                return Ok((found, next));
            }
        }
        cursor = page.cursor;
        if cursor.is_empty() {
            break;
        }
    }
    Ok((found, cursor))
}

/// Which of these are silent.
pub(super) async fn check_silent(caller: Caller, conv: ConvCommand) -> Answer {
    let conversation = named(&conv)?;
    let (all, _) = muted(&caller, &conversation, String::new(), usize::MAX).await?;
    let silent = conv.m.into_iter().filter(|it| all.contains(it)).collect();
    Ok(about(
        OpType::CheckResult,
        ConvCommand {
            cid: conv.cid,
            m: silent,
            ..ConvCommand::default()
        },
    ))
}

fn about_list(op: OpType, list: BlacklistCommand) -> GenericCommand {
    GenericCommand {
        blacklist_message: Some(list),
        ..answer(CommandType::Blacklist, Some(op))
    }
}

fn listed(list: &BlacklistCommand) -> Result<ConversationId, Refusal> {
    named(&ConvCommand {
        cid: list.src_cid.clone(),
        ..ConvCommand::default()
    })
}

/// Blocks clients: they go, and can't come back. Or lets them.
pub(super) async fn block(caller: Caller, list: BlacklistCommand, on: bool) -> Answer {
    let cid = list.src_cid.clone().unwrap_or_default();
    let operation = Operation::ConversationBlocks {
        conversation: &cid,
        members: &list.to_pids,
        block: on,
    };
    let given = (list.t, list.n.as_deref(), list.s.as_deref());
    let wanted = caller.app.settings.sign_blacklist;
    let refused = Kind::BlacklistSignatureFailed;
    caller.check_signed(wanted, refused, operation, given)?;
    let conversation = listed(&list)?;
    let users = users(&list.to_pids)?;
    let ban = GroupChange::Ban {
        users: users.clone(),
        until: until(&caller, on),
    };
    let group = change(&caller, &conversation, ban).await?;
    let (op, told) = match on {
        true => (OpType::Blocked, "blocked"),
        false => (OpType::Unblocked, "unblocked"),
    };
    notify::tell(&caller, told, &cid, &users, group.updated).await;
    Ok(about_list(
        op,
        BlacklistCommand {
            src_cid: Some(cid),
            allowed_pids: list.to_pids,
            ..BlacklistCommand::default()
        },
    ))
}

/// At most so many who are blocked, behind a place, and the next place.
async fn page_of_blocked(
    caller: &Caller,
    conversation: &ConversationId,
    cursor: &str,
    limit: usize,
) -> Result<(Vec<String>, String), Refusal> {
    let (engine, app) = (caller.engine(), caller.app_id());
    let page = engine.created_blocks(app, By::Server, conversation, cursor, limit);
    let page = page.await.map_err(failed)?;
    let users = page.users.iter().map(|it| it.user.to_string()).collect();
    Ok((users, page.cursor))
}

/// A page of those who are blocked.
pub(super) async fn blocked(caller: Caller, list: BlacklistCommand) -> Answer {
    let conversation = listed(&list)?;
    let cursor = list.next.clone().unwrap_or_default();
    let limit = page_of(list.limit);
    let (blocked, next) = page_of_blocked(&caller, &conversation, &cursor, limit).await?;
    Ok(about_list(
        OpType::QueryResult,
        BlacklistCommand {
            src_cid: list.src_cid,
            blocked_pids: blocked,
            next: (!next.is_empty()).then_some(next),
            ..BlacklistCommand::default()
        },
    ))
}

/// Which of these are blocked.
pub(super) async fn check_blocked(caller: Caller, list: BlacklistCommand) -> Answer {
    let conversation = listed(&list)?;
    let (mut cursor, mut all) = (String::new(), Vec::new());
    for _ in 0..PAGES_MAX {
        let limit = page_of(Some(PAGE.1));
        let (some, next) = page_of_blocked(&caller, &conversation, &cursor, limit).await?;
        all.extend(some);
        cursor = next;
        if cursor.is_empty() {
            break;
        }
    }
    let asked = list.to_pids.into_iter();
    Ok(about_list(
        OpType::CheckResult,
        BlacklistCommand {
            src_cid: list.src_cid,
            blocked_pids: asked.filter(|it| all.contains(it)).collect(),
            ..BlacklistCommand::default()
        },
    ))
}
