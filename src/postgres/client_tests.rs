//! Tests of both clients against a server that sends prepared bytes.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use super::settings::SocketTarget;
use super::{ConnectSettings, PostgresError, ReplicationClient, SqlClient};
use crate::change::Classified;

const AUTHENTICATION_OK: &[u8] = &[0; 4];
const CLEARTEXT_PASSWORD: &[u8] = &[0, 0, 0, 3];

fn message(tag: u8, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len() + 4).expect("a short message");
    [&[tag], &length.to_be_bytes()[..], body].concat()
}

fn error(severity: &str, code: &str, text: &str) -> Vec<u8> {
    message(b'E', format!("S{severity}\0V{severity}\0C{code}\0M{text}\0\0").as_bytes())
}

fn ready() -> Vec<u8> {
    message(b'Z', b"I")
}

/// A login without a password.
fn login() -> Vec<u8> {
    [message(b'R', AUTHENTICATION_OK), message(b'K', &[0; 8]), ready()].concat()
}

/// Serves one connection: sends an answer for each message that it receives, then closes it. An empty answer keeps the
/// client waiting.
fn serve(answers: Vec<Vec<u8>>, more_settings: &str) -> ConnectSettings {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = listener.local_addr().expect("it is bound").port();
    thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("a client");
        for answer in answers {
            receive(&mut stream);
            if answer.is_empty() {
                receive(&mut stream);
            }
            stream.write_all(&answer).expect("the client is connected");
        }
    });
    let text = format!("host=127.0.0.1 port={port} user=u passfile=/nowhere sslmode=disable {more_settings}");
    ConnectSettings::parse(&text).expect("valid settings")
}

/// Waits for one message, or the end of the connection.
fn receive(stream: &mut TcpStream) {
    let _ = stream.read(&mut [0; 4096]);
}

/// Connects with both clients, each to a server of its own.
fn connect_both(answers: &[Vec<u8>], more_settings: &str) -> [PostgresError; 2] {
    let settings = || serve(answers.to_vec(), more_settings);
    [
        SqlClient::connect(&settings(), &[]).expect_err("the login fails"),
        ReplicationClient::connect(&settings(), &[]).expect_err("the login fails"),
    ]
}

#[test]
fn a_fatal_error_of_any_sqlstate_is_reported_in_the_servers_words() {
    let fatal = error("FATAL", "40001", "terminating connection due to conflict with recovery");
    let mut sql = SqlClient::connect(&serve(vec![login(), fatal.clone()], ""), &[]).expect("a session");
    let mut replication = ReplicationClient::connect(&serve(vec![login(), fatal.clone()], ""), &[]).expect("a session");
    let stream = ReplicationClient::connect(&serve(vec![login(), fatal], ""), &[]).expect("a session");
    let errors = [
        sql.query("SELECT 1").expect_err("the session ends"),
        replication.identify_system().expect_err("the session ends"),
        stream.copy_both("START_REPLICATION").err().expect("the session ends"),
    ];
    for error in errors {
        assert!(error.to_string().contains("conflict with recovery (SQLSTATE 40001)"), "{error}");
        assert!(error.is_retryable() && !error.is_usage());
    }
    assert!(sql.query("SELECT 1").expect_err("it has ended").is_retryable());
}

#[test]
fn a_second_connection_goes_to_the_address_of_the_first() {
    let settings = serve(vec![login()], "host=localhost");
    let client = ReplicationClient::connect(&settings, &[]).expect("a session");
    assert!(matches!(settings.hosts()[0].target(), SocketTarget::Name(..)));
    let hosts = settings.at(&client).hosts().to_vec();
    assert!(matches!(hosts[0].target(), SocketTarget::Address(address) if address.ip().is_loopback()));
    assert_eq!((hosts.len(), hosts[0].name()), (1, Some("localhost")));
}

