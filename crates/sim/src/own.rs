//! What users set for themselves about a conversation: what is asked, and what must hold.
//!
//! Every setting is a register that several devices write. Its last value must have been asked for
//! by somebody, and by nobody before a change of the same setting that was answered earlier. Marks
//! and drafts are like no other's, so whatever is found can be traced.

use std::collections::BTreeMap;

use anser_domain::ConversationId;
use anser_proto::stored;
use anser_sdk::core::Request;
use anser_sdk::model::{ConversationSettings, Mute};

use crate::ledger::{Ledger, Where, Who};
use crate::truth::Truth;

/// What somebody changes.
#[derive(Clone, Eq, PartialEq, Debug)]
pub enum Own {
    /// Pins it, or no longer.
    Pinned(bool),
    /// Of what they don't want to be notified.
    Muted(Mute),
    /// Takes it out of the list until the next message, or back in.
    Hidden(bool),
    /// Marks it so and in no other way.
    Mark(String),
    /// Begins to write.
    Draft(String),
    /// Deletes all up to so far behind the last message heard of, or everything.
    Clear(Option<u64>),
    /// Deletes it from the list.
    Delete {
        /// And what it has so far.
        with_history: bool,
    },
}

impl Own {
    /// The request to the server. `head`: the last message that the device has heard of.
    #[must_use]
    pub fn request(&self, conversation: String, head: u64) -> Request {
        let none = ConversationSettings::default();
        let settings = match self {
            Self::Pinned(pinned) => ConversationSettings {
                pinned: Some(*pinned),
                ..none
            },
            Self::Muted(muted) => ConversationSettings {
                muted: Some(*muted),
                ..none
            },
            Self::Hidden(hidden) => ConversationSettings {
                hidden: Some(*hidden),
                ..none
            },
            Self::Mark(mark) => ConversationSettings {
                marks: Some(vec![mark.clone()]),
                ..none
            },
            Self::Draft(draft) => ConversationSettings {
                draft: Some(draft.clone()),
                ..none
            },
            Self::Clear(behind) => {
                return Request::ClearHistory {
                    conversation,
                    up_to_seq: behind.map_or(0, |behind| head.saturating_sub(behind)),
                };
            }
            Self::Delete { with_history } => {
                return Request::DeleteConversation {
                    conversation,
                    with_history: *with_history,
                };
            }
        };
        Request::UpdateConversation {
            conversation,
            settings,
        }
    }
}

/// An attempt.
#[derive(Clone, Debug)]
pub struct OwnRecord {
    /// Who asked.
    pub who: Who,
    /// Where.
    pub conversation: String,
    /// What.
    pub own: Own,
    /// The last message that the device had heard of.
    pub head: u64,
    /// When, in microseconds.
    pub asked: u64,
    /// When it was answered well.
    pub acked: Option<u64>,
    /// It was refused for good, and never went out before: nothing was changed.
    pub refused: bool,
}

/// The settings of a row, each as text.
fn registers(row: &stored::InboxRow) -> [String; 5] {
    [
        row.pinned.to_string(),
        row.muted.to_string(),
        row.hidden.to_string(),
        row.marks.join(" "),
        row.draft.clone(),
    ]
}

const NAMES: [&str; 5] = ["pinned", "muted", "hidden", "marks", "draft"];

impl OwnRecord {
    /// What it writes to a setting; `None`: nothing.
    fn writes(&self, register: usize) -> Option<String> {
        match (&self.own, register) {
            (Own::Pinned(pinned), 0) => Some(pinned.to_string()),
            (Own::Muted(muted), 1) => Some((*muted as u32).to_string()),
            (Own::Hidden(hidden), 2) => Some(hidden.to_string()),
            (Own::Mark(mark), 3) => Some(mark.clone()),
            (Own::Draft(draft), 4) => Some(draft.clone()),
            (Own::Delete { .. }, _) => Some(registers(&deleted())[register].clone()),
            _ => None,
        }
    }

    /// Up to where it deletes history at least and at most; `None`: it does not.
    fn clears(&self, head: u64) -> Option<(u64, u64)> {
        match self.own {
            Own::Clear(Some(behind)) if self.head > behind => {
                let seq = (self.head - behind).min(head);
                Some((seq, seq))
            }
            Own::Clear(_) | Own::Delete { with_history: true } => Some((self.head.min(head), head)),
            _ => None,
        }
    }
}

