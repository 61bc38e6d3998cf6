//! Rules of system conversations: the app's backend speaks, users subscribe and answer.
//!
//! What the backend says is for all subscribers, or for those whom it names. What a user writes is
//! for the backend: besides it only this user sees it. There are no members who could see one
//! another, so nothing that shows one to another: neither receipts nor mentions.

use crate::code::{Code, Reject};
use crate::id::{Tag, UserId};
use crate::message::Mention;
use crate::time::Timestamp;

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

/// May a conversation be for these: everyone, or who has a tag?
///
/// # Errors
/// `INVALID_REQUEST` for both at once.
pub fn check_audience(everyone: bool, tag: Option<&Tag>) -> Result<(), Reject> {
    if everyone && tag.is_some() {
        let why = "a conversation is for everyone or for a tag, not for both";
        return Err(Reject::new(Code::InvalidRequest, why));
    }
    Ok(())
}

/// Since when a user has the tag of a conversation, if at all, as of a version of the user's tags.
#[derive(Copy, Clone, Eq, PartialEq, Debug)]
pub struct Tagged {
    /// Grows with every change of the user's tags.
    pub version: u64,
    /// `None`: the user has the tag not.
    pub since: Option<Timestamp>,
}

/// What a subscription that stands for `known` becomes, told that it is `told` now. `None`: it
/// stays. Told of what is older, nothing changes; told that the tag is not there, also one that is
/// none takes note, so that what is older changes nothing later.
#[must_use]
pub fn follow_tag(known: Tagged, told: Tagged) -> Option<Tagged> {
    let is_same = known.since.is_some() && known.since == told.since;
    (told.version > known.version && !is_same).then_some(told)
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
    fn a_conversation_is_for_everyone_or_for_a_tag() {
        let tag = Tag::new("vip").unwrap();
        assert_eq!(check_audience(true, None), Ok(()));
        assert_eq!(check_audience(false, Some(&tag)), Ok(()));
        let both = check_audience(true, Some(&tag)).unwrap_err();
        assert_eq!(both.code, Code::InvalidRequest);
    }

    #[test]
    fn whatever_order_news_of_tags_come_in_the_newest_holds() {
        let tagged = |version, since: Option<u64>| Tagged {
            version,
            since: since.map(Timestamp),
        };
        // Tagged, not any more, and tagged again.
        let news = [tagged(2, Some(20)), tagged(3, None), tagged(5, Some(50))];
        for order in [
            [0, 1, 2],
            [0, 2, 1],
            [1, 0, 2],
            [1, 2, 0],
            [2, 0, 1],
            [2, 1, 0],
        ] {
            let told = order.map(|at: usize| news[at]);
            let end = told.into_iter().fold(tagged(0, None), |known, told| {
                follow_tag(known, told).unwrap_or(known)
            });
            assert_eq!(end, news[2], "in the order {order:?}");
        }
        // The tags changed otherwise: the subscription stays.
        assert_eq!(follow_tag(tagged(2, Some(20)), tagged(4, Some(20))), None);
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
