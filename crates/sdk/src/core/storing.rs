//! What of all that happens goes into the database, and the sends that live in it.
//!
//! A write is an output like any other, before the event or the answer that it belongs to. A
//! client without a database makes none.

use anser_domain::code::Code;
use anser_domain::limits::{MENTIONS_MAX, TARGETS_MAX};
use anser_domain::message::check_client_message_id;

use super::api::{Event, Outgoing, Output, QueueUpdate, Random, Reply, Request, Ticket};
use super::{ClientCore, delivered, outbox};
use crate::database::{Queued, Write};
use crate::error::Error;
use crate::model::{Message, MessagePage, Sent};

impl ClientCore {
    pub(super) fn store(&mut self, write: Write) {
        if self.stores {
            self.outputs.push_back(Output::Store(write));
        }
    }

    pub(super) fn store_event(&mut self, event: &Event) {
        let passing = matches!(
            event,
            Event::State(_)
                | Event::Transient(_)
                | Event::Receipts { .. }
                | Event::JoinRequest(_)
                | Event::Relations(_)
                | Event::Presence(_)
                | Event::Room { .. }
                | Event::Queue(_)
        );
        if self.stores && !passing {
            self.store(Write::Event(event.clone()));
        }
    }

    /// Who is signed in now. What waits in another's name goes, with all else that is theirs.
    pub(super) fn signed_in(&mut self) {
        let user = self.session.user_id.clone();
        let other = !self.owner.is_empty() && self.owner != user;
        if other {
            for entry in self.outbox.forget_queued() {
                if let Some(ticket) = entry.ticket {
                    self.done(ticket, Err(Error::disconnected()));
                }
            }
        }
        if self.owner != user {
            self.store(Write::User(user.clone()));
            self.owner = user;
        }
    }

    pub(super) fn accept_queued(
        &mut self,
        ticket: Ticket,
        mut outgoing: Outgoing,
        random: Random<'_>,
    ) -> Result<(), Error> {
        let wrong = |message: &'static str| Err(Error::new(Code::InvalidRequest, message));
        if !self.stores {
            return wrong("this client has no database to queue in");
        }
        if let Some(error) = &self.storage_error {
            return Err(error.clone());
        }
        if outgoing.transient {
            return wrong("a transient message is never stored, so it can't be queued");
        }
        let id = self.check_outgoing(&outgoing, random)?;
        self.check_send_size(&outgoing, &id)?;
        if self.outbox.find(&outgoing.conversation, &id).is_some() {
            return wrong("a message with this client message id is queued already");
        }
        outgoing.client_message_id = Some(id.clone());
        let key = self.outbox.queue(ticket, outgoing.clone(), id, self.now)?;
        if outgoing.first_try.0 == 0 {
            outgoing.first_try = self.session.server_now(self.now);
            self.outbox.first_try_at(key, outgoing.first_try);
        }
        self.store(Write::Queued(Queued {
            outgoing,
            failed: None,
        }));
        self.outputs.push_back(Output::Confirm(key));
        Ok(())
    }

    /// The client message id of a send: the one it has, or a new one. Checks what can be checked
    /// here.
    pub(super) fn check_outgoing(
        &self,
        outgoing: &Outgoing,
        random: Random<'_>,
    ) -> Result<String, Error> {
        super::requests::check_conversation(&outgoing.conversation)?;
        let content = &outgoing.content;
        let bytes_max = self.session.content_bytes_max;
        anser_domain::message::check_content(&content.kind, content.body.len(), bytes_max)?;
        let mentions = outgoing.mention.as_ref().map_or(0, |m| m.users.len());
        at_most(MENTIONS_MAX, mentions, "mentions")?;
        at_most(TARGETS_MAX, outgoing.targets.len(), "targets")?;
        match &outgoing.client_message_id {
            Some(id) => {
                check_client_message_id(id)?;
                Ok(id.clone())
            }
            None => Ok(format!("{:016x}{:016x}", random(), random())),
        }
    }

    /// The database does not take anything any more.
    pub(super) fn storage_failed(&mut self, why: String) {
        let error = Error::storage(why);
        for entry in self.outbox.forget_queued() {
            if let Some(ticket) = entry.ticket {
                self.done(ticket, Err(error.clone()));
            }
        }
        self.storage_error = Some(error.clone());
        self.stop_with(error);
    }

