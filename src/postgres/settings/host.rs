//! A host of the server: its name, address or socket folder, and its port, as libpq's lists give them.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};

/// The default socket folders of Debian and of the original; a libpq knows only the one that it was built for.
const SOCKET_FOLDERS: [&str; 2] = ["/var/run/postgresql", "/tmp"];

/// A host and its port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::postgres) struct Host {
    location: HostLocation,
    pub(super) port: u16,
    /// The one address to connect to, instead of all that a lookup of the name finds.
    pinned: Option<SocketAddr>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum HostLocation {
    /// A name, and the address given for it, if any.
    Name { name: String, address: Option<IpAddr> },
    /// The folder of a Unix socket; `None`: the default one.
    Folder(Option<PathBuf>),
}

/// What to connect a socket to.
pub(in crate::postgres) enum SocketTarget<'a> {
    /// A name that has to be looked up, and a port.
    Name(&'a str, u16),
    Address(SocketAddr),
    Unix(PathBuf),
}

impl Host {
    /// The hosts of three lists with commas: as many ports as hosts, or one for all.
    pub(super) fn list(hosts: &str, addresses: &str, ports: &str) -> Result<Vec<Host>, String> {
        let (names, addresses): (Vec<&str>, Vec<&str>) = (hosts.split(',').collect(), addresses.split(',').collect());
        let ports: Vec<&str> = ports.split(',').collect();
        let count = if hosts.is_empty() { addresses.len() } else { names.len() };
        if !hosts.is_empty() && addresses != [""] && addresses.len() != names.len() {
            return Err(format!("{} host names, but {} host addresses", names.len(), addresses.len()));
        }
        if ports.len() != 1 && ports.len() != count {
            return Err(format!("{count} hosts, but {} ports", ports.len()));
        }
        let text = |list: &[&str], place: usize| list.get(place).map(|text| text.trim().to_owned()).unwrap_or_default();
        let host = |place: usize| {
            let port = text(&ports, if ports.len() == 1 { 0 } else { place });
            Ok(Host {
                location: HostLocation::new(text(&names, place), &text(&addresses, place))?,
                port: port_number(&port)?,
                pinned: None,
            })
        };
        (0..count).map(host).collect()
    }

    /// The same host at this address only. The name stays: for certificates, the password file and messages.
    pub(in crate::postgres) fn pinned_to(&self, address: SocketAddr) -> Host {
        Host { pinned: Some(address), ..self.clone() }
    }

    /// The name that a certificate must hold; `None` for a socket, where there is no TLS.
    pub(in crate::postgres) fn name(&self) -> Option<&str> {
        match &self.location {
            HostLocation::Name { name, .. } => Some(name),
            HostLocation::Folder(_) => None,
        }
    }

    /// The names that match it in a line of the password file.
    pub(super) fn names(&self) -> Vec<&str> {
        match &self.location {
            HostLocation::Name { name, .. } => vec![name],
            HostLocation::Folder(None) => vec!["localhost"],
            HostLocation::Folder(Some(folder)) => {
                let default = SOCKET_FOLDERS.iter().any(|default| Path::new(default) == folder);
                folder.to_str().into_iter().chain(default.then_some("localhost")).collect()
            }
        }
    }

    /// What to connect a socket to.
    pub(in crate::postgres) fn target(&self) -> SocketTarget<'_> {
        if let Some(address) = self.pinned {
            return SocketTarget::Address(address);
        }
        match &self.location {
            HostLocation::Name { name, address } => match address.or_else(|| name.parse().ok()) {
                Some(address) => SocketTarget::Address(SocketAddr::new(address, self.port)),
                None => SocketTarget::Name(name, self.port),
            },
            HostLocation::Folder(folder) => {
                let socket = |folder: &Path| folder.join(format!(".s.PGSQL.{}", self.port));
                let defaults = || SOCKET_FOLDERS.map(|folder| socket(Path::new(folder)));
                let default = || defaults().into_iter().find(|path| path.exists()).unwrap_or(defaults()[0].clone());
                SocketTarget::Unix(folder.as_deref().map_or_else(default, socket))
            }
        }
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let port = self.port;
        match &self.location {
            HostLocation::Name { name, .. } if name.contains(':') => write!(f, "[{name}]:{port}"),
            HostLocation::Name { name, .. } => write!(f, "{name}:{port}"),
            HostLocation::Folder(Some(folder)) => write!(f, "{}/.s.PGSQL.{port}", folder.display()),
            HostLocation::Folder(None) => {
                write!(f, "the socket .s.PGSQL.{port} in {} or {}", SOCKET_FOLDERS[0], SOCKET_FOLDERS[1])
            }
        }
    }
}

