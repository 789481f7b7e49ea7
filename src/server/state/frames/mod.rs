//! The states that the clients of the stream are sent, and what changed between them.

mod changes;
#[expect(clippy::module_inception, reason = "the file of the folder's main type")]
mod frames;

pub(in crate::server) use changes::Changes;
pub(in crate::server) use frames::{Frame, FrameChanges, FrameDelta, Frames, MAX_TEXT_BYTES};
