//! The page in the browser: HTML, CSS and JavaScript without a build step.
//!
//! In: requests for `/` and `/assets/`. Out: the files of the folder `assets`. Promised: the page uses nothing but the API.

pub(in crate::server) mod assets;
