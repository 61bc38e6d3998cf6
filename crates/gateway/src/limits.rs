//! What a stranger, a client and the whole process may take.

use std::time::Duration;

/// Limits of the listeners. The defaults suit a server on the open internet.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Open connections of all kinds. Further ones are told so and closed.
    pub connections_max: usize,
    /// Connections that have not authenticated yet, HTTP not counted.
    pub strangers_max: usize,
    /// The same from one address (IPv6: one /64). A NAT has many people behind it, who all
    /// reconnect at once after an outage.
    pub strangers_per_address_max: usize,
    /// From accepting to a complete request head, TLS handshake included.
    pub handshake_time: Duration,
    /// Bytes of a request head.
    pub head_bytes_max: usize,
    /// How long an HTTP connection may take for a request head, or idle between requests.
    pub http_idle_time: Duration,
    /// How long a connection that was told to close may take to drain and to close its side.
    pub linger_time: Duration,
    /// Connections told per second to go when the server shuts down, so that they do not all
    /// come back to the next one in the same instant.
    pub drain_per_second: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections_max: 1_000_000,
            strangers_max: 20_000,
            strangers_per_address_max: 2_000,
            handshake_time: Duration::from_secs(10),
            head_bytes_max: 8 * 1024,
            http_idle_time: Duration::from_secs(60),
            linger_time: Duration::from_secs(5),
            drain_per_second: 5_000,
        }
    }
}

/// Limits and choices of sessions. Those about messages hold where an app has not set its own.
#[derive(Clone, Debug)]
pub struct SessionSettings {
    /// Time for the first request, Hello, in milliseconds.
    pub hello_ms: u64,
    /// Bytes of events queued for a client before it counts as slow; about the same again for
    /// replies before it is not read further.
    pub outbox_bytes_max: usize,
    /// How fast one session may send messages. `None`: as fast as the engine takes them.
    pub send_rate: Option<SendRate>,
    /// Bytes of a message's content, told to clients; the engine enforces it.
    pub content_bytes_max: usize,
    /// How long a command may run, in milliseconds, before its caller is told that the outcome is
    /// not known. The command itself goes on.
    pub command_ms: u64,
}

impl Default for SessionSettings {
    fn default() -> Self {
        Self {
            hello_ms: 10_000,
            outbox_bytes_max: 256 * 1024,
            send_rate: Some(SendRate::default()),
            content_bytes_max: anser_domain::limits::CONTENT_BYTES_DEFAULT,
            command_ms: 30_000,
        }
    }
}

/// A rate with a burst.
#[derive(Copy, Clone, Eq, PartialEq, Debug)]
pub struct SendRate {
    /// Messages a second in the long run. At least 1.
    pub per_second: u32,
    /// Messages at once after a pause. At least 1.
    pub burst: u32,
}

impl Default for SendRate {
    fn default() -> Self {
        Self {
            per_second: 5,
            burst: 20,
        }
    }
}
