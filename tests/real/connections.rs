//! Connections work as those of `psql`: passwords, TLS, sockets, several hosts; tested through `slot status`.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use tempfile::TempDir;

use crate::book::{Ended, Running};
use crate::capture::Capture;
use crate::certificates::Certificates;
use crate::database::Database;
use crate::environment;
use crate::server::Server;
use crate::topic::Topic;

/// A user's home folder and environment.
struct User {
    home: TempDir,
    variables: Vec<(&'static str, String)>,
}

impl User {
    fn new() -> User {
        User { home: environment::folder("home"), variables: Vec::new() }
    }

    fn set(&mut self, name: &'static str, value: &str) {
        self.variables.retain(|(variable, _)| *variable != name);
        self.variables.push((name, value.to_owned()));
    }

    /// Writes a file in the home.
    fn write(&self, name: &str, content: &[u8], mode: u32) {
        let path = self.home.path().join(name);
        fs::create_dir_all(path.parent().expect("a path inside the home")).expect("the home is ours");
        fs::write(&path, content).expect("the home is ours");
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("the home is ours");
    }

    fn tries(&self, postgres: &str) -> Ended {
        let mut walbook = Command::new(env!("CARGO_BIN_EXE_walbook"));
        for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("PG")) {
            walbook.env_remove(name);
        }
        walbook.env("HOME", self.home.path()).envs(self.variables.iter().map(|(name, value)| (name, value)));
        walbook.args(["slot", "status", "--postgres", postgres]);
        Running::start(walbook, self.home.path()).wait(Duration::from_secs(60))
    }

    #[track_caller]
    fn gets_in(&self, postgres: &str) {
        self.tries(postgres).expect_code(0);
    }

    /// Fails with exit code 2 and these words, none of which is the password.
    #[track_caller]
    fn is_refused(&self, postgres: &str, words: &[&str]) {
        let ended = self.tries(postgres);
        ended.expect_code(2);
        ended.expect_said(words);
        assert!(!ended.stderr.contains("secret"), "{}", ended.stderr);
    }
}

#[test]
fn passwords_are_found_where_psql_finds_them() {
    let server = Server::start("passwords", &[]);
    server.script(
        "set password_encryption = 'md5'; create role old login password 'secret-old';
         set password_encryption = 'scram-sha-256'; create role new login password 'secret: new';
         create role bare login password 'secret'; alter role bare set log_statement = 'none'",
    );
    server.admit("host all old all md5\nhost all new all scram-sha-256\nhost all bare all password");
    let url = |who: &str| format!("{}/postgres", server.url_as(who));
    let mut user = User::new();

    user.gets_in(&url("old:secret-old"));
    user.gets_in(&url("new:secret%3A%20new"));
    user.gets_in(&url("bare:secret"));
    let words = url("new").replace("postgresql://new@127.0.0.1:", "host=127.0.0.1 user=new port=");
    user.gets_in(&format!("{} password='secret: new'", words.replace("/postgres", " dbname=postgres")));

    user.is_refused(&url("old:secret-wrong"), &["password authentication failed for user \"old\"", "28P01"]);
    user.is_refused(&url("new:secret-wrong"), &["password authentication failed for user \"new\""]);
    user.is_refused(&url("new"), &["asks for the password of \"new\"", "PGPASSWORD", "~/.pgpass"]);

    user.write(".pgpass", b"# mine\n*:1:*:*:no\n127.0.0.1:*:postgres:new:secret\\: new\n*:*:*:*:secret-old\n", 0o600);
    user.gets_in(&url("new"));
    user.gets_in(&url("old"));
    user.is_refused(&url("bare"), &["password authentication failed", "the password came from", ".pgpass"]);
    user.write(".pgpass", b"*:*:*:new:secret: new\n", 0o644);
    user.is_refused(&url("new"), &["ignored: others may read it", "chmod 600", "asks for the password"]);
    user.write("elsewhere", b"*:*:*:new:secret\\: new\n", 0o600);
    let elsewhere = user.home.path().join("elsewhere");
    user.set("PGPASSFILE", &elsewhere.display().to_string());
    user.gets_in(&url("new"));

    user.set("PGPASSWORD", "secret-old");
    user.gets_in(&url("old"));
    user.is_refused(&url("new"), &["password authentication failed"]);
    user.gets_in(&url("new:secret%3A%20new"));
}

