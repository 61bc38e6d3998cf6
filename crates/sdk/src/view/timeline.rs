//! A conversation as a screen shows it: a stretch of messages without holes, and below it the
//! user's own that are on their way or failed.
//!
//! The stretch begins as a page and grows at both ends. While it ends at the newest message, what
//! arrives is appended; a stretch in the middle of history stays as it is until pages have brought
//! it there. Changed messages are replaced in their places, deleted ones go. A message that was
//! sent from here is one item from its sending on: only its state changes.
//!
//! A page is as old as its question. What happens [between the question](TimelineModel::page_asked)
//! and [its page](TimelineModel::page_came) is kept, and applied once more to what the page says.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::core::{Event, Outgoing, QueueUpdate};
use crate::database::{Place, Queued, Stored};
use crate::error::Error;
use crate::model::{Message, Receipt};

/// Messages kept; the oldest beyond are dropped, and loaded again when asked for.
pub const TIMELINE_MESSAGES_MAX: usize = 2_000;
/// Messages that arrive while the last page is on its way; beyond, it is loaded again.
const EARLY_MAX: usize = 256;
/// What happens while a page is on its way; beyond, it is loaded again.
const MEANWHILE_MAX: usize = 256;

/// How it stands with a message.
#[derive(Clone, Eq, PartialEq, Debug)]
pub enum Delivery {
    /// The server has it.
    Stored,
    /// It was sent from here and waits for the server.
    Sending,
    /// It was sent from here and refused: it may be sent again, or discarded.
    Failed(Error),
}

/// A message on the screen.
#[derive(Clone, Eq, PartialEq, Debug)]
pub struct TimelineItem {
    /// The same as long as it is the same message, over its sending too; unique in its timeline.
    pub id: String,
    /// The message as it is now, recalled, edited, with its reactions. One that the server does
    /// not have yet has no sequence.
    pub message: Message,
    /// How it stands with it.
    pub delivery: Delivery,
    /// On how many others' devices one's own message arrived, as far as they were heard of.
    pub delivered_to: u32,
    /// How many others have read one's own message, as far as they were heard of.
    pub read_by: u32,
}

/// A page for a timeline.
#[derive(Clone, Eq, PartialEq, Debug, Default)]
pub struct TimelinePage {
    /// In any order.
    pub messages: Vec<Stored>,
    /// From where the next page in its direction goes on; `None`: there is no more.
    pub next: Option<Place>,
}

#[derive(Clone, Debug)]
struct Pending {
    outgoing: Outgoing,
    delivery: Delivery,
}

/// A conversation on a screen, without the screen.
#[derive(Clone, Debug, Default)]
pub struct TimelineModel {
    conversation: String,
    me: String,
    stored: BTreeMap<Place, Arc<TimelineItem>>,
    /// Own messages that the server does not have, in the order of their sending.
    pending: Vec<(String, Pending)>,
    /// Where the page above goes on.
    older: Option<Place>,
    /// Where the page below goes on; `None`: the stretch ends at the newest message.
    newer: Option<Place>,
    /// Arrived while the stretch did not end at the newest.
    early: Vec<Message>,
    /// What happened since the page that is on its way was asked for, which it may not know of,
    /// one more than there is room for at most. `None`: no page is on its way.
    meanwhile: Option<Vec<Event>>,
    receipts: BTreeMap<String, Receipt>,
}

impl TimelineModel {
    /// An empty one. `me`: who looks at it; empty if that is not known yet.
    #[must_use]
    pub fn new(conversation: impl Into<String>, me: impl Into<String>) -> Self {
        Self {
            conversation: conversation.into(),
            me: me.into(),
            ..Self::default()
        }
    }

    /// What is to be shown, the oldest first.
    #[must_use]
    pub fn items(&self) -> Vec<Arc<TimelineItem>> {
        let pending = self.pending.iter().map(|(id, pending)| {
            Arc::new(TimelineItem {
                id: own_id(id),
                message: Message {
                    conversation: self.conversation.clone(),
                    sender: self.me.clone(),
                    client_message_id: id.clone(),
                    content: pending.outgoing.content.clone(),
                    mention: pending.outgoing.mention.clone(),
                    targets: pending.outgoing.targets.clone(),
                    receipt_wanted: pending.outgoing.receipt_wanted,
                    ..Message::default()
                },
                delivery: pending.delivery.clone(),
                delivered_to: 0,
                read_by: 0,
            })
        });
        self.stored.values().cloned().chain(pending).collect()
    }

    /// Where the page above goes on: it lies before this place. `None`: there is none.
    #[must_use]
    pub fn older(&self) -> Option<Place> {
        self.older
    }

    /// Where the page below goes on: it lies after this place. `None`: the stretch ends at the
    /// newest message.
    #[must_use]
    pub fn newer(&self) -> Option<Place> {
        self.newer
    }