#[test]
fn a_session_is_usable_after_an_error() {
    let refused = || [error("ERROR", "42601", "syntax error"), ready()].concat();
    let columns = message(b'T', b"\0\x01a\0\0\0\0\0\0\0\0\0\0\x19\xff\xff\xff\xff\xff\xff\0\0");
    let row = message(b'D', b"\0\x01\0\0\0\x017");
    let answer = [columns, row, message(b'C', b"SELECT 1\0"), ready()].concat();
    let mut sql = SqlClient::connect(&serve(vec![login(), refused(), answer], ""), &[]).expect("a session");
    let error = sql.query("SELEC").expect_err("a syntax error");
    assert!(error.code() == Some("42601") && error.is_usage() && !error.is_retryable());
    let rows = sql.query("SELECT 7 AS a").expect("an answer");
    assert_eq!((rows.len(), rows[0].get("a"), rows[0].get("b")), (1, Some("7"), None));
}

#[test]
fn waiting_for_an_answer_has_a_limit() {
    let mut sql = SqlClient::connect(&serve(vec![login(), Vec::new()], ""), &[]).expect("a session");
    let error = sql.query_within("SELECT 1", Duration::from_millis(50)).expect_err("there is no answer");
    assert!(error.to_string().contains("no answer within") && error.is_retryable(), "{error}");
}

#[test]
fn a_connection_that_the_server_closes_is_broken() {
    let settings = || serve(vec![login()], "");
    let mut sql = SqlClient::connect(&settings(), &[]).expect("a session");
    let mut replication = ReplicationClient::connect(&settings(), &[]).expect("a session");
    for error in [sql.query("SELECT 1").err(), replication.identify_system().err()] {
        let error = error.expect("it is closed");
        assert!(matches!(error, PostgresError::Broken { .. }) && error.is_retryable(), "{error}");
    }
}

#[test]
fn a_server_of_another_protocol_is_recognized_by_its_first_bytes() {
    let long = || message(b'N', &[0; 100_000]);
    for answer in [b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec(), b"SSH-2.0\r\n".to_vec(), vec![0xff; 9], long()] {
        let error = ReplicationClient::connect(&serve(vec![answer], ""), &[]).expect_err("it is no login");
        assert!(error.to_string().contains("is not PostgreSQL") && error.is_usage(), "{error}");
    }
    let no_process = b"Ecould not fork new process for connection\n\0".to_vec();
    let error = ReplicationClient::connect(&serve(vec![no_process], ""), &[]).expect_err("it is no login");
    assert!(error.to_string().contains("could not start a session") && error.is_retryable(), "{error}");

    let mut client = ReplicationClient::connect(&serve(vec![login(), long()], ""), &[]).expect("a session");
    let error = client.identify_system().expect_err("the server closes the connection");
    assert!(error.to_string().contains("closed the connection"), "a long message is allowed after the login: {error}");
}

#[test]
fn a_missing_password_is_reported_before_anything_is_sent() {
    for error in connect_both(&[message(b'R', CLEARTEXT_PASSWORD)], "") {
        assert!(error.to_string().contains("asks for the password of \"u\"") && error.is_usage(), "{error}");
    }
}

#[test]
fn an_authentication_method_that_is_not_supported_is_named() {
    let gss = message(b'R', &[0, 0, 0, 7]);
    let sasl = message(b'R', b"\0\0\0\x0aOAUTHBEARER\0\0");
    for (method, password) in [(gss, ""), (sasl, "password=p")] {
        for error in connect_both(std::slice::from_ref(&method), password) {
            assert!(error.to_string().contains("scram-sha-256") && error.is_usage(), "{error}");
        }
    }
}

#[test]
fn a_required_channel_binding_with_a_server_without_tls_is_reported_as_such() {
    for error in connect_both(&[b"N".to_vec()], "sslmode=prefer channel_binding=require") {
        assert!(error.to_string().contains("no TLS, which channel_binding=require needs"), "{error}");
    }
}

#[test]
fn a_required_channel_binding_is_never_skipped() {
    let scram = message(b'R', b"\0\0\0\x0aSCRAM-SHA-256-PLUS\0SCRAM-SHA-256\0\0");
    for offer in [login(), message(b'R', CLEARTEXT_PASSWORD), message(b'R', &[0, 0, 0, 5, 1, 2, 3, 4]), scram] {
        for error in connect_both(std::slice::from_ref(&offer), "password=secret channel_binding=require") {
            assert!(error.to_string().contains("channel_binding=require") && error.is_usage(), "{error}");
        }
    }
}
