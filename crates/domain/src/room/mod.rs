//! Chat rooms: many people, all of them online, and nothing that has to be kept.
//!
//! A room lives in memory. What is said in it has an order — an epoch, which is new whenever the
//! room is taken up anew, and a sequence within it — but neither unread nor offline messages, and
//! under load messages are dropped, by rules that protect what matters ([`quota`]). What is decided
//! about a room is kept in the store: its settings ([`info`]), its attributes ([`attribute`]), who
//! is muted or banned ([`people`]).

pub mod attribute;
pub mod info;
pub mod people;
pub mod quota;
pub mod stay;

use crate::limits::ROOM_TYPES_MAX;
use crate::{Code, Reject};

/// How much a message matters when not all can be delivered. The lower goes first.
#[derive(Copy, Clone, Eq, PartialEq, Ord, PartialOrd, Hash, Debug)]
pub enum Class {
    /// Likes and the like.
    Low,
    /// Messages, unless something else is said of them.
    High,
    /// Of moderators, of protected users and types; and what the room itself has to say.
    Protected,
}

/// The types of content that an app places in a class, whoever sends them.
#[derive(Clone, Eq, PartialEq, Debug, Default)]
pub struct ClassTypes {
    /// [`Class::Low`]. In byte order, at most [`ROOM_TYPES_MAX`].
    pub low: Vec<String>,
    /// [`Class::Protected`]. The same.
    pub protected: Vec<String>,
}

impl ClassTypes {
    /// The class of a message of this type. `protected`: its sender is. `low`: the sender says
    /// itself that it does not matter.
    #[must_use]
    pub fn class(&self, content_type: &str, protected: bool, low: bool) -> Class {
        let lists = |types: &[String]| types.iter().any(|one| one == content_type);
        if protected || lists(&self.protected) {
            Class::Protected
        } else if low || lists(&self.low) {
            Class::Low
        } else {
            Class::High
        }
    }
}

/// A list of types as it is kept: sorted, each once.
///
/// # Errors
/// `INVALID_REQUEST` for too many, or for one that is no content type.
pub fn class_types(types: &[String]) -> Result<Vec<String>, Reject> {
    let mut list = types.to_vec();
    list.sort_unstable();
    list.dedup();
    if list.len() > ROOM_TYPES_MAX {
        return Err(Reject::new(
            Code::InvalidRequest,
            format!("types are at most {ROOM_TYPES_MAX}"),
        ));
    }
    for one in &list {
        crate::message::check_content(one, 0, usize::MAX)?;
    }
    Ok(list)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn protection_goes_before_everything_and_low_is_said_by_app_or_sender() {
        let types = ClassTypes {
            low: vec!["like".into()],
            protected: vec!["sale".into()],
        };
        assert_eq!(types.class("text", false, false), Class::High);
        assert_eq!(types.class("text", false, true), Class::Low);
        assert_eq!(types.class("like", false, false), Class::Low);
        assert_eq!(types.class("like", true, true), Class::Protected);
        assert_eq!(types.class("sale", false, true), Class::Protected);
        assert!(Class::Low < Class::High && Class::High < Class::Protected);
    }

    #[test]
    fn lists_of_types_are_sorted_short_and_hold_content_types() {
        let list = |types: &[&str]| {
            class_types(
                &types
                    .iter()
                    .map(|one| (*one).to_owned())
                    .collect::<Vec<_>>(),
            )
        };
        assert_eq!(list(&["b", "a", "b"]).unwrap(), ["a", "b"]);
        assert!(list(&["A"]).is_err() && list(&[""]).is_err());
        let many: Vec<String> = (0..=ROOM_TYPES_MAX).map(|n| format!("t{n}")).collect();
        assert!(class_types(&many).is_err() && class_types(&many[1..]).is_ok());
    }
}
