//! What goes wrong in a run.

use super::{Draft, Fault, Step};
use crate::cluster::Going;
use crate::disk::DiskWeather;
use crate::network::NetworkWeather;
use crate::pipe::Cut;

impl Draft<'_> {
    fn push(&mut self, fault: Fault) {
        let at = self.at();
        self.plan.steps.push((at, Step::Fault(fault)));
    }

    /// Each kind of trouble comes in most runs, and is absent from some: what one hides, another
    /// shows.
    pub(super) fn faults(&mut self) {
        if self.random.chance(700) {
            for _ in 0..self.random.between(1, 5) {
                let node = self.random.index(self.plan.nodes);
                let going = match self.random.chance(700) {
                    true => Going::Crash,
                    false => Going::Stop,
                };
                let down_ms = *self.random.pick(&[50, 500, 2_000, 8_000]);
                self.push(Fault::End(node, going, down_ms));
            }
        }
        if self.random.chance(600) {
            for _ in 0..self.random.between(1, 4) {
                let (from, to) = (
                    self.random.index(self.plan.nodes),
                    self.random.index(self.plan.nodes),
                );
                let ms = self.random.below(8_000);
                match self.random.chance(500) {
                    true => self.push(Fault::Isolate(from, ms)),
                    false => self.push(Fault::CutNodes(from, to, ms)),
                }
            }
        }
        if self.random.chance(600) {
            for _ in 0..self.random.between(1, 4) {
                let weather = NetworkWeather {
                    drop: *self.random.pick(&[0, 10, 50, 300]),
                    slow: *self.random.pick(&[0, 50, 300]),
                    slow_ms: *self.random.pick(&[20, 400, 2_500]),
                };
                self.push(Fault::Network(weather));
            }
        }
        if self.random.chance(700) {
            for _ in 0..self.random.between(1, 4) {
                let weather = self.disk_weather();
                self.push(Fault::Disk(weather));
            }
        }
        if self.random.chance(800) {
            self.cuts(12);
        }
        if self.random.chance(400) {
            for node in 0..self.plan.nodes {
                let ms = i64::try_from(self.random.below(6_000)).expect("small") - 3_000;
                self.push(Fault::Skew(node, ms));
            }
        }
    }

    /// Connections break and stall; rarely a node goes or the store has a bad moment.
    pub(super) fn few_faults(&mut self) {
        if self.random.chance(600) {
            self.cuts(3);
        }
        if self.random.chance(100) {
            let node = self.random.index(self.plan.nodes);
            let going = *self.random.pick(&[Going::Crash, Going::Stop]);
            self.push(Fault::End(node, going, 500));
        }
        if self.random.chance(100) {
            let weather = self.disk_weather();
            self.push(Fault::Disk(weather));
        }
    }

    fn cuts(&mut self, most: u64) {
        for _ in 0..self.random.between(1, most) {
            let device = self.random.index(self.plan.devices.len());
            let cut = [
                Cut::Told,
                Cut::Told,
                Cut::DeviceTold,
                Cut::ServerTold,
                Cut::Silent,
            ];
            let cut = *self.random.pick(&cut);
            let ms = self.random.below(10_000);
            match self.random.chance(800) {
                true => self.push(Fault::CutDevice(device, cut)),
                false => self.push(Fault::Stall(device, ms)),
            }
        }
    }

    fn disk_weather(&mut self) -> DiskWeather {
        let random = &mut *self.random;
        DiskWeather {
            conflict: *random.pick(&[0, 0, 20, 100]),
            refused: *random.pick(&[0, 0, 20, 100]),
            unknown_applied: *random.pick(&[0, 10, 100]),
            unknown_lost: *random.pick(&[0, 10, 100]),
            unknown_late: *random.pick(&[0, 0, 20, 50]),
            read_error: *random.pick(&[0, 0, 5, 50]),
            slow_sync: *random.pick(&[0, 20, 300]),
            slow_ms: *random.pick(&[20, 200, 3_000]),
            slow_read: *random.pick(&[0, 0, 100, 500]),
        }
    }
}
