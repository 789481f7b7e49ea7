//! What those who look at a book are promised: the API's answers are the book's, byte for byte, durable and live, and
//! nobody who should not see them does.

mod answers;
mod client;
mod guard;
mod live;
mod stream;
