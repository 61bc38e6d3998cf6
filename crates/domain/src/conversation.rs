//! What a conversation is called.
//!
//! One string names a conversation for everybody in it, on the wire, in REST paths, in logs and
//! in the SDKs: `p/<user>/<user>` for a private chat, with the two ids in byte order, so that it
//! is the same whoever starts it; `g/<group>` for a group; `c/<id>` for a conversation that a user
//! created, under an id that the server made; `t/<id>` for a temporary one ([`crate::temporary`]);
//! `s/<id>` for a system conversation, in which the app's backend speaks to those who subscribe. In
//! ids, `%` and `/` are written `%25` and `%2F`;
//! there is exactly one way to write each name.

use std::borrow::Cow;
use std::fmt;

use crate::code::{Code, Reject};
use crate::group::Kind;
use crate::id::{GroupId, InvalidId, UserId};
use crate::temporary;
use crate::time::Timestamp;

/// The name of a conversation.
#[derive(Clone, Eq, PartialEq, Ord, PartialOrd, Hash)]
pub enum ConversationId {
    /// Two users, the lower id first. Both may be the same: notes to oneself.
    Private(UserId, UserId),
    /// A group.
    Group(GroupId),
    /// A conversation that a user created.
    Created(GroupId),
    /// One that a user created for a time; the id tells when it ends.
    Temporary(GroupId),
    /// A conversation of the app's backend with those who subscribe.
    System(GroupId),
}

/// Bytes of the longest name: two ids with every byte escaped.
pub const CONVERSATION_ID_BYTES_MAX: usize = 2 + 2 * (3 * crate::limits::ID_BYTES_MAX) + 1;

impl ConversationId {
    /// The private conversation of two users.
    #[must_use]
    pub fn private(one: &UserId, other: &UserId) -> Self {
        if one <= other {
            Self::Private(one.clone(), other.clone())
        } else {
            Self::Private(other.clone(), one.clone())
        }
    }

    /// The conversation of this kind and id.
    #[must_use]
    pub fn with_members(kind: Kind, id: GroupId) -> Self {
        match kind {
            Kind::Group => Self::Group(id),
            Kind::Created => Self::Created(id),
            Kind::Temporary => Self::Temporary(id),
        }
    }

    /// Kind and id of a conversation that has member rows; `None` for a private or a system one.
    #[must_use]
    pub fn members_of(&self) -> Option<(Kind, &GroupId)> {
        match self {
            Self::Private(..) | Self::System(_) => None,
            Self::Group(id) => Some((Kind::Group, id)),
            Self::Created(id) => Some((Kind::Created, id)),
            Self::Temporary(id) => Some((Kind::Temporary, id)),
        }
    }

    /// When it ends; `None`: never.
    #[must_use]
    pub fn end(&self) -> Option<Timestamp> {
        match self {
            Self::Temporary(id) => Some(temporary::end(id).unwrap_or_default()),
            _ => None,
        }
    }

    /// Nobody gets into a temporary conversation from its end on.
    pub fn check_living(&self, now: Timestamp) -> Result<(), Reject> {
        match self.end() {
            Some(end) if end <= now => Err(Code::ConversationOver.into()),
            _ => Ok(()),
        }
    }

    /// Reads the written form. Only the canonical one is accepted.
    pub fn parse(text: &str) -> Result<Self, InvalidId> {
        if text.len() > CONVERSATION_ID_BYTES_MAX {
            return Err(InvalidId::TooLong);
        }
        let (kind, rest) = text.split_once('/').ok_or(InvalidId::Malformed)?;
        let id = match kind {
            "p" => {
                let (low, high) = rest.split_once('/').ok_or(InvalidId::Malformed)?;
                let (low, high) = (
                    UserId::new(&unescape(low)?)?,
                    UserId::new(&unescape(high)?)?,
                );
                if low > high {
                    return Err(InvalidId::Malformed);
                }
                Self::Private(low, high)
            }
            "g" => Self::Group(GroupId::new(&unescape(rest)?)?),
            "c" => Self::Created(GroupId::new(&unescape(rest)?)?),
            "t" => {
                let id = GroupId::new(&unescape(rest)?)?;
                temporary::end(&id).ok_or(InvalidId::Malformed)?;
                Self::Temporary(id)
            }
            "s" => Self::System(GroupId::new(&unescape(rest)?)?),
            _ => return Err(InvalidId::Malformed),
        };
        Ok(id)
    }

