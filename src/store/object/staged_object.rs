//! A file that is written to an object store: one object if it is small, the parts of an upload if it is not.
//!
//! The writer does not wait for requests: an upload is begun, and its parts are sent, by a task ([`Upload`]). Only a part that finds two
//! others on their way, and one more waiting, keeps the writer until there is room: a file has at most four parts in memory.

use std::io::{self, ErrorKind, Write};
use std::mem;

use object_store::PutMode;

use super::calls;
use super::failure::io_error;
use super::generation::expect_generation;
use super::objects::Objects;
use super::ticket::{Ticket, ticket_path};
use super::upload::Upload;
use crate::store::StoreFile;

/// A file being written.
pub(super) struct StagedObject {
    objects: Objects,
    path: String,
    /// Where it will be, if it is nowhere else before that.
    destination: Option<String>,
    part_bytes: usize,
    /// What is not sent yet.
    buffer: Vec<u8>,
    /// Its parts, if it is large. Dropped, the upload is aborted without waiting; its ticket is removed with the generation.
    upload: Option<Upload>,
    is_ended: bool,
    /// Whether an operation has failed: what was written is not whole any more.
    has_failed: bool,
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
            has_failed: false,
        }
    }

    /// Does what must not be repeated after a failure.
    fn once(&mut self, operation: impl FnOnce(&mut StagedObject) -> io::Result<()>) -> io::Result<()> {
        if self.has_failed {
            return Err(io::Error::other("an operation on this object has failed before"));
        }
        let done = operation(self);
        self.has_failed = done.is_err();
        done
    }

    /// Puts a small file as one object.
    fn put(&mut self) -> io::Result<()> {
        expect_generation(&self.objects, &self.path)?;
        self.objects.put(&self.path, &self.buffer, PutMode::Overwrite).map_err(io_error)?;
        self.buffer = Vec::new();
        Ok(())
    }

    fn send(&mut self, part: Vec<u8>) -> io::Result<()> {
        let upload = match &mut self.upload {
            Some(upload) => upload,
            None => {
                let destination = self.destination.as_ref().unwrap_or(&self.path);
                self.upload.insert(Upload::begin(&self.objects, &self.path, destination)?)
            }
        };
        upload.send(part)
    }

    /// Seals the upload: a file in staging is completed at once, one with a destination when it is renamed to it.
    fn seal_upload(&mut self) -> io::Result<()> {
        let rest = mem::take(&mut self.buffer);
        if !rest.is_empty() {
            self.send(rest)?;
        }
        let Some(upload) = self.upload.take() else { return Ok(()) };
        let ticket = upload.finish()?;
        let sealed = self.seal(&ticket);
        if sealed.is_err() {
            let (ticket, objects) = (ticket.clone(), self.objects.clone());
            calls::wait(async move { ticket.abort_in_time(&objects).await })?;
        }
        sealed
    }

    fn seal(&self, ticket: &Ticket) -> io::Result<()> {
        if self.destination.is_some() {
            expect_generation(&self.objects, &self.path)?;
            return ticket.put(&self.objects, &self.path);
        }
        if let Err(error) = ticket.complete(&self.objects) {
            // The start of a newer run ends the uploads of older ones.
            expect_generation(&self.objects, &self.path)?;
            return Err(error);
        }
        self.objects.delete(vec![ticket_path(&self.path)])
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
            self.once(|file| file.send(part))?;
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
        self.once(|file| match file.upload {
            Some(_) => file.seal_upload(),
            None => file.put(),
        })?;
        self.is_ended = true;
        Ok(())
    }
}
