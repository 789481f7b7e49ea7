//! Work that an operator hands over because it may block: on disk, on network.

use std::sync::mpsc::{Receiver, Sender, channel};

use timely::scheduling::SyncActivator;

use super::{Host, Task};

/// An operator's ends of the channels to its task, which does one job after the other and wakes the operator after each.
pub struct Background<Job, Reply> {
    jobs: Sender<Job>,
    replies: Receiver<Reply>,
}

impl<Job: Send + 'static, Reply: Send + 'static> Background<Job, Reply> {
    /// Starts a task that answers each job by `work`; it ends with the operator, or when `work` gives no reply.
    pub fn start(
        host: &dyn Host,
        name: &str,
        wake: SyncActivator,
        work: impl FnMut(Job) -> Option<Reply> + Send + 'static,
    ) -> Background<Job, Reply> {
        let (jobs, todo) = channel();
        let (done, replies) = channel();
        host.start(name, Box::new(JobLoop { todo, done, wake, work: Some(work) }));
        Background { jobs, replies }
    }

    /// Hands over a job; one that comes after the task's end is dropped: a task ends early only after a failure, which
    /// stops the worker as well.
    pub fn send(&self, job: Job) {
        let _ = self.jobs.send(job);
    }

    /// The next reply, if there is one; replies come in the order of their jobs.
    pub fn try_recv(&self) -> Option<Reply> {
        self.replies.try_recv().ok()
    }
}

struct JobLoop<Job, Reply, Work> {
    todo: Receiver<Job>,
    done: Sender<Reply>,
    wake: SyncActivator,
    /// `None` once it has ended.
    work: Option<Work>,
}

impl<Job, Reply, Work: FnMut(Job) -> Option<Reply>> JobLoop<Job, Reply, Work> {
    fn answer(&mut self, job: Job) {
        let reply = self.work.as_mut().and_then(|work| work(job));
        let answered = reply.is_some_and(|reply| self.done.send(reply).is_ok() && self.wake.activate().is_ok());
        if !answered {
            self.work = None;
        }
    }
}

impl<Job: Send, Reply: Send, Work: FnMut(Job) -> Option<Reply> + Send> Task for JobLoop<Job, Reply, Work> {
    fn run(&mut self) {
        while self.work.is_some()
            && let Ok(job) = self.todo.recv()
        {
            self.answer(job);
        }
    }

    fn run_ready(&mut self) -> bool {
        match self.todo.try_recv() {
            Ok(job) if self.work.is_some() => {
                self.answer(job);
                true
            }
            _ => false,
        }
    }
}