    /// Does the app's backend speak here to those who subscribe?
    #[must_use]
    pub const fn is_system(&self) -> bool {
        matches!(self, Self::System(_))
    }

    /// The other one of a private conversation; `None` for a group or an outsider.
    #[must_use]
    pub fn peer_of(&self, user: &UserId) -> Option<&UserId> {
        match self {
            Self::Private(low, high) if low == user => Some(high),
            Self::Private(low, high) if high == user => Some(low),
            _ => None,
        }
    }
}

/// Only what has to be escaped may be: `%41` for "A" would be a second name of the same
/// conversation.
fn unescape(text: &str) -> Result<Cow<'_, str>, InvalidId> {
    if text.contains('/') {
        return Err(InvalidId::Malformed);
    }
    if !text.contains('%') {
        return Ok(Cow::Borrowed(text));
    }
    let mut parts = text.split('%');
    let mut plain = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (escaped, rest) = match (part.strip_prefix("2F"), part.strip_prefix("25")) {
            (Some(rest), _) => ('/', rest),
            (_, Some(rest)) => ('%', rest),
            _ => return Err(InvalidId::Malformed),
        };
        plain.push(escaped);
        plain.push_str(rest);
    }
    Ok(Cow::Owned(plain))
}

struct Escaped<'a>(&'a str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = self.0;
        while let Some(at) = rest.find(['%', '/']) {
            f.write_str(&rest[..at])?;
            f.write_str(if rest.as_bytes()[at] == b'%' {
                "%25"
            } else {
                "%2F"
            })?;
            rest = &rest[at + 1..];
        }
        f.write_str(rest)
    }
}

impl fmt::Display for ConversationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Private(low, high) => {
                write!(f, "p/{}/{}", Escaped(low.as_str()), Escaped(high.as_str()))
            }
            Self::Group(group) => write!(f, "g/{}", Escaped(group.as_str())),
            Self::Created(id) => write!(f, "c/{}", Escaped(id.as_str())),
            Self::Temporary(id) => write!(f, "t/{}", Escaped(id.as_str())),
            Self::System(id) => write!(f, "s/{}", Escaped(id.as_str())),
        }
    }
}

impl fmt::Debug for ConversationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn user(text: &str) -> UserId {
        UserId::new(text).unwrap()
    }

    #[test]
    fn a_private_chat_is_the_same_whoever_starts_it() {
        let one = ConversationId::private(&user("bob"), &user("alice"));
        assert_eq!(one, ConversationId::private(&user("alice"), &user("bob")));
        assert_eq!(one.to_string(), "p/alice/bob");
        assert_eq!(one.peer_of(&user("bob")), Some(&user("alice")));
        assert_eq!(one.peer_of(&user("eve")), None);
    }

    #[test]
    fn there_is_one_way_to_write_a_name() {
        for text in [
            "p/bob/alice",
            "g/%41",
            "g/a%2f",
            "g/",
            "g/a/b",
            "p/a",
            "x/a",
            "",
            "g",
        ] {
            assert!(ConversationId::parse(text).is_err(), "{text}");
        }
        assert_eq!(
            ConversationId::parse("g/a%2Fb%25").unwrap().to_string(),
            "g/a%2Fb%25"
        );
    }

    proptest! {
        #[test]
        fn names_survive_writing(a in "[a-z%/ 2F5é]{1,20}", b in "[a-z%/ 2F5é]{1,20}") {
            let (Ok(a), Ok(b)) = (UserId::new(&a), UserId::new(&b)) else { return Ok(()) };
            let id = ConversationId::private(&a, &b);
            prop_assert_eq!(ConversationId::parse(&id.to_string()), Ok(id));
        }

        #[test]
        fn reading_never_panics_and_is_canonical(text in "[pgcs%/2F5ab]{0,30}") {
            if let Ok(id) = ConversationId::parse(&text) {
                prop_assert_eq!(id.to_string(), text);
            }
        }
    }
}
