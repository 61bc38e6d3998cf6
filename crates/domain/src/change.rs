//! Changes of messages: who may make one, and what it comes to.
//!
//! A changed message carries a [`MessageState`] beside its content. A change is checked against
//! what the message is now, and gives the next state, or nothing if it would change nothing: a
//! retry of a change that took effect is not a second one.

use std::collections::BTreeMap;

use crate::code::{Code, Reject};
use crate::id::UserId;
use crate::limits::{
    EDITS_MAX, EXPANSION_BYTES_MAX, EXPANSION_KEY_BYTES_MAX, EXPANSION_KEYS_MAX,
    EXPANSION_UPDATE_KEYS_MAX, EXPANSION_VALUE_BYTES_MAX, REACTION_BYTES_MAX, REACTION_USERS_MAX,
    REACTIONS_MAX,
};
use crate::time::Timestamp;

/// A message was taken back.
#[derive(Clone, Eq, PartialEq, Debug)]
pub struct Recall {
    /// Who did it. Empty: the server API, or nobody, when it burned.
    pub operator: String,
    /// When.
    pub time: Timestamp,
    /// It was read, and its time was over.
    pub burned: bool,
}

/// A message was edited.
#[derive(Clone, Eq, PartialEq, Debug)]
pub struct Edit {
    /// Who did it last. Empty: the server API.
    pub operator: String,
    /// When.
    pub time: Timestamp,
    /// How often.
    pub count: u32,
}

/// A value attached to a message.
#[derive(Clone, Eq, PartialEq, Debug)]
pub struct Expansion {
    /// The value.
    pub value: String,
    /// Who set it last. Empty: the server API.
    pub user: String,
}

/// A reaction and who reacted so, in the order of their reacting.
#[derive(Clone, Eq, PartialEq, Debug)]
pub struct Reaction {
    /// An emoji, or a name.
    pub reaction: String,
    /// Who.
    pub users: Vec<String>,
}

/// What happened to a message since it was sent.
#[derive(Clone, Eq, PartialEq, Debug, Default)]
pub struct MessageState {
    /// The conversation's `rev` of the last change.
    pub rev: u64,
    /// When that was.
    pub time: Timestamp,
    /// Its content is gone.
    pub recall: Option<Recall>,
    /// Its content is a later one.
    pub edit: Option<Edit>,
    /// Attached values by key.
    pub expansion: BTreeMap<String, Expansion>,
    /// In the order in which they came up.
    pub reactions: Vec<Reaction>,
}

/// Who changes a message.
#[derive(Copy, Clone, Eq, PartialEq, Debug)]
pub enum Changer<'a> {
    /// The server API: may do everything that is possible, at any time.
    Server,
    /// A user who may see the message.
    User {
        /// Who.
        user: &'a UserId,
        /// Is it the owner of the group, or an admin?
        manages: bool,
    },
}

impl Changer<'_> {
    /// The user's id; empty for the server API.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Server => "",
            Self::User { user, .. } => user.as_str(),
        }
    }
}

/// The message as it is.
#[derive(Copy, Clone, Debug)]
pub struct Subject<'a> {
    /// Who sent it. Empty: a notice of the server.
    pub sender: &'a str,
    /// When.
    pub time: Timestamp,
    /// What happened to it.
    pub state: Option<&'a MessageState>,
}

impl Subject<'_> {
    /// Was it taken back, or has it burned?
    #[must_use]
    pub fn is_recalled(&self) -> bool {
        self.state.is_some_and(|state| state.recall.is_some())
    }

    fn check_alive(&self) -> Result<(), Reject> {
        if self.is_recalled() {
            return Err(Code::MessageRecalled.into());
        }
        Ok(())
    }

    fn check_no_notice(&self) -> Result<(), Reject> {
        if self.sender.is_empty() {
            return Err(Reject::new(
                Code::NotAllowed,
                "notices of the server stay as they are",
            ));
        }
        Ok(())
    }

    fn check_age(&self, now: Timestamp, seconds_max: u64) -> Result<(), Reject> {
        if now.since_ms(self.time) > seconds_max * 1_000 {
            let message = format!("this is possible within {seconds_max} seconds");
            return Err(Reject::new(Code::TooLate, message));
        }
        Ok(())
    }
}

/// May the message be taken back? The sender within some time, those who manage a group and the
/// server API at any. `false`: it is already.
pub fn recall(
    by: Changer<'_>,
    subject: Subject<'_>,
    now: Timestamp,
    seconds_max: u64,
) -> Result<bool, Reject> {
    subject.check_no_notice()?;
    match by {
        Changer::Server | Changer::User { manages: true, .. } => {}
        Changer::User { user, .. } if user.as_str() != subject.sender => {
            return Err(Reject::new(
                Code::NotAllowed,
                "only its sender, or who manages the group, takes a message back",
            ));
        }
        // A retry of a recall that was in time is in time.
        Changer::User { .. } if subject.is_recalled() => {}
        Changer::User { .. } => subject.check_age(now, seconds_max)?,
    }
    Ok(!subject.is_recalled())
}

