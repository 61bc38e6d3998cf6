//! Every limit and every interval of the client in one place. Times are milliseconds.

use anser_domain::limits::{FRAME_REQUESTS_MAX, HEARTBEAT_SECONDS_MAX, HEARTBEAT_SECONDS_MIN};

/// Ceiling of the first wait before connecting again. The wait is drawn from zero to the ceiling
/// (full jitter), and the ceiling doubles with each failure, so that the clients of a server
/// that went down do not come back in one wave.
pub const BACKOFF_FIRST_MS: u64 = 500;
/// Where the ceiling stops.
pub const BACKOFF_MAX_MS: u64 = 30_000;
/// A connection that lived so long ends the series of failures: the next wait is short again.
pub const STABLE_MS: u64 = 10_000;
/// From asking for a connection to its being open.
pub const OPEN_TIMEOUT_MS: u64 = 10_000;
/// From `Hello` to `Welcome`.
pub const HELLO_TIMEOUT_MS: u64 = 10_000;
/// For the application to come up with a token.
pub const TOKEN_TIMEOUT_MS: u64 = 30_000;
/// The server refused so many tokens in a row: the client gives up instead of asking for more.
pub const TOKEN_REFUSALS_MAX: u32 = 5;

/// The heartbeat interval of a new client.
pub const HEARTBEAT_START_MS: u64 = 30_000;
/// It never falls below; with [`PONG_TIMEOUT_MS`] a dead peer is found within 1.5 intervals.
pub const HEARTBEAT_MIN_MS: u64 = 20_000;
/// It never grows beyond; `Hello` tells it to the server.
pub const HEARTBEAT_MAX_MS: u64 = 240_000;
/// It grows by so much at a time.
pub const HEARTBEAT_STEP_MS: u64 = 30_000;
/// Pongs in a row at one interval before the next longer one is tried.
pub const HEARTBEAT_GROW_AFTER: u32 = 2;
/// After a ping something has to arrive within this, or the peer is dead.
pub const PONG_TIMEOUT_MS: u64 = 10_000;

/// For the answer to a send. Then the client connects again and sends once more.
pub const SEND_TIMEOUT_MS: u64 = 10_000;
/// Times that a send goes out without being answered before it fails.
pub const SEND_ATTEMPTS_MAX: u32 = 2;
/// A send that never went out waits so long for a connection.
pub const SEND_QUEUED_MS: u64 = 60_000;
/// A send that the server asks to retry is retried within this, counted from the first time it
/// went out.
pub const SEND_RETRY_BUDGET_MS: u64 = 20_000;
/// Sends not yet answered, waiting ones included.
pub const OUTBOX_SENDS_MAX: usize = 1_000;
/// Their content in bytes.
pub const OUTBOX_BYTES_MAX: usize = 8 * 1024 * 1024;
/// Sends on their way at a time.
pub const SENDS_IN_FLIGHT_MAX: usize = 64;

/// A request of the application other than a send is answered within this, one way or another.
pub const REQUEST_TIMEOUT_MS: u64 = 20_000;
/// Requests of the application not yet answered, waiting ones included.
pub const REQUESTS_MAX: usize = 256;
/// For the answer to a sync or to a pull of the client itself; then it connects again.
pub const SYNC_TIMEOUT_MS: u64 = 20_000;
/// Pages of one sync. More is a server gone mad.
pub const SYNC_PAGES_MAX: u32 = 1_000;

/// From the start of one sync to the start of the next on the same connection, however often the
/// server says "check".
pub const SYNC_SPACING_MS: u64 = 1_000;

/// Conversations that a device follows.
pub const FOLLOWED_MAX: usize = 1_000;
/// Messages of a conversation that appears which are told, the newest; those before wait to be read.
pub const APPEARED_MESSAGES_MAX: u64 = 100;
/// Conversations that appear with one sync and are followed from then on; the others wait until
/// something happens in them, or they are opened.
pub const APPEARED_MAX: usize = 100;
/// Conversations that an application has open at a time; they are not dropped for others.
pub const OPENED_MAX: usize = 100;
/// Messages beyond a gap that are kept until it is closed, in one conversation. What does not
/// fit is pulled with the gap.
pub const GAP_MESSAGES_MAX: usize = 256;
/// Bytes of such messages, in all conversations.
pub const GAP_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Gaps that are pulled at a time.
pub const PULLS_IN_FLIGHT_MAX: usize = 8;
/// Messages asked for in one pull.
pub const PULL_PAGE: u32 = 100;
/// Pages of changes, or of deletions, that are pulled in a row for one conversation. More is not
/// worth fetching: what is held of it is called out of date.
pub const NUMBERED_PAGES_MAX: u32 = 20;
/// Pulls that bring nothing although something must be there, before it is reported as lost.
pub const PULL_STALLS_MAX: u32 = 5;

/// From the arrival of a message to telling the server of it, so that several are told at once.
pub const DELIVERED_WAIT_MS: u64 = 500;
/// Requests that tell what arrived and are not answered yet.
pub const DELIVERED_IN_FLIGHT_MAX: usize = 8;

/// Chat rooms that a client is in at a time.
pub const ROOMS_MAX: usize = 100;
/// Pushes of a chat room that wait for the answer of the server that lets the client in.
pub const ROOM_PUSHES_HELD_MAX: usize = 64;

/// Addresses of one server that a client tries in turn.
pub const ADDRESSES_MAX: usize = 16;
/// Bytes of a frame from the server: a page of the largest messages, and room.
pub const SERVER_FRAME_BYTES_MAX: usize = 16 * 1024 * 1024;

const _: () = assert!(HEARTBEAT_MIN_MS + PONG_TIMEOUT_MS <= HEARTBEAT_MIN_MS * 3 / 2);
const _: () = assert!(HEARTBEAT_MIN_MS >= HEARTBEAT_SECONDS_MIN as u64 * 1_000);
const _: () = assert!(HEARTBEAT_MAX_MS <= HEARTBEAT_SECONDS_MAX as u64 * 1_000);
const _: () = assert!(OPENED_MAX < FOLLOWED_MAX);
const _: () = assert!(SENDS_IN_FLIGHT_MAX <= FRAME_REQUESTS_MAX);
const _: () = assert!(PULL_PAGE as usize <= anser_domain::limits::PAGE_ITEMS_MAX);
