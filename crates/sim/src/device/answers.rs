//! What becomes of the answers at a device.

use anser_domain::code::Action;
use anser_sdk::Error;
use anser_sdk::core::{Reply, Request, Ticket};
use anser_sdk::model::{Conversation, ConversationPage, MessagePage, Receipt, Sent};

use super::{Asked, Device, Inner, Order, SEND_AGAIN};
use crate::book::shown;
use crate::ledger::Ack;
use crate::workload::Ask;

/// Does it say that the request itself was refused? Others end all requests of a session, those
/// too that took effect.
pub(crate) fn is_refusal(code: u32) -> bool {
    (3_000..4_000).contains(&code)
}

impl Inner {
    pub(super) fn done(&mut self, this: &Device, ticket: Ticket, result: Result<Reply, Error>) {
        self.trace(|| format!("{ticket:?} {result:?}"));
        let Some(asked) = self.tickets.remove(&ticket.0) else {
            return self.wrong(&format!("{ticket:?} is answered twice, or was never asked"));
        };
        let now = self.around.executor.now();
        match (asked, result) {
            (Asked::Send(at), Ok(Reply::Sent(sent))) => self.sent(at, sent),
            (Asked::Queue(_), Ok(Reply::Queued(_))) | (Asked::Discard, Ok(Reply::Done)) => {}
            (Asked::Send(at) | Asked::Queue(at), Err(error)) => self.send_failed(this, at, &error),
            (Asked::Read(at), Ok(Reply::Read(position))) => {
                let mut ledger = self.around.ledger.lock();
                ledger.tally.count("reads acknowledged");
                ledger.reads[at].acked = Some((position.read_seq, now));
            }
            (Asked::Group(at), result) => {
                let mut ledger = self.around.ledger.lock();
                ledger.tally.count("group changes answered");
                ledger.groups[at].outcome = Some(result.map(|_| ()).map_err(|error| error.code));
            }
            (Asked::Alter(at), result) => {
                let mut ledger = self.around.ledger.lock();
                if result.is_ok() {
                    ledger.tally.count("changes of messages acknowledged");
                }
                // Only a refusal is sure not to have happened, and only if it was the first try.
                ledger.alters[at].outcome = match result {
                    Ok(_) => Some(Ok(())),
                    Err(error) if error.code >= 2_000 => Some(Err(error.code)),
                    Err(_) => None,
                };
            }
            (Asked::Own(at, line), result) => {
                // What went out over an earlier connection may have taken effect; so may what the
                // store was not sure of, which the client tries again by itself.
                let once = self.around.calm && line.is_some() && line == self.line_id();
                let mut ledger = self.around.ledger.lock();
                let own = &mut ledger.owns[at];
                own.acked = result.is_ok().then_some(now);
                own.refused = once && result.is_err_and(|error| is_refusal(error.code));
            }
            (Asked::Rule(at), result) => {
                let mut ledger = self.around.ledger.lock();
                if result.is_ok() {
                    ledger.tally.count("rules changed");
                }
                ledger.rules[at].outcome = Some(result.map(|_| ()).map_err(|error| error.code));
            }
            (Asked::Acknowledge(at), Ok(_)) => {
                self.around.ledger.lock().acknowledges[at].acked = true;
            }
            (Asked::Receipts(conversation), Ok(Reply::Receipts(page))) => {
                self.count("pages of receipts");
                self.told
                    .receipts
                    .entry(conversation.clone())
                    .or_default()
                    .0 = page.version;
                self.receipts(&conversation, page.receipts);
                if page.more {
                    self.asked(this, Ask::Receipts(conversation));
                } else {
                    self.told.all_receipts.insert(conversation);
                }
            }
            (Asked::Mentions(conversation), Ok(Reply::MessageList(messages))) => {
                let seqs = messages.iter().map(|message| message.seq).collect();
                self.told.mentions.insert(conversation, seqs);
            }
            (Asked::Readers(of), Ok(Reply::Readers(page))) => {
                self.told.readers.insert(of, page);
            }
            (
                Asked::History {
                    conversation,
                    descending,
                },
                Ok(Reply::Messages(page)),
            ) => self.page(&conversation, descending, &page),
            (Asked::Before(conversation), Ok(Reply::Messages(page))) => {
                self.page(&conversation, true, &page);
                self.told.history.entry(conversation).or_default().add(page);
            }
            (Asked::List { limit, rows }, Ok(Reply::Conversations(page))) => {
                self.listed(this, limit, rows, page);
            }
            (Asked::Logout, Ok(_)) => {
                if self.wanted {
                    this.after(&self.around.executor, 1_000_000, Order::Ask(Ask::Connect));
                }
            }
            (_, Err(_)) => self.count("requests failed"),
            (_, Ok(reply)) => self.wrong(&format!("an answer of the wrong kind: {reply:?}")),
        }
    }

