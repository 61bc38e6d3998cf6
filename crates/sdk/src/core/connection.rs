//! From nothing to a greeted connection, and back after it ends.

use anser_domain::code::{Action, Code};
use anser_domain::limits::{CONTENT_BYTES_MAX, FRAME_BYTES_MAX, TOKEN_BYTES_MAX};
use anser_domain::{Platform, Timestamp};
use anser_proto::client as wire;
use wire::request::Command;

use super::api::{ConnectionId, ConnectionState, Output, Random};
use super::dispatch::What;
use super::heartbeat::Heartbeat;
use super::{ClientCore, Event};
use crate::error::Error;
use crate::limits::{
    ADDRESSES_MAX, HEARTBEAT_MAX_MS, HELLO_TIMEOUT_MS, OPEN_TIMEOUT_MS, STABLE_MS,
    TOKEN_REFUSALS_MAX, TOKEN_TIMEOUT_MS,
};

/// The version of the protocol that this client speaks.
const PROTOCOL_VERSION: u32 = 1;
/// Goes before the application's own name.
const SDK_NAME: &str = concat!("anser-sdk/", env!("CARGO_PKG_VERSION"));
/// Bytes of `Hello.client`.
const CLIENT_BYTES_MAX: usize = 64;

/// Where the connection stands.
#[derive(Clone, Debug)]
pub(super) enum Phase {
    /// Not wanted.
    Idle,
    /// The application is asked for a token.
    Token {
        until: Timestamp,
    },
    Opening {
        id: ConnectionId,
        until: Timestamp,
    },
    /// `Hello` is on its way.
    Greeting {
        id: ConnectionId,
    },
    Online(Online),
    /// Until the next attempt.
    Waiting {
        until: Timestamp,
    },
    /// Over.
    Stopped,
}

#[derive(Clone, Debug)]
pub(super) struct Online {
    pub(super) id: ConnectionId,
    since: Timestamp,
    pub(super) last_sent: Timestamp,
    /// Requests alone do not show that the peer lives.
    last_heard: Timestamp,
    /// Something has to arrive until then.
    pub(super) pong_by: Option<Timestamp>,
}

impl Online {
    /// Since when one side at least has said nothing.
    fn silent_since(&self) -> Timestamp {
        self.last_sent.min(self.last_heard)
    }
}

/// What `Welcome` said.
#[derive(Clone, Debug)]
pub(super) struct Session {
    pub(super) user_id: String,
    pub(super) epoch: u64,
    /// What to add to this client's clock to have the server's, in milliseconds.
    clock_ahead_ms: i64,
    pub(super) content_bytes_max: usize,
    pub(super) frame_bytes_max: usize,
}

impl Default for Session {
    fn default() -> Self {
        Self {
            user_id: String::new(),
            epoch: 0,
            clock_ahead_ms: 0,
            content_bytes_max: CONTENT_BYTES_MAX,
            frame_bytes_max: FRAME_BYTES_MAX,
        }
    }
}

impl Session {
    pub(super) fn server_now(&self, now: Timestamp) -> Timestamp {
        Timestamp(now.0.saturating_add_signed(self.clock_ahead_ms))
    }
}

impl Phase {
    pub(super) fn is_online(&self) -> bool {
        matches!(self, Self::Online(_))
    }

    /// Is a connection there or being made?
    pub(super) fn is_wanted(&self) -> bool {
        !matches!(self, Self::Idle | Self::Stopped)
    }

    fn connection(&self) -> Option<ConnectionId> {
        match self {
            Self::Opening { id, .. } | Self::Greeting { id } => Some(*id),
            Self::Online(online) => Some(online.id),
            _ => None,
        }
    }

    pub(super) fn timer(&self, heartbeat: &Heartbeat) -> Option<Timestamp> {
        match self {
            Self::Token { until } | Self::Opening { until, .. } | Self::Waiting { until } => {
                Some(*until)
            }
            Self::Online(online) => Some(
                online
                    .pong_by
                    .unwrap_or_else(|| online.silent_since().plus_ms(heartbeat.interval_ms())),
            ),
            Self::Idle | Self::Greeting { .. } | Self::Stopped => None,
        }
    }
}

fn wire_platform(platform: Platform) -> wire::Platform {
    match platform {
        Platform::Ios => wire::Platform::Ios,
        Platform::Android => wire::Platform::Android,
        Platform::Web => wire::Platform::Web,
        Platform::Desktop => wire::Platform::Desktop,
        Platform::MiniProgram => wire::Platform::MiniProgram,
        Platform::Server => wire::Platform::Server,
    }
}

impl ClientCore {
    pub(super) fn connect(&mut self) {
        match self.phase {
            Phase::Idle | Phase::Stopped => {
                self.backoff.reset();
                self.token_refusals = 0;
                self.try_connect();
            }
            Phase::Waiting { .. } => self.try_connect(),
            _ => {}
        }
    }

