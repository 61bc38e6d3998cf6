//! What the engine counts, for operators.

use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};

/// Counters since the start. Reading them never stops anybody.
#[derive(Debug, Default)]
pub struct Metrics {
    pub(crate) messages_appended: AtomicU64,
    pub(crate) messages_changed: AtomicU64,
    pub(crate) sends_repeated: AtomicU64,
    pub(crate) sends_refused: AtomicU64,
    pub(crate) append_conflicts: AtomicU64,
    pub(crate) outbox_applied: AtomicU64,
    pub(crate) outbox_retried: AtomicU64,
    pub(crate) outbox_dead: AtomicU64,
    pub(crate) packet_holes: AtomicU64,
    pub(crate) room_messages: AtomicU64,
    pub(crate) room_messages_dropped: AtomicU64,
    pub(crate) room_items_late: AtomicU64,
    pub(crate) room_deliveries: AtomicU64,
    pub(crate) room_messages_unkept: AtomicU64,
    pub(crate) room_walks_failed: AtomicU64,
}

/// Adds one.
pub(crate) fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

impl Metrics {
    /// In the text format of Prometheus.
    #[must_use]
    pub fn render(&self) -> String {
        let rows = [
            (
                "anser_messages_appended_total",
                "Messages stored.",
                &self.messages_appended,
            ),
            (
                "anser_messages_changed_total",
                "Changes of messages stored.",
                &self.messages_changed,
            ),
            (
                "anser_sends_repeated_total",
                "Retries answered with the first result.",
                &self.sends_repeated,
            ),
            (
                "anser_sends_refused_total",
                "Sends refused.",
                &self.sends_refused,
            ),
            (
                "anser_append_conflicts_total",
                "Appends that another node overtook.",
                &self.append_conflicts,
            ),
            (
                "anser_outbox_applied_total",
                "Effects elsewhere carried out.",
                &self.outbox_applied,
            ),
            (
                "anser_outbox_retried_total",
                "Effects elsewhere put off after a failure.",
                &self.outbox_retried,
            ),
            (
                "anser_outbox_dead_letters_total",
                "Effects elsewhere given up after many failures.",
                &self.outbox_dead,
            ),
            (
                "anser_packet_holes_total",
                "Times that packets from another node were missing.",
                &self.packet_holes,
            ),
            (
                "anser_room_messages_total",
                "Messages that chat rooms took.",
                &self.room_messages,
            ),
            (
                "anser_room_messages_dropped_total",
                "Messages beyond the quota of a chat room.",
                &self.room_messages_dropped,
            ),
            (
                "anser_room_items_late_total",
                "Items of chat rooms dropped on a node that could not tell them in time.",
                &self.room_items_late,
            ),
            (
                "anser_room_deliveries_total",
                "Frames of chat rooms handed to sessions.",
                &self.room_deliveries,
            ),
            (
                "anser_room_messages_unkept_total",
                "Messages of chat rooms that should have been kept and could not be written.",
                &self.room_messages_unkept,
            ),
            (
                "anser_room_walks_failed_total",
                "Times that stored chat rooms could not be looked through.",
                &self.room_walks_failed,
            ),
        ];
        let mut text = String::new();
        for (name, help, counter) in rows {
            let value = counter.load(Ordering::Relaxed);
            write!(
                text,
                "# HELP {name} {help}\n# TYPE {name} counter\n{name} {value}\n"
            )
            .expect("a String takes all");
        }
        text
    }
}
