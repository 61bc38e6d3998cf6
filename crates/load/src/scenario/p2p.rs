//! Durable one-to-one: private chats, each message sequenced, stored, synced, delivered and acked.

use super::pairs::{self, Paired, Plan};
use super::{Context, LOGINS_AT_A_TIME, private_conversations, user};
use crate::anser::Server;
use crate::clients::login::{Credentials, Target, log_in};
use crate::floor::server::BODY_BYTES;
use crate::floor::{self, Floor};
use crate::report::Row;

/// The product, ready for this load.
pub(crate) struct Anser {
    server: Server,
    users: Vec<Credentials>,
    conversations: Vec<String>,
}

impl Anser {
    /// A server of its own with users for so many pairs.
    pub(crate) fn prepare(context: &Context, pairs: usize) -> Result<Self, String> {
        let server = context.start("p2p")?;
        let users = server.users((0..2 * pairs).map(user));
        // The first login creates a user; a send to one who never was is refused.
        let (mut swarm, _) = log_in(server.target(), &users, LOGINS_AT_A_TIME)?;
        swarm.links.close_all();
        Ok(Self {
            server,
            users,
            conversations: private_conversations(pairs),
        })
    }

    /// One stretch.
    pub(crate) fn measure(&self, context: &Context, window: usize) -> Result<Row, String> {
        let target = self.server.target();
        let run = run(context, target, &self.users, &self.conversations, window)?;
        Ok(row("anser", &run))
    }

    /// Ends the server.
    pub(crate) fn finish(self) -> Result<(), String> {
        self.server.stop().map(drop)
    }
}

/// One stretch of the floor: a relay that syncs its log before it acks.
pub(crate) fn floor(context: &Context, pairs: usize, window: usize) -> Result<Row, String> {
    let floor = Floor::relay(&context.dir)?;
    let users = Floor::users(2 * pairs);
    let conversations = vec![floor::CONVERSATION.to_owned(); pairs];
    let run = run(context, floor.target(), &users, &conversations, window)?;
    Ok(row("floor relay", &run))
}

fn run(
    context: &Context,
    target: &Target,
    users: &[Credentials],
    conversations: &[String],
    window: usize,
) -> Result<Paired, String> {
    let (mut swarm, _) = log_in(target, users, LOGINS_AT_A_TIME)?;
    let plan = Plan {
        conversations,
        window,
        body_bytes: BODY_BYTES,
        timing: context.timing(),
        messages_max: u64::MAX,
    };
    let run = pairs::run(&mut swarm, target, &plan);
    swarm.links.close_all();
    run
}

fn row(subject: &'static str, run: &Paired) -> Row {
    let scenario = format!("p2p {} pairs W={}", run.pairs, run.window);
    Row::new(
        scenario,
        subject,
        "message",
        run.driven.deliveries,
        &run.driven.watched,
    )
    .latency(run.end_to_end.clone())
    .detail(run)
}
