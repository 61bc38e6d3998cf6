//! Threads that do nothing but look into pictures, so that however slow that is, nothing else
//! waits for it.

use std::fs::File;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};

use futures::channel::oneshot;
use image::ImageFormat;
use parking_lot::Mutex;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::picture::{Picture, PictureLimits, look};

/// Milliseconds, of any clock that goes forward.
pub type Clock = Arc<dyn Fn() -> u64 + Send + Sync>;

struct Job {
    path: PathBuf,
    format: ImageFormat,
    answer: oneshot::Sender<Option<Picture>>,
    /// Taken until the job is done, also if nobody waits for it any more.
    _place: OwnedSemaphorePermit,
}

/// The threads. Dropping the last handle ends them.
#[derive(Clone)]
pub struct Pictures {
    jobs: Sender<Job>,
    /// As many as threads: who waits, waits before its job is made.
    places: Arc<Semaphore>,
}

impl Pictures {
    /// Starts `threads` of them.
    ///
    /// # Errors
    /// The system has no threads left.
    pub fn start(threads: usize, limits: &PictureLimits, clock: &Clock) -> io::Result<Self> {
        let (jobs, queue) = channel();
        let queue = Arc::new(Mutex::new(queue));
        for number in 0..threads.max(1) {
            let (queue, limits, clock) = (queue.clone(), limits.clone(), clock.clone());
            std::thread::Builder::new()
                .name(format!("anser-picture-{number}"))
                .spawn(move || work(&queue, &limits, &clock))?;
        }
        Ok(Self {
            jobs,
            places: Arc::new(Semaphore::new(threads.max(1))),
        })
    }

    /// Looks into a picture. `None`: it is none, or costs too much.
    pub(crate) async fn look(&self, path: PathBuf, format: ImageFormat) -> Option<Picture> {
        let place = self.places.clone().acquire_owned().await.ok()?;
        let (answer, picture) = oneshot::channel();
        let job = Job {
            path,
            format,
            answer,
            _place: place,
        };
        self.jobs.send(job).ok()?;
        picture.await.ok().flatten()
    }
}

fn work(queue: &Mutex<Receiver<Job>>, limits: &PictureLimits, clock: &Clock) {
    loop {
        let job = queue.lock().recv();
        let Ok(job) = job else {
            return;
        };
        let end = clock().saturating_add(limits.time_ms_max);
        let expired = || clock() > end;
        let looking = || {
            let file = File::open(&job.path).ok()?;
            look(file, job.format, limits, &expired).ok()
        };
        // A decoder that panics takes its picture along, not the thread.
        let picture = std::panic::catch_unwind(std::panic::AssertUnwindSafe(looking));
        // Whoever asked may have gone.
        drop(job.answer.send(picture.ok().flatten()));
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;

    use super::*;

    #[test]
    fn a_job_that_nobody_waits_for_keeps_its_place_until_it_is_done() {
        let (go, wait) = channel::<()>();
        let wait = Mutex::new(wait);
        // The thread stands at the clock until it may go.
        let clock: Clock = Arc::new(move || {
            let _ = wait.lock().recv();
            0
        });
        let pictures = Pictures::start(1, &PictureLimits::default(), &clock).unwrap();
        let look = || pictures.look(PathBuf::from("/nowhere"), ImageFormat::Png);
        assert!(look().now_or_never().is_none());
        assert_eq!(pictures.places.available_permits(), 0);
        drop(go);
        assert!(futures::executor::block_on(look()).is_none());
    }
}
