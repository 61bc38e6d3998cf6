//! What the gateway counts about itself.
//!
//! Plain atomics that every connection shares; a scrape reads them one after the other, so two
//! figures of one scrape may be a few events apart.

use std::fmt::Write;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

macro_rules! metrics {
    ($($field:ident $kind:literal $name:literal $help:literal)*) => {
        /// The counters and gauges of one gateway.
        #[derive(Debug, Default)]
        pub struct Metrics {
            $(#[doc = $help] pub(crate) $field: AtomicU64,)*
        }

        impl Metrics {
            /// Appends all of them in the text format of Prometheus.
            pub fn render(&self, into: &mut String) {
                $(
                    // Writing to a String cannot fail.
                    let _ = writeln!(
                        into,
                        concat!("# HELP ", $name, " ", $help, "\n# TYPE ", $name, " ", $kind, "\n", $name, " {}"),
                        self.$field.load(Relaxed)
                    );
                )*
            }
        }
    };
}

metrics! {
    accepted "counter" "anser_gateway_accepted_total" "Connections accepted, HTTP included."
    refused "counter" "anser_gateway_refused_total" "Connections refused because of a limit."
    accept_errors "counter" "anser_gateway_accept_errors_total" "Failures of accept, such as too many open files."
    connections "gauge" "anser_gateway_connections" "Open WebSocket and TCP connections."
    http_connections "gauge" "anser_gateway_http_connections" "Open connections that speak HTTP."
    sessions "gauge" "anser_gateway_sessions" "Connections that have authenticated."
    logins "counter" "anser_gateway_logins_total" "Sessions opened."
    login_failures "counter" "anser_gateway_login_failures_total" "Hello requests refused."
    handshake_failures "counter" "anser_gateway_handshake_failures_total" "TLS and WebSocket handshakes that failed or took too long."
    protocol_errors "counter" "anser_gateway_protocol_errors_total" "Connections closed because the peer broke the protocol."
    heartbeats_missed "counter" "anser_gateway_heartbeats_missed_total" "Connections closed because of silence."
    frames_in "counter" "anser_gateway_frames_in_total" "Messages received on WebSocket and TCP connections."
    bytes_in "counter" "anser_gateway_bytes_in_total" "Bytes received on WebSocket and TCP connections."
    frames_out "counter" "anser_gateway_frames_out_total" "Frames written to WebSocket and TCP connections."
    bytes_out "counter" "anser_gateway_bytes_out_total" "Bytes written to WebSocket and TCP connections."
    requests "counter" "anser_gateway_requests_total" "Requests of clients."
    rate_limited "counter" "anser_gateway_rate_limited_total" "Sends refused because a client sent too many."
    events_dropped "counter" "anser_gateway_events_dropped_total" "Events not delivered live to slow clients, who pull them."
    room_frames_thinned "counter" "anser_gateway_room_frames_thinned_total" "Frames of chat rooms that slow clients got without what matters less."
    room_frames_dropped "counter" "anser_gateway_room_frames_dropped_total" "Frames of chat rooms that slow clients did not get at all."
    slow_sessions "counter" "anser_gateway_slow_sessions_total" "How often a client became too slow for its queue."
}

/// What other protocols have counted.
#[derive(Copy, Clone, Eq, PartialEq, Debug)]
pub enum Noted {
    /// A command came.
    Request,
    /// Somebody is in.
    Login,
    /// Somebody was not let in.
    LoginFailed,
    /// A message came too soon after others.
    RateLimited,
    /// What came makes no sense.
    ProtocolError,
    /// A connection was silent for too long.
    HeartbeatMissed,
    /// A session was opened.
    SessionBegan,
    /// A session that was opened is over.
    SessionEnded,
}

impl Metrics {
    /// One more.
    pub(crate) fn count(counter: &AtomicU64) {
        counter.fetch_add(1, Relaxed);
    }

    /// One more, until the guard is dropped.
    pub(crate) fn enter(gauge: &AtomicU64) {
        gauge.fetch_add(1, Relaxed);
    }

    /// The end of [`Metrics::enter`].
    pub(crate) fn leave(gauge: &AtomicU64) {
        gauge.fetch_sub(1, Relaxed);
    }

    /// Counts what happened at a door.
    pub fn note(&self, noted: Noted) {
        match noted {
            Noted::Request => Self::count(&self.requests),
            Noted::Login => Self::count(&self.logins),
            Noted::LoginFailed => Self::count(&self.login_failures),
            Noted::RateLimited => Self::count(&self.rate_limited),
            Noted::ProtocolError => Self::count(&self.protocol_errors),
            Noted::HeartbeatMissed => Self::count(&self.heartbeats_missed),
            Noted::SessionBegan => Self::enter(&self.sessions),
            Noted::SessionEnded => Self::leave(&self.sessions),
        }
    }

    pub(crate) fn read(&self, bytes: usize) {
        self.bytes_in.fetch_add(bytes as u64, Relaxed);
    }

    pub(crate) fn wrote(&self, frames: u64, bytes: u64) {
        if bytes > 0 {
            self.frames_out.fetch_add(frames, Relaxed);
            self.bytes_out.fetch_add(bytes, Relaxed);
        }
    }

    pub(crate) fn dropped_events(&self, events: u64) {
        self.events_dropped.fetch_add(events, Relaxed);
    }

    /// One event that nobody will miss was not delivered.
    pub(crate) fn dropped_transient(&self, of_a_room: bool) {
        Self::count(match of_a_room {
            true => &self.room_frames_dropped,
            false => &self.events_dropped,
        });
    }

    pub(crate) fn slow_session(&self) {
        self.slow_sessions.fetch_add(1, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_has_help_type_and_value() {
        let metrics = Metrics::default();
        metrics.wrote(2, 30);
        let mut text = String::new();
        metrics.render(&mut text);
        assert!(text.contains(
            "# TYPE anser_gateway_bytes_out_total counter\nanser_gateway_bytes_out_total 30\n"
        ));
        assert!(
            text.lines()
                .all(|line| line.starts_with('#') || line.split(' ').count() == 2)
        );
    }
}
