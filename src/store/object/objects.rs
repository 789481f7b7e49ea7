//! The objects of one book: requests by path, with their answers as they come.

use std::future::{Future, poll_fn};
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::vec;

use bytes::Bytes;
use futures_core::Stream;
use object_store::multipart::{MultipartStore, PartId};
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetRange, ObjectMeta, ObjectStore, PutMode, PutOptions, PutPayload, Result,
};

use super::calls;
use super::failure::{io_error, is_absent};

/// What a bucket can do: whole objects, and uploads in parts.
pub trait Bucket: ObjectStore + MultipartStore {}

impl<T: ObjectStore + MultipartStore> Bucket for T {}

/// A request that is sent when it is polled, from any thread.
pub(super) trait Request<T>: Future<Output = Result<T>> + Send + 'static {}

impl<T, F: Future<Output = Result<T>> + Send + 'static> Request<T> for F {}

/// The objects below a prefix of a bucket.
#[derive(Clone)]
pub(super) struct Objects {
    bucket: Arc<dyn Bucket>,
    prefix: String,
    /// Whether a copy that was accepted may still be going on.
    copies_late: bool,
}

/// The names directly below a folder.
#[derive(Default)]
pub(super) struct Names {
    pub(super) objects: Vec<String>,
    pub(super) folders: Vec<String>,
}

impl Objects {
    pub(super) fn new(bucket: Arc<dyn Bucket>, prefix: &str) -> Objects {
        Objects { bucket, prefix: prefix.trim_matches('/').to_owned(), copies_late: false }
    }

    /// The same in a store whose answer to a copy does not mean that it is done: objects are read and put instead.
    pub(super) fn with_late_copies(self) -> Objects {
        Objects { copies_late: true, ..self }
    }

    /// The key of a path.
    pub(super) fn key(&self, path: &str) -> Path {
        match (self.prefix.is_empty(), path.is_empty()) {
            (true, _) => Path::from(path),
            (false, true) => Path::from(self.prefix.as_str()),
            (false, false) => Path::from(format!("{}/{path}", self.prefix)),
        }
    }

    pub(super) fn bucket(&self) -> Arc<dyn Bucket> {
        Arc::clone(&self.bucket)
    }

    /// Sends a request, and waits. The outer error is one of this process, as when it has no more threads.
    pub(super) fn call<T: Send + 'static, F: Future<Output = Result<T>> + Send + 'static>(
        &self,
        request: impl FnOnce(Arc<dyn Bucket>) -> F,
    ) -> Result<T> {
        let failed = |error: io::Error| Error::Generic { store: "requests", source: error.into() };
        calls::wait(request(self.bucket())).map_err(failed)?
    }

    pub(super) fn put(&self, path: &str, bytes: &[u8], mode: PutMode) -> Result<()> {
        let request = self.put_request(path, bytes, mode);
        self.call(|_| request)
    }

    pub(super) fn put_request(&self, path: &str, bytes: &[u8], mode: PutMode) -> impl Request<()> + use<> {
        let (bucket, key, payload) = (self.bucket(), self.key(path), PutPayload::from(Bytes::copy_from_slice(bytes)));
        let options = PutOptions { mode, ..PutOptions::default() };
        async move { bucket.put_opts(&key, payload, options).await.map(drop) }
    }

    /// An object's bytes, whole or in a range that may reach beyond its end.
    pub(super) fn get(&self, path: &str, range: Option<GetRange>) -> Result<(ObjectMeta, Bytes)> {
        let key = self.key(path);
        let options = GetOptions { range, ..GetOptions::default() };
        self.call(|bucket| async move {
            let answer = bucket.get_opts(&key, options).await?;
            let about = answer.meta.clone();
            Ok((about, answer.bytes().await?))
        })
    }

    /// What is known of an object; `None` where there is none.
    pub(super) fn head(&self, path: &str) -> io::Result<Option<ObjectMeta>> {
        let request = self.head_request(path);
        self.call(|_| request).map_err(io_error)
    }

    pub(super) fn head_request(&self, path: &str) -> impl Request<Option<ObjectMeta>> + use<> {
        let (bucket, key) = (self.bucket(), self.key(path));
        let options = GetOptions { head: true, ..GetOptions::default() };
        async move {
            match bucket.get_opts(&key, options).await {
                Ok(answer) => Ok(Some(answer.meta)),
                Err(error) if is_absent(&error) => Ok(None),
                Err(error) => Err(error),
            }
        }
    }

