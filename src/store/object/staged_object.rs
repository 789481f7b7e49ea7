//! A file that is written to an object store: one object if it is small, the parts of an upload if it is not.

use std::collections::VecDeque;
use std::io::{self, ErrorKind, Write};
use std::mem;

use object_store::multipart::PartId;
use object_store::{PutMode, PutPayload, Result};
use tokio::task::JoinHandle;

use super::calls;
use super::failure::io_error;
use super::objects::Objects;
use super::ticket::{Ticket, ticket_path};
use crate::store::StoreFile;
use crate::store::layout::STAGING;

/// The name of the object that stands for a generation's folder.
pub(super) const GENERATION: &str = ".generation";
/// The parts of a file that are sent at the same time.
const MOST_SENDING: usize = 2;

/// A file being written.
pub(super) struct StagedObject {
    objects: Objects,
    path: String,
    /// Where it will be, if it is nowhere else before that.
    destination: Option<String>,
    part_bytes: usize,
    /// What is not sent yet.
    buffer: Vec<u8>,
    upload: Option<Upload>,
    is_ended: bool,
}

/// The parts that are sent.
struct Upload {
    ticket: Ticket,
    sending: VecDeque<JoinHandle<Result<PartId>>>,
    sent: Vec<String>,
    /// The number of parts that were begun.
    begun: usize,
}

impl StagedObject {
    pub(super) fn new(objects: Objects, path: &str, destination: Option<&str>, part_bytes: usize) -> StagedObject {
        StagedObject {
            objects,
            path: path.to_owned(),
            destination: destination.map(str::to_owned),
            part_bytes,
            buffer: Vec::new(),
            upload: None,
            is_ended: false,
        }
    }

    /// Begins to send a part.
    fn send(&mut self, part: Vec<u8>) -> io::Result<()> {
        let upload = match &mut self.upload {
            Some(upload) => upload,
            None => {
                expect_generation(&self.objects, &self.path)?;
                let key = self.destination.as_ref().unwrap_or(&self.path);
                let id = self.objects.begin_upload(key).map_err(io_error)?;
                let ticket = Ticket { path: key.clone(), upload: id, parts: None, bytes: 0 };
                let upload = Upload { ticket, sending: VecDeque::new(), sent: Vec::new(), begun: 0 };
                let upload = self.upload.insert(upload);
                upload.ticket.put(&self.objects, &self.path)?;
                upload
            }
        };
        while upload.sending.len() >= MOST_SENDING {
            upload.wait_for_first()?;
        }
        let (bucket, key, id) =
            (self.objects.bucket(), self.objects.key(&upload.ticket.path), upload.ticket.upload.clone());
        let number = upload.begun;
        upload.begun += 1;
        upload.ticket.bytes += part.len() as u64;
        let request = async move { bucket.put_part(&key, &id, number, PutPayload::from(part)).await };
        upload.sending.push_back(calls::begin(request)?);
        Ok(())
    }

    /// Seals the upload: a file in staging is completed at once, one with a destination when it is renamed to it.
    fn seal_upload(&mut self) -> io::Result<()> {
        let rest = mem::take(&mut self.buffer);
        if !rest.is_empty() {
            self.send(rest)?;
        }
        let Some(upload) = &mut self.upload else { return Ok(()) };
        while !upload.sending.is_empty() {
            upload.wait_for_first()?;
        }
        upload.ticket.parts = Some(mem::take(&mut upload.sent));
        match self.destination {
            Some(_) => {
                expect_generation(&self.objects, &self.path)?;
                upload.ticket.put(&self.objects, &self.path)
            }
            None => {
                if let Err(error) = upload.ticket.complete(&self.objects) {
                    // The start of a newer run ends the uploads of older ones.
                    expect_generation(&self.objects, &self.path)?;
                    return Err(error);
                }
                self.objects.delete(vec![ticket_path(&self.path)])
            }
        }
    }
}

impl Upload {
    fn wait_for_first(&mut self) -> io::Result<()> {
        let Some(first) = self.sending.pop_front() else { return Ok(()) };
        let part = calls::finish(first)?.map_err(io_error)?;
        self.sent.push(part.content_id);
        Ok(())
    }
}

impl Write for StagedObject {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.is_ended {
            return Err(io::Error::new(ErrorKind::Unsupported, "an object cannot be written to after it was put"));
        }
        // Parts of one size, which some stores require.
        let length = bytes.len().min(self.part_bytes - self.buffer.len());
        self.buffer.extend_from_slice(&bytes[..length]);
        if self.buffer.len() == self.part_bytes {
            let part = mem::take(&mut self.buffer);
            self.send(part)?;
        }
        Ok(length)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl StoreFile for StagedObject {
    fn sync(&mut self) -> io::Result<()> {
        if self.is_ended {
            return Ok(());
        }
        if self.upload.is_some() {
            self.seal_upload()?;
        } else {
            expect_generation(&self.objects, &self.path)?;
            self.objects.put(&self.path, &self.buffer, PutMode::Overwrite).map_err(io_error)?;
            self.buffer = Vec::new();
        }
        self.is_ended = true;
        Ok(())
    }
}

impl Drop for StagedObject {
    /// Ends the upload of a file that was not sealed, without waiting. Its ticket is removed with the generation.
    fn drop(&mut self) {
        let Some(Upload { ticket, sending, .. }) = self.upload.take().filter(|_| !self.is_ended) else { return };
        sending.iter().for_each(JoinHandle::abort);
        let (bucket, key) = (self.objects.bucket(), self.objects.key(&ticket.path));
        drop(calls::begin(async move { bucket.abort_multipart(&key, &ticket.upload).await }));
    }
}

/// The object that stands for the generation's folder in which a path is.
pub(super) fn generation_of(path: &str) -> Option<String> {
    let rest = path.strip_prefix(STAGING)?.strip_prefix('/')?;
    let (generation, _) = rest.split_once('/')?;
    Some(format!("{STAGING}/{generation}/{GENERATION}"))
}

/// Refuses a path in the folder of a generation that was swept.
///
/// # Errors
/// `NotFound` then.
pub(super) fn expect_generation(objects: &Objects, path: &str) -> io::Result<()> {
    match generation_of(path) {
        Some(generation) if objects.head(&generation)?.is_none() => {
            Err(io::Error::new(ErrorKind::NotFound, format!("{generation:?} is gone")))
        }
        _ => Ok(()),
    }
}
