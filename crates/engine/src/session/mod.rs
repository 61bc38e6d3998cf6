//! Sessions: who is connected, on which device, and where to reach them.

mod local;
mod register;

pub(crate) use local::{Gone, LocalSession, Locals, Walk};

use anser_domain::{AppId, DeviceId, Platform, Timestamp, UserId};

/// Names a session in this process and in the whole cluster.
#[derive(Copy, Clone, Eq, PartialEq, Ord, PartialOrd, Hash, Debug)]
pub struct SessionId(pub u64);

/// A client that showed a good token and wants in.
#[derive(Clone, Debug)]
pub struct NewSession {
    /// From the token.
    pub app: AppId,
    /// From the token.
    pub user: UserId,
    /// The installation.
    pub device: DeviceId,
    /// Its kind.
    pub platform: Platform,
    /// Name and version of the SDK, for operators.
    pub client: Box<str>,
    /// Grows with every connection of the installation; zero if the client does not tell.
    pub attempt: u64,
}

/// The session is registered; pushes may already be under way to its sink.
#[derive(Copy, Clone, Eq, PartialEq, Debug)]
pub struct Opened {
    /// Its name.
    pub id: SessionId,
    /// Identity of the stored data.
    pub epoch: u64,
    /// The user's present feed version.
    pub feed_version: u64,
    /// The server's clock.
    pub server_time: Timestamp,
}

/// A session as the server API shows it.
#[derive(Clone, Eq, PartialEq, Debug)]
pub struct SessionInfo {
    /// Its name.
    pub id: SessionId,
    /// The installation.
    pub device: DeviceId,
    /// Its kind.
    pub platform: Platform,
    /// Name and version of the SDK.
    pub client: Box<str>,
    /// Grows with every connection of the installation; zero if the client does not tell.
    pub attempt: u64,
    /// When it signed in.
    pub since: Timestamp,
    /// The node it is connected to.
    pub node: u64,
}