    pub(super) fn send_failed(&mut self, this: &Device, record: usize, error: &Error) {
        let action = error.action();
        self.count(match error.code {
            300 => "sends not reachable",
            510 | 520 => "sends not taken",
            1005 => "sends timed out",
            1000..=1999 => "sends refused for now",
            _ => "sends refused",
        });
        self.around.ledger.lock().sends[record]
            .refusals
            .push(error.code);
        let may_be_in = error.code == 300 || action == Action::Retry;
        if may_be_in && self.random.chance(SEND_AGAIN) {
            let us = self.random.between(100_000, 5_000_000);
            self.again += 1;
            this.after(&self.around.executor, us, Order::Again(record));
            return;
        }
        let send = self.around.ledger.lock().sends[record].clone();
        if self.queued.contains_key(&send.client_message_id) && self.random.chance(500) {
            let request = Request::Discard {
                conversation: send.conversation,
                client_message_id: send.client_message_id,
            };
            self.request(this, Asked::Discard, request);
        }
    }

    /// A send is on the server's disk.
    pub(super) fn sent(&mut self, at: usize, sent: Sent) {
        let now = self.around.executor.now();
        let mut ledger = self.around.ledger.lock();
        ledger.tally.count("sends acknowledged");
        let ack = Ack {
            seq: sent.seq,
            message_id: sent.message_id,
            time: sent.time.0,
        };
        ledger.sends[at].acks.push((now, ack));
        if let Some(read) = ledger.sends[at].read {
            let read = &mut ledger.reads[read];
            // It stands there or beyond: which of both, the ack does not say.
            read.acked_at_least = Some(read.seq);
        }
    }

    /// Somebody was told to stand there: of two news the one that is further counts.
    pub(super) fn receipts(&mut self, conversation: &str, receipts: Vec<Receipt>) {
        let receipts = self.around.saboteur.receipts(receipts);
        let told = self.told.receipts.entry(conversation.to_owned());
        let known = &mut told.or_default().1;
        for receipt in receipts {
            let one = known.entry(receipt.user.clone()).or_default();
            *one = Receipt {
                delivered_seq: receipt.delivered_seq.max(one.delivered_seq),
                read_seq: receipt.read_seq.max(one.read_seq),
                user: receipt.user,
            };
        }
    }

    fn page(&self, conversation: &str, descending: bool, page: &MessagePage) {
        self.count("pages of history");
        let in_order = page.messages.windows(2).all(|pair| match descending {
            true => pair[0].seq > pair[1].seq,
            false => pair[0].seq < pair[1].seq,
        });
        let within = page
            .messages
            .iter()
            .all(|message| (page.first_seq..=page.head_seq).contains(&message.seq));
        if !in_order || !within {
            let seqs: Vec<u64> = page.messages.iter().map(|message| message.seq).collect();
            self.wrong(&format!("a page of {conversation} has {seqs:?}"));
        }
        let place = self.place(conversation);
        let seqs = page.messages.iter().map(|message| message.seq);
        let seqs: std::collections::BTreeSet<u64> = seqs.collect();
        if let (Some(first), Some(last)) = (seqs.first(), seqs.last()) {
            let left_out = (*first..*last).filter(|seq| !seqs.contains(seq));
            let left_out = left_out.map(|seq| (self.who(), place.clone(), seq));
            self.around.ledger.lock().left_out.extend(left_out);
        }
        let messages = page.messages.iter().map(shown);
        let mut ledger = self.around.ledger.lock();
        let seen = seqs.iter().map(|seq| (self.spec.user.clone(), *seq));
        ledger.seen.entry(place.clone()).or_default().extend(seen);
        ledger.shown.entry(place).or_default().extend(messages);
    }

    fn listed(
        &mut self,
        this: &Device,
        limit: u32,
        mut rows: Vec<Conversation>,
        page: ConversationPage,
    ) {
        if page.conversations.len() > limit as usize {
            self.wrong("a page of the list is longer than asked for");
        }
        for row in &page.conversations {
            self.rows.put(row.clone());
        }
        rows.extend(page.conversations);
        if page.cursor.is_empty() {
            self.count("lists read");
            self.list = Some(rows);
        } else {
            self.list_page(this, limit, rows, page.cursor);
        }
    }
}