fn deleted() -> stored::InboxRow {
    stored::InboxRow {
        hidden: true,
        ..stored::InboxRow::default()
    }
}

/// Settings are what was asked for last, and history is cleared as far as somebody wanted.
pub fn settings(truth: &Truth, ledger: &Ledger, findings: &mut Vec<String>) {
    let mut asked: BTreeMap<(Who, &str), Vec<&OwnRecord>> = BTreeMap::new();
    for record in ledger.owns.iter().filter(|record| !record.refused) {
        let key = (record.who.clone(), record.conversation.as_str());
        asked.entry(key).or_default().push(record);
    }
    let none = stored::InboxRow::default();
    for (who, inbox) in &truth.inboxes {
        for (conversation, row) in &inbox.rows {
            let records = asked.remove(&(who.clone(), conversation.as_str()));
            let records = records.unwrap_or_default();
            for (register, value) in registers(row).iter().enumerate() {
                // Coming into a group shows it again.
                let shown_again = register == 2 && value == "false" && is_group(conversation);
                let first = *value == registers(&none)[register] || shown_again;
                if !may_be(register, value, first, &records) && !shown_again {
                    findings.push(format!(
                        "{who:?}: {} of {conversation} is {value:?} after {records:?}",
                        NAMES[register]
                    ));
                }
            }
            let place = Where {
                app: who.app,
                conversation: conversation.clone(),
            };
            let head = truth.chats.get(&place).map_or(0, |chat| chat.head.seq);
            let clears = || records.iter().filter_map(|it| Some((it, it.clears(head)?)));
            let least = clears().filter(|(it, _)| it.acked.is_some());
            let least = least.map(|(_, (least, _))| least).max().unwrap_or(0);
            let most = clears().map(|(_, (_, most))| most).max().unwrap_or(0);
            if row.cleared_seq < least || row.cleared_seq > most {
                findings.push(format!(
                    "{who:?}: {conversation} is cleared up to {}, asked was {least} to {most}",
                    row.cleared_seq
                ));
            }
        }
    }
    for ((who, conversation), records) in asked {
        if records.iter().any(|record| record.acked.is_some()) {
            findings.push(format!("{who:?} has no {conversation}, and {records:?}"));
        }
    }
}

fn is_group(conversation: &str) -> bool {
    matches!(
        ConversationId::parse(conversation),
        Ok(ConversationId::Group(_))
    )
}

/// Can this be the last value of a register? `first`: it is what it began with.
fn may_be(register: usize, value: &str, first: bool, records: &[&OwnRecord]) -> bool {
    let mut writes = records.iter().filter(|it| it.writes(register).is_some());
    let acked = |after: u64| {
        let later = |it: &OwnRecord| it.asked > after && it.acked.is_some();
        let mut writing = records.iter().filter(|it| it.writes(register).is_some());
        writing.any(|it| later(it))
    };
    let by_somebody = writes.any(|it| {
        let is_it = it.writes(register).as_deref() == Some(value);
        is_it && it.acked.is_none_or(|at| !acked(at))
    });
    by_somebody
        || (first
            && !records
                .iter()
                .any(|it| it.writes(register).is_some() && it.acked.is_some()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(own: Own, asked: u64, acked: Option<u64>) -> OwnRecord {
        OwnRecord {
            who: Who {
                app: 0,
                user: "u".to_owned(),
            },
            conversation: "g/a".to_owned(),
            own,
            head: 0,
            asked,
            acked,
            refused: false,
        }
    }

    #[test]
    fn the_last_answered_change_holds_unless_another_was_under_way() {
        let draft = |text: &str| Own::Draft(text.to_owned());
        let one = record(draft("a"), 1, Some(2));
        let other = record(draft("b"), 3, Some(5));
        let late = record(draft("c"), 0, None);
        let all = [&one, &other, &late];
        let is = |value| may_be(4, value, false, &all);
        assert!(is("b") && is("c"));
        assert!(!is("a") && !is("d"));
        assert!(!may_be(4, "", true, &all));
        assert!(may_be(4, "", true, &[&late]));
    }
}
