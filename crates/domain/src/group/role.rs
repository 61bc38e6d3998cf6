//! Roles and the rights that come with them.
//!
//! Three roles are built in. A group may define more, each a name with a set of rights: who has
//! one is a member with these rights besides, and stands above plain members and below admins.

use std::collections::BTreeSet;

use super::{GroupState, Kind, Operator, Settings, distinct};
use crate::code::{Code, Reject};
use crate::id::UserId;
use crate::limits::{GROUP_ADMINS_MAX, GROUP_ROLE_NAME_BYTES_MAX, GROUP_ROLES_MAX};

/// What somebody is in a group.
#[derive(Copy, Clone, Eq, PartialEq, Ord, PartialOrd, Hash, Debug)]
pub enum Role {
    /// Talks.
    Member,
    /// Has every right that there is, over all but the owner and other admins.
    Admin,
    /// Names admins, defines roles, hands over, dismisses; can't quit before handing over.
    Owner,
}

macro_rules! rights {
    ($($bit:literal $variant:ident $name:literal $what:literal)*) => {
        /// Something that a role allows.
        #[derive(Copy, Clone, Eq, PartialEq, Ord, PartialOrd, Hash, Debug)]
        #[repr(u32)]
        pub enum Right {
            $(#[doc = $what] $variant = 1 << $bit,)*
        }

        impl Right {
            /// All rights.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The name in requests and answers.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }
        }
    };
}

rights! {
    0 Invite "invite" "Adds or invites others, also where members may not."
    1 Remove "remove" "Removes members that stand lower."
    2 Approve "approve" "Approves and rejects requests to join, and sees them."
    3 Mute "mute" "Mutes members that stand lower, and exempts from the mute of all."
    4 Ban "ban" "Keeps users out, and lets them in again."
    5 Update "update" "Changes name, announcement, portrait and attributes of the group."
    6 UpdateMembers "update_members" "Changes nickname and attributes of members that stand lower."
    7 Recall "recall" "Takes back the messages of others."
    8 Speak "speak" "Writes while all are muted."
}

/// A set of rights. The bits are stored, and keep their meaning.
#[derive(Copy, Clone, Eq, PartialEq, Debug, Default)]
pub struct Rights(pub u32);

impl Rights {
    /// Every right.
    #[must_use]
    pub fn all() -> Self {
        Right::ALL.iter().copied().collect()
    }

    /// Is it in the set?
    #[must_use]
    pub fn has(self, right: Right) -> bool {
        self.0 & right as u32 != 0
    }

    /// The set of these names. `INVALID_REQUEST` for one that is none.
    pub fn parse<'a>(names: impl IntoIterator<Item = &'a str>) -> Result<Self, Reject> {
        let find = |name: &str| {
            Right::ALL
                .iter()
                .copied()
                .find(|right| right.name() == name)
        };
        names
            .into_iter()
            .map(|name| {
                find(name).ok_or_else(|| {
                    let all: Vec<_> = Right::ALL.iter().map(|right| right.name()).collect();
                    let message = format!("a right is one of {}", all.join(", "));
                    Reject::new(Code::InvalidRequest, message)
                })
            })
            .collect()
    }

    /// The names of those in the set.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        let inside = move |right: &&Right| self.has(**right);
        Right::ALL.iter().filter(inside).map(|right| right.name())
    }
}

impl FromIterator<Right> for Rights {
    fn from_iter<T: IntoIterator<Item = Right>>(rights: T) -> Self {
        Self(
            rights
                .into_iter()
                .fold(0, |bits, right| bits | right as u32),
        )
    }
}

/// How somebody stands in a group.
#[derive(Copy, Clone, Eq, PartialEq, Debug)]
pub struct Standing {
    /// The built-in role.
    pub role: Role,
    /// Has a role of the group's own?
    pub custom: bool,
    /// What they may do.
    pub rights: Rights,
}

impl Standing {
    /// The standing of somebody of this role; `custom`: the rights of their role of the group's
    /// own, if they have one.
    #[must_use]
    pub fn new(role: Role, custom: Option<Rights>, settings: &Settings) -> Self {
        let rights = match role {
            Role::Owner | Role::Admin => Rights::all(),
            Role::Member => {
                let mut rights = custom.unwrap_or_default();
                let everybody_invites = match settings.kind {
                    Kind::Group => !settings.only_admins_invite,
                    Kind::Created | Kind::Temporary => settings.open,
                };
                if everybody_invites {
                    rights.0 |= Right::Invite as u32;
                }
                if settings.open {
                    rights.0 |= Right::Remove as u32 | Right::Update as u32;
                }
                rights
            }
        };
        Self {
            role,
            custom: custom.is_some(),
            rights,
        }
    }

