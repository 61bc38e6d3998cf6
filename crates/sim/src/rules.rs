//! Who may write: roles and mutes in groups, and block lists; what is asked, and what must hold.
//!
//! The notices of a group are its law: gone through from the first on, they say who owned it, who
//! was an admin and who was muted when a message was stored, and whether that could be. What they
//! say at the end is what the members' rows must say.

use std::collections::{BTreeMap, BTreeSet};

use anser_domain::Code;
use anser_domain::group::notice::NoticeKind;
use anser_proto::stored;
use anser_sdk::core::{GroupRequest, Request};
use anser_sdk::model::{GroupRole, GroupUpdate};

use crate::check::notice;
use crate::ledger::{Ledger, Where};
use crate::truth::{Chat, Kept, Truth, pair};

/// What somebody changes in a group.
#[derive(Clone, Eq, PartialEq, Debug)]
pub enum Rule {
    /// Makes somebody else the owner.
    Transfer(String),
    /// Makes members admins, or plain members again.
    Admin(Vec<String>, bool),
    /// Mutes members for so many seconds; 0 lifts it.
    Mute(Vec<String>, u64),
    /// Mutes everybody, or lifts it.
    MuteAll(bool),
    /// Exempts members from that, or no longer.
    Exempt(Vec<String>, bool),
    /// Bans users for so many seconds; 0 lifts it.
    Ban(Vec<String>, u64),
    /// New members see what was before them, or not.
    HistoryVisible(bool),
}

impl Rule {
    /// The number of the notice about it.
    #[must_use]
    pub fn kind(&self) -> u32 {
        let kind = match self {
            Self::Transfer(_) => NoticeKind::Transferred,
            Self::Admin(..) => NoticeKind::RoleSet,
            Self::Mute(..) => NoticeKind::Muted,
            Self::MuteAll(_) | Self::HistoryVisible(_) => NoticeKind::Updated,
            Self::Exempt(..) => NoticeKind::Exempted,
            Self::Ban(..) => NoticeKind::Banned,
        };
        kind.number()
    }

    /// Does it hold for a while from when it is made?
    #[must_use]
    pub fn is_timed(&self) -> bool {
        matches!(self, Self::Mute(_, 1..) | Self::Ban(_, 1..))
    }

    /// The request to the server.
    #[must_use]
    pub fn request(&self, group_id: String) -> Request {
        let update = |update| GroupRequest::Update {
            group_id: group_id.clone(),
            update,
        };
        Request::Group(match self.clone() {
            Self::Transfer(owner) => GroupRequest::Transfer { group_id, owner },
            Self::Admin(members, on) => GroupRequest::SetRole {
                group_id,
                members,
                role: match on {
                    true => GroupRole::Admin,
                    false => GroupRole::Member,
                },
                role_name: String::new(),
            },
            Self::Mute(members, seconds) => GroupRequest::Mute {
                group_id,
                members,
                seconds,
            },
            Self::MuteAll(muted) => update(GroupUpdate {
                muted: Some(muted),
                ..GroupUpdate::default()
            }),
            Self::Exempt(members, exempt) => GroupRequest::Exempt {
                group_id,
                members,
                exempt,
            },
            Self::Ban(users, seconds) => GroupRequest::Ban {
                group_id,
                users,
                seconds,
            },
            Self::HistoryVisible(history_visible) => update(GroupUpdate {
                history_visible: Some(history_visible),
                ..GroupUpdate::default()
            }),
        })
    }
}

/// An attempt to change a group's rules.
#[derive(Clone, Debug)]
pub struct RuleRecord {
    /// The group's conversation.
    pub place: Where,
    /// Who asked.
    pub by: String,
    /// For what.
    pub rule: Rule,
    /// How it came out: the code if it was refused.
    pub outcome: Option<Result<(), u32>>,
}

/// An attempt to change a block list.
#[derive(Clone, Debug)]
pub struct BlockRecord {
    /// Of which app.
    pub app: usize,
    /// Whose list.
    pub user: String,
    /// Who.
    pub other: String,
    /// Put on it, or taken off.
    pub on: bool,
    /// When, in microseconds.
    pub asked: u64,
    /// When it was answered well.
    pub acked: Option<u64>,
}

const OWNER: u32 = 2;
const ADMIN: u32 = 3;

/// What a member may, by the notices so far.
#[derive(Clone, Eq, PartialEq, Default, Debug)]
struct Standing {
    role: u32,
    muted_until: u64,
    exempt: bool,
}

