//! What happens in a run, as data: drawn from the seed before anything runs.

use anser_domain::{ConversationId, GroupId, UserId};

use crate::alter::How;
use crate::cluster::{Going, NODES};
use crate::disk::DiskWeather;
use crate::network::NetworkWeather;
use crate::pipe::{Cut, Quality};
use crate::random::Random;

/// Apps. Both have the same users and groups, so that whatever leaks shows.
pub const APPS: usize = 2;

/// A change of a group.
#[derive(Clone, Debug)]
pub enum Change {
    /// With these members besides the owner.
    Create(Vec<String>),
    /// These.
    Add(Vec<String>),
    /// These.
    Remove(Vec<String>),
    /// The one who asks.
    Quit,
    /// For all.
    Dismiss,
}

impl Change {
    /// Its number in notices.
    #[must_use]
    pub fn kind(&self) -> u32 {
        match self {
            Self::Create(_) => 1,
            Self::Add(_) => 2,
            Self::Remove(_) => 3,
            Self::Quit => 4,
            Self::Dismiss => 5,
        }
    }

    /// Who is named in it.
    #[must_use]
    pub fn users(&self) -> &[String] {
        match self {
            Self::Create(users) | Self::Add(users) | Self::Remove(users) => users,
            Self::Quit | Self::Dismiss => &[],
        }
    }
}

/// What the person at a device does.
#[derive(Clone, Debug)]
pub enum Ask {
    /// Sends so many messages in one go; `read`: having read everything.
    Send {
        /// Where to.
        conversation: String,
        /// How many.
        count: u64,
        /// Moves the read position along.
        read: bool,
    },
    /// Reads up to so far behind the last message heard of; negative: beyond it.
    Read {
        /// Where.
        conversation: String,
        /// How far behind.
        behind: i64,
    },
    /// Does something to a message.
    Alter {
        /// Where.
        conversation: String,
        /// The message so far behind the last one heard of.
        behind: u64,
        /// What.
        how: How,
    },
    /// Reads a page of history.
    History {
        /// Where.
        conversation: String,
        /// So far behind the last message heard of.
        behind: u64,
        /// Towards older ones.
        descending: bool,
        /// Page size.
        limit: u32,
    },
    /// Reads the conversation list, all pages of it.
    List {
        /// Page size.
        limit: u32,
    },
    /// Shows a conversation.
    Open(String),
    /// Shows it no longer.
    Close(String),
    /// Changes a group.
    Group {
        /// Which.
        group: String,
        /// How.
        change: Change,
    },
    /// Takes no events for so many milliseconds.
    Hold(u64),
    /// Connects.
    Connect,
    /// Disconnects.
    Disconnect,
    /// The application is started anew from what it saved.
    Restart,
    /// Logs out, and in again.
    Logout,
}

/// What a customer's backend does.
#[derive(Clone, Debug)]
pub enum Call {
    /// Sends as this user.
    Send {
        /// As whom.
        user: String,
        /// Where to.
        conversation: String,
    },
    /// Changes a group; the user is the owner of one that is created, or the one who quits.
    Group {
        /// Which.
        group: String,
        /// How.
        change: Change,
        /// See above.
        user: String,
    },
    /// Moves a read position up to here.
    Read {
        /// Whose.
        user: String,
        /// Where.
        conversation: String,
        /// Up to where.
        seq: u64,
    },
    /// Ends all sessions of a user.
    SignOut(String),
    /// Makes all tokens of a user void.
    Revoke(String),
}

/// What goes wrong.
#[derive(Clone, Debug)]
pub enum Fault {
    /// A node goes, for so many milliseconds.
    End(usize, Going, u64),
    /// A node's clock is off by so many milliseconds from now on.
    Skew(usize, i64),
    /// The network between nodes is like this from now on.
    Network(NetworkWeather),
    /// One direction between two nodes is cut for so many milliseconds.
    CutNodes(usize, usize, u64),
    /// A node hears no other and is heard by none, for so many milliseconds.
    Isolate(usize, u64),
    /// The way to the store is like this from now on.
    Disk(DiskWeather),
    /// A device's connection is cut.
    CutDevice(usize, Cut),
    /// A device does not read for so many milliseconds.
    Stall(usize, u64),
}