impl HostLocation {
    fn new(name: String, address: &str) -> Result<HostLocation, String> {
        let address: Option<IpAddr> = match address {
            "" => None,
            address => Some(address.parse().map_err(|_| format!("hostaddr {address:?} is no IP address"))?),
        };
        Ok(match (name.as_str(), address) {
            ("", None) => HostLocation::Folder(None),
            ("", Some(address)) => HostLocation::Name { name: address.to_string(), address: Some(address) },
            (folder, None) if folder.starts_with('/') => HostLocation::Folder(Some(PathBuf::from(folder))),
            _ => HostLocation::Name { name, address },
        })
    }
}

/// A port, 5432 by default. The error does not repeat the text: it may be the rest of a password.
fn port_number(text: &str) -> Result<u16, String> {
    match text {
        "" => Ok(5432),
        text => text.parse().ok().filter(|port| *port > 0).ok_or_else(|| "a port is no number from 1 to 65535".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::{Host, SocketTarget};

    fn listed(hosts: &str, addresses: &str, ports: &str) -> String {
        match Host::list(hosts, addresses, ports) {
            Ok(list) => list.iter().map(Host::to_string).collect::<Vec<_>>().join(" "),
            Err(error) => error,
        }
    }

    #[test]
    fn lists_of_hosts_and_ports_go_together() {
        assert_eq!(listed("a,b", "", ""), "a:5432 b:5432");
        assert_eq!(listed("a,b", "", "7"), "a:7 b:7");
        assert_eq!(listed("a,b", "", "7,"), "a:7 b:5432");
        assert_eq!(listed("::1,/run/pg", "", "7,8"), "[::1]:7 /run/pg/.s.PGSQL.8");
        assert_eq!(listed("", "10.0.0.1,10.0.0.2", ""), "10.0.0.1:5432 10.0.0.2:5432");
        assert_eq!(listed("a", "10.0.0.1", ""), "a:5432");
        assert!(listed("", "", "").starts_with("the socket .s.PGSQL.5432"));
        assert_eq!(listed("a,b", "", "1,2,3"), "2 hosts, but 3 ports");
        assert_eq!(listed("a,b", "10.0.0.1", ""), "2 host names, but 1 host addresses");
        assert_eq!(listed("a", "nowhere", ""), "hostaddr \"nowhere\" is no IP address");
        assert!(listed("a", "", "cret").contains("no number"));
    }

    #[test]
    fn a_pinned_host_keeps_its_name_but_is_not_looked_up() {
        let host = &Host::list("db", "", "7").expect("a host")[0];
        let address = "10.0.0.2:7".parse().expect("an address");
        let pinned = host.pinned_to(address);
        assert!(matches!(host.target(), SocketTarget::Name("db", 7)));
        assert!(matches!(pinned.target(), SocketTarget::Address(found) if found == address));
        assert_eq!((pinned.to_string().as_str(), pinned.name(), pinned.names()), ("db:7", Some("db"), vec!["db"]));
    }

    #[test]
    fn the_password_file_calls_a_default_socket_localhost() {
        let names = |host: &str| Host::list(host, "", "").expect("a host")[0].names().join(" ");
        assert_eq!(names(""), "localhost");
        assert_eq!(names("/tmp"), "/tmp localhost");
        assert_eq!(names("/run/pg"), "/run/pg");
        assert_eq!(names("db"), "db");
    }
}
