//! Where a server may be: hosts, addresses and ports as libpq's lists name them.

use std::fmt;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::path::{Path, PathBuf};

/// Where Debian's and the original's servers put their sockets: libpq looks only into the one it was built for.
const SOCKET_FOLDERS: [&str; 2] = ["/var/run/postgresql", "/tmp"];

/// A host and its port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Host {
    place: Place,
    pub(super) port: u16,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Place {
    /// A name, and the address that stands for it if one was given.
    Name { name: String, address: Option<IpAddr> },
    /// The folder of a Unix socket; `None`: where servers put it by default.
    Folder(Option<PathBuf>),
}

/// How to reach a host.
pub(super) enum Route {
    Tcp(Vec<SocketAddr>),
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
            Ok(Host { place: Place::new(text(&names, place), &text(&addresses, place))?, port: port_number(&port)? })
        };
        (0..count).map(host).collect()
    }

    /// The name that a certificate must hold; `None` for a socket, where there is no TLS.
    pub(super) fn name(&self) -> Option<&str> {
        match &self.place {
            Place::Name { name, .. } => Some(name),
            Place::Folder(_) => None,
        }
    }

    /// The names that a line of the password file may give it.
    pub(super) fn names(&self) -> Vec<&str> {
        match &self.place {
            Place::Name { name, .. } => vec![name],
            Place::Folder(None) => vec!["localhost"],
            Place::Folder(Some(folder)) => {
                let default = SOCKET_FOLDERS.iter().any(|default| Path::new(default) == folder);
                folder.to_str().into_iter().chain(default.then_some("localhost")).collect()
            }
        }
    }

    /// Looks up the name, or finds the socket.
    pub(super) fn route(&self) -> std::io::Result<Route> {
        match &self.place {
            Place::Name { address: Some(address), .. } => Ok(Route::Tcp(vec![SocketAddr::new(*address, self.port)])),
            Place::Name { name, .. } => Ok(Route::Tcp((name.as_str(), self.port).to_socket_addrs()?.collect())),
            Place::Folder(folder) => {
                let socket = |folder: &Path| folder.join(format!(".s.PGSQL.{}", self.port));
                let defaults = || SOCKET_FOLDERS.map(|folder| socket(Path::new(folder)));
                let default = || defaults().into_iter().find(|path| path.exists()).unwrap_or(defaults()[0].clone());
                Ok(Route::Unix(folder.as_deref().map_or_else(default, socket)))
            }
        }
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let port = self.port;
        match &self.place {
            Place::Name { name, .. } if name.contains(':') => write!(f, "[{name}]:{port}"),
            Place::Name { name, .. } => write!(f, "{name}:{port}"),
            Place::Folder(Some(folder)) => write!(f, "{}/.s.PGSQL.{port}", folder.display()),
            Place::Folder(None) => {
                write!(f, "the socket .s.PGSQL.{port} in {} or {}", SOCKET_FOLDERS[0], SOCKET_FOLDERS[1])
            }
        }
    }
}

impl Place {
    fn new(name: String, address: &str) -> Result<Place, String> {
        let address: Option<IpAddr> = match address {
            "" => None,
            address => Some(address.parse().map_err(|_| format!("hostaddr {address:?} is no IP address"))?),
        };
        Ok(match (name.as_str(), address) {
            ("", None) => Place::Folder(None),
            ("", Some(address)) => Place::Name { name: address.to_string(), address: Some(address) },
            (folder, None) if folder.starts_with('/') => Place::Folder(Some(PathBuf::from(folder))),
            _ => Place::Name { name, address },
        })
    }
}

/// A port; 5432 where nothing is said. What was said is not repeated: it may be the rest of a password.
fn port_number(text: &str) -> Result<u16, String> {
    match text {
        "" => Ok(5432),
        text => text.parse().ok().filter(|port| *port > 0).ok_or_else(|| "a port is no number from 1 to 65535".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::Host;

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
    fn the_password_file_calls_a_default_socket_localhost() {
        let names = |host: &str| Host::list(host, "", "").expect("a host")[0].names().join(" ");
        assert_eq!(names(""), "localhost");
        assert_eq!(names("/tmp"), "/tmp localhost");
        assert_eq!(names("/run/pg"), "/run/pg");
        assert_eq!(names("db"), "db");
    }
}
