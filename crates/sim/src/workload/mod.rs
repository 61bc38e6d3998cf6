//! What happens in a run, as data: drawn from the seed before anything runs.

mod faults;
mod manner;

use anser_domain::limits::FIRST_WINDOW_DEFAULT;
use anser_domain::{ConversationId, GroupId, UserId};
use anser_sdk::model::Mute;

use crate::alter::How;
use crate::cluster::{Going, NODES};
use crate::disk::DiskWeather;
use crate::network::NetworkWeather;
use crate::own::Own;
use crate::pipe::{Cut, Quality};
use crate::random::Random;
use crate::rules::Rule;

pub use manner::{Manner, Named};

/// Apps of a cluster run. Both have the same users and groups, so that whatever leaks shows.
const APPS: usize = 2;

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
        /// Of each of them.
        manner: Manner,
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
        /// Whom an edit mentions.
        mention: Option<Named>,
    },
    /// Changes what the user has set for themself about a conversation.
    Own {
        /// Where.
        conversation: String,
        /// What.
        own: Own,
    },
    /// Takes note of the messages so far behind the last one heard of, and of all after it.
    Acknowledge {
        /// Where.
        conversation: String,
        /// How far behind.
        behind: u64,
    },
    /// Asks where the others stand.
    Receipts(String),
    /// Asks for the unread messages that mention the user.
    Mentions(String),
    /// Asks who has read, and who acknowledged, a message.
    Readers(String, u64),
    /// Changes what members of a group may do.
    Rule {
        /// Which group.
        group: String,
        /// How.
        rule: Rule,
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
    /// Reads a page of history towards older messages, as a timeline that is paged back.
    Before {
        /// Where.
        conversation: String,
        /// Before this sequence; 0: the newest.
        seq: u64,
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
    /// Puts somebody on a user's block list, or takes them off.
    Block {
        /// Whose list.
        user: String,
        /// Who.
        other: String,
        /// Or off?
        on: bool,
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
    /// Has the device a database?
    pub stores: bool,
    /// Does it tell by itself what arrived?
    pub marks_delivered: bool,
}

/// A whole run.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Nodes that there are.
    pub nodes: usize,
    /// Apps that there are.
    pub apps: usize,
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
    /// Conversations that a new device is told of at once.
    pub first_window: usize,
    /// Nothing goes wrong in this run.
    pub calm: bool,
}

/// What kind of run.
#[derive(Copy, Clone, Eq, PartialEq, Debug, Default)]
pub enum Kind {
    /// Three nodes, two apps, everything goes wrong.
    #[default]
    Cluster,
    /// A history of a few users on one node or three. Devices come and go; else hardly anything
    /// goes wrong. So short that thousands are run.
    History,
}

/// Choices that are not the seed's.
#[derive(Copy, Clone, Debug)]
pub struct Size {
    /// What kind of run.
    pub kind: Kind,
    /// Steps of devices and backends; of a history, at most.
    pub steps: usize,
}

impl Default for Size {
    fn default() -> Self {
        Kind::Cluster.size()
    }
}

impl Kind {
    /// The ordinary size of such a run.
    #[must_use]
    pub fn size(self) -> Size {
        let steps = match self {
            Self::Cluster => 160,
            Self::History => 40,
        };
        Size { kind: self, steps }
    }
}

/// One step takes so long on average, in microseconds.
const STEP_US: u64 = 250_000;

struct Draft<'a> {
    random: &'a mut Random,
    plan: Plan,
    groups: Vec<String>,
    until: u64,
    kind: Kind,
    /// Who begins as the owner of which group, by app.
    owners: Vec<(usize, String, String)>,
    /// Counts texts, so that no two are alike.
    texts: u64,
}