/// The settings of a group that runs change.
#[derive(Copy, Clone, Eq, PartialEq, Ord, PartialOrd, Debug)]
struct Settings {
    muted: bool,
    history_visible: bool,
}

/// A group by its notices so far.
struct Law<'a> {
    /// What was asked about it.
    asked: Vec<&'a RuleRecord>,
    members: BTreeMap<String, Standing>,
    /// A notice does not say which setting changed: all that can be, by who asked for what.
    settings: BTreeSet<Settings>,
    /// Everybody who ever was the owner.
    owners: Vec<String>,
}

fn rank(role: u32) -> u32 {
    match role {
        OWNER => 2,
        ADMIN => 1,
        _ => 0,
    }
}

fn is(notice: &stored::GroupNotice, kind: NoticeKind) -> bool {
    notice.kind == kind.number()
}

/// Whom a notice makes the owner.
fn owner(notice: &stored::GroupNotice) -> Option<&String> {
    let makes = is(notice, NoticeKind::Created) || is(notice, NoticeKind::Transferred);
    notice.users.first().filter(|_| makes)
}

impl<'a> Law<'a> {
    fn new(asked: Vec<&'a RuleRecord>) -> Self {
        Self {
            asked,
            members: BTreeMap::new(),
            settings: BTreeSet::from([Settings {
                muted: false,
                history_visible: false,
            }]),
            owners: Vec::new(),
        }
    }

    /// A setting changed: which of those that this operator asked for, if that was a change.
    fn set(&mut self, operator: &str) {
        let asked = self.asked.iter().filter(|record| record.by == operator);
        let asked: Vec<&Rule> = asked.map(|record| &record.rule).collect();
        let before = std::mem::take(&mut self.settings);
        for was in before {
            let after = asked.iter().filter_map(|rule| match rule {
                Rule::MuteAll(muted) => Some(Settings {
                    muted: *muted,
                    ..was
                }),
                Rule::HistoryVisible(history_visible) => Some(Settings {
                    history_visible: *history_visible,
                    ..was
                }),
                _ => None,
            });
            self.settings.extend(after.filter(|after| *after != was));
        }
    }

    fn rank_of(&self, user: &str) -> u32 {
        self.members.get(user).map_or(0, |member| rank(member.role))
    }

    /// May the operator do this to these?
    fn allows(&self, notice: &stored::GroupNotice) -> bool {
        let operator = notice.operator.as_str();
        if operator.is_empty() {
            return true;
        }
        let over_all = || {
            let mut users = notice.users.iter();
            users.all(|user| self.rank_of(user) < self.rank_of(operator))
        };
        if is(notice, NoticeKind::Transferred) || is(notice, NoticeKind::RoleSet) {
            return self.rank_of(operator) == rank(OWNER);
        }
        if is(notice, NoticeKind::Updated) {
            return self.rank_of(operator) >= rank(ADMIN);
        }
        let acts = [
            NoticeKind::Removed,
            NoticeKind::Muted,
            NoticeKind::Exempted,
            NoticeKind::Banned,
        ];
        !acts.iter().any(|kind| is(notice, *kind)) || over_all()
    }

    fn apply(&mut self, notice: &stored::GroupNotice) {
        let users = || notice.users.iter();
        let kinds = [NoticeKind::Created, NoticeKind::Added, NoticeKind::Joined];
        if kinds.iter().any(|kind| is(notice, *kind)) {
            for user in users() {
                self.members.insert(
                    user.clone(),
                    Standing {
                        role: 1,
                        ..Standing::default()
                    },
                );
            }
        }
        let banned = is(notice, NoticeKind::Banned) && notice.until > 0;
        let kinds = [NoticeKind::Removed, NoticeKind::Quit, NoticeKind::Dismissed];
        if banned || kinds.iter().any(|kind| is(notice, *kind)) {
            for user in users() {
                self.members.remove(user);
            }
        }
        if is(notice, NoticeKind::Created)
            && let Some(owner) = notice.users.first().and_then(|it| self.members.get_mut(it))
        {
            owner.role = OWNER;
        }
        if is(notice, NoticeKind::Transferred) {
            for member in self.members.values_mut().filter(|it| it.role == OWNER) {
                member.role = 1;
            }
        }
        self.owners.extend(owner(notice).cloned());
        if is(notice, NoticeKind::Updated) && notice.changed.iter().any(|it| it == "settings") {
            self.set(&notice.operator);
        }
        let exempt = notice.changed.iter().any(|it| it == "exempt");
        for user in users() {
            let Some(member) = self.members.get_mut(user) else {
                continue;
            };
            if is(notice, NoticeKind::Transferred) {
                member.role = OWNER;
            } else if is(notice, NoticeKind::RoleSet) {
                member.role = notice.role;
            } else if is(notice, NoticeKind::Muted) {
                member.muted_until = notice.until;
            } else if is(notice, NoticeKind::Exempted) {
                member.exempt = exempt;
            }
        }
    }

