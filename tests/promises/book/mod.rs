//! What the book promises, whatever crashes, sleeps, fills up or rots.

mod checkpoints;
mod crash;
mod damage;
mod formats;
mod rules;
mod sources;
mod world;
mod zombie;
