//! What walbook promises, each promise a file; everything runs in memory, on the real dataflow and the real book.

mod counts_match_the_loop;
