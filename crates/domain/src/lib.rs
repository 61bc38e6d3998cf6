//! The words and the rules of the product.
//!
//! Ids, limits and error codes, and the rules of messaging as pure functions from a state, a
//! command and a time to a new state or a [`Reject`](code::Reject). Nothing here waits, reads a
//! clock, draws a random number, or knows how anything is written down: `proto` has the formats,
//! the engine the tables. Server and client SDK share this crate and nothing else, so what an id
//! or a limit means cannot differ between them.

pub mod attributes;
pub mod change;
pub mod code;
pub mod content;
pub mod control;
pub mod conversation;
pub mod group;
pub mod id;
pub mod limits;
pub mod login;
pub mod media;
pub mod message;
pub mod position;
pub mod presence;
pub mod query;
pub mod relation;
pub mod retention;
pub mod room;
pub mod search;
pub mod settings;
pub mod system;
pub mod temporary;
pub mod time;
pub mod words;

pub use code::{Code, Reject};
pub use conversation::ConversationId;
pub use id::{AppId, DeviceId, GroupId, InvalidId, MessageId, RoomId, Tag, UserId};
pub use login::Platform;
pub use time::Timestamp;