    pub(super) fn disconnect(&mut self) {
        self.stop(Phase::Idle, ConnectionState::Idle, &Error::disconnected());
    }

    fn try_connect(&mut self) {
        self.set_state(ConnectionState::Connecting);
        if self.token.is_some() {
            self.open();
        } else {
            let until = self.now.plus_ms(TOKEN_TIMEOUT_MS);
            self.phase = Phase::Token { until };
            self.outputs.push_back(Output::GetToken);
        }
    }

    pub(super) fn got_token(&mut self, token: String) {
        if !matches!(self.phase, Phase::Token { .. }) {
            return;
        }
        if token.is_empty() || token.len() > TOKEN_BYTES_MAX {
            let message = format!("a token has 1–{TOKEN_BYTES_MAX} bytes");
            return self.stop_with(Error::new(Code::TokenInvalid, message));
        }
        self.token = Some(token);
        self.open();
    }

    pub(super) fn got_no_token(&mut self, retry: bool, message: String, random: Random<'_>) {
        if !matches!(self.phase, Phase::Token { .. }) {
            return;
        }
        let error = Error::new(Code::TokenInvalid, message);
        if retry {
            self.again(Some(error), random);
        } else {
            self.stop_with(error);
        }
    }

    fn open(&mut self) {
        let addresses = self.config.addresses.len().clamp(1, ADDRESSES_MAX);
        let Some(address) = self.config.addresses.get(self.address % addresses).cloned() else {
            let message = "no address of a server is configured";
            return self.stop_with(Error::new(Code::InvalidRequest, message));
        };
        self.next_connection += 1;
        let id = ConnectionId(self.next_connection);
        let until = self.now.plus_ms(OPEN_TIMEOUT_MS);
        self.phase = Phase::Opening { id, until };
        self.outputs.push_back(Output::Open(id, address));
    }

    pub(super) fn connected(&mut self, id: ConnectionId) {
        if !matches!(self.phase, Phase::Opening { id: opening, .. } if opening == id) {
            return;
        }
        self.phase = Phase::Greeting { id };
        let mut client = format!("{SDK_NAME} {}", self.config.client);
        client.truncate(client.floor_char_boundary(CLIENT_BYTES_MAX));
        self.attempt = self.now.0.max(self.attempt + 1);
        let hello = wire::Hello {
            version_min: PROTOCOL_VERSION,
            version_max: PROTOCOL_VERSION,
            token: self.token.clone().unwrap_or_default(),
            device_id: self.config.device_id.clone(),
            platform: wire_platform(self.config.platform).into(),
            client,
            heartbeat_seconds: u32::try_from(HEARTBEAT_MAX_MS / 1_000).unwrap_or(u32::MAX),
            attempt: self.attempt,
        };
        let until = self.now.plus_ms(HELLO_TIMEOUT_MS);
        self.submit(What::Hello, until, Command::Hello(hello));
    }

    /// The connection with this id, if it is the present one and takes frames.
    pub(super) fn is_present(&self, id: ConnectionId) -> bool {
        self.phase.connection() == Some(id) && !matches!(self.phase, Phase::Opening { .. })
    }

    pub(super) fn disconnected(&mut self, id: ConnectionId, random: Random<'_>) {
        if self.phase.connection() == Some(id) {
            // It is gone already: nothing to close.
            let phase = std::mem::replace(&mut self.phase, Phase::Stopped);
            self.ended(&phase);
            self.wait(None, random);
        }
    }

    pub(super) fn welcome(&mut self, welcome: wire::Welcome) {
        let Phase::Greeting { id } = self.phase else {
            return;
        };
        if welcome.version != PROTOCOL_VERSION {
            let message = format!("the server speaks version {}", welcome.version);
            return self.stop_with(Error::new(Code::VersionNotSupported, message));
        }
        let limits = welcome.limits.unwrap_or_default();
        let or = |value: u32, otherwise: usize| match value {
            0 => otherwise,
            _ => value as usize,
        };
        if !self.session.user_id.is_empty() && self.session.user_id != welcome.user_id {
            let tickets = self.rooms.drain();
            let other = Error::new(Code::NotInRoom, "another user signed in");
            self.fail_each(tickets.into_iter().map(|ticket| (ticket, other.clone())));
        }
        let ahead = i128::from(welcome.server_time) - i128::from(self.now.0);
        self.session = Session {
            user_id: welcome.user_id.clone(),
            epoch: welcome.epoch,
            clock_ahead_ms: i64::try_from(ahead).unwrap_or(0),
            content_bytes_max: or(limits.content_bytes_max, CONTENT_BYTES_MAX),
            frame_bytes_max: or(limits.frame_bytes_max, FRAME_BYTES_MAX),
        };
        self.signed_in();
        self.token_refusals = 0;
        self.heartbeat.honoured(welcome.heartbeat_seconds);
        self.phase = Phase::Online(Online {
            id,
            since: self.now,
            last_sent: self.now,
            last_heard: self.now,
            pong_by: None,
        });
        self.sync.connected();
        self.enter_rooms_again();
        self.set_state(ConnectionState::Online {
            user_id: welcome.user_id,
            session_id: welcome.session_id,
        });
    }