    /// Who has a higher one stands above.
    #[must_use]
    pub fn rank(self) -> u8 {
        match self.role {
            Role::Owner => 3,
            Role::Admin => 2,
            Role::Member => u8::from(self.custom),
        }
    }
}

/// A role to give.
#[derive(Clone, Eq, PartialEq, Debug)]
pub enum NewRole {
    /// Takes away what was given.
    Member,
    /// Makes an admin.
    Admin,
    /// One of the group's own.
    Custom(String),
}

/// Who really gets another role. Only the owner gives roles; where managers do too, to those who
/// stand lower. `role_of`: the role that somebody in the group has now.
pub fn set_role(
    group: GroupState,
    operator: Operator<'_>,
    users: &[UserId],
    new: &NewRole,
    admins: usize,
    defined: impl Fn(&str) -> bool,
    role_of: impl Fn(&UserId) -> Option<(Role, String)>,
) -> Result<Vec<UserId>, Reject> {
    group.check_alive()?;
    operator.check_role(match group.policy().managers_give_roles {
        true => Role::Admin,
        false => Role::Owner,
    })?;
    if let NewRole::Custom(name) = new
        && !defined(name)
    {
        let message = format!("the group has no role {name:?}");
        return Err(Reject::new(Code::NotFound, message));
    }
    let wanted = match new {
        NewRole::Member => (Role::Member, ""),
        NewRole::Admin => (Role::Admin, ""),
        NewRole::Custom(name) => (Role::Member, name.as_str()),
    };
    let mut changing = Vec::new();
    for user in distinct(users) {
        match role_of(&user) {
            None => {
                let message = format!("{user} is not in the group");
                return Err(Reject::new(Code::NotAMember, message));
            }
            Some((Role::Owner, _)) => {
                return Err(Reject::new(
                    Code::NotAllowed,
                    "the owner stays the owner; hand it over instead",
                ));
            }
            Some((role, name)) if (role, name.as_str()) == wanted => {}
            Some((role, _)) => {
                let standing = Standing::new(role, None, &group.settings);
                operator.check_above(&user, Some(standing))?;
                changing.push(user);
            }
        }
    }
    if *new == NewRole::Admin && admins + changing.len() > GROUP_ADMINS_MAX {
        let message = format!("a group has at most {GROUP_ADMINS_MAX} admins");
        return Err(Reject::new(Code::GroupFull, message));
    }
    Ok(changing)
}

/// Whether defining a role (`rights`), or removing one (`None`), changes anything. Only the owner
/// defines roles. Who has a role that is removed is a plain member from then on.
pub fn define(
    group: GroupState,
    operator: Operator<'_>,
    name: &str,
    rights: Option<Rights>,
    defined: &[(&str, Rights)],
) -> Result<bool, Reject> {
    group.check_alive()?;
    operator.check_role(Role::Owner)?;
    let form = name.len() <= GROUP_ROLE_NAME_BYTES_MAX
        && name.trim() == name
        && !name.chars().any(char::is_control);
    if name.is_empty() || !form || ["owner", "admin", "member"].contains(&name) {
        return Err(Reject::new(
            Code::InvalidRequest,
            "the name of a role is 1–64 bytes, printable, and not owner, admin or member",
        ));
    }
    let old = defined
        .iter()
        .find(|(other, _)| *other == name)
        .map(|(_, rights)| *rights);
    let names: BTreeSet<&str> = defined.iter().map(|(name, _)| *name).collect();
    if rights.is_some() && old.is_none() && names.len() >= GROUP_ROLES_MAX {
        let message = format!("a group defines at most {GROUP_ROLES_MAX} roles");
        return Err(Reject::new(Code::InvalidRequest, message));
    }
    Ok(old != rights)
}

#[cfg(test)]
mod tests {
    use super::super::fixture::*;
    use super::*;
    use proptest::prelude::*;

    fn role_of(user: &UserId) -> Option<(Role, String)> {
        geese(user).map(|standing| (standing.role, String::new()))
    }

