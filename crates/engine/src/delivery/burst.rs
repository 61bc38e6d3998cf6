//! The sinks written to in one go.

use std::sync::Arc;

use crate::event::SessionSink;

/// Remembers which sinks have something queued, to flush each when the burst is over: acks and
/// pushes of one batch then leave a connection in one write.
#[derive(Default)]
pub(crate) struct Burst {
    sinks: Vec<Arc<dyn SessionSink>>,
}

impl Burst {
    /// Something was queued on this sink.
    pub(crate) fn touch(&mut self, sink: &Arc<dyn SessionSink>) {
        // A sink met twice is flushed twice; the second finds nothing to do.
        if self
            .sinks
            .last()
            .is_none_or(|last| !Arc::ptr_eq(last, sink))
        {
            self.sinks.push(sink.clone());
        }
    }

    /// Writes out what is queued.
    pub(crate) fn flush(self) {
        for sink in &self.sinks {
            sink.flush();
        }
    }
}
