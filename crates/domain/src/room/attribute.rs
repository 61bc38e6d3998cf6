//! Attributes of a room: keys and values that everybody in it sees, such as who sits at which
//! microphone.
//!
//! Whoever sets a key owns it. Others change or delete it only by force, if the application lets
//! them say so, and the backend always may. A key can be set to go when its owner leaves.

use std::collections::BTreeMap;

use crate::id::UserId;
use crate::limits::{ROOM_ATTRIBUTES_MAX, ROOM_KEY_CHARS_MAX, ROOM_VALUE_CHARS_MAX};
use crate::{Code, Reject};

/// The value of a key.
#[derive(Clone, Eq, PartialEq, Debug)]
pub struct Attribute {
    /// At most [`ROOM_VALUE_CHARS_MAX`] characters.
    pub value: String,
    /// Who set it last. `None`: the app's backend in nobody's name.
    pub owner: Option<UserId>,
    /// Goes when its owner leaves the room.
    pub leaves: bool,
}

/// All of a room, by key.
pub type Attributes = BTreeMap<String, Attribute>;

/// What becomes of a key.
#[derive(Clone, Eq, PartialEq, Debug)]
pub struct AttributeChange {
    /// 1–[`ROOM_KEY_CHARS_MAX`] of `[A-Za-z0-9+=_-]`.
    pub key: String,
    /// The new value; `None` deletes it.
    pub value: Option<String>,
    /// See [`Attribute::leaves`].
    pub leaves: bool,
}

/// In whose name attributes are changed.
#[derive(Copy, Clone, Eq, PartialEq, Debug)]
pub struct By<'a> {
    /// The new owner. `None`: the backend, in nobody's name.
    pub user: Option<&'a UserId>,
    /// Also what belongs to others.
    pub force: bool,
}

fn check_key(key: &str) -> Result<(), Reject> {
    let form = |byte: u8| byte.is_ascii_alphanumeric() || b"+=-_".contains(&byte);
    if key.is_empty() || key.len() > ROOM_KEY_CHARS_MAX || !key.bytes().all(form) {
        return Err(Reject::new(
            Code::InvalidRequest,
            format!("a key is 1–{ROOM_KEY_CHARS_MAX} of [A-Za-z0-9+=_-]"),
        ));
    }
    Ok(())
}

/// Are these changes acceptable by themselves? At most `max` keys, each once.
///
/// # Errors
/// `INVALID_REQUEST` names the limit.
pub fn check(changes: &[AttributeChange], max: usize) -> Result<(), Reject> {
    if changes.is_empty() || changes.len() > max {
        let message = format!("keys are 1–{max} at once");
        return Err(Reject::new(Code::InvalidRequest, message));
    }
    for (at, change) in changes.iter().enumerate() {
        check_key(&change.key)?;
        let chars = change
            .value
            .as_ref()
            .map_or(0, |value| value.chars().count());
        if chars > ROOM_VALUE_CHARS_MAX {
            let message = format!("a value has at most {ROOM_VALUE_CHARS_MAX} characters");
            return Err(Reject::new(Code::InvalidRequest, message));
        }
        if changes[..at].iter().any(|other| other.key == change.key) {
            let message = format!("the key {} is named twice", change.key);
            return Err(Reject::new(Code::InvalidRequest, message));
        }
    }
    Ok(())
}

/// Makes the changes, all or none. Which of them change anything: deleting what is not there does
/// not.
///
/// # Errors
/// `ROOM_ATTRIBUTE_TAKEN` for a key of somebody else; `TOO_MANY_ROOM_ATTRIBUTES`.
pub fn change(
    all: &Attributes,
    changes: &[AttributeChange],
    by: By<'_>,
) -> Result<(Attributes, Vec<AttributeChange>), Reject> {
    let (mut new, mut effective) = (all.clone(), Vec::new());
    for change in changes {
        let known = all.get(&change.key);
        if let Some(known) = known
            && !by.force
            && known.owner.as_ref() != by.user
        {
            let message = format!("the key {} belongs to somebody else", change.key);
            return Err(Reject::new(Code::RoomAttributeTaken, message));
        }
        let value = change.value.as_ref().map(|value| Attribute {
            value: value.clone(),
            owner: by.user.cloned(),
            leaves: change.leaves,
        });
        if known == value.as_ref() {
            continue;
        }
        match value {
            Some(value) => drop(new.insert(change.key.clone(), value)),
            None => drop(new.remove(&change.key)),
        }
        effective.push(change.clone());
    }
    if new.len() > ROOM_ATTRIBUTES_MAX {
        return Err(Code::TooManyRoomAttributes.into());
    }
    Ok((new, effective))
}

