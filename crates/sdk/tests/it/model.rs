//! The client against a small model of the server, over connections that drop, repeat, delay and
//! reorder at random. In the end everything is let through, and then: what the application saw
//! of each followed conversation is what the server has, in order, once, without gaps; every
//! send was answered once; what was acknowledged is there once.

use std::collections::{BTreeMap, VecDeque};

use anser_domain::Timestamp;
use anser_proto::client as wire;
use anser_sdk::SavedState;
use anser_sdk::core::{
    ClientCore, ConnectionId, ConnectionState, Event, Input, Outgoing, Output, Reply, Request,
    Ticket,
};
use anser_sdk::model::Content;
use proptest::prelude::*;
use prost::Message as _;
use wire::request::Command;
use wire::response::Result as Answer;
use wire::server_item::Item;

use crate::script::{config, response};
use crate::server::{CONVERSATIONS, Server};

/// Small, so that there are second pages.
const PAGE: usize = 3;

/// How likely things go wrong, in percent.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Faults {
    break_off: u64,
    lose_push: u64,
    repeat_push: u64,
    reorder: u64,
    refuse: u64,
    reset: u64,
    hold: u64,
    restart: u64,
}

const NONE: Faults = Faults {
    break_off: 0,
    lose_push: 0,
    repeat_push: 0,
    reorder: 0,
    refuse: 0,
    reset: 0,
    hold: 0,
    restart: 0,
};

struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        // splitmix64
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, n: u64) -> u64 {
        self.next() % n
    }

    fn percent(&mut self, chance: u64) -> bool {
        self.below(100) < chance
    }
}

/// The two directions of a connection.
struct Link {
    id: ConnectionId,
    up: VecDeque<wire::Request>,
    down: VecDeque<wire::ServerItem>,
    greeted: bool,
}

/// What the application knows.
#[derive(Default)]
struct App {
    saved: SavedState,
    /// Per conversation: from where on it is followed, and what came.
    seen: BTreeMap<String, (u64, Vec<u64>)>,
    /// The `rev` at which each message was seen last.
    states: BTreeMap<(String, u64), u64>,
    asked: BTreeMap<u64, usize>,
    acked: Vec<(String, String, u64)>,
}

impl App {
    fn event(&mut self, event: &Event) {
        self.saved.apply(event);
        match event {
            Event::Followed {
                conversation, seq, ..
            } => {
                let old = self.seen.insert(conversation.clone(), (*seq, Vec::new()));
                assert!(old.is_none(), "followed twice: {conversation}");
            }
            Event::Message(message) => {
                let (from, seen) = self.seen.get_mut(&message.conversation).expect("followed");
                let before = seen.last().copied().unwrap_or(*from);
                assert_eq!(message.seq, before + 1, "in {}", message.conversation);
                seen.push(message.seq);
                let at = (message.conversation.clone(), message.seq);
                self.states.insert(at, message.rev());
            }
            Event::Changed(message) => {
                let at = (message.conversation.clone(), message.seq);
                if let Some(rev) = self.states.get_mut(&at) {
                    *rev = message.rev().max(*rev);
                }
            }
            Event::Outdated { .. } | Event::Lost { .. } | Event::Unfollowed { .. } => {
                panic!("{event:?}")
            }
            _ => {}
        }
    }
}

struct World {
    core: ClientCore,
    now: u64,
    dice: Dice,
    faults: Faults,
    server: Server,
    link: Option<Link>,
    app: App,
    tickets: u64,
    others: u64,
    held: bool,
    /// Did the present connection lose a push without being told so?
    owes_check: bool,
}

impl World {
    fn new(seed: u64, faults: Faults) -> Self {
        let mut world = Self {
            core: ClientCore::new(config(), SavedState::default()),
            now: 1_000,
            dice: Dice(seed),
            faults,
            server: Server::new(PAGE),
            link: None,
            app: App::default(),
            tickets: 0,
            others: 0,
            held: false,
            owes_check: false,
        };
        world.input(Input::Connect);
        world
    }

    fn input(&mut self, input: Input) {
        let dice = &mut self.dice;
        self.core
            .handle(input, Timestamp(self.now), &mut || dice.next());
        while let Some(output) = self.core.poll_output() {
            self.output(output);
        }
        assert_eq!(&self.app.saved, self.core.saved());
    }

    fn output(&mut self, output: Output) {
        match output {
            Output::GetToken => self.input(Input::Token("t".to_owned())),
            Output::Open(id, _) => {
                self.owes_check = false;
                self.link = Some(Link {
                    id,
                    up: VecDeque::new(),
                    down: VecDeque::new(),
                    greeted: false,
                });
                let opens = !self.dice.percent(self.faults.break_off);
                self.input(if opens {
                    Input::Connected(id)
                } else {
                    Input::Disconnected(id)
                });
            }
            Output::Close(id) => {
                // What was under way still reaches the server, or not.
                if self.dice.percent(50) {
                    while self.serve() {}
                }
                self.link.take_if(|link| link.id == id);
            }
            Output::Send(id, frame) => {
                let frame = wire::ClientFrame::decode(frame).unwrap();
                if let Some(link) = self.link.as_mut().filter(|link| link.id == id) {
                    link.up.extend(frame.requests);
                }
            }
            Output::Store(_) | Output::Confirm(_) => panic!("there is no database"),
            Output::Event(event) => self.app.event(&event),
            Output::Done(ticket, result) => {
                *self.app.asked.get_mut(&ticket.0).expect("was asked") += 1;
                if let Ok(Reply::Sent(sent)) = result {
                    self.app
                        .acked
                        .push((sent.conversation, sent.client_message_id, sent.seq));
                }
            }
        }
    }

