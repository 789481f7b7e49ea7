//! The result: what was measured, as JSON, as Markdown and as pictures.

pub(crate) mod figures;
pub(crate) mod machine;
pub(crate) mod markdown;
pub(crate) mod musts;
pub(crate) mod plots;
pub(crate) mod results;

pub(crate) use machine::{Machine, version};
pub(crate) use results::{Figure, LeftOut, Report, Row, Run, Standing};
