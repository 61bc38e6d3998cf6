//! A chat room: everybody in it hears what is taken of what some of them say.
//!
//! Unlike the others this load is open: messages are sent at a rate, whatever comes of them, since
//! what a room does with too many is the question. A message's id says its class and when it was
//! sent, so every receiver can tell how long it took. Each receiver must hear what it hears in
//! order and once; what it does not hear is counted as dropped, by class.
//!
//! The floor is the raw fan with as many messages in a write as a frame of the room had on average:
//! what a delivery costs depends on nothing as much as on that.

use std::time::{Duration, Instant};

use anser_proto::client::{JoinRoom, request::Command};
use serde::Serialize;

use super::{Context, LOGINS_AT_A_TIME, fanout, user};
use crate::anser::Server;
use crate::clients::login::log_in;
use crate::clients::swarm::{Handler, Links, Swarm};
use crate::clients::wire::{self, Event, SendTemplate};
use crate::latency::{Latency, Quantiles};
use crate::process::Watch;
use crate::report::{Check, Report, Row, note, short};

/// Bytes of text in a message: what is said in a live room is short.
const BODY_BYTES: usize = 64;
/// Members who speak.
const SENDERS_MAX: usize = 20;
/// The request id of joining.
const JOIN: u32 = 2;
/// Messages that one turn of the loop sends at most: a generator that was kept waiting does not
/// make up for it at once.
const BURST_MAX: u64 = 64;
/// How long what is under way may take to arrive.
const DRAIN: Duration = Duration::from_secs(2);
/// No room takes so long to enter unless the server is stuck.
const PATIENCE: Duration = Duration::from_secs(60);
/// What a room takes in a second as shipped; from half of it on frames are full.
const LIMIT: u32 = 200;

const LOW: usize = 0;
const HIGH: usize = 1;

/// What came of a stretch.
#[derive(Clone, Serialize)]
struct Heard {
    members: usize,
    rate: u32,
    sent: [u64; 2],
    /// That one receiver did not hear, of class low and of class high.
    dropped: [u64; 2],
    deliveries: u64,
    messages_per_frame: f64,
    low: Quantiles,
    high: Quantiles,
}

/// The members.
struct Crowd {
    templates: [SendTemplate; 2],
    senders: usize,
    began: Instant,
    joined: usize,
    counter: u64,
    sent: [u64; 2],
    /// Of the last member, by class.
    heard: [u64; 2],
    deliveries: u64,
    frames: u64,
    last: Vec<u64>,
    measuring: bool,
    latency: [Latency; 2],
}

/// The class and the microseconds that an id says.
fn read_id(id: &[u8]) -> Option<(usize, u64)> {
    let number = wire::number_of(id)?;
    let class = usize::try_from(number >> 63).ok()?;
    Some((class, number >> 23 & 0xff_ffff_ffff))
}

impl Crowd {
    fn new(room: &str, members: usize) -> Self {
        Self {
            templates: [true, false].map(|low| SendTemplate::to_room(room, low, BODY_BYTES)),
            senders: members.min(SENDERS_MAX),
            began: Instant::now(),
            joined: 0,
            counter: 0,
            sent: [0; 2],
            heard: [0; 2],
            deliveries: 0,
            frames: 0,
            last: vec![0; members],
            measuring: false,
            latency: [Latency::new(), Latency::new()],
        }
    }

    fn micros(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_micros()).unwrap_or(u64::MAX)
    }

    fn say(&mut self, links: &mut Links, low_percent: u8) {
        let low = self.counter * 100 / 97 % 100 < u64::from(low_percent);
        let class = if low { LOW } else { HIGH };
        let id = (class as u64) << 63 | self.micros() << 23 | self.counter & 0x7f_ffff;
        let sender = usize::try_from(self.counter % self.senders as u64).expect("a few senders");
        links.send(sender, self.templates[class].stamp_with(self.counter, id));
        self.sent[class] += u64::from(self.measuring);
        self.counter += 1;
    }

    fn hear(&mut self, link: usize, push: &[u8]) -> Result<(), String> {
        let (now, is_last) = (self.micros(), link + 1 == self.last.len());
        let (last, mut result, mut some) = (&mut self.last[link], Ok(()), false);
        wire::room_messages(push, |seq, id| {
            if seq <= *last {
                result = Err(format!("member {link}: {seq} after {last}"));
            }
            *last = seq;
            let Some((class, sent)) = read_id(id) else {
                return;
            };
            some = true;
            if self.measuring {
                self.deliveries += 1;
                self.heard[class] += u64::from(is_last);
                self.latency[class].record(Duration::from_micros(now.saturating_sub(sent)));
            }
        });
        self.frames += u64::from(some && self.measuring);
        result
    }
}

impl Handler for Crowd {
    fn opened(&mut self, _: &mut Links, _: usize) {}

    fn frame(&mut self, _: &mut Links, link: usize, payload: &[u8]) -> Result<(), String> {
        let mut outcome = Ok(());
        wire::events(payload, |event| {
            let now = match event {
                Event::Room(push) => self.hear(link, push),
                Event::Answer { request: JOIN, .. } => {
                    self.joined += 1;
                    Ok(())
                }
                Event::Refused { code } => Err(format!("member {link}: code {code}")),
                _ => Ok(()),
            };
            if outcome.is_ok() {
                outcome = now;
            }
        })?;
        outcome
    }

    fn closed(&mut self, _: &mut Links, link: usize, why: &str) -> Result<(), String> {
        Err(format!("member {link}: {why}"))
    }
}

