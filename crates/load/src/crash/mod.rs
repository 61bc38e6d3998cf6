//! Kill the server again and again while clients talk; then check every acknowledged message.
//!
//! Clients send in private chats and groups, mark things read, reconnect when the server is gone
//! and resend what was not acknowledged. The server is killed (SIGKILL) at random moments, some of
//! them while it is still starting, and started again on the same data. At the end it is killed
//! once more, and then every conversation is read back from its first message, and every list.
//! What must hold is in [`model`]. The seed decides what clients do and when the server dies; what
//! the scheduler makes of that it does not decide.

mod client;
mod model;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use anser_proto::client::{
    Conversation, ListConversations, Message, PullMessages, request::Command, response,
};
use serde::Serialize;

use self::client::{Client, Stage};
use self::model::{Aftermath, Journal, Room, violations};
use crate::anser::{Launch, Server};
use crate::clients::blocking::Session;
use crate::clients::login::{Credentials, Target};
use crate::report::note;
use crate::scenario::fanout::create_group;

/// The name of the error code for a private chat without a message.
const NOT_FOUND: &str = "NOT_FOUND";

/// What to do.
pub(crate) struct Plan {
    pub(crate) clients: usize,
    pub(crate) kills: usize,
    pub(crate) seed: u64,
    /// The longest that the server lives between two kills.
    pub(crate) life_max: Duration,
}

/// What happened, when nothing was wrong.
#[derive(Serialize)]
pub(crate) struct Survived {
    pub(crate) seed: u64,
    pub(crate) kills: usize,
    pub(crate) kills_while_starting: usize,
    pub(crate) messages: usize,
    pub(crate) shown: usize,
    pub(crate) connections: u64,
    pub(crate) resent: u64,
    pub(crate) refused_clients: usize,
    pub(crate) seconds: f64,
    /// The longest start after a kill.
    pub(crate) start_ms_max: u64,
}

/// Rooms of a client: a private chat with each neighbour in a circle, a group of ten, and one of
/// all.
struct Rooms {
    names: Vec<String>,
    /// Numbers of the members of each.
    members: Vec<Vec<usize>>,
}

fn user(number: usize) -> String {
    format!("crash{number:03}")
}

impl Rooms {
    fn plan(clients: usize) -> Self {
        let all: Vec<usize> = (0..clients).collect();
        let mut rooms: BTreeMap<String, Vec<usize>> = BTreeMap::new();
        for one in 0..clients {
            let other = (one + 1) % clients;
            let (low, high) = (one.min(other), one.max(other));
            rooms.insert(format!("p/{}/{}", user(low), user(high)), vec![low, high]);
        }
        for (number, members) in all.chunks(10).enumerate() {
            rooms.insert(format!("g/ten-{number}"), members.to_vec());
        }
        rooms.insert("g/all".to_owned(), all);
        let (names, members) = rooms.into_iter().unzip();
        Self { names, members }
    }

    fn of(&self, client: usize) -> Vec<Room> {
        let rooms = self.members.iter().enumerate();
        rooms
            .filter(|(_, members)| members.contains(&client))
            .map(|(room, _)| room)
            .collect()
    }
}

/// Runs it; an error tells every violation.
pub(crate) fn run(launch: &Launch, plan: &Plan) -> Result<Survived, String> {
    let began = Instant::now();
    let rooms = Rooms::plan(plan.clients);
    let server = launch.start()?;
    let users = server.users((0..plan.clients).map(user));
    prepare(&server, &users, &rooms)?;
    let stage = Stage {
        target: Mutex::new(Some(server.target().clone())),
        curtain: AtomicBool::new(false),
        rooms: rooms.names.clone(),
    };
    let mut killer = Killer {
        launch,
        stage: &stage,
        random: fastrand::Rng::with_seed(plan.seed),
        while_starting: 0,
        start_max: Duration::ZERO,
    };
    let (journals, server) = std::thread::scope(|scope| {
        let players: Vec<_> = users
            .iter()
            .enumerate()
            .map(|(number, credentials)| {
                let client = Client {
                    stage: &stage,
                    credentials: credentials.clone(),
                    random: fastrand::Rng::with_seed(plan.seed.wrapping_add(1 + number as u64)),
                    journal: Journal {
                        user: credentials.user.clone(),
                        rooms: rooms.of(number),
                        ..Journal::default()
                    },
                    open: Vec::new(),
                    reading: None,
                    with_read: BTreeMap::new(),
                    heads: BTreeMap::new(),
                };
                scope.spawn(move || client.play())
            })
            .collect();
        let server = killer.kill_repeatedly(server, plan);
        stage.curtain.store(true, Ordering::Relaxed);
        let journals: Vec<Journal> = players
            .into_iter()
            .map(|player| player.join().expect("a client does not panic"))
            .collect();
        server.map(|server| (journals, server))
    })?;
    let kills = plan.kills + 1;
    let server = killer.kill_and_start(server)?;
    let after = read_back(server.target(), &users, &rooms)?;
    let wrong = violations(&journals, &after);
    if !wrong.is_empty() {
        let shown: Vec<&str> = wrong.iter().take(40).map(String::as_str).collect();
        return Err(format!(
            "seed {}: {} violations after {kills} kills:\n{}",
            plan.seed,
            wrong.len(),
            shown.join("\n")
        ));
    }
    server.stop()?;
    Ok(Survived {
        seed: plan.seed,
        kills,
        kills_while_starting: killer.while_starting,
        messages: journals.iter().map(|journal| journal.sent.len()).sum(),
        shown: journals.iter().map(|journal| journal.shown.len()).sum(),
        connections: journals.iter().map(|journal| journal.connections).sum(),
        resent: journals.iter().map(|journal| journal.resent).sum(),
        refused_clients: journals.iter().filter(|journal| journal.refused).count(),
        seconds: began.elapsed().as_secs_f64(),
        start_ms_max: u64::try_from(killer.start_max.as_millis()).unwrap_or(u64::MAX),
    })
}

