//! Files and standard input, through the binary: each record counts once, at its byte, whatever stands in it, however the
//! file grows and whichever run is killed.

mod book_gone;
mod compressed;
mod ends;
mod forms;
mod growth;
mod records;
mod refusals;
mod rejects;
mod world;
