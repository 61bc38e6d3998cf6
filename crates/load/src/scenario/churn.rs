//! A chat room that many join and leave while somebody speaks.
//!
//! Those who stay are the measure: what one of them heard was said, and whoever is in the room must
//! hear it too. A wanderer joins, must then hear every message behind the one that the answer names,
//! and leaves when it has caught up with what was said by then; once its leaving is answered it must
//! hear nothing. Below the room's quota nothing is dropped, so a hole is a failure of the run.
//!
//! In the end the room's count must be the truth, and once all wanderers are out, the server's
//! memory what it was after the first round.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use anser_proto::client::{GetRoom, JoinRoom, LeaveRoom, request::Command, response};
use serde::Serialize;

use super::{Context, LOGINS_AT_A_TIME, user};
use crate::clients::login::log_in;
use crate::clients::swarm::{Handler, Links, Swarm};
use crate::clients::wire::{self, Event, SendTemplate};
use crate::process::{self, Watch};
use crate::report::{Check, Report, Row, note};

const ROOM: &str = "churn";
/// Members who stay. The first of them speaks.
const STAYERS: usize = 100;
/// Messages a second: less than what a room takes, whatever the moment.
const SPOKEN: u32 = 50;
/// Bytes of text in a message.
const BODY_BYTES: usize = 64;
/// Request ids.
const JOIN: u32 = 2;
const LEAVE: u32 = 3;
const COUNT: u32 = 4;
/// Nobody waits so long for an answer, or for what others heard, unless the server is stuck.
const PATIENCE: Duration = Duration::from_secs(20);
/// A server that is left alone gives memory back within so many measured stretches.
const CALM: u32 = 2;

/// Where somebody stands.
#[derive(Copy, Clone, Eq, PartialEq, Debug)]
enum Place {
    Out,
    /// The highest sequence heard before the answer; 0: none.
    Joining(u64),
    /// The last sequence heard.
    In(u64),
    /// Leaves as soon as it has heard this one.
    CatchingUp(u64, u64),
    Leaving,
}

struct Room {
    places: Vec<Place>,
    /// The first sequence heard while [`Place::Joining`].
    first: Vec<u64>,
    /// What has been heard by the first who stays.
    said: u64,
    joined: u64,
    left: u64,
    deliveries: u64,
    count: Option<u32>,
}

impl Room {
    fn hear(&mut self, link: usize, seq: u64) -> Result<(), String> {
        let wrong = |what: &str| Err(format!("member {link}: {seq} {what}"));
        self.deliveries += 1;
        if link == 0 {
            self.said = self.said.max(seq);
        }
        match &mut self.places[link] {
            Place::Out => return wrong("was heard by somebody who had left"),
            // The answer says where the new stay begins; what comes before it ends the last.
            Place::Joining(last) => {
                if *last == 0 {
                    self.first[link] = seq;
                } else if seq != *last + 1 {
                    return wrong(&format!("came after {last}"));
                }
                *last = seq;
            }
            Place::In(last) | Place::CatchingUp(last, _) => {
                if seq > *last + 1 {
                    return wrong(&format!("came after {last}"));
                }
                *last = seq.max(*last);
            }
            Place::Leaving => {}
        }
        Ok(())
    }

    fn answered(&mut self, link: usize, answer: &[u8]) -> Result<(), String> {
        let answer = wire::response(answer)?;
        match (answer.id, answer.result) {
            (JOIN, Some(response::Result::RoomJoined(joined))) => {
                let Place::Joining(last) = self.places[link] else {
                    return Err(format!("member {link}: joined unasked"));
                };
                if last > joined.seq && self.first[link] > joined.seq + 1 {
                    let first = self.first[link];
                    return Err(format!("member {link}: {first} came after {}", joined.seq));
                }
                self.places[link] = Place::In(joined.seq.max(last));
                self.joined += 1;
            }
            (LEAVE, Some(response::Result::Done(_))) => {
                self.places[link] = Place::Out;
                self.left += 1;
            }
            (COUNT, Some(response::Result::Room(room))) => self.count = Some(room.member_count),
            (_, other) => return Err(format!("member {link}: answered {other:?}")),
        }
        Ok(())
    }

    fn join(&mut self, links: &mut Links, link: usize) {
        self.places[link] = Place::Joining(0);
        let room = ROOM.to_owned();
        let join = JoinRoom {
            room,
            ..JoinRoom::default()
        };
        links.send(link, &wire::request(JOIN, Command::JoinRoom(join)));
    }

