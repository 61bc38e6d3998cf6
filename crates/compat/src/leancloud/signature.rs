//! Signatures that an application's own server gives its clients.
//!
//! A signature says that the server allows one operation of one client: HMAC-SHA1 over a text of
//! the application's id and what is asked for, with the master key, in lower-case hex. It is good
//! for six hours from its timestamp. Nothing is remembered of it, so within that time it can be
//! used again: it allows the same operation of the same client only.

use std::fmt::Write as _;

use anser_domain::Timestamp;
use ring::hmac;

/// Milliseconds for which a signature is good, before and after its timestamp.
pub const LIFE_MS: u64 = 6 * 60 * 60 * 1_000;
/// Bytes of a nonce that are looked at.
const NONCE_BYTES_MAX: usize = 256;

/// What a client sends with an operation.
#[derive(Clone, Copy, Eq, PartialEq, Debug)]
pub struct Signature<'a> {
    /// Milliseconds since 1970.
    pub timestamp: i64,
    /// Anything.
    pub nonce: &'a str,
    /// Lower-case hex.
    pub signature: &'a str,
}

/// What is signed.
#[derive(Clone, Copy, Eq, PartialEq, Debug)]
pub enum Operation<'a> {
    /// A client logs in.
    Login,
    /// A client creates a conversation of these members, itself included or not.
    Create {
        /// In any order.
        members: &'a [String],
    },
    /// A client adds these members, or itself.
    Invite {
        /// The conversation's id.
        conversation: &'a str,
        /// In any order.
        members: &'a [String],
    },
    /// A client removes these members.
    Kick {
        /// The conversation's id.
        conversation: &'a str,
        /// In any order.
        members: &'a [String],
    },
    /// A client reads the history by REST.
    History {
        /// The conversation's id.
        conversation: &'a str,
    },
    /// A conversation blocks clients, or blocks them no more.
    ConversationBlocks {
        /// The conversation's id.
        conversation: &'a str,
        /// In any order.
        members: &'a [String],
        /// From now on, or no more.
        block: bool,
    },
    /// A client blocks a conversation, or blocks it no more.
    ClientBlocks {
        /// The conversation's id.
        conversation: &'a str,
        /// From now on, or no more.
        block: bool,
    },
}

fn sorted(members: &[String]) -> String {
    let mut members: Vec<&str> = members.iter().map(String::as_str).collect();
    members.sort_unstable();
    members.join(":")
}

impl Operation<'_> {
    /// The text that is signed.
    fn text(&self, app: &str, client: &str, timestamp: i64, nonce: &str) -> String {
        let stamp = format!("{timestamp}:{nonce}");
        match self {
            Self::Login => format!("{app}:{client}::{stamp}"),
            Self::Create { members } => format!("{app}:{client}:{}:{stamp}", sorted(members)),
            Self::Invite {
                conversation,
                members,
            } => format!(
                "{app}:{client}:{conversation}:{}:{stamp}:invite",
                sorted(members)
            ),
            Self::Kick {
                conversation,
                members,
            } => format!(
                "{app}:{client}:{conversation}:{}:{stamp}:kick",
                sorted(members)
            ),
            Self::History { conversation } => {
                format!("{app}:{client}:{conversation}:{nonce}:{timestamp}")
            }
            Self::ConversationBlocks {
                conversation,
                members,
                block,
            } => {
                let action = match block {
                    true => "conversation-block-clients",
                    false => "conversation-unblock-clients",
                };
                let members = sorted(members);
                format!("{app}:{client}:{conversation}:{members}:{stamp}:{action}")
            }
            Self::ClientBlocks {
                conversation,
                block,
            } => {
                let action = match block {
                    true => "client-block-conversations",
                    false => "client-unblock-conversations",
                };
                format!("{app}:{client}:{conversation}::{stamp}:{action}")
            }
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(2 * bytes.len());
    for byte in bytes {
        write!(text, "{byte:02x}").expect("a string takes everything");
    }
    text
}

/// Signs an operation, as the application's server does.
#[must_use]
pub fn sign(
    master_key: &str,
    app: &str,
    client: &str,
    operation: Operation<'_>,
    timestamp: i64,
    nonce: &str,
) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, master_key.as_bytes());
    let text = operation.text(app, client, timestamp, nonce);
    hex(hmac::sign(&key, text.as_bytes()).as_ref())
}

/// Is this operation of this client signed, and not too long ago?
#[must_use]
pub fn is_signed(
    master_key: &str,
    app: &str,
    client: &str,
    operation: Operation<'_>,
    signature: Signature<'_>,
    now: Timestamp,
) -> bool {
    let Ok(signed) = u64::try_from(signature.timestamp) else {
        return false;
    };
    if master_key.is_empty()
        || now.0.abs_diff(signed) > LIFE_MS
        || signature.nonce.len() > NONCE_BYTES_MAX
    {
        return false;
    }
    let Some(given) = bytes(signature.signature) else {
        return false;
    };
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, master_key.as_bytes());
    let text = operation.text(app, client, signature.timestamp, signature.nonce);
    // Compares in constant time.
    hmac::verify(&key, text.as_bytes(), &given).is_ok()
}