/// Something that happens.
#[derive(Clone, Debug)]
pub enum Step {
    /// At a device.
    Device(usize, Ask),
    /// At the backend of an app.
    Backend(usize, Call),
    /// To the machines.
    Fault(Fault),
}

/// A device.
#[derive(Clone, Debug)]
pub struct DeviceSpec {
    /// Of which app.
    pub app: usize,
    /// Of which user.
    pub user: String,
    /// Which of the user's: decides the platform.
    pub nth: usize,
}

/// A whole run.
#[derive(Clone, Debug)]
pub struct Plan {
    /// All devices.
    pub devices: Vec<DeviceSpec>,
    /// All users, the same in each app.
    pub users: Vec<String>,
    /// All conversations anybody may use, the same in each app.
    pub conversations: Vec<String>,
    /// By time, in microseconds.
    pub steps: Vec<(u64, Step)>,
    /// Connections of devices.
    pub quality: Quality,
    /// Bytes queued for a device at most.
    pub outbox_bytes_max: usize,
    /// Messages a second that a session may send; `None`: any.
    pub send_rate: Option<u32>,
    /// Nothing goes wrong in this run.
    pub calm: bool,
}

/// Choices that are not the seed's.
#[derive(Copy, Clone, Debug)]
pub struct Size {
    /// Steps of devices and backends.
    pub steps: usize,
}

impl Default for Size {
    fn default() -> Self {
        Self { steps: 160 }
    }
}

/// One step takes so long on average, in microseconds.
const STEP_US: u64 = 250_000;

struct Draft<'a> {
    random: &'a mut Random,
    plan: Plan,
    groups: Vec<String>,
    until: u64,
}

/// Draws a run.
#[must_use]
pub fn draw(random: &mut Random, size: Size) -> Plan {
    let users: Vec<String> = (0..random.between(2, 4)).map(|n| format!("u{n}")).collect();
    let groups: Vec<String> = (0..random.between(1, 4)).map(|n| format!("g{n}")).collect();
    let mut devices = Vec::new();
    for app in 0..APPS {
        for user in &users {
            // The second app is there to show what leaks; it need not be as busy.
            let most = if app == 0 { 3 } else { 1 };
            for nth in 0..usize::try_from(random.between(1, most)).expect("few") {
                let user = user.clone();
                devices.push(DeviceSpec { app, user, nth });
            }
        }
    }
    let mut conversations = Vec::new();
    for (n, one) in users.iter().enumerate() {
        for other in &users[n..] {
            let id = |text: &str| UserId::new(text).expect("a short name");
            conversations.push(ConversationId::private(&id(one), &id(other)).to_string());
        }
    }
    for group in &groups {
        let id = GroupId::new(group).expect("a short name");
        conversations.push(ConversationId::Group(id).to_string());
    }
    let quality = Quality {
        delay_us: *random.pick(&[2_000, 20_000, 200_000]),
        window: *random.pick(&[2_048, 16_384, 65_536]),
    };
    let plan = Plan {
        devices,
        users,
        conversations,
        steps: Vec::new(),
        quality,
        outbox_bytes_max: *random.pick(&[4_096, 65_536, 262_144]),
        send_rate: *random.pick(&[None, Some(5), Some(100)]),
        calm: random.chance(120),
    };
    let until = size.steps as u64 * STEP_US;
    let mut draft = Draft {
        random,
        plan,
        groups,
        until,
    };
    draft.beginning();
    for _ in 0..size.steps {
        let at = draft.random.below(until);
        let step = draft.step();
        draft.plan.steps.push((at, step));
    }
    if !draft.plan.calm {
        draft.faults();
    }
    draft.plan.steps.sort_by_key(|(at, _)| *at);
    draft.plan
}