/// May the content be replaced? The sender within some time (0: never), the server API at any; and
/// only by content of the same type. The edit that it comes to.
pub fn edit(
    by: Changer<'_>,
    subject: Subject<'_>,
    same_type: bool,
    now: Timestamp,
    seconds_max: u64,
) -> Result<Edit, Reject> {
    subject.check_no_notice()?;
    if let Changer::User { user, .. } = by {
        if user.as_str() != subject.sender {
            return Err(Reject::new(
                Code::NotAllowed,
                "only its sender edits a message",
            ));
        }
        if seconds_max == 0 {
            return Err(Reject::new(
                Code::NotAllowed,
                "messages are not edited here",
            ));
        }
    }
    subject.check_alive()?;
    if let Changer::User { .. } = by {
        subject.check_age(now, seconds_max)?;
    }
    if !same_type {
        return Err(Reject::new(
            Code::InvalidRequest,
            "an edit keeps the type of the content",
        ));
    }
    let before = subject
        .state
        .and_then(|state| state.edit.as_ref())
        .map_or(0, |edit| edit.count);
    if before >= EDITS_MAX {
        let message = format!("a message is edited at most {EDITS_MAX} times");
        return Err(Reject::new(Code::InvalidRequest, message));
    }
    Ok(Edit {
        operator: by.name().to_owned(),
        time: now,
        count: before + 1,
    })
}

/// Are these keys and values acceptable by themselves?
pub fn check_expansion(put: &BTreeMap<String, String>, remove: &[String]) -> Result<(), Reject> {
    let invalid = |message: String| Err(Reject::new(Code::InvalidRequest, message));
    if put.is_empty() && remove.is_empty() {
        return invalid("there is nothing to put or to remove".into());
    }
    if put.len() + remove.len() > EXPANSION_UPDATE_KEYS_MAX {
        return invalid(format!(
            "at most {EXPANSION_UPDATE_KEYS_MAX} keys in one command"
        ));
    }
    for key in put.keys().chain(remove) {
        if key.is_empty()
            || key.len() > EXPANSION_KEY_BYTES_MAX
            || key.chars().any(char::is_control)
        {
            return invalid(format!(
                "a key is 1–{EXPANSION_KEY_BYTES_MAX} bytes, printable"
            ));
        }
    }
    if put
        .values()
        .any(|value| value.len() > EXPANSION_VALUE_BYTES_MAX)
    {
        return invalid(format!(
            "a value has at most {EXPANSION_VALUE_BYTES_MAX} bytes"
        ));
    }
    Ok(())
}

/// The expansion after keys were put and removed. `None`: it is like that already.
pub fn expand(
    by: Changer<'_>,
    subject: Subject<'_>,
    put: &BTreeMap<String, String>,
    remove: &[String],
) -> Result<Option<BTreeMap<String, Expansion>>, Reject> {
    check_expansion(put, remove)?;
    subject.check_no_notice()?;
    subject.check_alive()?;
    let old = subject.state.map(|state| &state.expansion);
    let mut new = old.cloned().unwrap_or_default();
    for key in remove {
        new.remove(key);
    }
    for (key, value) in put {
        let entry = Expansion {
            value: value.clone(),
            user: by.name().to_owned(),
        };
        new.insert(key.clone(), entry);
    }
    let bytes: usize = new
        .iter()
        .map(|(key, entry)| key.len() + entry.value.len())
        .sum();
    if new.len() > EXPANSION_KEYS_MAX || bytes > EXPANSION_BYTES_MAX {
        let message = format!(
            "the message would have more than {EXPANSION_KEYS_MAX} keys or {EXPANSION_BYTES_MAX} bytes attached"
        );
        return Err(Reject::new(Code::InvalidRequest, message));
    }
    let changes = match old {
        Some(old) => *old != new,
        None => !new.is_empty(),
    };
    Ok(changes.then_some(new))
}

/// Is it a reaction?
pub fn check_reaction(reaction: &str) -> Result<(), Reject> {
    if reaction.is_empty()
        || reaction.len() > REACTION_BYTES_MAX
        || reaction.chars().any(char::is_control)
    {
        let message = format!("a reaction is 1–{REACTION_BYTES_MAX} bytes, printable");
        return Err(Reject::new(Code::InvalidRequest, message));
    }
    Ok(())
}

