//! Connections: how many, how long, and who waits for whom.

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
use tokio::sync::Semaphore;
use tokio::time::sleep;
use tracing::{debug, warn};

use super::aside::THREADS;
use super::patience::Patient;
use super::routes::Answering;

/// Connections at the same time, where the process may have so many files.
const CONNECTIONS: usize = 1_024;
/// Files that a process may have open, where the system lets it raise its limit so far.
const FILES: u64 = 8_192;
/// How long a client may take to send the head of a request, or rest between two.
const HEAD: Duration = Duration::from_secs(20);
/// Bytes of the head of a request.
const HEAD_BYTES: usize = 32 << 10;
/// So many tasks are run until new requests are looked for: some of them write a megabyte.
const TASKS: u32 = 8;
/// No thread is given back before.
const FOR_EVER: Duration = Duration::from_secs(u32::MAX as u64);
/// How long nothing is accepted after the system has refused to.
const REFUSED: Duration = Duration::from_millis(100);

/// Answers on a thread of its own, as long as the process lives.
pub(super) fn begin(listener: TcpListener, answering: Answering) -> std::io::Result<()> {
    listener.set_nonblocking(true)?;
    // One thread: a page is answered from memory, and the workers of a run need the others.
    let mut runtime = Builder::new_current_thread();
    runtime.enable_io().enable_time().event_interval(TASKS).max_blocking_threads(THREADS).thread_name("serve-aside");
    // All threads now, and for ever: where the system has none left for another one, that would end the process, and with it
    // the run beside which it serves.
    let runtime = runtime.thread_keep_alive(FOR_EVER).build()?;
    let all = Arc::new(Barrier::new(THREADS));
    for _ in 0..THREADS {
        let all = Arc::clone(&all);
        runtime.spawn_blocking(move || all.wait());
    }
    thread::Builder::new().name("serve".to_owned()).spawn(move || {
        runtime.block_on(async move {
            match tokio::net::TcpListener::from_std(listener) {
                Ok(listener) => accept(listener, answering).await,
                Err(error) => warn!(%error, "could not listen"),
            }
        });
    })?;
    Ok(())
}

async fn accept(listener: tokio::net::TcpListener, answering: Answering) {
    let connections = Arc::new(Semaphore::new(most_connections()));
    loop {
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                // Too many open files, or a client that was gone at once.
                debug!(%error, "could not accept a connection");
                sleep(REFUSED).await;
                continue;
            }
        };
        // One too many is closed at once: others may wait for the same reason that this one would.
        let Ok(permit) = Arc::clone(&connections).try_acquire_owned() else { continue };
        let answering = answering.clone();
        tokio::spawn(async move {
            let _permit = permit;
            answer(stream, answering).await;
        });
    }
}

/// How many connections are taken: never more than half of the files that the process may have open, for a run in it must be
/// able to open its own.
fn most_connections() -> usize {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    // None: as many as there are.
    let wanted = maximum.map_or(FILES, |maximum| maximum.min(FILES));
    if current.is_some_and(|current| current < wanted) {
        let raised = setrlimit(Resource::Nofile, Rlimit { current: Some(wanted), maximum });
        raised.unwrap_or_else(|error| debug!(%error, "could not raise the limit of open files"));
    }
    let half = getrlimit(Resource::Nofile).current.map_or(CONNECTIONS, |files| (files / 2) as usize);
    half.min(CONNECTIONS)
}

async fn answer(stream: TcpStream, answering: Answering) {
    // A delta is small, and should not wait for another one.
    let _ = stream.set_nodelay(true);
    let service = service_fn(move |request: hyper::Request<hyper::body::Incoming>| {
        let answering = answering.clone();
        async move { Ok::<_, std::convert::Infallible>(answering.answer(request.map(Body::new)).await) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD)
        .max_buf_size(HEAD_BYTES)
        .serve_connection(TokioIo::new(Patient::new(stream)), service);
    if let Err(error) = connection.await {
        debug!(%error, "a connection ended");
    }
}