#[test]
fn each_sslmode_does_what_it_promises() {
    let certificates = Certificates::new();
    certificates.make_self_signed("authority", "/CN=walbook test authority");
    certificates.make_self_signed("other", "/CN=another authority");
    certificates.make_signed("server", "authority", "/CN=unused", "subjectAltName=DNS:localhost,DNS:db.example.org");
    certificates.make_signed("client", "authority", "/CN=holder", "extendedKeyUsage=clientAuth");
    // As in PostgreSQL's guide: self-signed, with nothing but a common name.
    certificates.make_self_signed("simple", "/CN=localhost");
    certificates.give_to_the_server("server");
    let file = |name: &str| certificates.path(name).display().to_string();
    let settings = [
        "ssl=on".to_owned(),
        format!("ssl_cert_file={}", file("server.crt")),
        format!("ssl_key_file={}", file("server.key")),
        format!("ssl_ca_file={}", file("authority.crt")),
    ];
    let server = Server::start("tls", &settings.each_ref().map(String::as_str));
    server.script("create role safe login; create role open login; create role holder login");
    server.admit(
        "hostssl all safe all trust\nhostnossl all safe all reject\nhostnossl all open all trust\n\
         hostssl all open all reject\nhostssl all holder all cert\nhostnossl all holder all reject",
    );
    let at = |who: &str, host: &str, more: &str| {
        format!("{}/postgres?{more}", server.url_as(who).replace("127.0.0.1", host))
    };
    let local = |who: &str, more: &str| at(who, "127.0.0.1", more);
    let mut user = User::new();

    for (mode, safe, open) in
        [("disable", false, true), ("allow", true, true), ("prefer", true, true), ("require", true, false)]
    {
        for (role, allowed) in [("safe", safe), ("open", open)] {
            let url = local(role, &format!("sslmode={mode}"));
            if allowed { user.gets_in(&url) } else { user.is_refused(&url, &["28000", role]) }
        }
    }
    user.gets_in(&local("safe", ""));
    user.set("PGSSLMODE", "disable");
    user.is_refused(&local("safe", ""), &["28000"]);
    user.set("PGSSLMODE", "prefer");

    // Whether the server is genuine.
    let root = |name: &str| format!("sslrootcert={}", file(name));
    let (trusted, untrusted) = (root("authority.crt"), root("other.crt"));
    user.is_refused(&local("safe", "sslmode=verify-ca"), &["there is no file", ".postgresql/root.crt", "sslrootcert"]);
    user.is_refused(&local("safe", &format!("sslmode=verify-ca&{untrusted}")), &["no root certificate signed"]);
    user.is_refused(&local("safe", &format!("sslmode=require&{untrusted}")), &["no root certificate signed"]);
    user.is_refused(&local("safe", "sslmode=verify-full&sslrootcert=system"), &["TLS"]);
    user.gets_in(&local("safe", &format!("sslmode=require&{trusted}")));
    user.gets_in(&local("safe", &format!("sslmode=verify-ca&{trusted}")));
    user.gets_in(&at("safe", "localhost", &format!("sslmode=verify-full&{trusted}")));
    user.is_refused(&local("safe", &format!("sslmode=verify-full&{trusted}")), &["localhost", "not for \"127.0.0.1\""]);
    let named = format!("sslmode=verify-full&{trusted}&hostaddr=127.0.0.1");
    user.gets_in(&at("safe", "db.example.org", &named));
    user.is_refused(&at("safe", "other.example.org", &named), &["not for \"other.example.org\""]);
    user.write(".postgresql/root.crt", &fs::read(file("authority.crt")).expect("it was made"), 0o644);
    user.gets_in(&local("safe", "sslmode=verify-ca"));

    // Whether this client is.
    user.is_refused(&local("holder", "sslmode=require"), &["certificate"]);
    let mine = format!("sslmode=require&sslcert={}&sslkey={}", file("client.crt"), file("client.key"));
    user.gets_in(&local("holder", &mine));
    user.is_refused(&local("holder", &format!("{mine}x")), &["client.keyx"]);
    let key = fs::read(file("client.key")).expect("it was made");
    user.write(".postgresql/postgresql.crt", &fs::read(file("client.crt")).expect("it was made"), 0o644);
    user.write(".postgresql/postgresql.key", &key, 0o644);
    user.is_refused(&local("holder", "sslmode=require"), &["others may read the key", "chmod 600"]);
    user.write(".postgresql/postgresql.key", &key, 0o600);
    user.gets_in(&local("holder", "sslmode=require"));
    fs::remove_dir_all(user.home.path().join(".postgresql")).expect("the home is ours");
    let other = format!("sslmode=require&sslcert={}&sslkey={}", file("other.crt"), file("other.key"));
    user.is_refused(&local("holder", &other), &["TLS", "client certificate"]);

    // A self-signed certificate, with nothing but a common name.
    certificates.exchange("server", "simple");
    server.script("select pg_reload_conf()");
    let simple = root("simple.crt");
    let began = std::time::Instant::now();
    while user.tries(&at("safe", "localhost", &format!("sslmode=verify-full&{simple}"))).code() != Some(0) {
        assert!(began.elapsed() < Duration::from_secs(20), "the new certificate is not used");
    }
    user.is_refused(&local("safe", &format!("sslmode=verify-full&{simple}")), &["another name"]);
    user.is_refused(&local("safe", &format!("sslmode=verify-ca&{trusted}")), &["signed by itself", "sslrootcert"]);
}

