//! Pages of history over a million stored messages.
//!
//! The messages are sent through the front door, many in flight. Then the server is restarted, so
//! that nothing is in memory which reading would not have put there, and pages are asked for one
//! at a time, each from a conversation picked at random. The time is taken at the client, around
//! request and answer: an upper bound of the server's own, whose distance a ping shows.

use std::time::{Duration, Instant};

use anser_proto::client::{MessagePage, Ping, PullMessages, request::Command, response};
use serde_json::json;

use super::drive::Timing;
use super::pairs::{self, Plan};
use super::{Context, LOGINS_AT_A_TIME, private_conversations, user};
use crate::clients::blocking::Session;
use crate::clients::login::log_in;
use crate::floor::server::BODY_BYTES;
use crate::latency::Latency;
use crate::process::Watch;
use crate::report::{Row, note};

/// Messages in flight per pair while loading.
const LOADING_WINDOW: usize = 16;
/// Loading takes no longer, whatever the machine.
const LOADING_MAX: Duration = Duration::from_secs(600);
/// Messages on a page.
const PAGE: u32 = 50;

/// Where on the history a page begins.
#[derive(Copy, Clone)]
enum From {
    Newest,
    Anywhere,
}

struct Reader {
    sessions: Vec<Session>,
    conversations: Vec<String>,
    head: u64,
    random: fastrand::Rng,
}

impl Reader {
    /// One page, checked; how long it took.
    fn page(&mut self, from: From) -> Result<Duration, String> {
        let at = self.random.usize(..self.sessions.len());
        let from_seq = match from {
            From::Newest => 0,
            From::Anywhere => self.random.u64(u64::from(PAGE) + 1..=self.head),
        };
        let newest = if from_seq == 0 {
            self.head
        } else {
            from_seq - 1
        };
        let pull = Command::PullMessages(PullMessages {
            conversation: self.conversations[at].clone(),
            from_seq,
            descending: true,
            limit: PAGE,
        });
        let began = Instant::now();
        let answer = self.sessions[at].call(pull)?;
        let took = began.elapsed();
        let response::Result::Messages(page) = answer else {
            return Err(format!("asked for a page, got {answer:?}"));
        };
        check(&page, newest)?;
        Ok(took)
    }

    fn ping(&mut self) -> Result<Duration, String> {
        let at = self.random.usize(..self.sessions.len());
        let began = Instant::now();
        self.sessions[at].call(Command::Ping(Ping {}))?;
        Ok(began.elapsed())
    }
}

fn check(page: &MessagePage, newest: u64) -> Result<(), String> {
    let wanted = (newest.saturating_sub(u64::from(PAGE)) + 1..=newest).rev();
    if page.messages.iter().map(|message| message.seq).eq(wanted) {
        Ok(())
    } else {
        let seqs: Vec<u64> = page.messages.iter().map(|message| message.seq).collect();
        Err(format!("a page down from {newest} holds {seqs:?}"))
    }
}

/// Rows for pages and pings, so many of each, over so many messages in so many conversations.
pub(crate) fn measure(
    context: &Context,
    messages: u64,
    pairs: usize,
    pages: u64,
) -> Result<Vec<Row>, String> {
    let server = context.start("history")?;
    let users = server.users((0..2 * pairs).map(user));
    let conversations = private_conversations(pairs);
    let (mut swarm, _) = log_in(server.target(), &users, LOGINS_AT_A_TIME)?;
    let each = messages.div_ceil(pairs as u64);
    let plan = Plan {
        conversations: &conversations,
        window: LOADING_WINDOW,
        body_bytes: BODY_BYTES,
        timing: Timing {
            warm: Duration::ZERO,
            measure: LOADING_MAX,
        },
        messages_max: each,
    };
    note(&format!("history: storing {messages} messages"));
    let loaded = pairs::run(&mut swarm, server.target(), &plan)?;
    if loaded.driven.deliveries < each * pairs as u64 {
        return Err(format!(
            "only {} messages in the time given",
            loaded.driven.deliveries
        ));
    }
    swarm.links.close_all();
    let watched = &loaded.driven.watched;
    let loading = Row::new(
        "history, loading".into(),
        "anser",
        "message",
        messages,
        watched,
    )
    .latency(loaded.end_to_end.clone())
    .detail(&loaded);
    let stopping = server.stop()?;

    let opening = Instant::now();
    let server = context.start("history")?;
    let opening = opening.elapsed();
    let open = |user| Session::open(server.target(), user, "reader").map(|(session, _)| session);
    let sessions = users
        .iter()
        .step_by(2)
        .map(open)
        .collect::<Result<_, _>>()?;
    let mut reader = Reader {
        sessions,
        conversations,
        head: each,
        random: fastrand::Rng::with_seed(1),
    };
    let mut rows = vec![loading];
    let mut stretch = |name: &str, one: &mut dyn FnMut() -> Result<Duration, String>| {
        let mut latency = Latency::new();
        let watch = Watch::start(server.pid());
        for _ in 0..pages {
            latency.record(one()?);
        }
        let row = Row::new(name.into(), "anser", "request", pages, &watch.stop())
            .latency(latency.quantiles())
            .detail(&json!({
                "messages": messages,
                "conversations": pairs,
                "stop_ms": stopping.as_millis(),
                "open_ms": opening.as_millis(),
            }));
        rows.push(row);
        Ok::<(), String>(())
    };
    // The first time that a conversation is read after a start is slower; both count.
    stretch("history, newest 50, cold", &mut || {
        reader.page(From::Newest)
    })?;
    stretch("history, newest 50", &mut || reader.page(From::Newest))?;
    stretch("history, any 50", &mut || reader.page(From::Anywhere))?;
    stretch("history, ping beside", &mut || reader.ping())?;
    server.stop()?;
    Ok(rows)
}
