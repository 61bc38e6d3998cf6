//! What a user sets for themself about a conversation: pinned, muted, hidden, marks, draft.
//!
//! Settings are the user's own and follow them to all devices. Hiding is not for ever: it holds
//! until the conversation moves on.

use crate::code::{Code, Reject};
use crate::limits::{DRAFT_BYTES_MAX, MARK_BYTES_MAX, MARKS_MAX};

/// Of what the user does not want to be notified.
#[derive(Copy, Clone, Eq, PartialEq, Debug, Default)]
pub enum Mute {
    /// Everything notifies.
    #[default]
    None,
    /// Only messages that mention the user notify.
    ExceptMentions,
    /// Nothing notifies.
    All,
}

impl Mute {
    /// Its number in stored rows and on the wire.
    #[must_use]
    pub const fn number(self) -> u32 {
        match self {
            Self::None => 0,
            Self::ExceptMentions => 1,
            Self::All => 2,
        }
    }

    /// The one of this number.
    #[must_use]
    pub const fn from_number(number: u32) -> Option<Self> {
        match number {
            0 => Some(Self::None),
            1 => Some(Self::ExceptMentions),
            2 => Some(Self::All),
            _ => None,
        }
    }
}

/// A user's settings of a conversation.
#[derive(Clone, Eq, PartialEq, Debug, Default)]
pub struct ConversationSettings {
    /// Stands before those that are not.
    pub pinned: bool,
    /// See [`Mute`].
    pub muted: Mute,
    /// Hidden while the conversation's last sequence is not above this one.
    pub hidden_at: Option<u64>,
    /// The application's labels.
    pub marks: Vec<String>,
    /// What the user began to write.
    pub draft: String,
}

impl ConversationSettings {
    /// Is it left out of the list, with this last sequence?
    #[must_use]
    pub fn is_hidden(&self, head_seq: u64) -> bool {
        self.hidden_at.is_some_and(|at| head_seq <= at)
    }

    /// The settings after a change, made when the conversation's last sequence was `head_seq`.
    ///
    /// # Errors
    /// `INVALID_REQUEST` names the limit that the change breaks.
    pub fn change(&self, change: &SettingsChange, head_seq: u64) -> Result<Self, Reject> {
        change.check()?;
        let mut new = self.clone();
        if let Some(pinned) = change.pinned {
            new.pinned = pinned;
        }
        if let Some(muted) = change.muted {
            new.muted = muted;
        }
        if let Some(hidden) = change.hidden {
            new.hidden_at = hidden.then_some(head_seq);
        }
        if let Some(marks) = &change.marks {
            new.marks.clone_from(marks);
        }
        if let Some(draft) = &change.draft {
            new.draft.clone_from(draft);
        }
        Ok(new)
    }

    /// The settings of a conversation that the user deleted from the list at `head_seq`.
    #[must_use]
    pub fn deleted(head_seq: u64) -> Self {
        Self {
            hidden_at: Some(head_seq),
            ..Self::default()
        }
    }
}

/// What the user wants changed; `None` stays.
#[derive(Clone, Eq, PartialEq, Debug, Default)]
pub struct SettingsChange {
    /// See [`ConversationSettings::pinned`].
    pub pinned: Option<bool>,
    /// See [`ConversationSettings::muted`].
    pub muted: Option<Mute>,
    /// Leaves it out of the list until the next message.
    pub hidden: Option<bool>,
    /// Replaces all.
    pub marks: Option<Vec<String>>,
    /// See [`ConversationSettings::draft`].
    pub draft: Option<String>,
}

impl SettingsChange {
    fn check(&self) -> Result<(), Reject> {
        let invalid = |message: String| Err(Reject::new(Code::InvalidRequest, message));
        if let Some(marks) = &self.marks {
            let good = |mark: &String| {
                (1..=MARK_BYTES_MAX).contains(&mark.len()) && !mark.chars().any(char::is_control)
            };
            if marks.len() > MARKS_MAX || !marks.iter().all(good) {
                return invalid(format!(
                    "marks are at most {MARKS_MAX} of 1–{MARK_BYTES_MAX} bytes, printable"
                ));
            }
        }
        if self
            .draft
            .as_ref()
            .is_some_and(|draft| draft.len() > DRAFT_BYTES_MAX)
        {
            return invalid(format!("a draft has at most {DRAFT_BYTES_MAX} bytes"));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_change_does_not_name_stays() {
        let before = ConversationSettings {
            pinned: true,
            marks: vec!["work".into()],
            draft: "dear".into(),
            ..Default::default()
        };
        let change = SettingsChange {
            muted: Some(Mute::All),
            draft: Some(String::new()),
            ..Default::default()
        };
        let after = before.change(&change, 9).unwrap();
        assert_eq!(
            after,
            ConversationSettings {
                muted: Mute::All,
                draft: String::new(),
                ..before
            }
        );
    }

    #[test]
    fn hiding_holds_until_the_next_message() {
        let hide = |hidden| SettingsChange {
            hidden: Some(hidden),
            ..Default::default()
        };
        let hidden = ConversationSettings::default()
            .change(&hide(true), 4)
            .unwrap();
        assert!(hidden.is_hidden(4) && !hidden.is_hidden(5));
        assert!(!hidden.change(&hide(false), 4).unwrap().is_hidden(4));
        assert!(ConversationSettings::deleted(0).is_hidden(0));
        assert!(!ConversationSettings::default().is_hidden(0));
    }

    #[test]
    fn marks_and_drafts_have_limits() {
        let marks = |marks: Vec<String>| SettingsChange {
            marks: Some(marks),
            ..Default::default()
        };
        let draft = |len| SettingsChange {
            draft: Some("x".repeat(len)),
            ..Default::default()
        };
        let refused = |change: SettingsChange| {
            let result = ConversationSettings::default().change(&change, 0);
            result.is_err_and(|reject| reject.code == Code::InvalidRequest)
        };
        assert!(!refused(marks(vec!["m".repeat(MARK_BYTES_MAX); MARKS_MAX])));
        assert!(refused(marks(vec!["m".into(); MARKS_MAX + 1])));
        assert!(refused(marks(vec!["m".repeat(MARK_BYTES_MAX + 1)])));
        assert!(refused(marks(vec![String::new()])));
        assert!(refused(marks(vec!["a\n".into()])));
        assert!(!refused(draft(DRAFT_BYTES_MAX)));
        assert!(refused(draft(DRAFT_BYTES_MAX + 1)));
    }
}