/// Draws a run.
#[must_use]
pub fn draw(random: &mut Random, size: Size) -> Plan {
    let history = size.kind == Kind::History;
    let names = |letter: char, count: u64| (0..count).map(|n| format!("{letter}{n}")).collect();
    let users: Vec<String> = names('u', random.between(2, if history { 3 } else { 4 }));
    let groups: Vec<String> = names('g', random.between(1, if history { 2 } else { 4 }));
    let apps = if history { 1 } else { APPS };
    let (devices, conversations) = (
        devices(random, &users, apps),
        conversations(&users, &groups),
    );
    let steps = match size.kind {
        Kind::Cluster => size.steps,
        Kind::History => random.index(size.steps) + 1,
    };
    let plan = Plan {
        nodes: if history && random.chance(700) {
            1
        } else {
            NODES
        },
        apps,
        devices,
        users,
        conversations,
        steps: Vec::new(),
        quality: Quality {
            delay_us: *random.pick(&[2_000, 20_000, 200_000]),
            window: *random.pick(&[2_048, 16_384, 65_536]),
        },
        outbox_bytes_max: *random.pick(&[4_096, 65_536, 262_144]),
        send_rate: *random.pick(&[None, Some(5), Some(100)]),
        first_window: *random.pick(&[1, 3, FIRST_WINDOW_DEFAULT]),
        calm: random.chance(120),
    };
    let mut draft = Draft {
        random,
        plan,
        groups,
        until: steps as u64 * STEP_US,
        kind: size.kind,
        owners: Vec::new(),
        texts: 0,
    };
    draft.beginning();
    for _ in 0..steps {
        let at = draft.random.below(draft.until);
        let step = draft.step();
        draft.plan.steps.push((at, step));
    }
    match size.kind {
        _ if draft.plan.calm => {}
        Kind::Cluster => draft.faults(),
        Kind::History => draft.few_faults(),
    }
    draft.plan.steps.sort_by_key(|(at, _)| *at);
    draft.plan
}

fn devices(random: &mut Random, users: &[String], apps: usize) -> Vec<DeviceSpec> {
    let mut devices = Vec::new();
    for app in 0..apps {
        for user in users {
            // The second app is there to show what leaks; it need not be as busy.
            let most = if app == 0 { 3 } else { 1 };
            for nth in 0..usize::try_from(random.between(1, most)).expect("few") {
                devices.push(DeviceSpec {
                    app,
                    user: user.clone(),
                    nth,
                    stores: random.chance(650),
                    marks_delivered: random.chance(500),
                });
            }
        }
    }
    devices
}