const REACTIONS: [&str; 2] = ["+1", "雁"];
const KEYS: [&str; 2] = ["colour", "votes"];

fn how(random: &mut Random) -> How {
    match random.below(12) {
        0..2 => How::Recall,
        2..5 => How::Edit,
        5..8 => How::React {
            reaction: REACTIONS[random.index(REACTIONS.len())],
            remove: random.chance(300),
        },
        8..10 => How::Expand {
            key: KEYS[random.index(KEYS.len())],
        },
        _ => How::Delete,
    }
}

impl Draft<'_> {
    fn beginning(&mut self) {
        for device in 0..self.plan.devices.len() {
            let at = self.random.below(2_000_000);
            self.plan
                .steps
                .push((at, Step::Device(device, Ask::Connect)));
        }
        for app in 0..APPS {
            for group in self.groups.clone() {
                let at = self.random.below(self.until / 4);
                let change = Change::Create(self.some_users());
                let device = self.device_of(app);
                self.plan
                    .steps
                    .push((at, Step::Device(device, Ask::Group { group, change })));
            }
        }
    }

    fn device_of(&mut self, app: usize) -> usize {
        let of_app = |(at, device): (usize, &DeviceSpec)| (device.app == app).then_some(at);
        let devices: Vec<usize> = self
            .plan
            .devices
            .iter()
            .enumerate()
            .filter_map(of_app)
            .collect();
        *self.random.pick(&devices)
    }

    fn some_users(&mut self) -> Vec<String> {
        let random = &mut *self.random;
        let users = self.plan.users.iter().filter(|_| random.chance(500));
        let mut users: Vec<String> = users.cloned().collect();
        if users.is_empty() {
            users.push(self.random.pick(&self.plan.users).clone());
        }
        users
    }

    /// A few conversations have most of the traffic.
    fn conversation(&mut self) -> String {
        let all = &self.plan.conversations;
        let at = self
            .random
            .index(all.len())
            .max(self.random.index(all.len()));
        all[at].clone()
    }

    fn change(&mut self) -> Change {
        match self.random.below(20) {
            0..3 => Change::Create(self.some_users()),
            3..11 => Change::Add(self.some_users()),
            11..16 => Change::Remove(self.some_users()),
            16..19 => Change::Quit,
            _ => Change::Dismiss,
        }
    }

    fn step(&mut self) -> Step {
        let conversation = self.conversation();
        if self.random.chance(120) {
            let app = self.random.index(APPS);
            return Step::Backend(app, self.call(conversation));
        }
        let device = self.random.index(self.plan.devices.len());
        let random = &mut *self.random;
        let ask = match random.below(100) {
            0..33 => Ask::Send {
                conversation,
                count: *random.pick(&[1, 1, 1, 2, 5]),
                read: random.chance(300),
            },
            33..48 => Ask::Alter {
                conversation,
                behind: *random.pick(&[0, 0, 1, 2, 5, 9]),
                how: how(random),
            },
            48..63 => Ask::Read {
                conversation,
                behind: *random.pick(&[0, 0, 1, 3, -5]),
            },
            63..70 => Ask::History {
                conversation,
                behind: random.below(20),
                descending: random.chance(500),
                limit: u32::try_from(random.between(0, 20)).expect("small"),
            },
            70..74 => Ask::List {
                limit: u32::try_from(random.between(1, 8)).expect("small"),
            },
            74..78 => Ask::Open(conversation),
            78..80 => Ask::Close(conversation),
            80..89 => Ask::Group {
                group: random.pick(&self.groups).clone(),
                change: self.change(),
            },
            89..91 => Ask::Hold(random.below(5_000)),
            91..93 => Ask::Disconnect,
            93..96 => Ask::Connect,
            96..99 => Ask::Restart,
            _ => Ask::Logout,
        };
        Step::Device(device, ask)
    }

    fn call(&mut self, conversation: String) -> Call {
        let user = self.random.pick(&self.plan.users).clone();
        match self.random.below(20) {
            0..9 => Call::Send { user, conversation },
            9..15 => Call::Group {
                group: self.random.pick(&self.groups).clone(),
                change: self.change(),
                user,
            },
            15..18 => Call::Read {
                user,
                conversation,
                seq: self.random.below(40),
            },
            18 => Call::SignOut(user),
            _ => Call::Revoke(user),
        }
    }

    fn at(&mut self) -> u64 {
        self.random.below(self.until)
    }

    fn push(&mut self, fault: Fault) {
        let at = self.at();
        self.plan.steps.push((at, Step::Fault(fault)));
    }

    /// Each kind of trouble comes in most runs, and is absent from some: what one hides, another
    /// shows.
    fn faults(&mut self) {
        if self.random.chance(700) {
            for _ in 0..self.random.between(1, 5) {
                let node = self.random.index(NODES);
                let going = match self.random.chance(700) {
                    true => Going::Crash,
                    false => Going::Stop,
                };
                let down_ms = *self.random.pick(&[50, 500, 2_000, 8_000]);
                self.push(Fault::End(node, going, down_ms));
            }
        }
        if self.random.chance(600) {
            for _ in 0..self.random.between(1, 4) {
                let (from, to) = (self.random.index(NODES), self.random.index(NODES));
                let ms = self.random.below(8_000);
                match self.random.chance(500) {
                    true => self.push(Fault::Isolate(from, ms)),
                    false => self.push(Fault::CutNodes(from, to, ms)),
                }
            }
        }
        if self.random.chance(600) {
            for _ in 0..self.random.between(1, 4) {
                let weather = NetworkWeather {
                    drop: *self.random.pick(&[0, 10, 50, 300]),
                    slow: *self.random.pick(&[0, 50, 300]),
                    slow_ms: *self.random.pick(&[20, 400, 2_500]),
                };
                self.push(Fault::Network(weather));
            }
        }
        if self.random.chance(700) {
            for _ in 0..self.random.between(1, 4) {
                let weather = self.disk_weather();
                self.push(Fault::Disk(weather));
            }
        }
        if self.random.chance(800) {
            for _ in 0..self.random.between(1, 12) {
                let device = self.random.index(self.plan.devices.len());
                let cut = [
                    Cut::Told,
                    Cut::Told,
                    Cut::DeviceTold,
                    Cut::ServerTold,
                    Cut::Silent,
                ];
                let cut = *self.random.pick(&cut);
                let ms = self.random.below(10_000);
                match self.random.chance(800) {
                    true => self.push(Fault::CutDevice(device, cut)),
                    false => self.push(Fault::Stall(device, ms)),
                }
            }
        }
        if self.random.chance(400) {
            for node in 0..NODES {
                let ms = i64::try_from(self.random.below(6_000)).expect("small") - 3_000;
                self.push(Fault::Skew(node, ms));
            }
        }
    }

    fn disk_weather(&mut self) -> DiskWeather {
        let random = &mut *self.random;
        DiskWeather {
            conflict: *random.pick(&[0, 0, 20, 100]),
            refused: *random.pick(&[0, 0, 20, 100]),
            unknown_applied: *random.pick(&[0, 10, 100]),
            unknown_lost: *random.pick(&[0, 10, 100]),
            unknown_late: *random.pick(&[0, 0, 20, 50]),
            read_error: *random.pick(&[0, 0, 5, 50]),
            slow_sync: *random.pick(&[0, 20, 300]),
            slow_ms: *random.pick(&[20, 200, 3_000]),
            slow_read: *random.pick(&[0, 0, 100, 500]),
        }
    }
}
