//! World time for a simulator that others talk to: it follows a clock or stands still, and can be advanced.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::clock::{Clock, Sleep, Timestamp};

/// World time.
#[derive(Debug)]
pub struct WorldClock {
    base: Arc<dyn Clock>,
    /// Where it stands still; none: it follows the base.
    still: Option<Timestamp>,
    advanced: Mutex<Duration>,
}

impl WorldClock {
    /// Shows what `base` shows, plus what was advanced.
    pub fn following(base: Arc<dyn Clock>) -> Self {
        Self {
            base,
            still: None,
            advanced: Mutex::new(Duration::ZERO),
        }
    }

    /// Shows `start`, plus what was advanced; waiting still waits as `base` does.
    pub fn still(start: Timestamp, base: Arc<dyn Clock>) -> Self {
        Self {
            base,
            still: Some(start),
            advanced: Mutex::new(Duration::ZERO),
        }
    }

    /// Moves world time on.
    pub fn advance(&self, by: Duration) {
        let mut advanced = self.advanced.lock().unwrap_or_else(PoisonError::into_inner);
        *advanced = advanced.saturating_add(by);
    }

    /// The time of the clock below, which clients sign with who know of no world time.
    pub fn base_now(&self) -> Timestamp {
        self.base.now()
    }
}

impl Clock for WorldClock {
    fn now(&self) -> Timestamp {
        let advanced = *self.advanced.lock().unwrap_or_else(PoisonError::into_inner);
        self.still.unwrap_or_else(|| self.base.now()).plus(advanced)
    }

    fn sleep(&self, duration: Duration) -> Sleep {
        self.base.sleep(duration)
    }
}
