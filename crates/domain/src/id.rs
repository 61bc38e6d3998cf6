//! Ids. A value of one of these types has been checked; everything behind the edge relies on it.

use std::fmt;
use std::sync::Arc;

use crate::limits::ID_BYTES_MAX;
use crate::time::Timestamp;

/// The number of an app in table keys. The public name of an app is its app key, a string.
#[derive(Copy, Clone, Eq, PartialEq, Ord, PartialOrd, Hash, Debug)]
pub struct AppId(pub u32);

/// Why a string is no id.
#[derive(Copy, Clone, Eq, PartialEq, Debug)]
pub enum InvalidId {
    /// No bytes at all.
    Empty,
    /// More than [`ID_BYTES_MAX`] bytes.
    TooLong,
    /// A control character, or white space at an end.
    NotPrintable,
    /// Not of the form that this kind of id has.
    Malformed,
}

impl fmt::Display for InvalidId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty => "is empty",
            Self::TooLong => "is longer than 64 bytes",
            Self::NotPrintable => "has a control character, or white space at an end",
            Self::Malformed => "is malformed",
        })
    }
}

fn check_printable(text: &str) -> Result<(), InvalidId> {
    if text.is_empty() {
        return Err(InvalidId::Empty);
    }
    if text.len() > ID_BYTES_MAX {
        return Err(InvalidId::TooLong);
    }
    let plain = text.bytes().all(|byte| byte.is_ascii_graphic());
    if !plain && (text.chars().any(char::is_control) || text.trim() != text) {
        return Err(InvalidId::NotPrintable);
    }
    Ok(())
}

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        ///
        /// 1–64 bytes of printable UTF-8. Cloning is cheap.
        #[derive(Clone, Eq, PartialEq, Ord, PartialOrd, Hash)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Checks the text.
            pub fn new(text: &str) -> Result<Self, InvalidId> {
                check_printable(text)?;
                Ok(Self(Arc::from(text)))
            }

            /// The id as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:?}", &self.0)
            }
        }

        impl std::borrow::Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }
    };
}

text_id! {
    /// A user, named by the customer's backend.
    UserId
}
text_id! {
    /// A group, named by its creator or by the server; or another conversation with members.
    GroupId
}
text_id! {
    /// A chat room, named by the customer's backend.
    RoomId
}
text_id! {
    /// A tag that an app gives its users.
    Tag
}
text_id! {
    /// An installation of a client, named by itself.
    DeviceId
}

/// The id of a message: 48 bits of milliseconds, 80 random bits. Written as 26 characters of
/// Crockford's base 32, so that text and bytes sort by time alike.
#[derive(Copy, Clone, Eq, PartialEq, Ord, PartialOrd, Hash)]
pub struct MessageId(pub [u8; 16]);

const CROCKFORD: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

impl MessageId {
    /// Characters of the written form.
    pub const TEXT_LEN: usize = 26;

    /// An id of this time; `random` must be fresh.
    #[must_use]
    pub fn new(time: Timestamp, random: [u8; 10]) -> Self {
        let mut bytes = [0; 16];
        bytes[..6].copy_from_slice(&time.0.to_be_bytes()[2..]);
        bytes[6..].copy_from_slice(&random);
        Self(bytes)
    }

    /// When it was made.
    #[must_use]
    pub fn time(self) -> Timestamp {
        let bytes = self.0.first_chunk::<6>().expect("there are sixteen");
        Timestamp(bytes.iter().fold(0, |ms, byte| ms << 8 | u64::from(*byte)))
    }

    /// Reads the 26 characters, as [`Display`](fmt::Display) writes them.
    pub fn parse(text: &str) -> Result<Self, InvalidId> {
        if text.len() != Self::TEXT_LEN {
            return Err(InvalidId::Malformed);
        }
        let mut value: u128 = 0;
        for (at, byte) in text.bytes().enumerate() {
            let digit = CROCKFORD
                .iter()
                .position(|c| *c == byte)
                .ok_or(InvalidId::Malformed)?;
            if at == 0 && digit > 7 {
                return Err(InvalidId::Malformed);
            }
            value = value << 5 | digit as u128;
        }
        Ok(Self(value.to_be_bytes()))
    }
}

impl fmt::Display for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = u128::from_be_bytes(self.0);
        let mut text = [0u8; Self::TEXT_LEN];
        for (at, byte) in text.iter_mut().enumerate() {
            let shift = 5 * (Self::TEXT_LEN - 1 - at);
            *byte = CROCKFORD[(value >> shift & 31) as usize];
        }
        f.write_str(std::str::from_utf8(&text).expect("the alphabet is ASCII"))
    }
}

impl fmt::Debug for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_is_a_user_id() {
        let check = |text: &str| UserId::new(text).map(|_| ());
        assert_eq!(check("alice"), Ok(()));
        assert_eq!(check("张三/web 1"), Ok(()));
        assert_eq!(check(""), Err(InvalidId::Empty));
        assert_eq!(check(&"a".repeat(64)), Ok(()));
        assert_eq!(check(&"a".repeat(65)), Err(InvalidId::TooLong));
        assert_eq!(check("a\nb"), Err(InvalidId::NotPrintable));
        assert_eq!(check(" a"), Err(InvalidId::NotPrintable));
    }

    proptest! {
        #[test]
        fn message_ids_survive_writing_and_sort_by_time(a: [u8; 16], b: [u8; 16]) {
            let (a, b) = (MessageId(a), MessageId(b));
            prop_assert_eq!(MessageId::parse(&a.to_string()), Ok(a));
            prop_assert_eq!(a.cmp(&b), a.to_string().cmp(&b.to_string()));
        }

        #[test]
        fn reading_a_message_id_never_panics(text in ".{0,40}") {
            let _ = MessageId::parse(&text);
        }
    }
}
