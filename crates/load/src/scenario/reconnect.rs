//! The storm after a network comes back: everybody reconnects and syncs at once.
//!
//! Each client is in a private chat and in a large group. All are gone, the groups talk on, all
//! come back with the position of their last sync and their group open, and each must get exactly
//! what it missed.

use std::time::{Duration, Instant};

use anser_proto::client::{
    Content, OpenConversation, SendMessage, Sync, SyncResult, request::Command, response,
};
use serde_json::json;

use super::drive::Timing;
use super::fanout::create_group;
use super::pairs::{self, Plan};
use super::{Context, LOGINS_AT_A_TIME, private_conversations, user};
use crate::anser::Server;
use crate::clients::blocking::Session;
use crate::clients::login::{Credentials, Target, log_in};
use crate::clients::swarm::{Handler, Links, Swarm};
use crate::clients::wire::{self, Event};
use crate::floor::server::BODY_BYTES;
use crate::latency::{Latency, Quantiles};
use crate::process::Watch;
use crate::report::Row;

/// Members of each group.
const GROUP: usize = 500;
/// What each group says while nobody is there.
const MISSED: u64 = 3;
/// No sync takes so long unless the server is stuck.
const PATIENCE: Duration = Duration::from_secs(60);

/// What a client knows from its last sync.
#[derive(Clone)]
struct Position {
    sync: Sync,
    /// Messages of its group that have arrived in a sync.
    got: u64,
}

struct Storm<'a> {
    users: &'a [Credentials],
    groups: &'a [String],
    positions: Vec<Position>,
    began: Vec<Instant>,
    done: usize,
    latency: Latency,
}

impl Storm<'_> {
    fn answer(&mut self, links: &mut Links, link: usize, bytes: &[u8]) -> Result<(), String> {
        match wire::response(bytes)?.result {
            Some(response::Result::Welcome(_)) => self.sync(links, link),
            Some(response::Result::Sync(result)) => {
                let more = self.synced(link, &result);
                if more {
                    self.sync(links, link);
                } else {
                    self.done += 1;
                    self.latency.record(self.began[link].elapsed());
                }
            }
            other => return Err(format!("client {link}: {other:?}")),
        }
        Ok(())
    }

    fn sync(&mut self, links: &mut Links, link: usize) {
        let sync = self.positions[link].sync.clone();
        links.send(link, &wire::request(2, Command::Sync(sync)));
    }

    /// Takes a part of the answer; whether there is more.
    fn synced(&mut self, link: usize, result: &SyncResult) -> bool {
        let group = &self.groups[link / GROUP];
        let position = &mut self.positions[link];
        let arrived = result
            .pages
            .iter()
            .filter(|page| page.conversation == *group);
        position.got += arrived.map(|page| page.messages.len() as u64).sum::<u64>();
        position.sync.cursor.clone_from(&result.cursor);
        if !result.cursor.is_empty() {
            return true;
        }
        position.sync.epoch = result.epoch;
        position.sync.feed_version = result.feed_version;
        position.sync.synced_time = result.synced_time;
        let known = result.conversations.iter().find(|known| known.id == *group);
        if let Some(known) = known {
            position.sync.open = vec![OpenConversation {
                conversation: group.clone(),
                seq: known.head_seq,
                rev: known.rev,
            }];
        }
        false
    }
}

impl Handler for Storm<'_> {
    fn opened(&mut self, links: &mut Links, link: usize) {
        let hello = wire::hello(&self.users[link].token, &format!("device-{link}"));
        links.send(link, &wire::request(1, hello));
    }

    fn frame(&mut self, links: &mut Links, link: usize, payload: &[u8]) -> Result<(), String> {
        let mut answer = None;
        let mut refused = None;
        wire::events(payload, |event| match event {
            Event::Answer { response, .. } => answer = Some(response),
            Event::Refused { code } => refused = Some(code),
            _ => {}
        })?;
        if let Some(code) = refused {
            return Err(format!("client {link}: code {code}"));
        }
        answer.map_or(Ok(()), |bytes| self.answer(links, link, bytes))
    }

    fn closed(&mut self, _: &mut Links, link: usize, why: &str) -> Result<(), String> {
        Err(format!("client {link}: {why}"))
    }
}

