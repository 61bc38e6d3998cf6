//! What the person at a device asks, as requests, and as evidence.

use anser_sdk::core::{Input, Outgoing, Request, Ticket};
use anser_sdk::model::{Content, Conversation};

use super::{Asked, Device, Inner, Order};
use crate::alter::{AlterRecord, How};
use crate::ledger::{GroupRecord, ReadRecord, SendRecord};
use crate::own::{Own, OwnRecord};
use crate::receipts::AcknowledgeRecord;
use crate::rules::{Rule, RuleRecord};
use crate::workload::{Ask, Change, Manner, Named};

impl Inner {
    pub(super) fn asked(&mut self, this: &Device, ask: Ask) {
        self.trace(|| format!("{ask:?}"));
        match ask {
            Ask::Send {
                conversation,
                count,
                read,
                manner,
            } => {
                for _ in 0..count {
                    let read_up_to = if read {
                        self.book.head(&conversation)
                    } else {
                        0
                    };
                    let record = self.new_send(&conversation, read_up_to, &manner);
                    self.send(this, record, read_up_to);
                }
            }
            Ask::Read {
                conversation,
                behind,
            } => {
                let seq = self.book.head(&conversation).saturating_add_signed(-behind);
                let at = self.note_read(&conversation, seq);
                self.request(
                    this,
                    Asked::Read(at),
                    Request::MarkRead { conversation, seq },
                );
            }
            Ask::Alter {
                conversation,
                behind,
                how,
                mention,
            } => self.alter(this, conversation, behind, how, mention),
            Ask::Own { conversation, own } => self.own(this, conversation, own),
            Ask::Rule { group, rule } => self.rule(this, group, rule),
            Ask::Acknowledge {
                conversation,
                behind,
            } => self.acknowledge(this, conversation, behind),
            Ask::Receipts(conversation) => self.ask_receipts(this, conversation),
            Ask::Mentions(conversation) => {
                let asked = Asked::Mentions(conversation.clone());
                self.request(this, asked, Request::ListMentions { conversation });
            }
            Ask::Readers(conversation, seq) => self.ask_readers(this, &conversation, seq),
            Ask::History {
                conversation,
                behind,
                descending,
                limit,
            } => {
                let from_seq = self.book.head(&conversation).saturating_sub(behind);
                let asked = Asked::History {
                    conversation: conversation.clone(),
                    descending,
                };
                let request = Request::History {
                    conversation,
                    from_seq,
                    descending,
                    limit,
                };
                self.request(this, asked, request);
            }
            Ask::Before {
                conversation,
                seq,
                limit,
            } => self.ask_before(this, conversation, seq, limit),
            Ask::List { limit } => self.list_page(this, limit, Vec::new(), String::new()),
            Ask::Open(conversation) => {
                let have = None;
                self.handle(this, Input::OpenConversation { conversation, have });
            }
            Ask::Close(conversation) => {
                self.handle(this, Input::CloseConversation { conversation });
            }
            Ask::Group { group, change } => self.change_group(this, group, &change),
            Ask::Hold(ms) => {
                self.handle(this, Input::Hold);
                this.after(&self.around.executor, ms * 1_000, Order::Release);
            }
            Ask::Connect => {
                self.wanted = true;
                self.handle(this, Input::Connect);
            }
            Ask::Disconnect => {
                self.wanted = false;
                self.handle(this, Input::Disconnect);
            }
            Ask::Restart => self.restart(this),
            Ask::Logout => self.request(this, Asked::Logout, Request::Logout),
        }
    }

    fn ask_before(&mut self, this: &Device, conversation: String, from_seq: u64, limit: u32) {
        let asked = Asked::Before(conversation.clone());
        let request = Request::History {
            conversation,
            from_seq,
            descending: true,
            limit,
        };
        self.request(this, asked, request);
    }