    /// The server ended the connection, or refuses it, with a code.
    pub(super) fn connection_error(&mut self, error: Error, random: Random<'_>) {
        match error.action() {
            Action::Retry => self.again(Some(error), random),
            Action::LogIn => {
                self.token = None;
                self.token_refusals += 1;
                if self.token_refusals >= TOKEN_REFUSALS_MAX {
                    self.stop_with(error);
                } else {
                    self.again(Some(error), random);
                }
            }
            Action::GiveUp | Action::SignedOut => self.stop_with(error),
        }
    }

    /// Gives the connection up, if there is one, and tries again after a while.
    pub(super) fn again(&mut self, error: Option<Error>, random: Random<'_>) {
        self.close();
        self.wait(error, random);
    }

    fn wait(&mut self, error: Option<Error>, random: Random<'_>) {
        let at_least = error.as_ref().map_or(0, |error| error.retry_after_ms);
        // A deadline lies ahead: one that is now would never come.
        let pause = self.backoff.next_ms(at_least, random).max(1);
        let until = self.now.plus_ms(pause);
        self.phase = Phase::Waiting { until };
        self.set_state(ConnectionState::Waiting { until, error });
    }

    fn close(&mut self) {
        let phase = std::mem::replace(&mut self.phase, Phase::Stopped);
        if let Some(id) = phase.connection() {
            self.flush_to(id);
            self.outputs.push_back(Output::Close(id));
        }
        self.ended(&phase);
    }

    /// Whatever was on its way over the connection is not any more.
    fn ended(&mut self, phase: &Phase) {
        match phase {
            Phase::Online(online) => {
                if self.now.since_ms(online.since) >= STABLE_MS {
                    self.backoff.reset();
                }
                if online.pong_by.is_some() {
                    self.heartbeat.lost();
                }
            }
            // Perhaps another address works.
            Phase::Opening { .. } | Phase::Greeting { .. } => {
                self.address = self.address.wrapping_add(1);
            }
            _ => {}
        }
        self.unsent.clear();
        self.lose_in_flight();
    }

    /// The client stops by itself. A token that was refused is not used again.
    pub(super) fn stop_with(&mut self, error: Error) {
        if matches!(error.action(), Action::LogIn | Action::SignedOut) {
            self.token = None;
        }
        let state = ConnectionState::Stopped(error.clone());
        self.stop(Phase::Stopped, state, &error);
    }

    fn stop(&mut self, phase: Phase, state: ConnectionState, error: &Error) {
        self.close();
        self.phase = phase;
        let mut tickets = self.outbox.drain();
        tickets.extend(self.requests.drain());
        tickets.extend(self.rooms.stop());
        self.fail_each(tickets.into_iter().map(|ticket| (ticket, error.clone())));
        self.set_state(state);
    }

    /// The timers of the connection.
    pub(super) fn expire_connection(&mut self, random: Random<'_>) {
        let due = |at: Timestamp| at <= self.now;
        match &mut self.phase {
            Phase::Waiting { until } if due(*until) => self.try_connect(),
            Phase::Token { until } if due(*until) => {
                let message = "the application gave no token in time";
                self.again(Some(Error::new(Code::TokenInvalid, message)), random);
            }
            Phase::Opening { until, .. } if due(*until) => self.again(None, random),
            Phase::Online(online) => {
                let silence = online.silent_since().plus_ms(self.heartbeat.interval_ms());
                match online.pong_by {
                    Some(by) if by <= self.now => self.again(None, random),
                    None if silence <= self.now => {
                        let by = self.now.plus_ms(self.heartbeat.pong_timeout_ms());
                        online.pong_by = Some(by);
                        // Answered late, it is still an answer: the request outlives the wait.
                        let until = by.plus_ms(self.heartbeat.interval_ms());
                        self.submit(What::Ping, until, Command::Ping(wire::Ping {}));
                    }
                    _ => {}
                }
            }
            _ => {}
        }
    }

    /// Something arrived: the peer lives.
    pub(super) fn sign_of_life(&mut self) {
        if let Phase::Online(online) = &mut self.phase {
            online.last_heard = self.now;
            online.pong_by = None;
        }
    }

    /// The positions are somebody else's, or of other data.
    pub(super) fn drop_positions(&mut self) {
        self.follows.reset();
        self.emit(Event::Reset { positions: true });
    }
}
