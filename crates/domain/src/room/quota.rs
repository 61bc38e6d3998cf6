//! How many messages a room takes.
//!
//! Time is cut into windows of [`ROOM_WINDOW_MS`]. In each, a room takes so many ordinary messages,
//! of which a part is reserved: those of class low may only use the rest. Beyond, only protected
//! ones are taken, so many more. What comes when its share is used up is dropped: the last come
//! lose, and the low first, since less is theirs. The numbers are RongCloud's, and settings.

use super::Class;
use crate::limits::ROOM_WINDOW_MS;
use crate::time::Timestamp;

/// What a room takes in a window.
#[derive(Copy, Clone, Eq, PartialEq, Debug)]
pub struct Shares {
    /// Messages of all classes, protected ones included as long as there is room.
    pub ordinary: u32,
    /// How many of these are not for class low.
    pub reserved: u32,
    /// Protected messages beyond.
    pub protected: u32,
}

/// What was taken in the present window.
#[derive(Copy, Clone, Eq, PartialEq, Debug, Default)]
pub struct Quota {
    window: u64,
    ordinary: u32,
    low: u32,
    protected: u32,
}

impl Quota {
    /// Takes a message of this class, or does not.
    pub fn take(&mut self, shares: Shares, class: Class, now: Timestamp) -> bool {
        let window = now.0 / ROOM_WINDOW_MS;
        // A clock that jumps back begins a window as well.
        if window != self.window {
            *self = Self {
                window,
                ..Self::default()
            };
        }
        let has_room = self.ordinary < shares.ordinary;
        match class {
            Class::Low if !has_room => return false,
            Class::Low => {
                if self.low >= shares.ordinary.saturating_sub(shares.reserved) {
                    return false;
                }
                self.low += 1;
                self.ordinary += 1;
            }
            Class::High | Class::Protected if has_room => self.ordinary += 1,
            Class::High => return false,
            Class::Protected => {
                if self.protected >= shares.protected {
                    return false;
                }
                self.protected += 1;
            }
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SHARES: Shares = Shares {
        ordinary: 40,
        reserved: 20,
        protected: 20,
    };

    fn taken(quota: &mut Quota, class: Class, count: usize, now: u64) -> usize {
        (0..count)
            .filter(|_| quota.take(SHARES, class, Timestamp(now)))
            .count()
    }

    #[test]
    fn forty_in_a_window_and_twenty_of_them_are_not_for_the_low() {
        let mut quota = Quota::default();
        assert_eq!(taken(&mut quota, Class::Low, 100, 1_000), 20);
        assert_eq!(taken(&mut quota, Class::High, 100, 1_100), 20);
        assert_eq!(taken(&mut quota, Class::Low, 100, 1_199), 0);
        assert_eq!(
            taken(&mut quota, Class::High, 100, 1_200),
            40,
            "a new window"
        );
        assert_eq!(
            taken(&mut quota, Class::Low, 1, 1_200),
            0,
            "high may use all"
        );
    }

    #[test]
    fn protected_messages_have_twenty_more_and_then_they_too_are_dropped() {
        let mut quota = Quota::default();
        assert_eq!(taken(&mut quota, Class::High, 50, 0), 40);
        assert_eq!(taken(&mut quota, Class::Protected, 50, 0), 20);
        let mut quota = Quota::default();
        assert_eq!(taken(&mut quota, Class::Protected, 100, 0), 60);
        assert_eq!(taken(&mut quota, Class::High, 1, 0), 0);
    }

    fn classes() -> impl Strategy<Value = Vec<(u64, Class)>> {
        let class = prop_oneof![Just(Class::Low), Just(Class::High), Just(Class::Protected)];
        prop::collection::vec((0_u64..20, class), 0..400)
    }

    proptest! {
        /// No window takes more than its shares, and nothing is dropped that had a share left.
        #[test]
        fn a_window_is_used_up_and_never_more(steps in classes()) {
            let (mut quota, mut now) = (Quota::default(), 0);
            let (mut window, mut low, mut ordinary, mut extra) = (0, 0, 0, 0);
            for (wait, class) in steps {
                now += wait;
                if now / ROOM_WINDOW_MS != window {
                    (window, low, ordinary, extra) = (now / ROOM_WINDOW_MS, 0, 0, 0);
                }
                let free = match class {
                    Class::Low => low < 20 && ordinary < 40,
                    Class::High => ordinary < 40,
                    Class::Protected => ordinary < 40 || extra < 20,
                };
                prop_assert_eq!(quota.take(SHARES, class, Timestamp(now)), free);
                if free && ordinary < 40 {
                    ordinary += 1;
                    low += u32::from(class == Class::Low);
                } else if free {
                    extra += 1;
                }
            }
        }
    }
}
