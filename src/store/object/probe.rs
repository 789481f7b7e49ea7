//! Whether an object store keeps what commits rest on, tried with requests of this process.

use std::io::{self, ErrorKind};

use bytes::Bytes;
use object_store::{PutMode, PutOptions, PutPayload, UpdateVersion};

use super::calls;
use super::failure::{io_error, is_absent, is_condition};
use super::objects::Objects;
use super::ticket::Ticket;

/// How many requests race for one key, and how often.
const RACERS: usize = 16;
const ROUNDS: usize = 5;

/// Tries puts by condition, races of them, and an upload that must be invisible until it is completed.
///
/// # Errors
/// `Unsupported` with what the store did; any other error when it cannot be reached or refuses.
pub(super) fn probe(objects: &Objects, folder: &str) -> io::Result<()> {
    put_twice(objects, &format!("{folder}/probe-put"))?;
    replace_twice(objects, &format!("{folder}/probe-replace"))?;
    for round in 1..=ROUNDS {
        race(objects, &format!("{folder}/probe-race-{round}"), round)?;
    }
    upload(objects, &format!("{folder}/probe-upload"))
}

fn unsuitable(what: impl Into<String>) -> io::Error {
    io::Error::new(ErrorKind::Unsupported, what.into())
}

fn read(objects: &Objects, path: &str) -> io::Result<Option<Bytes>> {
    match objects.get(path, None) {
        Ok((_, bytes)) => Ok(Some(bytes)),
        Err(error) if is_absent(&error) => Ok(None),
        Err(error) => Err(io_error(error)),
    }
}

/// A key that is taken is not put again.
fn put_twice(objects: &Objects, path: &str) -> io::Result<()> {
    put_if_absent(objects, path, b"first")?;
    if read(objects, path)?.as_deref() != Some(b"first") {
        return Err(unsuitable("an object cannot be read right after it was put"));
    }
    match objects.put(path, b"second", PutMode::Create) {
        Ok(()) => return Err(unsuitable("a put with If-None-Match: * over a key that is taken was not refused")),
        Err(error) if is_condition(&error) => {}
        Err(error) => return Err(io_error(error)),
    }
    match read(objects, path)?.as_deref() {
        Some(b"first") => Ok(()),
        _ => Err(unsuitable("a put with If-None-Match: * was refused, and replaced the object all the same")),
    }
}

/// Puts the first object of a key of this probe.
fn put_if_absent(objects: &Objects, path: &str, bytes: &[u8]) -> io::Result<()> {
    match objects.put(path, bytes, PutMode::Create) {
        // A request that was sent again has met itself.
        Err(error) if is_condition(&error) => match read(objects, path)?.as_deref() == Some(bytes) {
            true => Ok(()),
            false => Err(unsuitable("a put with If-None-Match: * on a key that is free was refused")),
        },
        put => put.map_err(io_error),
    }
}

/// An object is not replaced if it is not the version that was read.
fn replace_twice(objects: &Objects, path: &str) -> io::Result<()> {
    put_if_absent(objects, path, b"first")?;
    let (about, _) = objects.get(path, None).map_err(io_error)?;
    let first = UpdateVersion { e_tag: about.e_tag, version: about.version };
    match objects.put(path, b"second", PutMode::Update(first.clone())) {
        Err(error) if is_condition(&error) && read(objects, path)?.as_deref() != Some(b"second") => {
            return Err(unsuitable("a put with If-Match of the object's own version was refused"));
        }
        Err(error) if !is_condition(&error) => return Err(io_error(error)),
        _ => {}
    }
    match objects.put(path, b"third", PutMode::Update(first)) {
        Ok(()) => Err(unsuitable("a put with If-Match of a version that was replaced before was not refused")),
        Err(error) if is_condition(&error) => Ok(()),
        Err(error) => Err(io_error(error)),
    }
}

/// Of several requests that put one key at the same time, one succeeds.
fn race(objects: &Objects, path: &str, round: usize) -> io::Result<()> {
    let text = |racer: usize| format!("racer {racer}");
    let mut racing = Vec::new();
    for racer in 0..RACERS {
        let (bucket, key) = (objects.bucket(), objects.key(path));
        let options = PutOptions { mode: PutMode::Create, ..PutOptions::default() };
        let payload = PutPayload::from(text(racer).into_bytes());
        racing.push(calls::begin(async move { bucket.put_opts(&key, payload, options).await })?);
    }
    let mut winners = Vec::new();
    for (racer, put) in racing.into_iter().enumerate() {
        match calls::finish(put)? {
            Ok(_) => winners.push(racer),
            Err(error) if is_condition(&error) => {}
            // The store is busy: it may have put it or not.
            Err(error) => tracing::debug!(%error, "a racing put failed"),
        }
    }
    let Some(present) = read(objects, path)? else {
        return Err(unsuitable(format!("of {RACERS} puts of one key at the same time none was done (round {round})")));
    };
    let is_present = |racer: &usize| text(*racer).as_bytes() == &present[..];
    match &winners[..] {
        // The answer of the one that is there was lost.
        [] => Ok(()),
        [winner] if is_present(winner) => Ok(()),
        [_] => Err(unsuitable(format!(
            "of {RACERS} puts of one key at the same time another is there than the one that succeeded (round {round})"
        ))),
        several => Err(unsuitable(format!(
            "of {RACERS} puts with If-None-Match: * of one key at the same time {} succeeded, where one must (round {round})",
            several.len()
        ))),
    }
}

/// An upload is invisible until it is completed, which may be repeated.
fn upload(objects: &Objects, path: &str) -> io::Result<()> {
    let upload = objects.begin_upload(path).map_err(io_error)?;
    let (key, id) = (objects.key(path), upload.clone());
    let part =
        objects.call(|bucket| async move { bucket.put_part(&key, &id, 0, PutPayload::from_static(b"part")).await });
    let part = part.map_err(io_error)?.content_id;
    let ticket = Ticket { path: path.to_owned(), upload, parts: Some(vec![part]), bytes: 4 };
    let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
    let is_listed = || Ok::<_, io::Error>(objects.list_all(folder, usize::MAX)?.iter().any(|listed| listed == path));
    if objects.head(path)?.is_some() || is_listed()? {
        return Err(unsuitable("an upload in parts was visible before it was completed"));
    }
    for time in ["completed", "completed again"] {
        ticket.complete(objects)?;
        if read(objects, path)?.as_deref() != Some(b"part") || !is_listed()? {
            return Err(unsuitable(format!("an upload in parts was not there after it was {time}")));
        }
    }
    Ok(())
}