    fn down(&mut self, item: Item) {
        if let Some(link) = &mut self.link {
            link.down.push_back(wire::ServerItem { item: Some(item) });
        }
    }

    fn push(&mut self, item: &Item) {
        if !self.link.as_ref().is_some_and(|link| link.greeted) {
            return;
        }
        if self.dice.percent(self.faults.lose_push) {
            self.owes_check = true;
            return;
        }
        self.down(item.clone());
        if self.dice.percent(self.faults.repeat_push) {
            self.down(item.clone());
        }
    }

    /// Handles the oldest request on its way.
    fn serve(&mut self) -> bool {
        let Some(request) = self.link.as_mut().and_then(|link| link.up.pop_front()) else {
            return false;
        };
        let answer = self.answer(request.command.unwrap());
        self.down(response(request.id, answer));
        true
    }

    fn answer(&mut self, command: Command) -> Answer {
        let refused = |code| Answer::Error(crate::script::error(code));
        let hello = matches!(command, Command::Hello(_));
        if !hello && self.dice.percent(self.faults.refuse) {
            return refused(1_002);
        }
        if hello && let Some(link) = &mut self.link {
            link.greeted = true;
        }
        let send = matches!(command, Command::SendMessage(_));
        let sync = matches!(command, Command::Sync(_));
        self.server.resets = sync && self.dice.percent(self.faults.reset);
        let answer = self.server.answer("me", command, self.now);
        if send && self.dice.percent(self.faults.refuse) {
            return refused(1_005); // it took effect all the same
        }
        answer
    }

    /// Lets one item arrive, usually the oldest.
    fn arrive(&mut self) -> bool {
        let reorder = self.dice.percent(self.faults.reorder);
        let far = self.dice.below(4) as usize;
        let Some(link) = &mut self.link else {
            return false;
        };
        // A response to a send does not overtake what was answered before it.
        let at = if reorder && link.greeted { far } else { 0 };
        let at = at.min(link.down.len().saturating_sub(1));
        let Some(item) = link.down.remove(at) else {
            return false;
        };
        let id = link.id;
        let frame = wire::ServerFrame { items: vec![item] };
        self.input(Input::Frame(id, frame.encode_to_vec().into()));
        true
    }

    fn somebody_writes(&mut self) {
        let name = CONVERSATIONS[self.dice.below(3) as usize];
        self.others += 1;
        let id = format!("other-{}", self.others);
        let (message, _) = self
            .server
            .append(name, "you", &id, wire::Content::default(), self.now);
        let prev = message.seq - 1;
        self.push(&Item::Message(wire::MessagePush {
            message: Some(message),
            prev,
        }));
    }

    fn somebody_recalls(&mut self) {
        let name = CONVERSATIONS[self.dice.below(3) as usize];
        let head = self.server.head(name);
        if head == 0 {
            return;
        }
        let seq = 1 + self.dice.below(head);
        let (message, previous_rev) = self.server.recall(name, seq, self.now);
        self.push(&Item::Change(wire::ChangePush {
            message: Some(message),
            previous_rev,
        }));
    }

    fn something_changes(&mut self) {
        let name = CONVERSATIONS[self.dice.below(3) as usize];
        let previous = self.server.feed_version;
        self.server.feed_version = previous.max(self.now) + 1;
        let version = self.server.feed_version;
        self.server.feed.insert(name.to_owned(), version);
        let row = self.server.row(name);
        self.push(&Item::Conversation(wire::ConversationPush {
            conversation: Some(row),
            feed_version: version,
            feed_previous: previous,
        }));
    }

    fn break_off(&mut self) {
        if self.dice.percent(50) {
            while self.serve() {}
        }
        if let Some(link) = self.link.take() {
            self.input(Input::Disconnected(link.id));
        }
    }

    /// The application is started anew with what it had stored.
    fn restart(&mut self) {
        self.link = None;
        self.app.asked.clear();
        self.held = false;
        self.core = ClientCore::new(config(), self.app.saved.clone());
        self.input(Input::Connect);
    }

    fn send(&mut self) {
        self.tickets += 1;
        self.app.asked.insert(self.tickets, 0);
        let name = CONVERSATIONS[self.dice.below(3) as usize];
        let send = Outgoing::new(name, Content::text("x"));
        self.input(Input::Request(Ticket(self.tickets), Request::Send(send)));
    }