/// Rows of rooms of several sizes, and what they are asked to reach.
pub(crate) fn measure_all(
    context: &Context,
    members: &[usize],
    rates: &[u32],
    low_percent: u8,
    report: &mut Report,
) -> Result<(), String> {
    for members in members {
        measure(context, *members, rates, low_percent, report)?;
    }
    report.checks.extend(checks(&report.rows));
    Ok(())
}

/// Rows of one size of a room, at several rates, each with its floor.
pub(crate) fn measure(
    context: &Context,
    members: usize,
    rates: &[u32],
    low_percent: u8,
    report: &mut Report,
) -> Result<(), String> {
    let server = context.start(&format!("room-{members}"))?;
    server.allow_rooms()?;
    for rate in rates {
        note(&format!("room of {members}, {rate} messages/s"));
        let (row, per_frame) = stretch(context, &server, members, *rate, low_percent)?;
        report.rows.push(row);
        if *rate == LIMIT {
            let mut floor = fanout::floor(context, members, per_frame)?;
            floor.scenario = format!("room 1:{members}, {rate}/s");
            report.rows.push(floor);
        }
    }
    server.stop().map(drop)
}

fn stretch(
    context: &Context,
    server: &Server,
    members: usize,
    rate: u32,
    low_percent: u8,
) -> Result<(Row, usize), String> {
    let users = server.users((0..members).map(user));
    let (mut swarm, _) = log_in(server.target(), &users, LOGINS_AT_A_TIME)?;
    let room = format!("room-{members}-{rate}");
    let mut crowd = Crowd::new(&room, members);
    enter(&mut swarm, &mut crowd, &room)?;
    let timing = context.timing();
    speak(&mut swarm, &mut crowd, rate, low_percent, timing.warm)?;
    crowd.measuring = true;
    let watch = Watch::start(server.pid());
    speak(&mut swarm, &mut crowd, rate, low_percent, timing.measure)?;
    // What was said at the end belongs to the stretch as well.
    let end = Instant::now() + DRAIN;
    while Instant::now() < end {
        swarm.turn(Duration::from_millis(10), &mut crowd)?;
    }
    let watched = watch.stop();
    swarm.links.close_all();
    let frames = crowd.frames.max(1);
    let per_frame = crowd.deliveries as f64 / frames as f64;
    let rounded = (crowd.deliveries + frames / 2) / frames;
    let heard = Heard {
        members,
        rate,
        sent: crowd.sent,
        dropped: [LOW, HIGH].map(|class| crowd.sent[class].saturating_sub(crowd.heard[class])),
        deliveries: crowd.deliveries,
        messages_per_frame: per_frame,
        low: crowd.latency[LOW].quantiles(),
        high: crowd.latency[HIGH].quantiles(),
    };
    let scenario = format!("room 1:{members}, {rate}/s");
    let row = Row::new(scenario, "anser", "delivery", crowd.deliveries, &watched);
    let window = usize::try_from(rounded.clamp(1, 64)).expect("at most 64");
    // In a stretch so quiet that nobody said anything important, the others speak for it.
    let latency = if heard.high.count > 0 {
        &heard.high
    } else {
        &heard.low
    };
    Ok((row.latency(latency.clone()).detail(&heard), window))
}

fn enter(swarm: &mut Swarm, crowd: &mut Crowd, room: &str) -> Result<(), String> {
    let join = wire::request(
        JOIN,
        Command::JoinRoom(JoinRoom {
            room: room.to_owned(),
            ..JoinRoom::default()
        }),
    );
    let members = crowd.last.len();
    for link in 0..members {
        swarm.links.send(link, &join);
    }
    let end = Instant::now() + PATIENCE;
    while crowd.joined < members {
        if Instant::now() > end {
            return Err(format!("{} of {members} are in the room", crowd.joined));
        }
        swarm.turn(Duration::from_millis(10), crowd)?;
    }
    Ok(())
}

fn speak(
    swarm: &mut Swarm,
    crowd: &mut Crowd,
    rate: u32,
    low_percent: u8,
    length: Duration,
) -> Result<(), String> {
    let began = Instant::now();
    let mut said = 0_u64;
    while began.elapsed() < length {
        let micros = u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX);
        let due = micros.saturating_mul(rate.into()) / 1_000_000;
        for _ in 0..due.saturating_sub(said).min(BURST_MAX) {
            crowd.say(&mut swarm.links, low_percent);
        }
        said = due;
        swarm.turn(Duration::from_millis(1), crowd)?;
    }
    Ok(())
}

/// Is the price of a delivery flat, near its floor, and does what matters arrive in time?
fn checks(rows: &[Row]) -> Vec<Check> {
    let cpu = |members: usize, subject: &str| {
        let scenario = format!("room 1:{members}, {LIMIT}/s");
        let row = rows
            .iter()
            .find(|row| row.scenario == scenario && row.subject == subject);
        row.and_then(|row| row.cpu_us)
    };
    let mut checks = Vec::new();
    let mut ratio = |what: String, value: Option<f64>, bound: Option<f64>, pass, aim| {
        if let (Some(value), Some(bound)) = (value, bound) {
            checks.push(Check {
                what,
                value: value / bound,
                unit: "x",
                at_most: true,
                pass,
                aim,
                from: format!("{} / {} us", short(value), short(bound)),
            });
        }
    };
    let (small, large) = (cpu(1_000, "anser"), cpu(10_000, "anser"));
    let what = "room, CPU per delivery, 10,000 over 1,000 members".to_owned();
    ratio(what, large, small, 1.3, 1.1);
    for members in [1_000, 10_000] {
        let what = format!("room of {members}, CPU per delivery over the coalesced floor");
        ratio(
            what,
            cpu(members, "anser"),
            cpu(members, "floor fan"),
            1.5,
            1.25,
        );
    }
    checks
}
