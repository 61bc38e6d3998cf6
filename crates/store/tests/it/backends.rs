//! The backends under test, and the few things that every test needs.

use std::sync::Arc;

use anser_store::{EmbeddedOptions, FaultPlan, Key, Shard, Space, SpaceClass, Store};
use bytes::Bytes;
use tempfile::TempDir;

pub(crate) const SMALL: Space = Space(1);
pub(crate) const LOG: Space = Space(2);
pub(crate) const SPACES: [(Space, SpaceClass); 2] =
    [(SMALL, SpaceClass::Small), (LOG, SpaceClass::Log)];

/// A store and, if it has one, its directory.
pub(crate) struct Bench {
    pub(crate) store: Store,
    kind: Kind,
}

enum Kind {
    Memory,
    Embedded { dir: TempDir, memtable_bytes: usize },
}

impl Bench {
    pub(crate) fn memory() -> Bench {
        Bench {
            store: Store::memory(),
            kind: Kind::Memory,
        }
    }

    /// A fault plan that does nothing.
    pub(crate) fn faulty() -> Bench {
        struct Harmless;
        impl FaultPlan for Harmless {}
        let (store, _) = Store::faulty(Store::memory(), Arc::new(Harmless));
        Bench {
            store,
            kind: Kind::Memory,
        }
    }

    /// Everything stays in the memtable.
    pub(crate) fn embedded() -> Bench {
        Bench::on_disk(8 << 20)
    }

    /// Every few units move on to the trees, so that reads meet all layers.
    pub(crate) fn embedded_flushing() -> Bench {
        Bench::on_disk(4 << 10)
    }

    fn on_disk(memtable_bytes: usize) -> Bench {
        let dir = TempDir::new().unwrap();
        Bench {
            store: open(&dir, memtable_bytes),
            kind: Kind::Embedded {
                dir,
                memtable_bytes,
            },
        }
    }

    /// Drops the store without closing it and opens it again; a memory store stays as it is.
    pub(crate) fn reopen(self) -> Bench {
        match self.kind {
            Kind::Memory => self,
            Kind::Embedded {
                dir,
                memtable_bytes,
            } => {
                drop(self.store);
                Bench {
                    store: open(&dir, memtable_bytes),
                    kind: Kind::Embedded {
                        dir,
                        memtable_bytes,
                    },
                }
            }
        }
    }
}

fn open(dir: &TempDir, memtable_bytes: usize) -> Store {
    let options = EmbeddedOptions {
        memtable_bytes,
        ..options(dir)
    };
    Store::embedded(&options, &SPACES).unwrap()
}

/// Options fit for a test: a small cache, and no demands on the disk.
pub(crate) fn options(dir: &TempDir) -> EmbeddedOptions {
    EmbeddedOptions {
        cache_bytes: 1 << 20,
        free_space_min: 0,
        ..EmbeddedOptions::new(dir.path())
    }
}

pub(crate) fn key(space: Space, shard: u16, bytes: &str) -> Key {
    Key::new(space, Shard(shard), bytes.as_bytes().to_vec())
}

pub(crate) fn bytes(text: &str) -> Bytes {
    Bytes::copy_from_slice(text.as_bytes())
}