/// Users exist from their first login; groups are made by their first member.
fn prepare(server: &Server, users: &[Credentials], rooms: &Rooms) -> Result<(), String> {
    for user in users {
        Session::open(server.target(), user, "crash")?;
    }
    for (name, members) in rooms.names.iter().zip(&rooms.members) {
        if let Some(group) = name.strip_prefix("g/") {
            let members: Vec<_> = members
                .iter()
                .map(|&member| users[member].clone())
                .collect();
            create_group(server.target(), &members, group)?;
        }
    }
    Ok(())
}

struct Killer<'a> {
    launch: &'a Launch,
    stage: &'a Stage,
    random: fastrand::Rng,
    while_starting: usize,
    start_max: Duration,
}

impl Killer<'_> {
    fn kill_repeatedly(&mut self, mut server: Server, plan: &Plan) -> Result<Server, String> {
        let life_max = u64::try_from(plan.life_max.as_millis())
            .unwrap_or(u64::MAX)
            .max(2);
        let mut kills = 0;
        while kills < plan.kills {
            std::thread::sleep(Duration::from_millis(self.random.u64(1..life_max)));
            note(&format!("kill {} of {}", kills + 1, plan.kills));
            self.publish(None);
            server.kill()?;
            kills += 1;
            if kills < plan.kills && self.random.u8(..) < 64 {
                let after = Duration::from_millis(self.random.u64(..150));
                self.launch.start_and_kill(after)?;
                self.while_starting += 1;
                kills += 1;
            }
            server = self.start()?;
        }
        Ok(server)
    }

    fn kill_and_start(&mut self, server: Server) -> Result<Server, String> {
        server.kill()?;
        self.start()
    }

    fn start(&mut self) -> Result<Server, String> {
        let began = Instant::now();
        let server = self.launch.start()?;
        self.start_max = self.start_max.max(began.elapsed());
        self.publish(Some(server.target().clone()));
        Ok(server)
    }

    fn publish(&self, target: Option<Target>) {
        *self
            .stage
            .target
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = target;
    }
}

fn read_back(target: &Target, users: &[Credentials], rooms: &Rooms) -> Result<Aftermath, String> {
    let open = |user| Session::open(target, user, "reader").map(|(session, _)| session);
    let mut sessions: Vec<Session> = users.iter().map(open).collect::<Result<_, _>>()?;
    let mut after = Aftermath::default();
    for (name, members) in rooms.names.iter().zip(&rooms.members) {
        let history = history(&mut sessions[members[0]], name)?;
        after.rooms.push((name.clone(), history));
    }
    for session in &mut sessions {
        after.lists.push(list(session)?);
    }
    Ok(after)
}

fn history(session: &mut Session, room: &str) -> Result<Vec<Message>, String> {
    let mut history: Vec<Message> = Vec::new();
    loop {
        let pull = Command::PullMessages(PullMessages {
            conversation: room.to_owned(),
            from_seq: history.last().map_or(0, |last| last.seq),
            descending: false,
            limit: 100,
        });
        match session.call(pull) {
            // Nothing was ever sent to it: then nothing was acknowledged either, or it is missed.
            Err(error) if error.contains(NOT_FOUND) => return Ok(history),
            Err(error) => return Err(format!("{room}: {error}")),
            Ok(response::Result::Messages(page)) => {
                let more = page.more && !page.messages.is_empty();
                history.extend(page.messages);
                if !more {
                    return Ok(history);
                }
            }
            Ok(other) => return Err(format!("{room}: asked for a page, got {other:?}")),
        }
    }
}

fn list(session: &mut Session) -> Result<Vec<Conversation>, String> {
    let mut list = Vec::new();
    let mut cursor = String::new();
    loop {
        let ask = ListConversations { cursor, limit: 100 };
        match session.call(Command::ListConversations(ask))? {
            response::Result::Conversations(page) => {
                list.extend(page.conversations);
                cursor = page.cursor;
                if cursor.is_empty() {
                    return Ok(list);
                }
            }
            other => return Err(format!("asked for the list, got {other:?}")),
        }
    }
}
