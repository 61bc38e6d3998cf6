//! Reproducible randomness, and how much of it a test takes.

/// A small generator (SplitMix64): the same seed gives the same test.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `end`.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % end as u64).unwrap()
    }

    /// True once in `n` times.
    pub(crate) fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    pub(crate) fn byte(&mut self) -> u8 {
        self.next().to_be_bytes()[0]
    }

    pub(crate) fn bytes(&mut self, len: usize) -> Vec<u8> {
        (0..len).map(|_| self.byte()).collect()
    }

    /// One of several.
    pub(crate) fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(of.len())]
    }
}

/// Runs a test on many seeds: on `few` of them, or, when the variable `ANSER_FUZZ_SECONDS` is set,
/// for so long. A failure names its seed; `ANSER_FUZZ_SEED` runs just that one.
pub(crate) fn for_seeds(few: u64, test: impl Fn(u64)) {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse().ok());
    let run = |seed| {
        let seeded = std::panic::AssertUnwindSafe(|| test(seed));
        if let Err(panic) = std::panic::catch_unwind(seeded) {
            eprintln!("ANSER_FUZZ_SEED={seed} fails");
            std::panic::resume_unwind(panic);
        }
    };
    if let Some(seed) = number("ANSER_FUZZ_SEED") {
        return run(seed);
    }
    (0..few).for_each(run);
    if let Some(seconds) = number("ANSER_FUZZ_SECONDS") {
        let until = deadline(seconds);
        let mut seed = few;
        while std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap() < until {
            run(seed);
            seed += 1;
        }
    }
}

fn deadline(seconds: u64) -> std::time::Duration {
    std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap() + std::time::Duration::from_secs(seconds)
}

/// Cuts bytes into pieces at random places.
pub(crate) fn pieces(random: &mut Random, bytes: &[u8]) -> Vec<Vec<u8>> {
    let mut rest = bytes;
    let mut pieces = Vec::new();
    while !rest.is_empty() {
        let most = if random.one_in(3) { 3 } else { rest.len() };
        let (piece, left) = rest.split_at(1 + random.below(most.min(rest.len())));
        pieces.push(piece.to_vec());
        rest = left;
    }
    pieces
}
