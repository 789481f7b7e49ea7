//! Where to listen, as people write it.

use std::net::{SocketAddr, ToSocketAddrs};

/// Reads `127.0.0.1:8321`, `[::1]:8321` or `localhost:8321`; of a name's addresses the first counts.
///
/// # Errors
/// What is wrong, for whoever typed it.
pub(super) fn read(text: &str) -> Result<SocketAddr, String> {
    let form = "an address and a port belong together, as in 127.0.0.1:8321";
    let mut addresses = text.to_socket_addrs().map_err(|error| format!("{form} ({error})"))?;
    addresses.next().ok_or_else(|| format!("the name has no address; {form}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_and_names_with_a_port_are_read() {
        for text in ["127.0.0.1:8321", "[::1]:8321", "localhost:8321"] {
            let address = read(text).expect("an address");
            assert!(address.ip().is_loopback() && address.port() == 8321, "{text}: {address}");
        }
        for text in ["8321", "localhost", "127.0.0.1:99999", "", ":"] {
            assert!(read(text).is_err(), "{text}");
        }
    }
}