    /// Those who have heard enough leave.
    fn let_go(
        &mut self,
        links: &mut Links,
        leaving: &mut VecDeque<(usize, Instant)>,
    ) -> Result<(), String> {
        for _ in 0..leaving.len() {
            let Some((link, since)) = leaving.pop_front() else {
                break;
            };
            match self.places[link] {
                Place::CatchingUp(last, until) if last >= until => {
                    self.places[link] = Place::Leaving;
                    let room = ROOM.to_owned();
                    let leave = Command::LeaveRoom(LeaveRoom { room });
                    links.send(link, &wire::request(LEAVE, leave));
                }
                Place::CatchingUp(last, until) if since.elapsed() > PATIENCE => {
                    return Err(format!("member {link}: heard {last} of {until}"));
                }
                _ => leaving.push_back((link, since)),
            }
        }
        Ok(())
    }

    fn is_settled(&self) -> bool {
        let is = |place: &Place| matches!(place, Place::Out | Place::In(_));
        self.places.iter().all(is)
    }
}

impl Handler for Room {
    fn opened(&mut self, _: &mut Links, _: usize) {}

    fn frame(&mut self, _: &mut Links, link: usize, payload: &[u8]) -> Result<(), String> {
        let mut outcome = Ok(());
        wire::events(payload, |event| {
            if outcome.is_err() {
                return;
            }
            outcome = match event {
                Event::Room(push) => {
                    let mut heard = Ok(());
                    wire::room_messages(push, |seq, _| {
                        if heard.is_ok() {
                            heard = self.hear(link, seq);
                        }
                    });
                    heard
                }
                Event::Answer {
                    request: JOIN | LEAVE | COUNT,
                    response,
                } => self.answered(link, response),
                Event::Refused { code } => Err(format!("member {link}: code {code}")),
                _ => Ok(()),
            };
        })?;
        outcome
    }

    fn closed(&mut self, _: &mut Links, link: usize, why: &str) -> Result<(), String> {
        Err(format!("member {link}: {why}"))
    }
}

/// What came of a run.
#[derive(Serialize)]
struct Churned {
    wanderers: usize,
    changes_per_second: u32,
    joined: u64,
    left: u64,
    said: u64,
    rss_before: u64,
    rss_after: u64,
}

/// Joins and leaves at a rate, twice as long as what is measured elsewhere.
pub(crate) fn measure(
    context: &Context,
    wanderers: usize,
    rate: u32,
    report: &mut Report,
) -> Result<(), String> {
    let server = context.start("churn")?;
    server.allow_rooms()?;
    let everybody = STAYERS + wanderers;
    let users = server.users((0..everybody).map(user));
    let (mut swarm, _) = log_in(server.target(), &users, LOGINS_AT_A_TIME)?;
    let mut room = Room {
        places: vec![Place::Out; everybody],
        first: vec![0; everybody],
        said: 0,
        joined: 0,
        left: 0,
        deliveries: 0,
        count: None,
    };
    for link in 0..STAYERS {
        room.join(&mut swarm.links, link);
    }
    settle(&mut swarm, &mut room)?;
    let mut speech = Speech::new();
    // What a server allocates once is there after a first round.
    wander(&mut swarm, &mut room, &mut speech, rate, context.measure)?;
    all_out(&mut swarm, &mut room)?;
    rest(&mut swarm, &mut room, CALM * context.measure)?;
    let rss_before = process::resident(server.pid());
    let (joined, left, deliveries) = (room.joined, room.left, room.deliveries);
    let watch = Watch::start(server.pid());
    wander(
        &mut swarm,
        &mut room,
        &mut speech,
        rate,
        2 * context.measure,
    )?;
    let watched = watch.stop();
    let (joined, left) = (room.joined - joined, room.left - left);
    let deliveries = room.deliveries - deliveries;
    count(&mut swarm, &mut room)?;
    all_out(&mut swarm, &mut room)?;
    count(&mut swarm, &mut room)?;
    rest(&mut swarm, &mut room, CALM * context.measure)?;
    let rss_after = process::resident(server.pid());
    swarm.links.close_all();
    server.stop()?;

    let churned = Churned {
        wanderers,
        changes_per_second: rate,
        joined,
        left,
        said: room.said,
        rss_before,
        rss_after,
    };
    note(&format!(
        "{joined} joined, {left} left, {deliveries} deliveries: none was missed, none was one too many"
    ));
    let changes = joined + left;
    let row = Row::new("churn".into(), "anser", "change", changes, &watched);
    report.rows.push(row.detail(&churned));
    report.checks.push(Check {
        what: "churn, resident memory after over before".to_owned(),
        value: rss_after as f64 / rss_before.max(1) as f64,
        unit: "x",
        at_most: true,
        pass: 1.1,
        aim: 1.02,
        from: format!("{} / {} KiB", rss_after >> 10, rss_before >> 10),
    });
    Ok(())
}

/// What the first who stays says.
struct Speech {
    template: SendTemplate,
    counter: u64,
}

impl Speech {
    fn new() -> Self {
        Self {
            template: SendTemplate::to_room(ROOM, false, BODY_BYTES),
            counter: 0,
        }
    }

