//! What is told of a group and of a member: names, announcement, attributes.

use std::collections::{BTreeMap, BTreeSet};

use super::{GroupState, Operator, Right, Role, Settings, Standing};
use crate::code::{Code, Reject};
use crate::id::UserId;
use crate::limits::{
    ANNOUNCEMENT_BYTES_MAX, ATTRIBUTE_KEY_BYTES_MAX, GROUP_ATTRIBUTES_BYTES_MAX,
    GROUP_ATTRIBUTES_MAX, GROUP_NAME_BYTES_MAX, MEMBER_ATTRIBUTES_BYTES_MAX, MEMBER_ATTRIBUTES_MAX,
    PORTRAIT_BYTES_MAX,
};

/// Attributes: strings by key, the application's to give a meaning.
pub type Attributes = BTreeMap<String, String>;

/// Changes of attributes.
#[derive(Clone, Eq, PartialEq, Debug, Default)]
pub struct AttributeChange {
    /// Set to these values.
    pub put: Attributes,
    /// Removed; before anything is set.
    pub remove: Vec<String>,
}

impl AttributeChange {
    /// Asks for nothing?
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.put.is_empty() && self.remove.is_empty()
    }

    fn apply(&self, old: &Attributes, keys: usize, bytes: usize) -> Result<Attributes, Reject> {
        if self.remove.len() > keys {
            let message = format!("at most {keys} attributes are removed at once");
            return Err(Reject::new(Code::InvalidRequest, message));
        }
        let mut new = old.clone();
        for key in &self.remove {
            check_key(key)?;
            new.remove(key);
        }
        for (key, value) in &self.put {
            check_key(key)?;
            new.insert(key.clone(), value.clone());
        }
        let size: usize = new.iter().map(|(key, value)| key.len() + value.len()).sum();
        if new.len() > keys || size > bytes {
            let message = format!("attributes are at most {keys} keys and {bytes} bytes together");
            return Err(Reject::new(Code::InvalidRequest, message));
        }
        Ok(new)
    }

    /// The attributes of a group after the change.
    pub fn of_group(&self, old: &Attributes) -> Result<Attributes, Reject> {
        self.apply(old, GROUP_ATTRIBUTES_MAX, GROUP_ATTRIBUTES_BYTES_MAX)
    }

    /// The attributes of a member after the change.
    pub fn of_member(&self, old: &Attributes) -> Result<Attributes, Reject> {
        self.apply(old, MEMBER_ATTRIBUTES_MAX, MEMBER_ATTRIBUTES_BYTES_MAX)
    }
}

fn check_key(key: &str) -> Result<(), Reject> {
    let form = key.len() <= ATTRIBUTE_KEY_BYTES_MAX && !key.chars().any(char::is_control);
    if key.is_empty() || !form {
        return Err(Reject::new(
            Code::InvalidRequest,
            "the key of an attribute is 1–64 bytes, printable",
        ));
    }
    Ok(())
}

/// The keys whose values differ, in their order.
pub fn changed_keys<'a>(
    old: &'a Attributes,
    new: &'a Attributes,
) -> impl Iterator<Item = &'a String> {
    let keys: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    keys.into_iter()
        .filter(|key| old.get(*key) != new.get(*key))
}

/// Is it a name of a group, or a member's nickname?
pub fn check_name(name: &str) -> Result<(), Reject> {
    if name.len() > GROUP_NAME_BYTES_MAX || name.chars().any(char::is_control) {
        return Err(Reject::new(
            Code::InvalidRequest,
            "a name is at most 128 bytes, printable",
        ));
    }
    Ok(())
}

/// Is it an announcement?
pub fn check_announcement(text: &str) -> Result<(), Reject> {
    if text.len() > ANNOUNCEMENT_BYTES_MAX {
        let message = format!("an announcement is at most {ANNOUNCEMENT_BYTES_MAX} bytes");
        return Err(Reject::new(Code::InvalidRequest, message));
    }
    Ok(())
}

/// Is it the address of a picture?
pub fn check_portrait(text: &str) -> Result<(), Reject> {
    if text.len() > PORTRAIT_BYTES_MAX || text.chars().any(char::is_control) {
        let message = format!("a portrait is at most {PORTRAIT_BYTES_MAX} bytes, printable");
        return Err(Reject::new(Code::InvalidRequest, message));
    }
    Ok(())
}

/// What is asked to be set otherwise.
#[derive(Copy, Clone, Eq, PartialEq, Debug, Default)]
pub struct SettingsChange {
    /// See [`Settings::join`].
    pub join: Option<super::JoinMode>,
    /// See [`Settings::invitations_need_acceptance`].
    pub invitations_need_acceptance: Option<bool>,
    /// See [`Settings::only_admins_invite`].
    pub only_admins_invite: Option<bool>,
    /// See [`Settings::muted`].
    pub muted: Option<bool>,
    /// See [`Settings::history_visible`].
    pub history_visible: Option<bool>,
    /// See [`Settings::open`].
    pub open: Option<bool>,
}