/// The reactions after one was added or taken back. `None`: it is like that already.
pub fn react(
    by: Changer<'_>,
    subject: Subject<'_>,
    reaction: &str,
    remove: bool,
) -> Result<Option<Vec<Reaction>>, Reject> {
    check_reaction(reaction)?;
    let Changer::User { user, .. } = by else {
        return Err(Reject::new(Code::InvalidRequest, "it is a user who reacts"));
    };
    subject.check_no_notice()?;
    subject.check_alive()?;
    let mut all = subject
        .state
        .map(|state| state.reactions.clone())
        .unwrap_or_default();
    let at = all.iter().position(|one| one.reaction == reaction);
    let reacted = at.is_some_and(|at| all[at].users.iter().any(|one| one == user.as_str()));
    if reacted != remove {
        return Ok(None);
    }
    if remove {
        if let Some(at) = at {
            all[at].users.retain(|one| one != user.as_str());
            if all[at].users.is_empty() {
                all.remove(at);
            }
        }
        return Ok(Some(all));
    }
    if at.is_none() && all.len() >= REACTIONS_MAX {
        let message = format!("a message has at most {REACTIONS_MAX} different reactions");
        return Err(Reject::new(Code::InvalidRequest, message));
    }
    if all.iter().map(|one| one.users.len()).sum::<usize>() >= REACTION_USERS_MAX {
        let message = format!("a message has at most {REACTION_USERS_MAX} reactions by users");
        return Err(Reject::new(Code::InvalidRequest, message));
    }
    match at {
        Some(at) => all[at].users.push(user.as_str().to_owned()),
        None => all.push(Reaction {
            reaction: reaction.to_owned(),
            users: vec![user.as_str().to_owned()],
        }),
    }
    Ok(Some(all))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    fn user(name: &str) -> UserId {
        UserId::new(name).unwrap()
    }

    fn member(user: &UserId) -> Changer<'_> {
        Changer::User {
            user,
            manages: false,
        }
    }

    fn by_alice(state: Option<&MessageState>) -> Subject<'_> {
        Subject {
            sender: "alice",
            time: Timestamp(1_000_000),
            state,
        }
    }

    fn recalled() -> MessageState {
        MessageState {
            rev: 1,
            recall: Some(Recall {
                operator: "alice".into(),
                time: Timestamp(1),
                burned: false,
            }),
            ..MessageState::default()
        }
    }

    #[test]
    fn the_sender_recalls_in_time_and_others_do_not() {
        let (alice, bob) = (user("alice"), user("bob"));
        let in_time = Timestamp(1_120_000);
        let late = Timestamp(1_120_001);
        assert!(recall(member(&alice), by_alice(None), in_time, 120).unwrap());
        let refused = |by, now| recall(by, by_alice(None), now, 120).unwrap_err().code;
        assert_eq!(refused(member(&alice), late), Code::TooLate);
        assert_eq!(refused(member(&bob), in_time), Code::NotAllowed);
        let owner = Changer::User {
            user: &bob,
            manages: true,
        };
        assert!(recall(owner, by_alice(None), late, 120).unwrap());
        assert!(recall(Changer::Server, by_alice(None), late, 120).unwrap());
    }

    #[test]
    fn a_second_recall_changes_nothing_however_late() {
        let alice = user("alice");
        let state = recalled();
        assert!(
            !recall(
                member(&alice),
                by_alice(Some(&state)),
                Timestamp(u64::MAX),
                120
            )
            .unwrap()
        );
    }

    #[test]
    fn notices_stay() {
        let notice = Subject {
            sender: "",
            ..by_alice(None)
        };
        let code = recall(Changer::Server, notice, Timestamp(1), 120).unwrap_err();
        assert_eq!(code.code, Code::NotAllowed);
        let code = edit(Changer::Server, notice, true, Timestamp(1), 120).unwrap_err();
        assert_eq!(code.code, Code::NotAllowed);
    }

    #[test]
    fn an_edit_is_the_senders_in_time_and_of_the_same_type() {
        let (alice, bob) = (user("alice"), user("bob"));
        let now = Timestamp(1_000_001);
        let code = |by, state, same, now, max| {
            edit(by, by_alice(state), same, now, max).map_err(|reject| reject.code)
        };
        assert_eq!(code(member(&alice), None, true, now, 60).unwrap().count, 1);
        assert_eq!(
            code(member(&bob), None, true, now, 60),
            Err(Code::NotAllowed)
        );
        assert_eq!(
            code(member(&alice), None, true, now, 0),
            Err(Code::NotAllowed)
        );
        assert_eq!(
            code(member(&alice), None, false, now, 60),
            Err(Code::InvalidRequest)
        );
        let late = Timestamp(1_060_001);
        assert_eq!(
            code(member(&alice), None, true, late, 60),
            Err(Code::TooLate)
        );
        assert!(code(Changer::Server, None, true, late, 0).is_ok());
        let state = recalled();
        assert_eq!(
            code(Changer::Server, Some(&state), true, now, 60),
            Err(Code::MessageRecalled)
        );
    }

    #[test]
    fn edits_are_counted_and_bounded() {
        let mut state = MessageState::default();
        for n in 1..=EDITS_MAX {
            let next = edit(
                Changer::Server,
                by_alice(Some(&state)),
                true,
                Timestamp(1),
                1,
            );
            assert_eq!(next.as_ref().unwrap().count, n);
            state.edit = Some(next.unwrap());
        }
        let over = edit(
            Changer::Server,
            by_alice(Some(&state)),
            true,
            Timestamp(1),
            1,
        );
        assert_eq!(over.unwrap_err().code, Code::InvalidRequest);
    }

    #[test]
    fn an_expansion_remembers_who_set_a_key_and_has_limits() {
        let alice = user("alice");
        let put = |pairs: &[(&str, &str)]| -> BTreeMap<String, String> {
            let owned = |(k, v): &(&str, &str)| ((*k).to_owned(), (*v).to_owned());
            pairs.iter().map(owned).collect()
        };
        let one = expand(member(&alice), by_alice(None), &put(&[("k", "v")]), &[])
            .unwrap()
            .unwrap();
        assert_eq!(one["k"].user, "alice");
        let state = MessageState {
            expansion: one,
            ..MessageState::default()
        };
        let again = expand(
            member(&alice),
            by_alice(Some(&state)),
            &put(&[("k", "v")]),
            &["other".into()],
        );
        assert_eq!(again.unwrap(), None, "a retry is no second change");
        let gone = expand(
            member(&alice),
            by_alice(Some(&state)),
            &put(&[]),
            &["k".into()],
        );
        assert!(gone.unwrap().unwrap().is_empty());
        for bad in [put(&[("", "v")]), put(&[("k\n", "v")]), put(&[])] {
            assert!(expand(member(&alice), by_alice(None), &bad, &[]).is_err());
        }
        let long = "x".repeat(EXPANSION_VALUE_BYTES_MAX + 1);
        assert!(check_expansion(&put(&[("k", &long)]), &[]).is_err());
        let mut state = MessageState::default();
        let value = "x".repeat(EXPANSION_VALUE_BYTES_MAX);
        let mut taken = 0;
        for n in 0..20 {
            let put = put(&[(&format!("k{n:02}"), &value)]);
            match expand(member(&alice), by_alice(Some(&state)), &put, &[]) {
                Ok(new) => {
                    state.expansion = new.unwrap();
                    taken += 1;
                }
                Err(reject) => assert_eq!(reject.code, Code::InvalidRequest),
            }
        }
        assert_eq!(taken, 7, "32 KiB, keys included, hold seven of 4 KiB");
    }

    proptest! {
        #[test]
        fn reactions_are_a_set_of_pairs_that_keeps_its_order(
            steps in prop::collection::vec((0u8..4, 0u8..4, any::<bool>()), 1..60)
        ) {
            let mut state = MessageState::default();
            let mut model = BTreeSet::new();
            for (who, what, remove) in steps {
                let (who, what) = (user(&format!("u{who}")), format!("r{what}"));
                let pair = (who.as_str().to_owned(), what.clone());
                let changes = if remove { model.remove(&pair) } else { model.insert(pair) };
                let next = react(member(&who), by_alice(Some(&state)), &what, remove).unwrap();
                prop_assert_eq!(next.is_some(), changes);
                if let Some(next) = next {
                    state.reactions = next;
                }
                let flat: BTreeSet<(String, String)> = state
                    .reactions
                    .iter()
                    .flat_map(|one| one.users.iter().map(|u| (u.clone(), one.reaction.clone())))
                    .collect();
                prop_assert_eq!(&flat, &model);
                prop_assert!(state.reactions.iter().all(|one| !one.users.is_empty()));
            }
        }
    }

    #[test]
    fn reactions_are_bounded_and_of_users() {
        let alice = user("alice");
        let mut state = MessageState::default();
        for n in 0..REACTIONS_MAX {
            let next = react(
                member(&alice),
                by_alice(Some(&state)),
                &format!("r{n}"),
                false,
            );
            state.reactions = next.unwrap().unwrap();
        }
        let over = react(member(&alice), by_alice(Some(&state)), "more", false);
        assert_eq!(over.unwrap_err().code, Code::InvalidRequest);
        let server = react(Changer::Server, by_alice(None), "r", false);
        assert_eq!(server.unwrap_err().code, Code::InvalidRequest);
    }
}