/// The 20 bytes of a signature. Lower-case hex only: there is one way to write each.
fn bytes(hex: &str) -> Option<[u8; 20]> {
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    let text: &[u8; 40] = hex.as_bytes().try_into().ok()?;
    let mut bytes = [0; 20];
    for (byte, pair) in bytes.iter_mut().zip(text.chunks_exact(2)) {
        *byte = digit(pair[0])? << 4 | digit(pair[1])?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIME: i64 = 1_700_000_000_000;

    fn members(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn the_texts_are_those_of_the_guide() {
        let pair = members(&["tom", "bob"]);
        let text = |operation: Operation<'_>| operation.text("app", "me", 7, "n");
        let conversation = "c1";
        let table = [
            (text(Operation::Login), "app:me::7:n"),
            (
                text(Operation::Create { members: &pair }),
                "app:me:bob:tom:7:n",
            ),
            (
                text(Operation::Invite {
                    conversation,
                    members: &pair,
                }),
                "app:me:c1:bob:tom:7:n:invite",
            ),
            (
                text(Operation::Kick {
                    conversation,
                    members: &pair,
                }),
                "app:me:c1:bob:tom:7:n:kick",
            ),
            (text(Operation::History { conversation }), "app:me:c1:n:7"),
            (
                text(Operation::ConversationBlocks {
                    conversation,
                    members: &pair,
                    block: true,
                }),
                "app:me:c1:bob:tom:7:n:conversation-block-clients",
            ),
            (
                text(Operation::ConversationBlocks {
                    conversation,
                    members: &pair,
                    block: false,
                }),
                "app:me:c1:bob:tom:7:n:conversation-unblock-clients",
            ),
            (
                text(Operation::ClientBlocks {
                    conversation,
                    block: true,
                }),
                "app:me:c1::7:n:client-block-conversations",
            ),
            (
                text(Operation::ClientBlocks {
                    conversation,
                    block: false,
                }),
                "app:me:c1::7:n:client-unblock-conversations",
            ),
        ];
        for (text, expected) in table {
            assert_eq!(text, expected);
        }
    }

    // HMAC_LOGIN and HMAC_KICK were computed with another implementation (Python's hmac).
    const HMAC_LOGIN: &str = "62c12e9b4ea21f08df968b6298b4f0d6801a50dc";
    const HMAC_KICK: &str = "4327f3ca4f80686f36afb10867e33d1d7b62a1f8";

    #[test]
    fn what_another_implementation_signs_is_signed() {
        let login = sign("master", "app", "me", Operation::Login, TIME, "n");
        assert_eq!(login, HMAC_LOGIN);
        let kick = Operation::Kick {
            conversation: "c1",
            members: &members(&["tom", "bob"]),
        };
        assert_eq!(sign("master", "app", "me", kick, TIME, "n"), HMAC_KICK);
    }

    #[test]
    fn a_signature_is_for_one_operation_of_one_client_and_six_hours() {
        let good = Signature {
            timestamp: TIME,
            nonce: "n",
            signature: HMAC_LOGIN,
        };
        let is = |client: &str, operation, signature, now: u64| {
            is_signed(
                "master",
                "app",
                client,
                operation,
                signature,
                Timestamp(now),
            )
        };
        let now = TIME.unsigned_abs();
        let login = Operation::Login;
        assert!(is("me", login, good, now));
        assert!(is("me", login, good, now + LIFE_MS));
        assert!(!is("me", login, good, now + LIFE_MS + 1));
        assert!(is("me", login, good, now - LIFE_MS), "clocks differ");
        assert!(!is("you", login, good, now));
        assert!(!is(
            "me",
            Operation::History { conversation: "" },
            good,
            now
        ));
        assert!(!is("me", login, Signature { nonce: "m", ..good }, now));
        assert!(!is(
            "me",
            login,
            Signature {
                timestamp: TIME + 1,
                ..good
            },
            now
        ));
        assert!(!is(
            "me",
            login,
            Signature {
                timestamp: -1,
                ..good
            },
            now
        ));
        let upper = HMAC_LOGIN.to_uppercase();
        for signature in ["", "zz", &upper, &HMAC_LOGIN[..38]] {
            assert!(!is("me", login, Signature { signature, ..good }, now));
        }
        let nobody = sign("", "app", "me", login, TIME, "n");
        let signature = Signature {
            signature: &nobody,
            ..good
        };
        assert!(
            !is_signed("", "app", "me", login, signature, Timestamp(now)),
            "an app without a key accepts none"
        );
    }
}
