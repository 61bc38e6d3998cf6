//! A large group whose members are all online, and one who talks.

use anser_proto::client::{AddGroupMembers, CreateGroup, request::Command};

use super::fan::{self, Fanned, Plan};
use super::{Context, LOGINS_AT_A_TIME, user};
use crate::anser::Server;
use crate::clients::blocking::Session;
use crate::clients::login::{Credentials, Target, log_in};
use crate::floor::server::BODY_BYTES;
use crate::floor::{self, Floor};
use crate::report::Row;

/// Members named in one request: a frame has a limit.
const MEMBERS_AT_A_TIME: usize = 500;

/// The product, ready for this load.
pub(crate) struct Anser {
    server: Server,
    users: Vec<Credentials>,
    conversation: String,
}

/// Creates a group of these users, of whom the first is the owner.
pub(crate) fn create_group(
    target: &Target,
    users: &[Credentials],
    group: &str,
) -> Result<String, String> {
    let (owner, members) = users.split_first().ok_or("a group without an owner")?;
    let (mut session, _) = Session::open(target, owner, "group-owner")?;
    session.call(Command::CreateGroup(CreateGroup {
        group_id: group.to_owned(),
        name: group.to_owned(),
        members: Vec::new(),
    }))?;
    for some in members.chunks(MEMBERS_AT_A_TIME) {
        session.call(Command::AddGroupMembers(AddGroupMembers {
            group_id: group.to_owned(),
            members: some.iter().map(|member| member.user.clone()).collect(),
        }))?;
    }
    Ok(format!("g/{group}"))
}

impl Anser {
    /// A server of its own with a group of so many.
    pub(crate) fn prepare(context: &Context, members: usize) -> Result<Self, String> {
        let server = context.start("fanout")?;
        let users = server.users((0..members).map(user));
        // The first login creates a user.
        let (mut swarm, _) = log_in(server.target(), &users, LOGINS_AT_A_TIME)?;
        swarm.links.close_all();
        let conversation = create_group(server.target(), &users, "fanout-00000000")?;
        Ok(Self {
            server,
            users,
            conversation,
        })
    }

    /// One stretch.
    pub(crate) fn measure(&self, context: &Context, window: usize) -> Result<Row, String> {
        let target = self.server.target();
        let run = run(context, target, &self.users, &self.conversation, window)?;
        Ok(row("anser", &run))
    }

    /// Ends the server.
    pub(crate) fn finish(self) -> Result<(), String> {
        self.server.stop().map(drop)
    }
}

/// One stretch of the floor: what is pending goes out in one write per receiver.
pub(crate) fn floor(context: &Context, members: usize, window: usize) -> Result<Row, String> {
    let floor = Floor::fan()?;
    let users = Floor::users(members);
    let run = run(context, floor.target(), &users, floor::CONVERSATION, window)?;
    Ok(row("floor fan", &run))
}

fn run(
    context: &Context,
    target: &Target,
    users: &[Credentials],
    conversation: &str,
    window: usize,
) -> Result<Fanned, String> {
    let (mut swarm, _) = log_in(target, users, LOGINS_AT_A_TIME)?;
    let plan = Plan {
        conversation,
        receivers: users.len() - 1,
        window,
        body_bytes: BODY_BYTES,
        timing: context.timing(),
    };
    let run = fan::run(&mut swarm, target, &plan);
    swarm.links.close_all();
    run
}

fn row(subject: &'static str, run: &Fanned) -> Row {
    let scenario = format!("fanout 1:{} W={}", run.receivers, run.window);
    Row::new(
        scenario,
        subject,
        "delivery",
        run.driven.deliveries,
        &run.driven.watched,
    )
    .latency(run.full.clone())
    .detail(run)
}
