//! Groups: who may do what, and what a change comes to.
//!
//! The state is what the conversation's head says ([`GroupState`]) and how the users concerned
//! stand in the group ([`Standing`]); a change is checked against both and becomes a list of users
//! that really change, so that doing a thing twice changes nothing the second time. Everything
//! here is a pure function; the engine reads the rows before and writes the result after.
//!
//! * [`role`]: owner, admins, members, roles of a group's own, and the rights that come with them.
//! * [`membership`]: creating, adding, removing, quitting, dismissing, handing over.
//! * [`joining`]: how one gets in: at once, by request, by invitation.
//! * [`info`]: name, announcement, attributes, and the same of a member.
//! * [`speech`]: who may write: mutes of a member, of all, and exemptions.
//! * [`ban`]: who is kept out.
//! * [`policy`]: what differs between groups and created conversations, which have all of this too.

pub mod ban;
pub mod info;
pub mod joining;
pub mod membership;
pub mod notice;
pub mod policy;
pub mod role;
pub mod speech;

use crate::code::{Code, Reject};
use crate::id::UserId;

pub use joining::JoinMode;
pub use policy::{Kind, Policy};
pub use role::{Right, Rights, Role, Standing};

/// Who asks for a change.
#[derive(Copy, Clone, Eq, PartialEq, Debug)]
pub enum Operator<'a> {
    /// The server API: may do everything that is possible.
    Server,
    /// A user, with the standing they have in the group, if they are in it.
    User(&'a UserId, Option<Standing>),
}

impl Operator<'_> {
    /// Is the operator in the group, or above it?
    pub fn check_inside(self) -> Result<(), Reject> {
        match self {
            Self::User(_, None) => Err(Code::NotAMember.into()),
            _ => Ok(()),
        }
    }

    /// Has the operator this right?
    pub fn check_right(self, right: Right) -> Result<(), Reject> {
        self.check_inside()?;
        match self {
            Self::User(_, Some(standing)) if !standing.rights.has(right) => Err(Reject::new(
                Code::NotAllowed,
                format!("the right \"{}\" is needed for this", right.name()),
            )),
            _ => Ok(()),
        }
    }

    /// Has the operator at least this role?
    pub fn check_role(self, role: Role) -> Result<(), Reject> {
        self.check_inside()?;
        match self {
            Self::User(_, Some(standing)) if standing.role < role => Err(Reject::new(
                Code::NotAllowed,
                match role {
                    Role::Owner => "only the owner may do this",
                    _ => "only the owner and admins may do this",
                },
            )),
            _ => Ok(()),
        }
    }

    /// Does the operator stand above this user? Nobody but the server API stands above an owner.
    pub fn check_above(self, target: &UserId, standing: Option<Standing>) -> Result<(), Reject> {
        match (self, standing) {
            (Self::User(_, Some(mine)), Some(theirs)) if theirs.rank() >= mine.rank() => {
                let message = format!("{target} stands as high as who asks, or higher");
                Err(Reject::new(Code::NotAllowed, message))
            }
            _ => Ok(()),
        }
    }
}

/// What is set for a group as a whole.
#[derive(Copy, Clone, Eq, PartialEq, Debug, Default)]
pub struct Settings {
    /// How one gets in without being added.
    pub join: JoinMode,
    /// Who is added by a member is invited, and is in once they accept.
    pub invitations_need_acceptance: bool,
    /// Only those with the right add others; else every member may.
    pub only_admins_invite: bool,
    /// Only the owner, admins and those who are exempt may write.
    pub muted: bool,
    /// New members may read what was written before they came.
    pub history_visible: bool,
    /// Every member invites, removes plain members, and changes what is told of it.
    pub open: bool,
    /// Never changes.
    pub kind: Kind,
}

/// What the rules have to know of the group.
#[derive(Copy, Clone, Eq, PartialEq, Debug, Default)]
pub struct GroupState {
    /// Was it created?
    pub exists: bool,
    /// Was it dismissed? Its id stays taken.
    pub dismissed: bool,
    /// Members, the owner included.
    pub member_count: usize,
    /// Members that it may have by its app's settings; `None`: the most there can be.
    pub members_max: Option<usize>,
    /// What is set.
    pub settings: Settings,
}

impl GroupState {
    /// What holds for its kind.
    #[must_use]
    pub fn policy(&self) -> Policy {
        self.settings.kind.policy()
    }

    /// Is that more than it may have?
    pub(super) fn is_too_many(&self, members: usize) -> bool {
        let most = self.policy().members_max;
        members > self.members_max.map_or(most, |max| max.min(most))
    }

    /// Is there such a group, and is it not over?
    pub fn check_alive(&self) -> Result<(), Reject> {
        if !self.exists {
            let message = format!("there is no such {}", self.settings.kind.noun());
            return Err(Reject::new(Code::NotFound, message));
        }
        if self.dismissed {
            return Err(Code::GroupDismissed.into());
        }
        Ok(())
    }
}

/// Without repetitions, in the order given.
fn distinct(users: &[UserId]) -> Vec<UserId> {
    let mut seen = std::collections::BTreeSet::new();
    users
        .iter()
        .filter(|user| seen.insert(*user))
        .cloned()
        .collect()
}

#[cfg(test)]
mod fixture {
    use super::*;

    pub(super) fn user(n: u8) -> UserId {
        UserId::new(&format!("u{n}")).unwrap()
    }

    pub(super) fn alive(member_count: usize) -> GroupState {
        GroupState {
            exists: true,
            member_count,
            ..GroupState::default()
        }
    }

    pub(super) fn standing(role: Role) -> Standing {
        Standing::new(role, None, &Settings::default())
    }

    /// A user of this role asks.
    pub(super) fn by(user: &UserId, role: Role) -> Operator<'_> {
        Operator::User(user, Some(standing(role)))
    }

    /// u0 owns, u1 and u2 are admins, u3 to u9 members; nobody else is in it.
    pub(super) fn geese(user: &UserId) -> Option<Standing> {
        let role = match user.as_str() {
            "u0" => Role::Owner,
            "u1" | "u2" => Role::Admin,
            name if name.len() == 2 => Role::Member,
            _ => return None,
        };
        Some(standing(role))
    }
}
