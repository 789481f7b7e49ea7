//! The promises of pruning: the events and rejects of old days go at one entry, whatever stops or races; counts, views and everything newer stay.

mod answers;
mod command;
mod crash;
mod swept;