#[test]
fn a_login_is_bound_to_its_tls_connection() {
    let certificates = Certificates::new();
    certificates.make_self_signed("server", "/CN=localhost");
    certificates.give_to_the_server("server");
    let file = |name: &str| certificates.path(name).display().to_string();
    let settings = [
        "ssl=on".to_owned(),
        format!("ssl_cert_file={}", file("server.crt")),
        format!("ssl_key_file={}", file("server.key")),
    ];
    let server = Server::start("bound", &settings.each_ref().map(String::as_str));
    server.script(
        "set password_encryption = 'scram-sha-256';
         create role bound login replication password 'secret'; create role open login replication;
         set password_encryption = 'md5'; create role old login replication password 'secret-old'",
    );
    server.admit("host all bound all scram-sha-256\nhost all open all trust\nhost all old all md5");
    let url = |login: &str, settings: &str| format!("{}/postgres?{settings}", server.url_as(login));
    let user = User::new();

    for mode in ["disable", "prefer", "require"] {
        user.gets_in(&url("bound:secret", &format!("sslmode=require&channel_binding={mode}")));
    }
    user.gets_in(&url("bound:secret", "sslmode=disable"));
    user.is_refused(&url("bound:secret", "sslmode=disable&channel_binding=require"), &["cannot bind the login"]);
    user.is_refused(&url("bound:wrong", "sslmode=require&channel_binding=require"), &["28P01"]);
    for login in ["open", "old:secret-old"] {
        user.gets_in(&url(login, "sslmode=require"));
        user.is_refused(&url(login, "sslmode=require&channel_binding=require"), &["cannot bind the login"]);
    }

    // A slot is created and read on connections for replication too.
    let database = Database::bare(&server.url(), "bound");
    database.script("create table t (id int)");
    let mut capture = Capture::new(&database, &Topic::nowhere(environment::brokers(), "bound", 1));
    let settings = "sslmode=require&channel_binding=require";
    capture.url = format!("{}/{}?{settings}", server.url_as("bound:secret"), database.name);
    capture.first();
    database.script("insert into t values (1)");
    capture.once(&[]);
    assert_eq!(capture.topic.stored_records(), 1);
}

