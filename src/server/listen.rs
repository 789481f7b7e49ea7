//! Connections: how many, how long, and who waits for whom.

use std::net::TcpListener;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use axum::body::Body;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpStream;
use tokio::runtime::Builder;
use tokio::sync::Semaphore;
use tokio::time::sleep;
use tracing::{debug, warn};

use super::patience::Patient;
use super::routes::Answering;

/// Connections at the same time.
const CONNECTIONS: usize = 1_024;
/// How long a client may take to send the head of a request, or rest between two.
const HEAD: Duration = Duration::from_secs(20);
/// Bytes of the head of a request.
const HEAD_BYTES: usize = 32 << 10;
/// Threads that read files; tasks of the server itself never wait for a disk.
const FILE_THREADS: usize = 4;
/// So many tasks are run until new requests are looked for: some of them write a megabyte.
const TASKS: u32 = 8;
/// How long nothing is accepted after the system has refused to.
const REFUSED: Duration = Duration::from_millis(100);

/// Answers on a thread of its own, as long as the process lives.
pub(super) fn begin(listener: TcpListener, answering: Answering) -> std::io::Result<()> {
    listener.set_nonblocking(true)?;
    // One thread: a page is answered from memory, and the workers of a run need the others.
    let mut runtime = Builder::new_current_thread();
    runtime
        .enable_io()
        .enable_time()
        .event_interval(TASKS)
        .max_blocking_threads(FILE_THREADS)
        .thread_name("serve-files");
    let runtime = runtime.build()?;
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
    let connections = Arc::new(Semaphore::new(CONNECTIONS));
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
