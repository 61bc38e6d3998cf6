//! The conversation list of a client without a database, kept by the rules of
//! [`database`](crate::database): rows that the server tells, moved by what happens between.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::core::Event;
use crate::database::{after_change, after_deletion, after_message, after_read, list_order};
use crate::model::Conversation;

/// Rows kept; a user has no more conversations. Those last in the list go first.
const ROWS_MAX: usize = 6_000;

/// The rows of a list.
#[derive(Clone, Debug, Default)]
pub struct ListModel {
    me: String,
    rows: BTreeMap<String, Arc<Conversation>>,
}

impl ListModel {
    /// An empty one. `me`: whose it is; empty if that is not known yet.
    #[must_use]
    pub fn new(me: impl Into<String>) -> Self {
        Self {
            me: me.into(),
            ..Self::default()
        }
    }

    /// Whose it is.
    pub fn signed_in(&mut self, me: &str) {
        me.clone_into(&mut self.me);
    }

    /// A row as the server has it. One that knows less than is known here is left.
    pub fn put(&mut self, row: Conversation) {
        let known = self.rows.get(&row.id);
        if known.is_some_and(|known| known.head_seq > row.head_seq && known.rev >= row.rev) {
            return;
        }
        self.rows.insert(row.id.clone(), Arc::new(row));
        if self.rows.len() > ROWS_MAX {
            let last = self.rows.values().max_by(|a, b| list_order(a, b));
            if let Some(last) = last.map(|row| row.id.clone()) {
                self.rows.remove(&last);
            }
        }
    }

    /// Something happened.
    pub fn event(&mut self, event: &Event) {
        let me = self.me.clone();
        match event {
            Event::Conversation { row, .. } => {
                self.rows.insert(row.id.clone(), Arc::new(row.clone()));
            }
            Event::Message(message) => {
                let id = &message.conversation;
                let row = self.rows.entry(id.clone()).or_insert_with(|| {
                    Arc::new(Conversation {
                        id: id.clone(),
                        first_seq: 1,
                        member: true,
                        ..Conversation::default()
                    })
                });
                after_message(Arc::make_mut(row), message, &me);
            }
            Event::Changed(message) => {
                if let Some(row) = self.rows.get_mut(&message.conversation) {
                    after_change(Arc::make_mut(row), None, message, &me);
                }
            }
            Event::Deleted {
                conversation,
                version,
                seqs,
            } => {
                if let Some(row) = self.rows.get_mut(conversation) {
                    let newest = row.newest.clone();
                    let here = newest.filter(|newest| seqs.contains(&newest.seq));
                    let here: Vec<_> = here.into_iter().collect();
                    after_deletion(Arc::make_mut(row), &here, *version, &me);
                }
            }
            Event::Read {
                conversation,
                position,
            } => {
                if let Some(row) = self.rows.get_mut(conversation) {
                    after_read(Arc::make_mut(row), *position);
                }
            }
            Event::Reset { .. } => self.rows.clear(),
            _ => {}
        }
    }

    /// The list in its order, hidden ones left out.
    #[must_use]
    pub fn items(&self) -> Vec<Arc<Conversation>> {
        let mut rows: Vec<_> = self.rows.values().filter(|row| !row.hidden).collect();
        rows.sort_by(|a, b| list_order(a, b));
        rows.into_iter().cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Message;
    use anser_domain::Timestamp;

    fn row(id: &str, last_time: u64) -> Conversation {
        Conversation {
            id: id.to_owned(),
            last_time: Timestamp(last_time),
            member: true,
            ..Conversation::default()
        }
    }

    fn ids(model: &ListModel) -> Vec<String> {
        model.items().iter().map(|row| row.id.clone()).collect()
    }

    #[test]
    fn pinned_ones_first_then_by_activity_and_hidden_ones_come_back_with_a_message() {
        let mut model = ListModel::new("me");
        for row in [row("a", 1), row("b", 2), row("c", 3)] {
            model.put(row);
        }
        assert_eq!(ids(&model), ["c", "b", "a"]);
        let told = |row| Event::Conversation {
            row,
            feed_version: None,
        };
        model.event(&told(Conversation {
            pinned: true,
            ..row("a", 1)
        }));
        model.event(&told(Conversation {
            hidden: true,
            ..row("c", 3)
        }));
        assert_eq!(ids(&model), ["a", "b"]);
        model.event(&Event::Message(Message {
            conversation: "c".to_owned(),
            seq: 1,
            time: Timestamp(9),
            sender: "you".to_owned(),
            counted: true,
            ..Message::default()
        }));
        assert_eq!(ids(&model), ["a", "c", "b"]);
        assert_eq!(model.items()[1].unread, 1);
    }

    #[test]
    fn an_old_page_does_not_take_back_what_arrived() {
        let mut model = ListModel::new("me");
        model.event(&Event::Message(Message {
            conversation: "a".to_owned(),
            seq: 5,
            sender: "you".to_owned(),
            counted: true,
            ..Message::default()
        }));
        model.put(Conversation {
            head_seq: 4,
            ..row("a", 1)
        });
        assert_eq!((model.items()[0].head_seq, model.items()[0].unread), (5, 1));
    }
}
