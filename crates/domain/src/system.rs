//! Rules of system conversations: the app's backend speaks, users subscribe and answer.
//!
//! What the backend says is for all subscribers, or for those whom it names. What a user writes is
//! for the backend: besides it only this user sees it. There are no members who could see one
//! another, so nothing that shows one to another: neither receipts nor mentions.

use crate::code::{Code, Reject};
use crate::id::UserId;
use crate::message::Mention;

/// Who writes.
#[derive(Copy, Clone, Eq, PartialEq, Debug)]
pub enum Speaker<'a> {
    /// The app's backend, under a name of its own.
    Backend,
    /// A user who is subscribed.
    User(&'a UserId),
}

/// For whom a message is, of those that were named; empty: for all subscribers.
///
/// # Errors
/// `INVALID_REQUEST` if a user names anybody.
pub fn audience(speaker: Speaker<'_>, named: &[UserId]) -> Result<Vec<UserId>, Reject> {
    match speaker {
        Speaker::Backend => Ok(named.to_vec()),
        Speaker::User(user) if named.iter().all(|one| one == user) => Ok(vec![user.clone()]),
        Speaker::User(_) => Err(Reject::new(
            Code::InvalidRequest,
            "only the server API names targets in a system conversation",
        )),
    }
}

/// May a message of a system conversation ask for this?
pub fn check_options(mention: Option<&Mention>, receipt_wanted: bool) -> Result<(), Reject> {
    if mention.is_some() || receipt_wanted {
        return Err(Code::NotInSystem.into());
    }
    Ok(())
}

/// May this user change the message at all?
pub fn check_changer(user: &UserId, sender: &str) -> Result<(), Reject> {
    if user.as_str() == sender {
        Ok(())
    } else {
        Err(Code::NotInSystem.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(name: &str) -> UserId {
        UserId::new(name).unwrap()
    }

    #[test]
    fn the_backend_speaks_to_all_or_to_those_it_names() {
        let named = [user("alice"), user("bob")];
        assert_eq!(audience(Speaker::Backend, &[]), Ok(vec![]));
        assert_eq!(audience(Speaker::Backend, &named), Ok(named.to_vec()));
    }

    #[test]
    fn what_a_user_writes_is_for_the_backend_alone() {
        let alice = user("alice");
        let own = Ok(vec![alice.clone()]);
        assert_eq!(audience(Speaker::User(&alice), &[]), own);
        assert_eq!(
            audience(Speaker::User(&alice), std::slice::from_ref(&alice)),
            own
        );
        let refused = audience(Speaker::User(&alice), &[user("bob")]).unwrap_err();
        assert_eq!(refused.code, Code::InvalidRequest);
    }

    #[test]
    fn nothing_shows_one_subscriber_to_another() {
        let all = Mention {
            all: true,
            ..Mention::default()
        };
        let code = |result: Result<(), Reject>| result.unwrap_err().code;
        assert_eq!(check_options(None, false), Ok(()));
        assert_eq!(code(check_options(Some(&all), false)), Code::NotInSystem);
        assert_eq!(code(check_options(None, true)), Code::NotInSystem);
        assert_eq!(check_changer(&user("alice"), "alice"), Ok(()));
        assert_eq!(
            code(check_changer(&user("alice"), "news")),
            Code::NotInSystem
        );
    }
}
