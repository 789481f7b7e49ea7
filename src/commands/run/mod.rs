//! `walbook run`: records → book, exactly once; in this process, or in one that this process supervises.

mod process;
mod reject_report;
mod supervised;

pub(super) use process::run;