    /// A page is asked for; another that was on its way is of no use any more.
    pub fn page_asked(&mut self) {
        self.meanwhile = Some(Vec::new());
    }

    /// The page that was asked for is in its place, or did not come. True: so much happened
    /// meanwhile that it is to be loaded again.
    pub fn page_came(&mut self) -> bool {
        let Some(meanwhile) = self.meanwhile.take() else {
            return false;
        };
        if meanwhile.len() > MEANWHILE_MAX {
            return true;
        }
        for event in meanwhile {
            self.event(&event);
        }
        false
    }

    /// Keeps what a page that is on its way may not know of.
    fn note_meanwhile(&mut self, event: &Event) {
        let concerned = match event {
            Event::Message(message) | Event::Changed(message) => {
                message.conversation == self.conversation
            }
            Event::Deleted { conversation, .. } => *conversation == self.conversation,
            Event::Conversation { row, .. } => row.id == self.conversation,
            _ => false,
        };
        if let Some(meanwhile) = self.meanwhile.as_mut().filter(|_| concerned)
            && meanwhile.len() <= MEANWHILE_MAX
        {
            meanwhile.push(event.clone());
        }
    }

    /// Begins anew, with the page that ends at the newest message.
    pub fn show(&mut self, page: TimelinePage) {
        self.stored.clear();
        self.early.clear();
        self.newer = None;
        self.put_older(page);
    }

    /// Begins anew in the middle of history: with the page that ends at a sequence.
    pub fn show_at(&mut self, page: TimelinePage, seq: u64) {
        self.show(page);
        self.newer = Some(Place::of(seq));
    }

    /// The page above.
    pub fn put_older(&mut self, page: TimelinePage) {
        self.older = page.next;
        for stored in page.messages {
            self.put(stored);
        }
    }

    /// The page below. If it is the last, what arrived meanwhile follows it; if too much did, it
    /// was not the last.
    pub fn put_newer(&mut self, page: TimelinePage) {
        let last = page.messages.iter().map(|stored| stored.place).max();
        for stored in page.messages {
            self.put(stored);
        }
        let early = std::mem::take(&mut self.early);
        self.newer = match page.next {
            None if early.len() >= EARLY_MAX => last.or(self.newer),
            next => next,
        };
        if self.newer.is_none() {
            for message in early {
                self.append(message);
            }
        }
    }

    fn put(&mut self, stored: Stored) {
        let before = self.stored.get(&stored.place);
        if before.is_some_and(|before| before.message.rev() > stored.message.rev()) {
            return;
        }
        self.settle(&stored.message);
        if stored.message.content.is_command() {
            return;
        }
        let item = self.item(stored.place, stored.message);
        self.stored.insert(stored.place, Arc::new(item));
    }

    fn append(&mut self, message: Message) {
        self.put(Stored {
            place: Place::of(message.seq),
            message,
        });
        while self.stored.len() > TIMELINE_MESSAGES_MAX {
            self.stored.pop_first();
            let first = self.stored.first_key_value();
            self.older = first.map(|(place, _)| *place);
        }
    }

    fn item(&self, place: Place, message: Message) -> TimelineItem {
        let id = match message.client_message_id.as_str() {
            id if !id.is_empty() && self.is_own(&message) => own_id(id),
            _ => format!("{} {}", place.seq, place.local),
        };
        let (delivered_to, read_by) = match self.is_own(&message) {
            true => self.received(message.seq),
            false => (0, 0),
        };
        TimelineItem {
            id,
            message,
            delivery: Delivery::Stored,
            delivered_to,
            read_by,
        }
    }

    fn is_own(&self, message: &Message) -> bool {
        !self.me.is_empty() && message.sender == self.me
    }

    /// How many have a message, and have read it.
    fn received(&self, seq: u64) -> (u32, u32) {
        let others = self.receipts.values();
        others.fold((0, 0), |(delivered, read), receipt| {
            let has = receipt.delivered_seq.max(receipt.read_seq) >= seq;
            (
                delivered + u32::from(has),
                read + u32::from(receipt.read_seq >= seq),
            )
        })
    }

    /// Others received or read.
    pub fn receipts(&mut self, receipts: &[Receipt]) {
        for receipt in receipts.iter().filter(|receipt| receipt.user != self.me) {
            let known = self.receipts.entry(receipt.user.clone()).or_default();
            // Positions never move back, in whichever order they are told.
            known.user.clone_from(&receipt.user);
            known.delivered_seq = known.delivered_seq.max(receipt.delivered_seq);
            known.read_seq = known.read_seq.max(receipt.read_seq);
        }
        self.refresh();
    }

    /// Who looks at it is known now.
    pub fn signed_in(&mut self, me: &str) {
        if self.me != me {
            me.clone_into(&mut self.me);
            self.receipts.remove(me);
            self.refresh();
        }
    }

