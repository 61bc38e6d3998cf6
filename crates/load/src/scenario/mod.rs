//! What is measured.
//!
//! [`drive`], [`fan`] and [`pairs`] are loads that the floors and the product are put under alike;
//! the other modules prepare the product for one question each and ask it.

pub(crate) mod all;
pub(crate) mod append;
pub(crate) mod churn;
pub(crate) mod connections;
pub(crate) mod drive;
pub(crate) mod fan;
pub(crate) mod fanout;
pub(crate) mod history;
pub(crate) mod p2p;
pub(crate) mod pairs;
pub(crate) mod reconnect;
pub(crate) mod room;

use std::path::PathBuf;
use std::time::Duration;

use self::drive::Timing;
use crate::anser::{Launch, Server};

/// What all scenarios need to know.
pub(crate) struct Context {
    /// The binary `anser`.
    pub(crate) server: PathBuf,
    /// The binary of the bench `store append`.
    pub(crate) append: PathBuf,
    /// More environment for the server.
    pub(crate) environment: Vec<(String, String)>,
    /// A directory of this run, on the disk to measure.
    pub(crate) dir: PathBuf,
    /// Length of a measured stretch.
    pub(crate) measure: Duration,
}

impl Context {
    /// How to start a server on data of this name.
    pub(crate) fn launch(&self, name: &str) -> Launch {
        Launch {
            binary: self.server.clone(),
            dir: self.dir.join(name),
            environment: self.environment.clone(),
        }
    }

    /// Starts one.
    pub(crate) fn start(&self, name: &str) -> Result<Server, String> {
        self.launch(name).start()
    }

    /// A measured stretch, with a third of it before to warm up.
    pub(crate) fn timing(&self) -> Timing {
        Timing {
            warm: self.measure / 3,
            measure: self.measure,
        }
    }
}

/// Logins under way at the same time, where logging in is not what is measured.
const LOGINS_AT_A_TIME: usize = 256;

/// The name of a user.
fn user(number: usize) -> String {
    format!("u{number:06}")
}

/// Private conversations of users 2n and 2n+1.
fn private_conversations(pairs: usize) -> Vec<String> {
    (0..pairs)
        .map(|pair| format!("p/{}/{}", user(2 * pair), user(2 * pair + 1)))
        .collect()
}