    #[test]
    fn only_the_owner_gives_roles_and_never_takes_their_own() {
        let (owner, admin, member) = (user(0), user(1), user(3));
        let give = |operator, who: &UserId, new: NewRole| {
            let users = std::slice::from_ref(who);
            set_role(alive(9), operator, users, &new, 2, |_| false, role_of).map_err(|r| r.code)
        };
        let (by_owner, by_admin) = (by(&owner, Role::Owner), by(&admin, Role::Admin));
        assert_eq!(
            give(by_owner, &member, NewRole::Admin),
            Ok(vec![member.clone()])
        );
        assert_eq!(give(by_owner, &admin, NewRole::Admin), Ok(vec![]));
        assert_eq!(
            give(by_owner, &admin, NewRole::Member),
            Ok(vec![admin.clone()])
        );
        for new in [NewRole::Admin, NewRole::Member] {
            assert_eq!(give(by_admin, &member, new), Err(Code::NotAllowed));
        }
        assert_eq!(
            give(by_owner, &owner, NewRole::Member),
            Err(Code::NotAllowed)
        );
        assert_eq!(
            give(Operator::Server, &user(77), NewRole::Admin),
            Err(Code::NotAMember)
        );
        assert_eq!(
            give(by_owner, &member, NewRole::Custom("scribe".into())),
            Err(Code::NotFound)
        );
    }

    #[test]
    fn managers_of_a_created_conversation_give_roles_to_those_who_stand_lower() {
        let (manager, member) = (user(1), user(3));
        let state = GroupState {
            settings: Settings {
                kind: crate::group::Kind::Created,
                ..Settings::default()
            },
            ..alive(9)
        };
        let give = |operator, who: &UserId, new: NewRole| {
            let users = std::slice::from_ref(who);
            set_role(state, operator, users, &new, 2, |_| false, role_of).map_err(|r| r.code)
        };
        let by_manager = by(&manager, Role::Admin);
        assert!(give(by_manager, &member, NewRole::Admin).is_ok());
        assert_eq!(
            give(by_manager, &user(2), NewRole::Member),
            Err(Code::NotAllowed)
        );
        assert_eq!(
            give(by_manager, &manager, NewRole::Member),
            Err(Code::NotAllowed)
        );
        let by_member = by(&member, Role::Member);
        assert_eq!(
            give(by_member, &user(4), NewRole::Admin),
            Err(Code::NotAllowed)
        );
    }

    #[test]
    fn a_group_has_so_many_admins() {
        let users: Vec<UserId> = (3..5).map(user).collect();
        let make = |admins| {
            set_role(
                alive(9),
                Operator::Server,
                &users,
                &NewRole::Admin,
                admins,
                |_| false,
                role_of,
            )
        };
        assert_eq!(make(GROUP_ADMINS_MAX - 2), Ok(users.clone()));
        assert_eq!(
            make(GROUP_ADMINS_MAX - 1).unwrap_err().code,
            Code::GroupFull
        );
    }

    #[test]
    fn a_role_of_its_own_stands_between_members_and_admins() {
        let settings = Settings {
            only_admins_invite: true,
            ..Settings::default()
        };
        let plain = Standing::new(Role::Member, None, &settings);
        let scribe = Standing::new(
            Role::Member,
            Some(Rights::parse(["update"]).unwrap()),
            &settings,
        );
        let admin = Standing::new(Role::Admin, None, &settings);
        assert!(plain.rank() < scribe.rank() && scribe.rank() < admin.rank());
        assert!(scribe.rights.has(Right::Update) && !scribe.rights.has(Right::Invite));
        assert!(!plain.rights.has(Right::Update) && admin.rights.has(Right::Update));
        assert!(standing(Role::Member).rights.has(Right::Invite));
    }

    #[test]
    fn in_a_conversation_that_is_not_open_plain_members_have_no_rights() {
        let created = |open| {
            let settings = Settings {
                kind: Kind::Created,
                open,
                ..Settings::default()
            };
            Standing::new(Role::Member, None, &settings).rights
        };
        for right in [Right::Invite, Right::Remove, Right::Update] {
            assert!(created(true).has(right) && !created(false).has(right));
        }
    }

    #[test]
    fn defining_a_role_twice_changes_nothing() {
        let rights = Rights::parse(["mute", "remove"]).unwrap();
        let defined = [("warden", rights)];
        let define =
            |name: &str, rights| define(alive(1), Operator::Server, name, rights, &defined);
        assert_eq!(define("warden", Some(rights)), Ok(false));
        assert_eq!(define("warden", Some(Rights::default())), Ok(true));
        assert_eq!(define("warden", None), Ok(true));
        assert_eq!(define("scribe", None), Ok(false));
        assert_eq!(
            define("owner", Some(rights)).unwrap_err().code,
            Code::InvalidRequest
        );
        assert!(Rights::parse(["fly"]).is_err());
    }

    proptest! {
        #[test]
        fn rights_survive_being_named(bits in 0u32..1 << 9) {
            let rights = Rights(bits);
            prop_assert_eq!(Rights::parse(rights.names()), Ok(rights));
        }
    }
}