/// Everybody connects, so many at a time, and syncs.
fn storm(
    target: &Target,
    users: &[Credentials],
    groups: &[String],
    positions: Vec<Position>,
    at_a_time: usize,
) -> Result<(Vec<Position>, Quantiles), String> {
    let mut swarm = Swarm::new().map_err(|error| format!("epoll: {error}"))?;
    let mut storm = Storm {
        users,
        groups,
        positions,
        began: Vec::new(),
        done: 0,
        latency: Latency::new(),
    };
    let deadline = Instant::now() + PATIENCE;
    while storm.done < users.len() {
        while storm.began.len() < users.len() && storm.began.len() < storm.done + at_a_time {
            storm.began.push(Instant::now());
            swarm
                .links
                .connect(target.address, target.opening.clone())
                .map_err(|error| format!("connection {}: {error}", storm.began.len()))?;
        }
        swarm.turn(Duration::from_millis(100), &mut storm)?;
        if Instant::now() > deadline {
            return Err(format!(
                "{} of {} are back, then none",
                storm.done,
                users.len()
            ));
        }
    }
    swarm.links.close_all();
    Ok((storm.positions, storm.latency.quantiles()))
}

/// Users with a private chat and a group each.
fn populate(server: &Server, clients: usize) -> Result<(Vec<Credentials>, Vec<String>), String> {
    let users = server.users((0..clients).map(user));
    let (mut swarm, _) = log_in(server.target(), &users, LOGINS_AT_A_TIME)?;
    let conversations = private_conversations(clients / 2);
    let plan = Plan {
        conversations: &conversations,
        window: 1,
        body_bytes: BODY_BYTES,
        timing: Timing {
            warm: Duration::ZERO,
            measure: PATIENCE,
        },
        messages_max: 1,
    };
    pairs::run(&mut swarm, server.target(), &plan)?;
    swarm.links.close_all();
    let groups = users
        .chunks(GROUP)
        .enumerate()
        .map(|(number, members)| create_group(server.target(), members, &format!("storm-{number}")))
        .collect::<Result<_, _>>()?;
    Ok((users, groups))
}

fn talk(server: &Server, users: &[Credentials], groups: &[String]) -> Result<(), String> {
    for (group, owner) in groups.iter().zip(users.iter().step_by(GROUP)) {
        let (mut session, _) = Session::open(server.target(), owner, "group-owner")?;
        for number in 0..MISSED {
            session.call(Command::SendMessage(SendMessage {
                conversation: group.clone(),
                client_message_id: format!("missed-{number}"),
                content: Some(Content {
                    r#type: "text".to_owned(),
                    body: vec![b'a'; BODY_BYTES].into(),
                }),
                ..SendMessage::default()
            }))?;
        }
    }
    Ok(())
}

/// Row `reconnect`.
pub(crate) fn measure(context: &Context, clients: usize, at_a_time: usize) -> Result<Row, String> {
    let clients = clients.next_multiple_of(2);
    let server = context.start("reconnect")?;
    let (users, groups) = populate(&server, clients)?;
    let nothing = Position {
        sync: Sync::default(),
        got: 0,
    };
    let target = server.target();
    let nothing = vec![nothing; clients];
    let (mut positions, _) = storm(target, &users, &groups, nothing, LOGINS_AT_A_TIME)?;
    if positions
        .iter()
        .any(|position| position.sync.open.is_empty())
    {
        return Err("a first sync without the group".to_owned());
    }
    talk(&server, &users, &groups)?;
    for position in &mut positions {
        position.got = 0;
    }
    let watch = Watch::start(server.pid());
    let (positions, latency) = storm(target, &users, &groups, positions, at_a_time)?;
    let watched = watch.stop();
    if let Some(at) = positions.iter().position(|position| position.got != MISSED) {
        return Err(format!(
            "client {at} missed {MISSED} and got {}",
            positions[at].got
        ));
    }
    server.stop()?;
    let count = clients as u64;
    let mut row = Row::new(
        "reconnect and sync".into(),
        "anser",
        "client",
        count,
        &watched,
    )
    .latency(latency);
    row.detail = json!({"clients": clients, "at_a_time": at_a_time, "watched": row.detail});
    Ok(row)
}