fn conversations(users: &[String], groups: &[String]) -> Vec<String> {
    let mut conversations = Vec::new();
    for (n, one) in users.iter().enumerate() {
        for other in &users[n..] {
            let id = |text: &str| UserId::new(text).expect("a short name");
            conversations.push(ConversationId::private(&id(one), &id(other)).to_string());
        }
    }
    for group in groups {
        let id = GroupId::new(group).expect("a short name");
        conversations.push(ConversationId::Group(id).to_string());
    }
    conversations
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
        let history = self.kind == Kind::History;
        for device in 0..self.plan.devices.len() {
            // In a history most are there from the start, so that little of it is wasted.
            let soon = history && self.random.chance(850);
            let at = self.random.below(if soon { 300_000 } else { 2_000_000 });
            self.plan
                .steps
                .push((at, Step::Device(device, Ask::Connect)));
        }
        for app in 0..self.plan.apps {
            for group in self.groups.clone() {
                let change = Change::Create(self.some_users());
                let device = self.device_of(app);
                let owner = self.plan.devices[device].user.clone();
                self.owners.push((app, group.clone(), owner.clone()));
                let at = self.random.below(self.until / 4);
                let step = match history && self.random.chance(700) {
                    true => {
                        let call = Call::Group {
                            group,
                            change,
                            user: owner,
                        };
                        Step::Backend(app, call)
                    }
                    false => Step::Device(device, Ask::Group { group, change }),
                };
                self.plan.steps.push((at, step));
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

    /// A few conversations have most of the traffic. In a history, what the user has nothing to do
    /// with is seldom tried.
    fn conversation(&mut self, user: Option<&str>) -> String {
        let all = &self.plan.conversations;
        let mut concerned = all.clone();
        if let Some(user) = user
            && self.kind == Kind::History
            && self.random.chance(900)
        {
            concerned.retain(|name| {
                let pair = crate::truth::pair(name);
                pair.is_empty() || pair.contains(&user)
            });
        }
        let all = &concerned;
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

    fn text(&mut self, of: &str) -> String {
        self.texts += 1;
        format!("{of} {}", self.texts)
    }

    fn step(&mut self) -> Step {
        if self.random.chance(120) {
            let app = self.random.index(self.plan.apps);
            let conversation = self.conversation(None);
            return Step::Backend(app, self.call(conversation));
        }
        let device = self.random.index(self.plan.devices.len());
        let user = self.plan.devices[device].user.clone();
        let conversation = self.conversation(Some(&user));
        if self.kind == Kind::History && self.random.chance(150) {
            let coming_and_going = [Ask::Connect, Ask::Connect, Ask::Disconnect, Ask::Restart];
            return Step::Device(device, self.random.pick(&coming_and_going).clone());
        }
        let ask = self.ask(conversation);
        let device = match &ask {
            Ask::Rule { group, .. } => self.ruler(group).unwrap_or(device),
            _ => device,
        };
        Step::Device(device, ask)
    }

    /// A device of who begins as the owner: in a history, rules are mostly made by who may.
    fn ruler(&mut self, group: &str) -> Option<usize> {
        if self.kind == Kind::Cluster || self.random.chance(300) {
            return None;
        }
        let mut owners = self.owners.iter();
        let (app, _, owner) = owners.find(|(_, name, _)| name == group)?;
        let devices = self.plan.devices.iter().enumerate();
        let own = devices.filter(|(_, device)| device.app == *app && device.user == *owner);
        let own: Vec<usize> = own.map(|(at, _)| at).collect();
        (!own.is_empty()).then(|| *self.random.pick(&own))
    }

    fn ask(&mut self, conversation: String) -> Ask {
        let group = self.random.pick(&self.groups).clone();
        match self.random.below(100) {
            0..26 => Ask::Send {
                count: *self.random.pick(&[1, 1, 1, 2, 5]),
                read: self.random.chance(300),
                manner: self.manner(&conversation),
                conversation,
            },
            26..37 => Ask::Alter {
                conversation,
                behind: *self.random.pick(&[0, 0, 1, 2, 5, 9]),
                how: how(self.random),
                mention: self.mention(),
            },
            37..47 => Ask::Read {
                conversation,
                behind: *self.random.pick(&[0, 0, 1, 3, -5]),
            },
            47..52 => Ask::History {
                conversation,
                behind: self.random.below(20),
                descending: self.random.chance(500),
                limit: u32::try_from(self.random.between(0, 20)).expect("small"),
            },
            52..55 => Ask::List {
                limit: u32::try_from(self.random.between(1, 8)).expect("small"),
            },
            55..58 => Ask::Open(conversation),
            58..60 => Ask::Close(conversation),
            60..67 => Ask::Group {
                group,
                change: self.change(),
            },
            67..72 => Ask::Rule {
                group,
                rule: self.rule(),
            },
            72..81 => Ask::Own {
                conversation,
                own: self.own(),
            },
            81..84 => Ask::Acknowledge {
                conversation,
                behind: self.random.below(4),
            },
            84..86 => Ask::Receipts(conversation),
            86..88 => Ask::Mentions(conversation),
            88..90 => Ask::Hold(self.random.below(5_000)),
            90..93 => Ask::Disconnect,
            93..96 => Ask::Connect,
            96..99 => Ask::Restart,
            _ => Ask::Logout,
        }
    }

    fn own(&mut self) -> Own {
        let mutes = [Mute::None, Mute::ExceptMentions, Mute::All];
        match self.random.below(14) {
            0..3 => Own::Pinned(self.random.chance(600)),
            3..5 => Own::Muted(*self.random.pick(&mutes)),
            5..7 => Own::Hidden(self.random.chance(800)),
            7..9 => Own::Mark(self.text("mark")),
            9..11 => Own::Draft(self.text("draft")),
            11..13 => Own::Clear(match self.random.chance(400) {
                true => None,
                false => Some(self.random.below(6)),
            }),
            _ => Own::Delete {
                with_history: self.random.chance(500),
            },
        }
    }

    fn rule(&mut self) -> Rule {
        let seconds = *self.random.pick(&[0, 1, 3, 600]);
        match self.random.below(16) {
            0..2 => Rule::Transfer(self.random.pick(&self.plan.users).clone()),
            2..6 => Rule::Admin(self.some_users(), self.random.chance(700)),
            6..10 => Rule::Mute(self.some_users(), seconds),
            10..12 => Rule::MuteAll(self.random.chance(500)),
            12..14 => Rule::Exempt(self.some_users(), self.random.chance(700)),
            14 => Rule::Ban(self.some_users(), seconds),
            _ => Rule::HistoryVisible(self.random.chance(700)),
        }
    }

    fn call(&mut self, conversation: String) -> Call {
        let user = self.random.pick(&self.plan.users).clone();
        match self.random.below(24) {
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
            18..22 => Call::Block {
                user,
                other: self.random.pick(&self.plan.users).clone(),
                on: self.random.chance(600),
            },
            22 => Call::SignOut(user),
            _ => Call::Revoke(user),
        }
    }

    fn at(&mut self) -> u64 {
        self.random.below(self.until)
    }
}