    /// Those who moved since it was asked last.
    fn ask_receipts(&mut self, this: &Device, conversation: String) {
        let known = self.told.receipts.get(&conversation);
        let request = Request::GetReceipts {
            conversation: conversation.clone(),
            from_version: known.map_or(0, |(version, _)| *version),
            limit: 2,
        };
        self.request(this, Asked::Receipts(conversation), request);
    }

    fn ask_readers(&mut self, this: &Device, conversation: &str, seq: u64) {
        for acknowledged in [false, true] {
            let request = Request::ListReaders {
                conversation: conversation.to_owned(),
                seq,
                acknowledged,
                cursor: String::new(),
                limit: 0,
            };
            let asked = Asked::Readers((conversation.to_owned(), seq, acknowledged));
            self.request(this, asked, request);
        }
    }

    pub(super) fn request(&mut self, this: &Device, asked: Asked, request: Request) {
        self.next_ticket += 1;
        let ticket = self.next_ticket;
        self.tickets.insert(ticket, asked);
        self.handle(this, Input::Request(Ticket(ticket), request));
    }

    fn new_send(&mut self, conversation: &str, read_up_to: u64, manner: &Manner) -> usize {
        self.next_body += 1;
        let body = format!(
            "app {} {} device {} message {}",
            self.spec.app, self.spec.user, self.number, self.next_body
        );
        let body = match manner.command {
            true => format!("{{\"action\":\"{body}\"}}"),
            false => body,
        };
        let read = (read_up_to > 0).then(|| self.note_read(conversation, read_up_to));
        let asked = self.around.executor.now();
        let mut ledger = self.around.ledger.lock();
        ledger.tally.count("sends");
        ledger.sends.push(SendRecord {
            who: self.who(),
            conversation: conversation.to_owned(),
            client_message_id: format!("{}.{}", self.number, self.next_body),
            body,
            asked,
            acks: Vec::new(),
            refusals: Vec::new(),
            forgotten: 0,
            device: Some(self.number),
            read,
            manner: manner.clone(),
        });
        ledger.sends.len() - 1
    }

    pub(super) fn send(&mut self, this: &Device, record: usize, read_up_to: u64) {
        let send = self.around.ledger.lock().sends[record].clone();
        let manner = send.manner;
        let content = match manner.command {
            true => Content {
                kind: "command".to_owned(),
                body: send.body.into(),
            },
            false => Content::text(send.body),
        };
        let outgoing = Outgoing {
            client_message_id: Some(send.client_message_id.clone()),
            read_up_to,
            uncounted: manner.uncounted,
            mention: manner.mention.as_ref().map(Named::mention),
            targets: manner.targets,
            burn_after_seconds: manner.burn_seconds,
            receipt_wanted: manner.receipt_wanted,
            ..Outgoing::new(send.conversation, content)
        };
        if self.local.is_none() || !manner.queued {
            return self.request(this, Asked::Send(record), Request::Send(outgoing));
        }
        self.queued.insert(send.client_message_id, record);
        self.request(this, Asked::Queue(record), Request::Queue(outgoing));
    }

    /// This conversation, or one where the device knows of messages.
    fn somewhere(&self, conversation: String) -> Option<String> {
        // Where the device knows of nothing there is nothing to change: somewhere else.
        let mut known = self.book.chats.iter().filter(|(_, chat)| chat.head > 0);
        match self.book.head(&conversation) {
            0 => known.next_back().map(|(name, _)| name.clone()),
            _ => Some(conversation),
        }
    }

    fn alter(
        &mut self,
        this: &Device,
        conversation: String,
        behind: u64,
        how: How,
        mention: Option<Named>,
    ) {
        let Some(conversation) = self.somewhere(conversation) else {
            return;
        };
        let seq = self.book.head(&conversation).saturating_sub(behind).max(1);
        self.next_body += 1;
        let record = AlterRecord {
            who: self.who(),
            conversation,
            seq,
            words: format!("device {} change {}", self.number, self.next_body),
            mention: mention.filter(|_| how == How::Edit),
            how,
            outcome: None,
        };
        let request = record.request();
        let at = {
            let mut ledger = self.around.ledger.lock();
            ledger.tally.count("changes of messages");
            ledger.alters.push(record);
            ledger.alters.len() - 1
        };
        self.request(this, Asked::Alter(at), request);
    }