#[test]
fn changes_stream_over_tls() {
    let certificates = Certificates::new();
    certificates.make_self_signed("server", "/CN=localhost");
    certificates.give_to_the_server("server");
    let file = |name: &str| certificates.path(name).display().to_string();
    let settings = [
        "ssl=on".to_owned(),
        format!("ssl_cert_file={}", file("server.crt")),
        format!("ssl_key_file={}", file("server.key")),
    ];
    let server = Server::start("stream", &settings.each_ref().map(String::as_str));
    server.script("create role safe login replication");
    server.admit("hostssl all safe all trust\nhostnossl all safe all reject");
    let database = Database::bare(&server.url(), "stream");
    database.script("create table t (id int primary key, filler text)");
    let mut capture = Capture::new(&database, &Topic::nowhere(environment::brokers(), "stream", 1));
    capture.url = format!(
        "{}/{}?sslmode=verify-full&sslrootcert={}",
        server.url_as("safe").replace("127.0.0.1", "localhost"),
        database.name,
        file("server.crt")
    );
    capture.first();
    // Lines of all sizes, across the boundaries of TLS records and of our buffer.
    database.script(
        "insert into t select n, repeat('x', n % 300) from generate_series(1, 50000) n;
         insert into t select n, repeat('y', n) from generate_series(50001, 50020) n;
         insert into t values (0, repeat('z', 900000))",
    );
    capture.once(&[]);
    assert_eq!(capture.topic.stored_records(), 50_021);
}

#[test]
fn a_server_without_tls_is_only_reached_in_modes_that_allow_it() {
    let url = |mode: &str| format!("{}/postgres?sslmode={mode}", environment::postgres());
    let user = User::new();
    for mode in ["disable", "allow", "prefer"] {
        user.gets_in(&url(mode));
    }
    for mode in ["require", "verify-full&sslrootcert=system"] {
        user.is_refused(&url(mode), &["the server has no TLS"]);
    }
}

#[test]
fn sockets_and_several_hosts_are_tried() {
    let folder = environment::folder("socket");
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o777)).expect("the folder is ours");
    let server = Server::start("sockets", &[&format!("unix_socket_directories={}", folder.path().display())]);
    server.script("create role reader login; alter role reader set default_transaction_read_only = on");
    server.admit("local all reader scram-sha-256\nlocal all all trust\nhost all reader all trust");
    let (_, port) =
        server.url().rsplit_once(':').map(|(host, port)| (host.to_owned(), port.to_owned())).expect("a port");
    let socket = |path: &Path| path.display().to_string().replace('/', "%2F");
    let mut user = User::new();

    user.gets_in(&format!("postgresql://postgres@:{port}/postgres?host={}", socket(folder.path())));
    user.gets_in(&format!("postgresql://postgres@{}:{port}/postgres?sslmode=require", socket(folder.path())));
    user.gets_in(&format!("host={} port={port} user=postgres", folder.path().display()));
    user.is_refused(&format!("host={} port={port} user=reader", folder.path().display()), &["asks for the password"]);
    user.set("PGHOST", &folder.path().display().to_string());
    user.set("PGPORT", &port);
    user.set("PGUSER", "postgres");
    user.gets_in("postgresql://");
    user.is_refused("postgresql://?colour=red", &["no connection key like that of parameter 1"]);

    let dead = environment::free_port();
    user.gets_in(&format!("postgresql://postgres@127.0.0.1:{dead},127.0.0.1:{port}/postgres"));
    let both = user.tries(&format!("postgresql://postgres@127.0.0.1:{dead},[::1]:{dead}/postgres"));
    both.expect_code(1);
    both.expect_said(&["any of its hosts", &format!("127.0.0.1:{dead}"), &format!("[::1]:{dead}")]);

    let who =
        |who: &str, kind: &str| format!("postgresql://{who}@127.0.0.1:{port}/postgres?target_session_attrs={kind}");
    user.gets_in(&who("postgres", "read-write"));
    user.gets_in(&who("reader", "primary"));
    let refused = user.tries(&who("reader", "read-write"));
    refused.expect_code(1);
    refused.expect_said(&["read-only", "target_session_attrs=read-write"]);
    user.is_refused(&who("reader", "standby"), &["any, read-write and primary"]);
}
