//! What the leader knows of a worker: whether it has read records in the open epoch, and may have more at hand.

use crate::change::TickRequest;

/// Decides which requests a worker sends, at most two in an epoch. Whatever it said last holds until it says otherwise, also in
/// later epochs, so a worker that has said that records flow says when there are no more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flow {
    /// The leader expects nothing of this worker, and no record of this epoch was reported.
    Quiet,
    /// Records of this epoch were reported.
    Flowing,
    /// Records of this epoch were reported, and later that there are no more.
    CaughtUp,
    /// Records of an earlier epoch were reported, and nothing since.
    FlowingBefore,
}

impl Flow {
    /// The request to send after a poll.
    pub(super) fn after_poll(&mut self, has_records: bool, worker: usize) -> Option<TickRequest> {
        let (next, request) = match (*self, has_records) {
            (Flow::Quiet | Flow::FlowingBefore, true) => (Flow::Flowing, TickRequest::Flowing(worker)),
            (Flow::Flowing, false) => (Flow::CaughtUp, TickRequest::CaughtUp(worker)),
            (Flow::FlowingBefore, false) => (Flow::Quiet, TickRequest::CaughtUp(worker)),
            _ => return None,
        };
        *self = next;
        Some(request)
    }

    /// The epoch has ended.
    pub(super) fn tick(&mut self) {
        *self = match self {
            Flow::Flowing | Flow::FlowingBefore => Flow::FlowingBefore,
            Flow::Quiet | Flow::CaughtUp => Flow::Quiet,
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FLOWING: Option<TickRequest> = Some(TickRequest::Flowing(3));
    const CAUGHT_UP: Option<TickRequest> = Some(TickRequest::CaughtUp(3));

    #[test]
    fn each_epoch_has_at_most_two_requests() {
        let mut flow = Flow::Quiet;
        assert_eq!(
            [false, true, true, false, true, false].map(|records| flow.after_poll(records, 3)),
            [None, FLOWING, None, CAUGHT_UP, None, None]
        );
        flow.tick();
        assert_eq!([true, false].map(|records| flow.after_poll(records, 3)), [FLOWING, CAUGHT_UP]);
    }

    #[test]
    fn a_worker_whose_records_end_with_an_epoch_says_so_in_the_next() {
        let mut flow = Flow::Quiet;
        assert_eq!(flow.after_poll(true, 3), FLOWING);
        flow.tick();
        flow.tick();
        assert_eq!(flow.after_poll(false, 3), CAUGHT_UP);
        assert_eq!(flow.after_poll(false, 3), None);
        // Records of the same epoch are still to be reported.
        assert_eq!(flow.after_poll(true, 3), FLOWING);
        flow.tick();
        assert_eq!(flow.after_poll(true, 3), FLOWING);
    }
}