    fn own(&mut self, this: &Device, conversation: String, own: Own) {
        let Some(conversation) = self.somewhere(conversation) else {
            return;
        };
        let head = self.book.head(&conversation);
        let request = own.request(conversation.clone(), head);
        let record = OwnRecord {
            who: self.who(),
            conversation,
            own,
            head,
            asked: self.around.executor.now(),
            acked: None,
            refused: false,
        };
        let at = {
            let mut ledger = self.around.ledger.lock();
            ledger.owns.push(record);
            ledger.owns.len() - 1
        };
        let line = self.line_id();
        self.request(this, Asked::Own(at, line), request);
    }

    fn rule(&mut self, this: &Device, group: String, rule: Rule) {
        let request = rule.request(group.clone());
        let record = RuleRecord {
            place: self.place(&format!("g/{group}")),
            by: self.spec.user.clone(),
            rule,
            outcome: None,
        };
        let at = {
            let mut ledger = self.around.ledger.lock();
            ledger.rules.push(record);
            ledger.rules.len() - 1
        };
        self.request(this, Asked::Rule(at), request);
    }

    fn acknowledge(&mut self, this: &Device, conversation: String, behind: u64) {
        let head = self.book.head(&conversation);
        if head == 0 {
            return;
        }
        let seqs: Vec<u64> = (head.saturating_sub(behind).max(1)..=head).collect();
        let record = AcknowledgeRecord {
            who: self.who(),
            conversation: conversation.clone(),
            seqs: seqs.clone(),
            acked: false,
        };
        let at = {
            let mut ledger = self.around.ledger.lock();
            ledger.acknowledges.push(record);
            ledger.acknowledges.len() - 1
        };
        let request = Request::Acknowledge { conversation, seqs };
        self.request(this, Asked::Acknowledge(at), request);
    }

    fn note_read(&self, conversation: &str, seq: u64) -> usize {
        let asked = self.around.executor.now();
        let mut ledger = self.around.ledger.lock();
        ledger.reads.push(ReadRecord {
            who: self.who(),
            conversation: conversation.to_owned(),
            seq,
            asked,
            acked: None,
            acked_at_least: None,
        });
        ledger.reads.len() - 1
    }

    fn change_group(&mut self, this: &Device, group: String, change: &Change) {
        let record = GroupRecord {
            place: self.place(&format!("g/{group}")),
            by: Some(self.spec.user.clone()),
            kind: change.kind(),
            users: change.users().to_vec(),
            outcome: None,
        };
        let at = {
            let mut ledger = self.around.ledger.lock();
            ledger.groups.push(record);
            ledger.groups.len() - 1
        };
        let (group_id, members) = (group, change.users().to_vec());
        let request = match change {
            Change::Create(_) => Request::CreateGroup {
                name: format!("{group_id} of app {}", self.spec.app),
                group_id,
                members,
            },
            Change::Add(_) => Request::AddGroupMembers { group_id, members },
            Change::Remove(_) => Request::RemoveGroupMembers { group_id, members },
            Change::Quit => Request::QuitGroup { group_id },
            Change::Dismiss => Request::DismissGroup { group_id },
        };
        self.request(this, Asked::Group(at), request);
    }

    pub(super) fn list_page(
        &mut self,
        this: &Device,
        limit: u32,
        rows: Vec<Conversation>,
        cursor: String,
    ) {
        let request = Request::ListConversations { cursor, limit };
        self.request(this, Asked::List { limit, rows }, request);
    }
}