    fn refresh(&mut self) {
        let stored = std::mem::take(&mut self.stored);
        for (place, before) in stored {
            let item = self.item(place, before.message.clone());
            let same = item == *before;
            let item = if same { before } else { Arc::new(item) };
            self.settle(&item.message);
            self.stored.insert(place, item);
        }
    }

    /// The user sends a message, which has its client message id; or sends one again.
    pub fn sending(&mut self, outgoing: Outgoing) {
        let id = outgoing.client_message_id.clone().unwrap_or_default();
        self.pending.retain(|(pending, _)| *pending != id);
        let delivery = Delivery::Sending;
        self.pending.push((id, Pending { outgoing, delivery }));
    }

    /// A message that waits in the database.
    pub fn waits(&mut self, queued: Queued) {
        let id = queued.client_message_id().to_owned();
        self.sending(queued.outgoing);
        if let Some(error) = queued.failed {
            self.failed(&id, error);
        }
    }

    /// A message that was sent from here was refused.
    pub fn failed(&mut self, client_message_id: &str, error: Error) {
        let mut all = self.pending.iter_mut();
        if let Some((_, pending)) = all.find(|(id, _)| id == client_message_id) {
            pending.delivery = Delivery::Failed(error);
        }
    }

    /// A message that was sent from here was taken, and has no place in the conversation: it
    /// stays below it until the timeline ends.
    pub fn taken(&mut self, client_message_id: &str) {
        let mut all = self.pending.iter_mut();
        if let Some((_, pending)) = all.find(|(id, _)| id == client_message_id) {
            pending.delivery = Delivery::Stored;
        }
    }

    /// What a failed message said, to be sent again.
    #[must_use]
    pub fn failed_message(&self, client_message_id: &str) -> Option<Outgoing> {
        let mut all = self.pending.iter();
        let (_, pending) = all.find(|(id, _)| id == client_message_id)?;
        let failed = matches!(pending.delivery, Delivery::Failed(_));
        failed.then(|| pending.outgoing.clone())
    }

    /// The user gave a message up.
    pub fn discarded(&mut self, client_message_id: &str) {
        self.pending.retain(|(id, _)| id != client_message_id);
    }

    /// The message stands in the conversation: it is not pending any more.
    fn settle(&mut self, message: &Message) {
        if self.is_own(message) {
            self.discarded(&message.client_message_id);
        }
    }

    /// Something happened. True: what is shown may have a hole or be out of date, and is to begin
    /// anew.
    pub fn event(&mut self, event: &Event) -> bool {
        self.note_meanwhile(event);
        match event {
            Event::Message(message) if message.conversation == self.conversation => {
                if self.newer.is_none() {
                    self.append(message.clone());
                } else {
                    self.settle(message);
                    if self.early.len() < EARLY_MAX {
                        self.early.push(message.clone());
                    }
                }
            }
            Event::Changed(message) if message.conversation == self.conversation => {
                let place = Place::of(message.seq);
                if self.stored.contains_key(&place) {
                    let message = message.clone();
                    self.put(Stored { place, message });
                }
                let mut early = self.early.iter_mut();
                if let Some(early) = early.find(|early| early.seq == message.seq) {
                    early.clone_from(message);
                }
            }
            Event::Deleted {
                conversation, seqs, ..
            } if *conversation == self.conversation => {
                for seq in seqs {
                    self.stored.remove(&Place::of(*seq));
                }
                self.early.retain(|message| !seqs.contains(&message.seq));
            }
            Event::Receipts {
                conversation,
                receipts,
                ..
            } if *conversation == self.conversation => self.receipts(receipts),
            Event::Conversation { row, .. } if row.id == self.conversation && row.member => {
                self.cut(row.first_seq);
            }
            Event::Queue(QueueUpdate::Failed {
                conversation,
                client_message_id,
                error,
            }) if *conversation == self.conversation => {
                self.failed(client_message_id, error.clone());
            }
            Event::Queue(QueueUpdate::Sent(sent))
                if sent.conversation == self.conversation && sent.seq == 0 =>
            {
                self.taken(&sent.client_message_id);
            }
            // It is followed from here on, and what is shown may end before.
            Event::Followed {
                conversation, seq, ..
            } if *conversation == self.conversation => {
                let last = self.stored.last_key_value().map_or(0, |(last, _)| last.seq);
                return self.newer.is_none() && last < *seq;
            }
            Event::Outdated { conversation } => return *conversation == self.conversation,
            Event::Reset { positions } => return *positions,
            _ => {}
        }
        false
    }

    /// What is below is not the user's to see any more.
    fn cut(&mut self, first_seq: u64) {
        let first = self.stored.first_key_value();
        if first.is_some_and(|(first, _)| first.seq < first_seq) {
            self.stored = self.stored.split_off(&Place::of(first_seq));
            self.older = None;
        }
    }
}

fn own_id(client_message_id: &str) -> String {
    format!("own {client_message_id}")
}