    fn pass(&mut self) {
        let step = 1 + self.dice.below(400);
        let soon = self.now + step;
        self.now = match self.core.deadline() {
            Some(at) => soon.min(at.0.max(self.now)),
            None => soon,
        };
        self.input(Input::Tick);
    }

    fn step(&mut self) {
        match self.dice.below(22) {
            0..3 => self.somebody_writes(),
            3..5 => self.send(),
            5 => self.something_changes(),
            6..9 => {
                self.serve();
            }
            9..15 => {
                self.arrive();
            }
            15 if self.dice.percent(self.faults.break_off) => self.break_off(),
            16 if self.dice.percent(self.faults.hold) => self.hold_or_release(),
            17 if self.dice.percent(self.faults.restart) => self.restart(),
            20..22 => self.somebody_recalls(),
            18 if self.owes_check => {
                self.owes_check = false;
                self.down(Item::Check(wire::CheckPush {}));
            }
            _ => self.pass(),
        }
    }

    fn hold_or_release(&mut self) {
        self.held = !self.held;
        let hold = self.held;
        self.input(if hold { Input::Hold } else { Input::Release });
    }

    /// Lets everything through until nothing is left to be done.
    fn settle(&mut self) {
        self.faults = NONE;
        if self.held {
            self.hold_or_release();
        }
        if self.owes_check {
            self.owes_check = false;
            self.down(Item::Check(wire::CheckPush {}));
        }
        let until = self.now + 200_000;
        while self.now < until {
            while self.serve() || self.arrive() {}
            self.now = self.core.deadline().map_or(until, |at| at.0);
            self.input(Input::Tick);
        }
        while self.serve() || self.arrive() {}
    }

    fn check(&self) {
        assert!(matches!(self.core.state(), ConnectionState::Online { .. }));
        for (name, (from, seen)) in &self.app.seen {
            let all: Vec<u64> = (from + 1..=self.server.head(name)).collect();
            assert_eq!(seen, &all, "{name} to its end");
            assert_eq!(self.app.saved.followed[name], self.server.head(name));
            for message in self.server.logs.get(name).into_iter().flatten() {
                let rev = message.state.as_ref().map_or(0, |state| state.rev);
                let seen = self.app.states.get(&(name.clone(), message.seq));
                assert!(
                    seen.is_none_or(|seen| *seen == rev),
                    "{name} {}",
                    message.seq
                );
            }
        }
        assert!(self.app.asked.values().all(|answers| *answers == 1));
        for (name, id, seq) in &self.app.acked {
            let log = &self.server.logs[name];
            let found: Vec<u64> = log
                .iter()
                .filter(|m| &m.client_message_id == id)
                .map(|m| m.seq)
                .collect();
            assert_eq!(&found, &[*seq], "acknowledged and there once");
        }
        assert_eq!(self.app.saved.feed_version, self.server.feed_version);
    }
}

fn run(seed: u64, steps: usize, faults: Faults) -> World {
    let mut world = World::new(seed, faults);
    for _ in 0..steps {
        world.step();
    }
    world.settle();
    world.check();
    world
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn in_order_once_and_complete_whatever_the_network_does(
        seed: u64,
        steps in 1usize..400,
        break_off in 0u64..60,
        lose_push in 0u64..40,
        repeat_push in 0u64..40,
        reorder in 0u64..40,
        refuse in 0u64..20,
        reset in 0u64..30,
        hold in 0u64..60,
        restart in 0u64..30,
    ) {
        let faults = Faults { break_off, lose_push, repeat_push, reorder, refuse, reset, hold, restart };
        run(seed, steps, faults);
    }
}

#[test]
fn without_faults_every_send_is_acknowledged_in_order() {
    for seed in 0..20 {
        let world = run(seed, 400, NONE);
        assert_eq!(world.app.acked.len() as u64, world.tickets);
        for name in CONVERSATIONS {
            let own = world.app.acked.iter().filter(|(n, ..)| n == name);
            assert!(own.map(|(_, _, seq)| *seq).is_sorted());
        }
    }
}

/// Runs in which a change was passed over: told of a message that was held as it was sent, sent
/// once more, or not known to be looked at after a restart.
#[test]
fn a_change_is_found_however_its_message_comes() {
    let faults = Faults {
        break_off: 30,
        lose_push: 20,
        repeat_push: 20,
        reorder: 20,
        refuse: 10,
        reset: 15,
        hold: 30,
        restart: 15,
    };
    for seed in [
        8_688_463_785_483_639_398,
        1_420_594_689_885_122_597,
        16_094_937_114_468_327_147,
    ] {
        for steps in [50, 100, 200, 399] {
            run(seed, steps, faults);
        }
    }
}

#[test]
fn the_same_seed_gives_the_same_run() {
    let faults = Faults {
        break_off: 30,
        lose_push: 20,
        reorder: 20,
        ..NONE
    };
    let trace = |seed| {
        let world = run(seed, 300, faults);
        (world.now, world.dice.0, world.app.seen, world.app.acked)
    };
    assert_eq!(trace(7), trace(7));
    assert_ne!(trace(7).1, trace(8).1);
}
