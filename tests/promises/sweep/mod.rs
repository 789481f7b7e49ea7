//! The promises of a sweep of the log: the same book from fewer entries, whatever stops, races or is damaged, and whoever reads meanwhile.

mod asleep;
mod command;
mod crash;
mod damage;
mod old_books;
mod readers;
mod scale;
mod world;