/// The keys that go with a user who leaves.
#[must_use]
pub fn of_leaver(all: &Attributes, user: &UserId) -> Vec<AttributeChange> {
    let theirs = |one: &Attribute| one.leaves && one.owner.as_ref() == Some(user);
    let keys = all.iter().filter(|(_, one)| theirs(one));
    keys.map(|(key, _)| AttributeChange {
        key: key.clone(),
        value: None,
        leaves: false,
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(name: &str) -> UserId {
        UserId::new(name).unwrap()
    }

    fn set(key: &str, value: &str, leaves: bool) -> AttributeChange {
        AttributeChange {
            key: key.into(),
            value: Some(value.into()),
            leaves,
        }
    }

    fn delete(key: &str) -> AttributeChange {
        AttributeChange {
            value: None,
            ..set(key, "", false)
        }
    }

    fn by(user: Option<&UserId>, force: bool) -> By<'_> {
        By { user, force }
    }

    #[test]
    fn a_key_belongs_to_who_set_it_and_force_takes_it_over() {
        let (a, b) = (user("a"), user("b"));
        let (all, _) = change(
            &Attributes::new(),
            &[set("seat1", "a", true)],
            by(Some(&a), false),
        )
        .unwrap();
        let refused = change(&all, &[set("seat1", "b", false)], by(Some(&b), false));
        assert_eq!(refused.unwrap_err().code, Code::RoomAttributeTaken);
        let refused = change(&all, &[delete("seat1")], by(Some(&b), false));
        assert_eq!(refused.unwrap_err().code, Code::RoomAttributeTaken);
        let (all, _) = change(&all, &[set("seat1", "b", false)], by(Some(&b), true)).unwrap();
        assert_eq!(all["seat1"].owner, Some(b.clone()));
        assert!(
            change(&all, &[delete("seat1")], by(Some(&b), false))
                .unwrap()
                .0
                .is_empty()
        );
    }

    #[test]
    fn all_or_none() {
        let (a, b) = (user("a"), user("b"));
        let (all, _) = change(
            &Attributes::new(),
            &[set("x", "1", false)],
            by(Some(&a), false),
        )
        .unwrap();
        let both = [set("y", "2", false), set("x", "2", false)];
        assert!(change(&all, &both, by(Some(&b), false)).is_err());
        assert_eq!(change(&all, &both, by(Some(&a), false)).unwrap().1.len(), 2);
    }

    #[test]
    fn what_changes_nothing_is_no_change() {
        let a = user("a");
        let (all, _) = change(
            &Attributes::new(),
            &[set("x", "1", false)],
            by(Some(&a), false),
        )
        .unwrap();
        let (_, effective) = change(
            &all,
            &[set("x", "1", false), delete("y")],
            by(Some(&a), false),
        )
        .unwrap();
        assert_eq!(effective, []);
    }

    #[test]
    fn keys_go_with_their_owner_if_they_were_set_so() {
        let (a, b) = (user("a"), user("b"));
        let (all, _) = change(
            &Attributes::new(),
            &[set("x", "1", true), set("y", "1", false)],
            by(Some(&a), false),
        )
        .unwrap();
        let (all, _) = change(&all, &[set("z", "1", true)], by(Some(&b), false)).unwrap();
        assert_eq!(of_leaver(&all, &a), [delete("x")]);
    }

    #[test]
    fn a_room_has_a_hundred() {
        let a = user("a");
        let mut all = Attributes::new();
        for n in 0..ROOM_ATTRIBUTES_MAX {
            all = change(
                &all,
                &[set(&format!("k{n}"), "", false)],
                by(Some(&a), false),
            )
            .unwrap()
            .0;
        }
        let refused = change(&all, &[set("more", "", false)], by(None, true)).unwrap_err();
        assert_eq!(refused.code, Code::TooManyRoomAttributes);
        let swap = [set("more", "", false), delete("k0")];
        assert!(change(&all, &swap, by(None, true)).is_ok());
    }

    #[test]
    fn keys_and_values_have_limits() {
        let ok = |change: AttributeChange| check(&[change], 10).is_ok();
        assert!(ok(set("aZ9+=-_", "", false)) && ok(set(&"k".repeat(128), "", false)));
        assert!(
            !ok(set("", "", false))
                && !ok(set("k k", "", false))
                && !ok(set(&"k".repeat(129), "", false))
        );
        assert!(
            ok(set("k", &"值".repeat(4_096), false)) && !ok(set("k", &"值".repeat(4_097), false))
        );
        assert!(check(&[], 10).is_err());
        assert!(check(&[delete("a"), delete("a")], 10).is_err());
        let many: Vec<_> = (0..11).map(|n| delete(&n.to_string())).collect();
        assert!(check(&many, 10).is_err() && check(&many[1..], 10).is_ok());
    }
}