    /// A queued send, or what arrived, is in the database.
    pub(super) fn confirmed(&mut self, key: u64) {
        if key == delivered::ARRIVALS {
            return self.arrivals_stored();
        }
        if let Some((ticket, entry)) = self.outbox.confirmed(key, self.now) {
            let id = entry.client_message_id().to_owned();
            self.done(ticket, Ok(Reply::Queued(id)));
        }
    }

    pub(super) fn discard(&mut self, ticket: Ticket, conversation: &str, id: &str) {
        let key = self.outbox.find(conversation, id);
        if key.is_some_and(|key| self.outbox.discard(key).is_none()) {
            let message = "the message is on its way just now";
            return self.done(ticket, Err(Error::new(Code::InvalidRequest, message)));
        }
        self.store(Write::Settled {
            conversation: conversation.to_owned(),
            client_message_id: id.to_owned(),
        });
        self.done(ticket, Ok(Reply::Done));
    }

    /// A send ended badly.
    pub(super) fn send_failed(&mut self, failed: Option<outbox::Failed>) {
        let Some((entry, error)) = failed else {
            return;
        };
        if entry.queued {
            let client_message_id = entry.client_message_id().to_owned();
            let conversation = entry.outgoing.conversation.clone();
            self.store(Write::Queued(Queued {
                outgoing: entry.outgoing,
                failed: Some(error.clone()),
            }));
            self.emit(Event::Queue(QueueUpdate::Failed {
                conversation,
                client_message_id,
                error: error.clone(),
            }));
        }
        if let Some(ticket) = entry.ticket {
            self.done(ticket, Err(error));
        }
    }

    /// A send ended well. In the database the message takes the place of the send at once, even
    /// if messages before it are still to be fetched; unless an earlier try may have brought it
    /// there, and it is to be fetched as it is by now.
    pub(super) fn send_done(&mut self, entry: &outbox::Entry, message: &Message) {
        let sent = Sent {
            conversation: message.conversation.clone(),
            seq: message.seq,
            message_id: message.message_id.clone(),
            time: message.time,
            client_message_id: message.client_message_id.clone(),
        };
        if entry.queued {
            if !entry.went_out_before() {
                self.store(Write::History {
                    conversation: message.conversation.clone(),
                    messages: vec![message.clone()],
                    after: message.seq.saturating_sub(1),
                    to: message.seq,
                });
            }
            self.store(Write::Settled {
                conversation: message.conversation.clone(),
                client_message_id: message.client_message_id.clone(),
            });
            self.emit(Event::Queue(QueueUpdate::Sent(sent.clone())));
        }
        if let Some(ticket) = entry.ticket {
            self.done(ticket, Ok(Reply::Sent(sent)));
        }
    }

    /// An answer that the database keeps too.
    pub(super) fn store_answer(&mut self, request: &Request, reply: &Reply) {
        if !self.stores {
            return;
        }
        match (request, reply) {
            (
                Request::History {
                    conversation,
                    from_seq,
                    descending,
                    ..
                },
                Reply::Messages(page),
            ) => {
                let (after, to) = covered(page, *from_seq, *descending);
                self.store(Write::History {
                    conversation: conversation.clone(),
                    messages: page.messages.clone(),
                    after,
                    to,
                });
            }
            (_, Reply::Conversations(page)) => {
                for row in &page.conversations {
                    self.store(Write::Event(Event::Conversation {
                        row: row.clone(),
                        feed_version: None,
                    }));
                }
            }
            _ => {}
        }
    }
}

fn at_most(max: usize, count: usize, what: &str) -> Result<(), Error> {
    if count <= max {
        return Ok(());
    }
    let message = format!("a message has at most {max} {what}");
    Err(Error::new(Code::InvalidRequest, message))
}

/// The range that a page of history leaves no hole in: after the first, up to the second.
fn covered(page: &MessagePage, from_seq: u64, descending: bool) -> (u64, u64) {
    let seqs = page.messages.iter().map(|message| message.seq);
    if !descending {
        let last = page.next_seq.max(seqs.max().unwrap_or(from_seq));
        return (from_seq, if page.more { last } else { page.head_seq });
    }
    let to = match from_seq {
        0 => page.head_seq,
        before => before.saturating_sub(1),
    };
    let last = match (page.next_seq, seqs.min()) {
        (0, seen) => seen.unwrap_or(to + 1),
        (next, _) => next,
    };
    let last = last.saturating_sub(1);
    let beginning = page.first_seq.saturating_sub(1);
    (if page.more { last } else { beginning.min(last) }, to)
}
