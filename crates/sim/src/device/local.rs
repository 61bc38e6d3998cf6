//! A device's database, and what waits for it.
//!
//! As in the driver: what the core wants written gathers while a batch is being written, and what
//! the application is to be told after a write comes after it. When the process ends in the middle,
//! the batch on its way is in the database or not, whole; nothing of the next one is, and nobody
//! was told anything of both.

use anser_sdk::core::Output;
use anser_sdk::database::{Loaded, MemoryStorage, Storage as _, Write};

use crate::sabotage::Saboteur;

pub(super) struct Local {
    pub(super) storage: MemoryStorage,
    writing: Option<Vec<Write>>,
    behind: Vec<Output>,
    next: Vec<Write>,
    behind_next: Vec<Output>,
    number: u64,
}

impl Local {
    pub(super) fn new(storage: MemoryStorage) -> Self {
        Self {
            storage,
            writing: None,
            behind: Vec::new(),
            next: Vec::new(),
            behind_next: Vec::new(),
            number: 0,
        }
    }

    pub(super) fn load(&self) -> Loaded {
        let loaded = self.storage.clone().load();
        loaded.expect("memory does not fail")
    }

    /// Batches under way, and sends in the database that will still be made.
    pub(super) fn waits(&self) -> usize {
        usize::from(!self.is_idle()) + self.load().queued.len()
    }

    pub(super) fn is_idle(&self) -> bool {
        self.writing.is_none() && self.next.is_empty()
    }

    /// Is this send in the database, to be made?
    pub(super) fn holds(&self, client_message_id: &str) -> bool {
        let loaded = self.load();
        let mut queued = loaded.queued.iter();
        queued.any(|queued| queued.client_message_id() == client_message_id)
    }

    /// An output; given back, it waits for nothing.
    pub(super) fn take(&mut self, output: Output) -> Option<Output> {
        match output {
            Output::Store(write) => self.next.push(write),
            Output::Event(_) | Output::Done(..) | Output::Confirm(_) if !self.is_idle() => {
                match self.next.is_empty() {
                    true => self.behind.push(output),
                    false => self.behind_next.push(output),
                }
            }
            _ => return Some(output),
        }
        None
    }

    /// The number of the next batch, which is on its way from now on.
    pub(super) fn begin(&mut self) -> Option<u64> {
        if self.writing.is_some() || self.next.is_empty() {
            return None;
        }
        self.writing = Some(std::mem::take(&mut self.next));
        self.behind = std::mem::take(&mut self.behind_next);
        self.number += 1;
        Some(self.number)
    }

    /// The batch of this number is written; what follows it.
    pub(super) fn written(&mut self, number: u64, saboteur: &Saboteur) -> Vec<Output> {
        if number != self.number {
            // Of a process that has ended.
            return Vec::new();
        }
        let Some(mut batch) = self.writing.take() else {
            return Vec::new();
        };
        batch.retain(|write| !saboteur.forgets_write(write));
        self.store(&batch);
        std::mem::take(&mut self.behind)
    }

    /// The process ends. `written`: the batch on its way came to the end of it.
    pub(super) fn end(&mut self, written: bool) {
        if let Some(batch) = self.writing.take().filter(|_| written) {
            self.store(&batch);
        }
        self.next.clear();
        self.behind.clear();
        self.behind_next.clear();
        self.number += 1;
    }

    fn store(&mut self, batch: &[Write]) {
        self.storage.write(batch).expect("memory does not fail");
    }
}