    /// Why this message should not be there.
    fn refuses(&self, kept: &Kept) -> Option<&'static str> {
        let member = self.members.get(&kept.shown.sender)?;
        if member.muted_until > kept.shown.time {
            return Some("is by somebody who was muted");
        }
        let free = member.exempt || rank(member.role) > 0;
        let muted = !self.settings.is_empty() && self.settings.iter().all(|it| it.muted);
        (muted && !free).then_some("was written while all were muted")
    }
}

/// Groups are as their notices say, and nobody did what they might not.
pub fn groups(truth: &Truth, ledger: &Ledger, findings: &mut Vec<String>) {
    for (place, chat) in &truth.chats {
        if !pair(&place.conversation).is_empty() {
            continue;
        }
        let asked = ledger.rules.iter().filter(|record| record.place == *place);
        let law = group(place, chat, asked.collect(), findings);
        for record in &law.asked {
            let Rule::Transfer(to) = &record.rule else {
                continue;
            };
            if record.outcome == Some(Ok(())) && !law.owners.contains(to) {
                findings.push(format!("{record:?}, but {:?} owned it", law.owners));
            }
        }
    }
}

fn group<'a>(
    place: &Where,
    chat: &Chat,
    asked: Vec<&'a RuleRecord>,
    findings: &mut Vec<String>,
) -> Law<'a> {
    let mut law = Law::new(asked);
    for (seq, kept) in &chat.messages {
        let Some(notice) = notice(kept) else {
            if let Some(why) = law.refuses(kept) {
                findings.push(format!("{place:?}: {seq} {why}: {kept:?}"));
            }
            continue;
        };
        if !law.allows(&notice) {
            let members = &law.members;
            findings.push(format!(
                "{place:?}: {notice:?} is not allowed to {members:?}"
            ));
        }
        law.apply(&notice);
    }
    let rows = chat.members.iter().map(|(user, row)| {
        let standing = Standing {
            role: row.role,
            muted_until: row.muted_until,
            exempt: row.exempt,
        };
        (user.clone(), standing)
    });
    let rows: BTreeMap<String, Standing> = rows.collect();
    if rows != law.members {
        let told = &law.members;
        findings.push(format!(
            "{place:?}: members stand as {rows:?}, by the notices {told:?}"
        ));
    }
    let row = chat.head.settings.unwrap_or_default();
    let is = Settings {
        muted: row.muted,
        history_visible: row.history_visible,
    };
    if !law.settings.contains(&is) {
        let may = &law.settings;
        findings.push(format!("{place:?} is set {is:?}, can be {may:?}"));
    }
    law
}

/// Whoever is blocked does not write to who blocked them, and nobody else is refused for it.
pub fn blocks(truth: &Truth, ledger: &Ledger, findings: &mut Vec<String>) {
    for send in &ledger.sends {
        let [low, high] = pair(&send.conversation)[..] else {
            continue;
        };
        let peer = if low == send.who.user { high } else { low };
        let about = || {
            let same = |it: &&BlockRecord| {
                it.app == send.who.app && it.user == peer && it.other == send.who.user
            };
            ledger.blocks.iter().filter(same)
        };
        let was_blocked = |record: &BlockRecord| {
            let since = record.acked.filter(|at| record.on && *at < send.asked);
            since.is_some()
                && !about().any(|other| !other.on && other.acked.is_none_or(|at| at > record.asked))
        };
        let place = Where {
            app: send.who.app,
            conversation: send.conversation.clone(),
        };
        let is_it = |kept: &Kept| {
            kept.client_message_id == send.client_message_id && kept.shown.sender == send.who.user
        };
        let chat = truth.chats.get(&place);
        let stored = chat.is_some_and(|chat| chat.messages.values().any(is_it));
        if stored && let Some(record) = about().find(|record| was_blocked(record)) {
            findings.push(format!("{send:?} is stored after {record:?}"));
        }
        let refused = send.refusals.contains(&Code::Blocked.number());
        if refused && !about().any(|record| record.on) {
            findings.push(format!("{send:?} was refused, and nobody blocked anybody"));
        }
    }
}
