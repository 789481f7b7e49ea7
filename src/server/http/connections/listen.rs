//! Connections: their number, their time limits, and the threads that serve them.

use std::net::TcpListener;
use std::sync::{Arc, Barrier};
use std::thread;
use std::time::Duration;

use axum::body::Body;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::net::TcpStream;
use tokio::runtime::Builder;
use tokio::time::sleep;
use tracing::{debug, warn};

use super::idle::{Connection, Connections};
use super::write_timeout::WriteTimeoutStream;
use crate::server::http::blocking::BLOCKING_THREADS;
use crate::server::http::routes::{HEAD_BYTES, RequestHandler};

/// Connections at the same time, if the limit of open files permits.
const MOST_CONNECTIONS: usize = 1_024;
/// The limit of open files that the process sets for itself, if the system permits.
const OPEN_FILES: u64 = 8_192;
/// How long a client may take to send the head of a request, or pause between two requests.
const HEAD_TIMEOUT: Duration = Duration::from_secs(20);
/// Tasks that run between two checks for new requests: some of them write a megabyte.
const EVENT_INTERVAL: u32 = 8;
/// Blocking threads do not end when they are idle.
const THREAD_KEEP_ALIVE: Duration = Duration::from_secs(u32::MAX as u64);
/// How long no connection is accepted after an error.
const ACCEPT_RETRY_INTERVAL: Duration = Duration::from_millis(100);

/// Serves connections on a thread of its own until the process ends, first those that wait.
pub(in crate::server) fn begin(
    listener: TcpListener,
    waiting: Vec<std::net::TcpStream>,
    handler: RequestHandler,
) -> std::io::Result<()> {
    listener.set_nonblocking(true)?;
    // One thread: most answers come from memory, and the workers of a run need the other processors.
    let mut runtime = Builder::new_current_thread();
    runtime
        .enable_io()
        .enable_time()
        .event_interval(EVENT_INTERVAL)
        .max_blocking_threads(BLOCKING_THREADS)
        .thread_name("serve-blocking");
    // Start all threads now and keep them: tokio panics when it cannot start one later, which would end the run of this
    // process as well.
    let runtime = runtime.thread_keep_alive(THREAD_KEEP_ALIVE).build()?;
    let all = Arc::new(Barrier::new(BLOCKING_THREADS));
    for _ in 0..BLOCKING_THREADS {
        let all = Arc::clone(&all);
        runtime.spawn_blocking(move || all.wait());
    }
    thread::Builder::new().name("serve".to_owned()).spawn(move || {
        runtime.block_on(async move {
            match tokio::net::TcpListener::from_std(listener) {
                Ok(listener) => accept(listener, waiting, handler).await,
                Err(error) => warn!(%error, "could not listen"),
            }
        });
    })?;
    Ok(())
}

async fn accept(listener: tokio::net::TcpListener, waiting: Vec<std::net::TcpStream>, handler: RequestHandler) {
    let connections = Connections::new(most_connections());
    for stream in waiting {
        // One that is broken is dropped.
        let stream = stream.set_nonblocking(true).and_then(|()| TcpStream::from_std(stream));
        if let (Ok(stream), Some(connection)) = (stream, connections.admit().await) {
            tokio::spawn(answer(stream, connection, handler.clone()));
        }
    }
    loop {
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                // Too many open files, or the client disconnected at once.
                debug!(%error, "could not accept a connection");
                sleep(ACCEPT_RETRY_INTERVAL).await;
                continue;
            }
        };
        // Close the connection instead of letting it wait: a waiting one would also hold a file.
        let Some(connection) = connections.admit().await else { continue };
        tokio::spawn(answer(stream, connection, handler.clone()));
    }
}

/// How many connections are accepted: at most half of the files that the process may open, as its run needs files too.
fn most_connections() -> usize {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    // `None` means unlimited.
    let wanted = maximum.map_or(OPEN_FILES, |maximum| maximum.min(OPEN_FILES));
    if current.is_some_and(|current| current < wanted) {
        let raised = setrlimit(Resource::Nofile, Rlimit { current: Some(wanted), maximum });
        raised.unwrap_or_else(|error| debug!(%error, "could not raise the limit of open files"));
    }
    let half = getrlimit(Resource::Nofile).current.map_or(MOST_CONNECTIONS, |files| (files / 2) as usize);
    half.min(MOST_CONNECTIONS)
}

async fn answer(stream: TcpStream, connection: Connection, handler: RequestHandler) {
    // Send small deltas at once.
    let _ = stream.set_nodelay(true);
    let service = service_fn(|request: hyper::Request<hyper::body::Incoming>| {
        let handler = handler.clone();
        let answer = connection.answering(async move { handler.answer(request.map(Body::new)).await });
        async move { Ok::<_, std::convert::Infallible>(answer.await) }
    });
    let stream = WriteTimeoutStream::new(stream, connection.activity());
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_buf_size(HEAD_BYTES)
        .serve_connection(TokioIo::new(stream), service);
    tokio::select! {
        ended = served => {
            if let Err(error) = ended {
                debug!(%error, "a connection ended");
            }
        }
        () = connection.evicted() => debug!("closed an idle connection: there are too many"),
    }
}
