//! Apps, their secrets and token keys, and tokens.

mod door;
mod registry;
mod seal;
mod token;

use anser_domain::{AppId, Timestamp, UserId};

pub use door::Door;
pub(crate) use door::Doors;
pub(crate) use registry::{Apps, SecretKind};

/// An app, without its secrets.
#[derive(Clone, Eq, PartialEq, Debug)]
pub struct AppInfo {
    /// Its number in table keys.
    pub id: AppId,
    /// Its public name, the app key.
    pub key: String,
    /// For people.
    pub name: String,
    /// When it was created.
    pub created: Timestamp,
    /// Is it the demo app, whose tokens anybody on loopback gets?
    pub demo: bool,
    /// Ids of the API secrets alive, oldest first; at most two.
    pub api_secret_ids: Vec<String>,
    /// Ids of the token keys alive, oldest first; at most two.
    pub token_key_ids: Vec<String>,
}

/// A secret, shown once when it is made.
#[derive(Clone, Eq, PartialEq, Debug)]
pub struct NewSecret {
    /// Its id; a token key's id is the `kid` of its tokens.
    pub id: String,
    /// The secret itself.
    pub secret: String,
}

/// A new app with its first secrets.
#[derive(Clone, Debug)]
pub struct NewApp {
    /// The app.
    pub info: AppInfo,
    /// For the server API.
    pub api_secret: NewSecret,
    /// For signing tokens offline.
    pub token_key: NewSecret,
}

/// A token.
#[derive(Clone, Eq, PartialEq, Debug)]
pub struct Token {
    /// The JWT.
    pub token: String,
    /// When it expires.
    pub expires: Timestamp,
}

/// What a good token says.
#[derive(Clone, Eq, PartialEq, Debug)]
pub struct Identity {
    /// The app.
    pub app: AppId,
    /// The user.
    pub user: UserId,
    /// When it was issued.
    pub issued: Timestamp,
    /// When it expires.
    pub expires: Timestamp,
}
