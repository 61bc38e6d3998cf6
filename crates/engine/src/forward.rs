//! Sends to conversations that another node owns.
//!
//! Requests between nodes overtake one another, and what one sender says to one conversation must
//! not. So each sender has a lane to each conversation: its sends are asked one after the other,
//! while those of different senders travel side by side. When one of them fails for now, so do
//! those queued behind it: the client retries them in order, where going on would turn them over.
//!
//! A lane lives as long as it has something to send.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use anser_domain::code::Action;
use anser_domain::{AppId, Code, Reject, UserId};
use anser_proto::cluster as pb;
use parking_lot::Mutex;

use crate::cluster::wire;
use crate::event::Reply;
use crate::message::{SendMessage, SendResult};
use crate::tables;
use crate::tools::Tools;

/// Sends that wait in one lane: as many as a client may have on their way, on a few devices.
const LANE_MAX: usize = 256;
/// When to come back to a lane that is full.
const RETRY_MS: u32 = 500;

/// An app, a conversation in it, a sender to it.
type Lane = (AppId, String, UserId);

struct Inner {
    tools: Arc<Tools>,
    /// A lane that is here is being worked on; the send under way is not in its queue.
    lanes: Mutex<BTreeMap<Lane, VecDeque<(SendMessage, Reply)>>>,
}

/// The sends on their way to other nodes. Clones share them.
#[derive(Clone)]
pub(crate) struct Forwards(Arc<Inner>);

impl Forwards {
    pub(crate) fn new(tools: Arc<Tools>) -> Self {
        let lanes = Mutex::default();
        Self(Arc::new(Inner { tools, lanes }))
    }

    /// Sends behind what the same sender has on the way to the same conversation.
    pub(crate) fn send(&self, message: SendMessage, conversation: String, reply: Reply) {
        let lane = (message.app, conversation, message.sender.clone());
        {
            let mut lanes = self.0.lanes.lock();
            if let Some(queue) = lanes.get_mut(&lane) {
                if queue.len() < LANE_MAX {
                    queue.push_back((message, reply));
                    return;
                }
                drop(lanes);
                let full = Reject::from(Code::Overloaded).retry_after_ms(RETRY_MS);
                return reply.answer(Err(full));
            }
            lanes.insert(lane.clone(), VecDeque::new());
        }
        let this = self.clone();
        self.0
            .tools
            .env
            .spawn(async move { this.run(lane, message, reply).await });
    }

    async fn run(self, lane: Lane, mut message: SendMessage, mut reply: Reply) {
        loop {
            let answer = self.ask(&message, &lane.1).await;
            let failed = match &answer {
                Err(reject) if reject.code.action() == Action::Retry => Some(reject.clone()),
                _ => None,
            };
            reply.answer(answer);
            if let Some(reject) = failed {
                let behind = self.0.lanes.lock().remove(&lane).unwrap_or_default();
                for (_, reply) in behind {
                    reply.answer(Err(reject.clone()));
                }
                return;
            }
            let mut lanes = self.0.lanes.lock();
            match lanes.get_mut(&lane).and_then(VecDeque::pop_front) {
                Some(next) => (message, reply) = next,
                None => {
                    lanes.remove(&lane);
                    return;
                }
            }
        }
    }

    async fn ask(&self, message: &SendMessage, conversation: &str) -> Result<SendResult, Reject> {
        let cluster = &self.0.tools.cluster;
        let shard = tables::conversation_shard(message.app, conversation);
        let owner = cluster.view().owner(shard);
        let request = pb::request::Request::Send(wire::send(message, conversation));
        match cluster.request(owner, request).await? {
            pb::response::Response::Sent(sent) => wire::sent_from(sent),
            _ => Err(wire::garbled()),
        }
    }
}