    /// Copies an object over any other.
    pub(super) fn copy(&self, from: &str, to: &str) -> Result<()> {
        if self.copies_late {
            let (_, bytes) = self.get(from, None)?;
            return self.put(to, &bytes, PutMode::Overwrite);
        }
        let (from, to) = (self.key(from), self.key(to));
        self.call(|bucket| async move { bucket.copy_opts(&from, &to, CopyOptions::default()).await })
    }

    /// Deletes objects; those that are absent are deleted already.
    pub(super) fn delete(&self, paths: Vec<String>) -> io::Result<()> {
        let keys: Vec<Result<Path>> = paths.iter().map(|path| Ok(self.key(path))).collect();
        let deleted = self.call(|bucket| async move {
            let mut deleted = bucket.delete_stream(Box::pin(Each(keys.into_iter())));
            let mut failed = None;
            while let Some(outcome) = next(&mut deleted).await {
                match outcome {
                    Err(error) if !is_absent(&error) => failed = Some(error),
                    _ => {}
                }
            }
            failed.map_or(Ok(()), Err)
        });
        deleted.map_err(io_error)
    }

    /// The names directly below a folder; none where there is nothing.
    pub(super) fn list(&self, folder: &str) -> io::Result<Names> {
        let key = self.key(folder);
        let prefix = (!key.as_ref().is_empty()).then_some(key);
        let own = prefix.clone();
        let listed = self.call(|bucket| async move { bucket.list_with_delimiter(prefix.as_ref()).await });
        let name = |path: &Path| path.filename().unwrap_or_default().to_owned();
        let listed = listed.map_err(io_error)?;
        // A console makes an empty object for a folder.
        let objects = listed.objects.iter().map(|object| &object.location).filter(|key| Some(*key) != own.as_ref());
        Ok(Names { objects: objects.map(name).collect(), folders: listed.common_prefixes.iter().map(name).collect() })
    }

    /// The paths of all objects below a folder, at any depth; `most` ends the listing.
    pub(super) fn list_all(&self, folder: &str, most: usize) -> io::Result<Vec<String>> {
        let key = self.key(folder);
        let prefix = (!key.as_ref().is_empty()).then_some(key);
        let listed = self.call(|bucket| async move {
            let mut listed = bucket.list(prefix.as_ref());
            let mut keys = Vec::new();
            while keys.len() < most
                && let Some(object) = next(&mut listed).await
            {
                let key = object?.location;
                // A console makes an empty object for a folder.
                if Some(&key) != prefix.as_ref() {
                    keys.push(key);
                }
            }
            Ok(keys)
        });
        let own = self.key("");
        let path = |key: Path| match own.as_ref().is_empty() {
            true => key.as_ref().to_owned(),
            false => key.as_ref().get(own.as_ref().len() + 1..).unwrap_or_default().to_owned(),
        };
        Ok(listed.map_err(io_error)?.into_iter().map(path).collect())
    }

    pub(super) fn begin_upload(&self, path: &str) -> Result<String> {
        let request = self.begin_upload_request(path);
        self.call(|_| request)
    }

    pub(super) fn begin_upload_request(&self, path: &str) -> impl Request<String> + use<> {
        let (bucket, key) = (self.bucket(), self.key(path));
        async move { bucket.create_multipart(&key).await }
    }

    pub(super) fn complete_upload(&self, path: &str, upload: &str, parts: &[String]) -> Result<()> {
        let (key, upload) = (self.key(path), upload.to_owned());
        let parts = parts.iter().map(|part| PartId { content_id: part.clone() }).collect();
        self.call(|bucket| async move { bucket.complete_multipart(&key, &upload, parts).await.map(drop) })
    }

    pub(super) fn abort_upload_request(&self, path: &str, upload: &str) -> impl Request<()> + use<> {
        let (bucket, key, upload) = (self.bucket(), self.key(path), upload.to_owned());
        async move { bucket.abort_multipart(&key, &upload).await }
    }
}

/// The next item of a stream.
async fn next<T>(stream: &mut (impl Stream<Item = T> + Unpin + ?Sized)) -> Option<T> {
    poll_fn(|context| Pin::new(&mut *stream).poll_next(context)).await
}

/// Items that are there already.
struct Each<T>(vec::IntoIter<T>);

impl<T: Unpin> Stream for Each<T> {
    type Item = T;

    fn poll_next(mut self: Pin<&mut Self>, _context: &mut Context<'_>) -> Poll<Option<T>> {
        Poll::Ready(self.0.next())
    }
}
