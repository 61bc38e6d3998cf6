//! A customer's backend: what it asks of the server API, and what it was answered.

use anser_domain::code::Action;
use anser_domain::relation::List;
use anser_domain::{AppId, Code, ConversationId, DeviceId, GroupId, Reject, Timestamp, UserId};
use anser_engine::Reply;
use anser_engine::group::By;
use anser_engine::message::{SendMessage, SendOptions, SendResult};
use anser_engine::relation::RelationChange;
use futures::channel::oneshot;

use crate::cluster::Cluster;
use crate::executor::Executor;
use crate::ledger::{Ack, GroupRecord, ReadRecord, SendRecord, Shared, Where, Who};
use crate::rules::BlockRecord;
use crate::workload::{Call, Change, Manner};

/// The backend of an app.
pub(crate) struct Backend {
    pub(crate) app: usize,
    pub(crate) id: AppId,
    pub(crate) executor: Executor,
    pub(crate) cluster: Cluster,
    pub(crate) ledger: Shared,
}

fn user(text: &str) -> UserId {
    UserId::new(text).expect("a short name")
}

impl Backend {
    fn who(&self, user: &str) -> Who {
        Who {
            app: self.app,
            user: user.to_owned(),
        }
    }

    /// Carries out a call.
    pub(crate) async fn call(self, call: Call) {
        self.ledger.lock().tally.count("calls of backends");
        match call {
            Call::Send { user, conversation } => self.send(user, conversation).await,
            Call::Group {
                group,
                change,
                user,
            } => self.change(group, change, user).await,
            Call::Read {
                user: who,
                conversation,
                seq,
            } => self.read(who, conversation, seq).await,
            Call::Block { user, other, on } => self.block(user, other, on).await,
            Call::SignOut(name) => {
                let (app, device) = (self.id, None::<DeviceId>);
                let call = self.cluster.call(move |engine| async move {
                    engine.sign_out(app, &user(&name), device.as_ref()).await
                });
                drop(call.await);
            }
            Call::Revoke(name) => {
                let app = self.id;
                let call = self.cluster.call(move |engine| async move {
                    engine.revoke_tokens(app, &user(&name)).await
                });
                drop(call.await);
            }
        }
    }

    /// Sends until it hears, five times at most.
    async fn send(&self, name: String, conversation: String) {
        let asked = self.executor.now();
        let at = {
            let mut ledger = self.ledger.lock();
            let number = ledger.sends.len();
            ledger.tally.count("sends");
            ledger.sends.push(SendRecord {
                who: self.who(&name),
                conversation: conversation.clone(),
                client_message_id: format!("backend.{number}"),
                body: format!("app {} {name} backend message {number}", self.app),
                asked,
                acks: Vec::new(),
                refusals: Vec::new(),
                forgotten: 0,
                device: None,
                read: None,
                manner: Manner::default(),
            });
            number
        };
        for _ in 0..5 {
            let message = {
                let send = &self.ledger.lock().sends[at];
                SendMessage {
                    app: self.id,
                    sender: user(&name),
                    conversation: ConversationId::parse(&conversation).expect("a good name"),
                    client_message_id: send.client_message_id.clone().into(),
                    content_type: "text".into(),
                    body: send.body.clone().into(),
                    first_try: Timestamp(0),
                    read_up_to: 0,
                    session: None,
                    options: SendOptions::default(),
                }
            };
            let call = self.cluster.call(move |engine| {
                let (reply, answer) = oneshot::channel();
                engine.send(message, Reply::Call(reply));
                async move {
                    let gone = |_| Err(Code::Timeout.into());
                    answer.await.unwrap_or_else(gone)
                }
            });
            if self.heard(at, call.await) {
                return;
            }
            self.executor.sleep(700_000).await;
        }
    }

    /// Takes note of an answer. `true`: it is final.
    fn heard(&self, at: usize, answer: Result<SendResult, Reject>) -> bool {
        let now = self.executor.now();
        let mut ledger = self.ledger.lock();
        match answer {
            Ok(sent) => {
                ledger.tally.count("sends acknowledged");
                let ack = Ack {
                    seq: sent.seq,
                    message_id: sent.id.to_string(),
                    time: sent.time.0,
                };
                ledger.sends[at].acks.push((now, ack));
                true
            }
            Err(reject) => {
                ledger.sends[at].refusals.push(reject.code.number());
                reject.code.action() != Action::Retry
            }
        }
    }

    async fn change(&self, group: String, change: Change, name: String) {
        let quits = matches!(change, Change::Quit);
        let at = {
            let mut ledger = self.ledger.lock();
            ledger.groups.push(GroupRecord {
                place: Where {
                    app: self.app,
                    conversation: format!("g/{group}"),
                },
                by: quits.then(|| name.clone()),
                kind: change.kind(),
                users: change.users().to_vec(),
                outcome: None,
            });
            ledger.groups.len() - 1
        };
        let (app, id) = (self.id, GroupId::new(&group).expect("a short name"));
        let call = self.cluster.call(move |engine| async move {
            let users: Vec<UserId> = change.users().iter().map(|name| user(name)).collect();
            match change {
                Change::Create(_) => {
                    let (by, owner) = (By::Server, user(&name));
                    let group = engine.create_group(app, by, Some(id), "", &owner, &users);
                    group.await.map(|_| ())
                }
                Change::Add(_) => {
                    let group = engine.add_members(app, By::Server, &id, &users);
                    group.await.map(|_| ())
                }
                Change::Remove(_) => {
                    let group = engine.remove_members(app, By::Server, &id, &users);
                    group.await.map(|_| ())
                }
                Change::Quit => engine.quit_group(app, &user(&name), &id).await,
                Change::Dismiss => engine.dismiss_group(app, By::Server, &id).await,
            }
        });
        let outcome = call.await.map_err(|reject| reject.code.number());
        self.ledger.lock().groups[at].outcome = Some(outcome);
    }

    async fn block(&self, name: String, other: String, on: bool) {
        let record = BlockRecord {
            app: self.app,
            user: name.clone(),
            other: other.clone(),
            on,
            asked: self.executor.now(),
            acked: None,
        };
        let at = {
            let mut ledger = self.ledger.lock();
            ledger.blocks.push(record);
            ledger.blocks.len() - 1
        };
        let (app, users) = (self.id, vec![user(&other)]);
        let call = self.cluster.call(move |engine| async move {
            let (add, remove) = match on {
                true => (users, Vec::new()),
                false => (Vec::new(), users),
            };
            let change = RelationChange {
                list: List::Blocked,
                add,
                remove,
                allow_only: None,
            };
            engine.change_relations(app, &user(&name), &change).await
        });
        if call.await.is_ok() {
            let now = self.executor.now();
            self.ledger.lock().blocks[at].acked = Some(now);
        }
    }

    async fn read(&self, name: String, conversation: String, seq: u64) {
        let asked = self.executor.now();
        let at = {
            let mut ledger = self.ledger.lock();
            ledger.reads.push(ReadRecord {
                who: self.who(&name),
                conversation: conversation.clone(),
                seq,
                asked,
                acked: None,
                acked_at_least: None,
            });
            ledger.reads.len() - 1
        };
        let (app, id) = (
            self.id,
            ConversationId::parse(&conversation).expect("a good name"),
        );
        let call = self
            .cluster
            .call(move |engine| async move { engine.mark_read(app, &user(&name), &id, seq).await });
        if let Ok(read) = call.await {
            let now = self.executor.now();
            self.ledger.lock().reads[at].acked = Some((read.read_seq, now));
        }
    }
}
