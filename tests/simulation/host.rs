//! The machine of one simulated run: its time is the history's, and its tasks wait for their turn.

use std::sync::Mutex;
use std::time::Instant;

use walbook::control::{Host, Task};

use super::world::World;

/// The machine as a run sees it.
pub(crate) struct SimulatedHost {
    world: World,
    base: Instant,
    tasks: Mutex<Vec<Option<Box<dyn Task>>>>,
}

impl SimulatedHost {
    /// A machine without tasks.
    pub(crate) fn new(world: World) -> SimulatedHost {
        SimulatedHost { world, base: Instant::now(), tasks: Mutex::default() }
    }

    /// Lets one of the tasks do a job, if it has one.
    pub(crate) fn run_task(&self) {
        let count = self.tasks.lock().expect("no panic").len();
        if count == 0 {
            return;
        }
        let number = self.world.below(count);
        let task = self.tasks.lock().expect("no panic")[number].take();
        if let Some(mut task) = task {
            task.run_ready();
            self.tasks.lock().expect("no panic")[number] = Some(task);
        }
    }
}

impl Host for SimulatedHost {
    fn now(&self) -> Instant {
        self.base + self.world.time()
    }

    fn start(&self, _name: &str, task: Box<dyn Task>) {
        self.tasks.lock().expect("no panic").push(Some(task));
    }
}