    fn say(&mut self, links: &mut Links) {
        links.send(0, self.template.stamp(self.counter));
        self.counter += 1;
    }
}

/// Wanderers join and leave at this rate, one after the other, while somebody speaks.
fn wander(
    swarm: &mut Swarm,
    room: &mut Room,
    speech: &mut Speech,
    rate: u32,
    length: Duration,
) -> Result<(), String> {
    let wanderers = room.places.len() - STAYERS;
    let (began, mut said, mut changed) = (Instant::now(), 0_u64, 0_u64);
    let mut next = 0;
    let mut leaving = VecDeque::new();
    while began.elapsed() < length {
        let micros = u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX);
        let due = |rate: u32| micros.saturating_mul(rate.into()) / 1_000_000;
        while said < due(SPOKEN) {
            speech.say(&mut swarm.links);
            said += 1;
        }
        while changed < due(rate) {
            changed += 1;
            let link = STAYERS + next % wanderers;
            next += 1;
            match room.places[link] {
                Place::Out => room.join(&mut swarm.links, link),
                Place::In(last) => {
                    room.places[link] = Place::CatchingUp(last, room.said);
                    leaving.push_back((link, Instant::now()));
                }
                // Under way: the next time round.
                _ => {}
            }
        }
        room.let_go(&mut swarm.links, &mut leaving)?;
        swarm.turn(Duration::from_millis(1), room)?;
    }
    let end = Instant::now() + PATIENCE;
    while !leaving.is_empty() {
        room.let_go(&mut swarm.links, &mut leaving)?;
        swarm.turn(Duration::from_millis(1), room)?;
        if Instant::now() > end {
            return Err(format!("{} can't leave", leaving.len()));
        }
    }
    settle(swarm, room)?;
    all_heard(swarm, room)
}

/// Until everything under way is answered.
fn settle(swarm: &mut Swarm, room: &mut Room) -> Result<(), String> {
    let end = Instant::now() + PATIENCE;
    while !room.is_settled() {
        if Instant::now() > end {
            return Err("a joining or a leaving is not answered".to_owned());
        }
        swarm.turn(Duration::from_millis(5), room)?;
    }
    Ok(())
}

/// Until everybody in the room has heard what the first has.
fn all_heard(swarm: &mut Swarm, room: &mut Room) -> Result<(), String> {
    let end = Instant::now() + PATIENCE;
    // What was said last may be on its way.
    let mut calm = Instant::now();
    let mut said = room.said;
    loop {
        swarm.turn(Duration::from_millis(5), room)?;
        if room.said > said {
            (said, calm) = (room.said, Instant::now());
        }
        let behind = room.places.iter().position(|place| match place {
            Place::In(last) => *last < said,
            _ => false,
        });
        match behind {
            None if calm.elapsed() > Duration::from_millis(500) => return Ok(()),
            Some(link) if Instant::now() > end => {
                return Err(format!("member {link}: {:?} of {said}", room.places[link]));
            }
            _ => {}
        }
    }
}

/// Whoever wanders leaves.
fn all_out(swarm: &mut Swarm, room: &mut Room) -> Result<(), String> {
    let mut leaving = VecDeque::new();
    for link in STAYERS..room.places.len() {
        if let Place::In(last) = room.places[link] {
            room.places[link] = Place::CatchingUp(last, room.said);
            leaving.push_back((link, Instant::now()));
        }
    }
    while !leaving.is_empty() {
        room.let_go(&mut swarm.links, &mut leaving)?;
        swarm.turn(Duration::from_millis(1), room)?;
    }
    settle(swarm, room)
}

/// Nothing happens for a while.
fn rest(swarm: &mut Swarm, room: &mut Room, length: Duration) -> Result<(), String> {
    let end = Instant::now() + length;
    while Instant::now() < end {
        swarm.turn(Duration::from_millis(50), room)?;
    }
    Ok(())
}

/// How many there are, by the server, must be how many there are.
fn count(swarm: &mut Swarm, room: &mut Room) -> Result<(), String> {
    let get = Command::GetRoom(GetRoom {
        room: ROOM.to_owned(),
    });
    room.count = None;
    swarm.links.send(0, &wire::request(COUNT, get));
    let end = Instant::now() + PATIENCE;
    let counted = loop {
        if let Some(count) = room.count {
            break count as usize;
        }
        if Instant::now() > end {
            return Err("the number of members is not answered".to_owned());
        }
        swarm.turn(Duration::from_millis(5), room)?;
    };
    let are_in = |place: &&Place| matches!(place, Place::In(_));
    let truth = room.places.iter().filter(are_in).count();
    match counted == truth {
        true => Ok(()),
        false => Err(format!(
            "{counted} are in the room by the server, {truth} in truth"
        )),
    }
}