impl SettingsChange {
    /// The settings after the change.
    #[must_use]
    pub fn apply(&self, old: Settings) -> Settings {
        Settings {
            join: self.join.unwrap_or(old.join),
            invitations_need_acceptance: self
                .invitations_need_acceptance
                .unwrap_or(old.invitations_need_acceptance),
            only_admins_invite: self.only_admins_invite.unwrap_or(old.only_admins_invite),
            muted: self.muted.unwrap_or(old.muted),
            history_visible: self.history_visible.unwrap_or(old.history_visible),
            open: self.open.unwrap_or(old.open),
            kind: old.kind,
        }
    }
}

/// May the operator change what is told of the group, or (`settings`) what is set for it?
pub fn check_update(
    group: GroupState,
    operator: Operator<'_>,
    told: bool,
    settings: bool,
) -> Result<(), Reject> {
    group.check_alive()?;
    operator.check_inside()?;
    if told {
        operator.check_right(Right::Update)?;
    }
    if settings {
        operator.check_role(Role::Admin)?;
    }
    Ok(())
}

/// May the operator change what is told of this member? Everybody may change what is told of
/// themself.
pub fn check_update_member(
    group: GroupState,
    operator: Operator<'_>,
    user: &UserId,
    standing: Option<Standing>,
) -> Result<(), Reject> {
    group.check_alive()?;
    operator.check_inside()?;
    if standing.is_none() {
        let message = format!("{user} is not in the group");
        return Err(Reject::new(Code::NotAMember, message));
    }
    if matches!(operator, Operator::User(by, _) if by == user) {
        return Ok(());
    }
    operator.check_right(Right::UpdateMembers)?;
    operator.check_above(user, standing)
}

#[cfg(test)]
mod tests {
    use super::super::fixture::*;
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn admins_tell_and_set_and_members_tell_of_themselves() {
        let (admin, member) = (user(1), user(3));
        let (by_admin, by_member) = (by(&admin, Role::Admin), by(&member, Role::Member));
        assert!(check_update(alive(9), by_admin, true, true).is_ok());
        assert!(check_update(alive(9), by_member, true, false).is_err());
        assert!(check_update(alive(9), by_member, false, true).is_err());
        let other = user(4);
        let of = |operator, who: &UserId| check_update_member(alive(9), operator, who, geese(who));
        assert!(of(by_member, &member).is_ok());
        assert!(of(by_member, &other).is_err());
        assert!(of(by_admin, &other).is_ok());
        assert!(of(by_admin, &user(2)).is_err(), "another admin");
        assert!(of(Operator::Server, &user(0)).is_ok());
        assert_eq!(
            of(Operator::Server, &user(77)).unwrap_err().code,
            Code::NotAMember
        );
    }

    #[test]
    fn attributes_have_a_number_and_a_size() {
        let change = |n: usize, len: usize| AttributeChange {
            put: (0..n)
                .map(|n| (format!("{n:02}"), "x".repeat(len)))
                .collect(),
            remove: Vec::new(),
        };
        let old = Attributes::new();
        assert!(change(64, 254).of_group(&old).is_ok());
        assert!(change(64, 255).of_group(&old).is_err());
        assert!(change(65, 1).of_group(&old).is_err());
        assert!(change(17, 1).of_member(&old).is_err());
        assert!(
            AttributeChange {
                put: [(String::new(), String::new())].into(),
                remove: vec![]
            }
            .of_group(&old)
            .is_err()
        );
    }

    #[test]
    fn what_is_removed_is_a_key_too_and_there_are_not_too_many() {
        let remove = |keys: Vec<String>| {
            let change = AttributeChange {
                put: Attributes::new(),
                remove: keys,
            };
            change.of_member(&Attributes::new()).is_ok()
        };
        assert!(remove(vec!["a".to_owned(); 16]));
        assert!(!remove(vec!["a".to_owned(); 17]));
        assert!(!remove(vec!["x".repeat(65)]));
        assert!(!remove(vec!["a\n".to_owned()]));
        assert!(!remove(vec![String::new()]));
    }

    #[test]
    fn only_keys_whose_value_differs_have_changed() {
        let map = |pairs: &[(&str, &str)]| -> Attributes {
            let own = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
            pairs.iter().map(own).collect()
        };
        let old = map(&[("gone", "1"), ("other", "1"), ("same", "1")]);
        let new = map(&[("new", "1"), ("other", "2"), ("same", "1")]);
        let changed: Vec<&String> = changed_keys(&old, &new).collect();
        assert_eq!(changed, ["gone", "new", "other"]);
    }

    proptest! {
        #[test]
        fn attributes_are_what_a_map_says(
            steps in prop::collection::vec((prop::collection::btree_map("[a-e]", "[x-z]", 0..3), prop::collection::vec("[a-e]", 0..3)), 0..20)
        ) {
            let (mut real, mut model) = (Attributes::new(), Attributes::new());
            for (put, remove) in steps {
                model.retain(|key, _| !remove.contains(key));
                model.extend(put.clone());
                real = AttributeChange { put, remove }.of_group(&real).unwrap();
                prop_assert_eq!(&real, &model);
            }
        }
    }
}
