//! TLS as libpq's users expect it: its settings, the handshake, and how certificates are verified.

pub(in crate::postgres) mod certificate;
pub(in crate::postgres) mod tls_settings;
pub(in crate::postgres) mod verify;
