//! What the book promises, whatever crashes, sleeps, fills up or rots.

#[path = "book/crash.rs"]
mod crash;
#[path = "book/damage.rs"]
mod damage;
#[path = "book/formats.rs"]
mod formats;
#[path = "book/rules.rs"]
mod rules;
#[path = "book/world.rs"]
mod world;
#[path = "book/zombie.rs"]
mod zombie;
