//! The conversation list of a client without a database, kept by the rules of
//! [`database`](crate::database): rows that the server tells, moved by what happens between.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::core::Event;
use crate::database::{
    after_change, after_deletion, after_message, after_read, keep_read, list_order,
};
use crate::model::{Conversation, Message};

/// Rows kept; a user has no more conversations. Those last in the list go first.
const ROWS_MAX: usize = 6_000;

/// Messages kept of a conversation that came after the row which the server told last.
const NEWS_MAX: usize = 100;

/// The rows of a list.
#[derive(Clone, Debug, Default)]
pub struct ListModel {
    me: String,
    rows: BTreeMap<String, Arc<Conversation>>,
    /// What came after the row that the server told last: a row may overtake no message, but be
    /// told after messages that it does not know.
    news: BTreeMap<String, BTreeMap<u64, Message>>,
    /// What the user deleted last, by conversation: a change of it changes no count.
    deleted: BTreeMap<String, BTreeSet<u64>>,
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
        self.told(row);
        if self.rows.len() > ROWS_MAX {
            let last = self.rows.values().max_by(|a, b| list_order(a, b));
            if let Some(last) = last.map(|row| row.id.clone()) {
                self.rows.remove(&last);
                self.news.remove(&last);
                self.deleted.remove(&last);
            }
        }
    }

    /// Something happened.
    pub fn event(&mut self, event: &Event) {
        let me = self.me.clone();
        match event {
            Event::Conversation { row, .. } => self.told(row.clone()),
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
                let news = self.news.entry(id.clone()).or_default();
                news.insert(message.seq, message.clone());
                if news.len() > NEWS_MAX {
                    news.pop_first();
                }
            }
            Event::Changed(message) => {
                let news = self.news.get_mut(&message.conversation);
                let known = news.and_then(|news| news.get_mut(&message.seq));
                let deleted = self.deleted.get(&message.conversation);
                let is_deleted = deleted.is_some_and(|seqs| seqs.contains(&message.seq));
                if let Some(row) = self.rows.get_mut(&message.conversation) {
                    let before = known.as_deref().or(is_deleted.then_some(message));
                    after_change(Arc::make_mut(row), before, message, &me);
                }
                if let Some(known) = known {
                    known.clone_from(message);
                }
            }
            Event::Deleted {
                conversation,
                version,
                seqs,
            } => {
                let gone = self.deleted.entry(conversation.clone()).or_default();
                gone.extend(seqs);
                while gone.len() > NEWS_MAX {
                    gone.pop_first();
                }
                let news = self.news.entry(conversation.clone()).or_default();
                let mut here: Vec<_> = seqs.iter().filter_map(|seq| news.remove(seq)).collect();
                if let Some(row) = self.rows.get_mut(conversation) {
                    let newest = row.newest.clone();
                    let other = |newest: &Message| here.iter().all(|it| it.seq != newest.seq);
                    let newest = newest.filter(|it| seqs.contains(&it.seq) && other(it));
                    here.extend(newest);
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
            Event::Reset { .. } => {
                self.rows.clear();
                self.news.clear();
                self.deleted.clear();
            }
            _ => {}
        }
    }

    /// The server told a row: what came after it counts beside it.
    fn told(&mut self, mut row: Conversation) {
        if let Some(news) = self.news.get_mut(&row.id) {
            news.retain(|seq, _| *seq > row.head_seq && row.member);
            for message in news.values() {
                after_message(&mut row, message, &self.me);
            }
        }
        if let Some(old) = self.rows.get(&row.id) {
            keep_read(&mut row, old);
        }
        self.rows.insert(row.id.clone(), Arc::new(row));
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
    use crate::model::{Mention, MessageState, Recall};
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

    #[test]
    fn a_recall_of_what_the_user_had_deleted_changes_no_count() {
        let mut model = ListModel::new("me");
        let message = |seq| Message {
            conversation: "a".to_owned(),
            seq,
            sender: "you".to_owned(),
            counted: true,
            ..Message::default()
        };
        model.event(&Event::Message(message(1)));
        model.event(&Event::Message(message(2)));
        model.event(&Event::Deleted {
            conversation: "a".to_owned(),
            seqs: vec![1],
            version: 1,
        });
        assert_eq!(model.items()[0].unread, 1);
        model.event(&Event::Changed(Message {
            state: Some(MessageState {
                rev: 1,
                recall: Some(Recall::default()),
                ..MessageState::default()
            }),
            ..message(1)
        }));
        assert_eq!(model.items()[0].unread, 1);
    }

    #[test]
    fn what_came_after_a_row_counts_beside_it_and_its_recall_takes_it_back() {
        let mut model = ListModel::new("me");
        let mention = |seq| Message {
            conversation: "a".to_owned(),
            seq,
            sender: "you".to_owned(),
            counted: true,
            mention: Some(Mention {
                all: true,
                ..Mention::default()
            }),
            ..Message::default()
        };
        model.event(&Event::Message(mention(5)));
        model.event(&Event::Message(mention(6)));
        let row = Conversation {
            head_seq: 5,
            unread: 3,
            unread_mentions: 2,
            ..row("a", 1)
        };
        model.event(&Event::Conversation {
            row,
            feed_version: None,
        });
        let shown = |model: &ListModel| {
            let row = model.items()[0].clone();
            (row.head_seq, row.unread, row.unread_mentions)
        };
        assert_eq!(shown(&model), (6, 4, 3));
        model.event(&Event::Changed(Message {
            mention: None,
            state: Some(MessageState {
                rev: 1,
                recall: Some(Recall::default()),
                ..MessageState::default()
            }),
            ..mention(6)
        }));
        assert_eq!(shown(&model), (6, 3, 2));
    }
}
