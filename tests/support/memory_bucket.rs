//! A bucket in memory that counts its requests and is struck at the one a test names, with the answers that object stores give: of requests
//! that were done, of conflicts that were none, and of the time after a process is gone.

use std::collections::BTreeMap;
use std::fmt::{self, Debug, Display, Formatter};
use std::future::Future;
use std::io::ErrorKind;
use std::sync::{Arc, Mutex, MutexGuard};

use async_trait::async_trait;
use futures_util::stream::{BoxStream, once};
use futures_util::{StreamExt, TryStreamExt};
use object_store::memory::InMemory;
use object_store::multipart::{MultipartStore, PartId};
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartId, MultipartUpload, ObjectMeta, ObjectStore,
    ObjectStoreExt, PutMode, PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};

use walbook::store::object::ObjectTree;
use walbook::store::{BookLocation, BookStore};

use super::{Fault, TestDisk};

/// The prefix of the book in the bucket.
const PREFIX: &str = "some/book";
/// Bytes of a part: some files of the source of tests are larger, most are not.
const PART_BYTES: usize = 16;

/// One process's view of a bucket in memory.
#[derive(Clone)]
pub struct MemoryBucket(Arc<Requests>);

struct Requests {
    bucket: Arc<InMemory>,
    part_bytes: usize,
    process: Mutex<Process>,
}

#[derive(Default)]
struct Process {
    operations: Vec<String>,
    faults: BTreeMap<usize, Fault>,
    crashed: bool,
}

impl Default for MemoryBucket {
    fn default() -> MemoryBucket {
        MemoryBucket::new()
    }
}

impl MemoryBucket {
    /// An empty bucket.
    pub fn new() -> MemoryBucket {
        MemoryBucket::with_part_bytes(PART_BYTES)
    }

    /// An empty bucket to which files that are larger are sent in parts of this size.
    pub fn with_part_bytes(part_bytes: usize) -> MemoryBucket {
        MemoryBucket::on(Arc::new(InMemory::new()), part_bytes)
    }

    fn on(bucket: Arc<InMemory>, part_bytes: usize) -> MemoryBucket {
        MemoryBucket(Arc::new(Requests { bucket, part_bytes, process: Mutex::default() }))
    }

    /// Ends the upload of a ticket, as a lifecycle rule of the bucket does.
    pub fn end_upload(&self, ticket: &[u8]) {
        let ticket: serde_json::Value = serde_json::from_slice(ticket).expect("a ticket is JSON");
        let upload = ticket["upload"].as_str().expect("it names its upload").to_owned();
        let bucket = Arc::clone(&self.0.bucket);
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        runtime.block_on(async move { bucket.abort_multipart(&Path::default(), &upload).await }).expect("it is open");
    }

    fn lock(&self) -> MutexGuard<'_, Process> {
        self.0.process.lock().expect("no test panics while it holds the lock")
    }

    /// Counts a request, and sends it as the faults allow.
    async fn request<T>(&self, verb: &str, path: &Path, act: impl Future<Output = Result<T>> + Send) -> Result<T> {
        let path = path.as_ref();
        let fault = {
            let mut process = self.lock();
            if process.crashed {
                return Err(failed("the process is gone"));
            }
            let name = path.strip_prefix(PREFIX).unwrap_or(path).trim_start_matches('/');
            process.operations.push(format!("{verb} {name}"));
            let number = process.operations.len() - 1;
            let fault = process.faults.get(&number).cloned();
            process.crashed = matches!(fault, Some(Fault::CrashBefore | Fault::CrashAfter));
            fault
        };
        match fault {
            None => act.await,
            Some(Fault::CrashBefore) => Err(failed("the process ends")),
            Some(Fault::CrashAfter) => {
                drop(act.await);
                Err(failed("the process ends"))
            }
            Some(Fault::Fail(kind)) => Err(answer(kind, path)),
            Some(Fault::DoneButFailed(kind)) => {
                act.await?;
                Err(answer(kind, path))
            }
            Some(Fault::Sleep(pause)) => {
                // Other processes go on meanwhile.
                tokio::task::spawn_blocking(move || pause.sleep()).await.expect("it only waits");
                act.await
            }
        }
    }
}

fn failed(what: &str) -> Error {
    Error::Generic { store: "memory", source: what.to_owned().into() }
}

/// An answer of a store that says this.
fn answer(kind: ErrorKind, path: &str) -> Error {
    let (path, source) = (path.to_owned(), format!("{kind}").into());
    match kind {
        // A conflict of two requests: 409.
        ErrorKind::AlreadyExists => Error::AlreadyExists { path, source },
        ErrorKind::PermissionDenied => Error::PermissionDenied { path, source },
        _ => Error::Generic { store: "memory", source },
    }
}

impl TestDisk for MemoryBucket {
    fn store(&self) -> BookStore {
        let location: BookLocation = format!("s3://memory/{PREFIX}").parse().expect("an address");
        let tree = ObjectTree::new(Arc::new(self.clone()), PREFIX).with_part_bytes(self.0.part_bytes);
        BookStore::of(location, Arc::new(tree))
    }

    fn process(&self) -> MemoryBucket {
        MemoryBucket::on(Arc::clone(&self.0.bucket), self.0.part_bytes)
    }

    /// What was put is there.
    fn survive(&self, _seed: u64) -> MemoryBucket {
        self.process()
    }

    fn files(&self) -> BTreeMap<String, Vec<u8>> {
        let bucket = Arc::clone(&self.0.bucket);
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        runtime.block_on(async move {
            let listed: Vec<ObjectMeta> = bucket.list(None).try_collect().await.expect("memory");
            let mut files = BTreeMap::new();
            for object in listed {
                let bytes = bucket.get(&object.location).await.expect("listed").bytes().await.expect("memory");
                let path = object.location.as_ref().strip_prefix(PREFIX).expect("of the book").trim_start_matches('/');
                files.insert(path.to_owned(), bytes.to_vec());
            }
            files
        })
    }

    fn operations(&self) -> Vec<String> {
        self.lock().operations.clone()
    }

    fn strike(&self, number: usize, fault: Fault) {
        self.lock().faults.insert(number, fault);
    }

    fn is_struck(&self) -> bool {
        let process = self.lock();
        process.faults.keys().all(|number| *number < process.operations.len())
    }
}

impl Debug for MemoryBucket {
    fn fmt(&self, to: &mut Formatter<'_>) -> fmt::Result {
        to.write_str("MemoryBucket")
    }
}

impl Display for MemoryBucket {
    fn fmt(&self, to: &mut Formatter<'_>) -> fmt::Result {
        to.write_str("a bucket in memory")
    }
}

#[async_trait]
impl ObjectStore for MemoryBucket {
    async fn put_opts(&self, location: &Path, payload: PutPayload, options: PutOptions) -> Result<PutResult> {
        let verb = match options.mode {
            PutMode::Overwrite => "put",
            PutMode::Create => "put-new",
            PutMode::Update(_) => "put-over",
        };
        self.request(verb, location, self.0.bucket.put_opts(location, payload, options)).await
    }

    async fn put_multipart_opts(
        &self,
        _location: &Path,
        _options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        unreachable!("uploads are sent part by part")
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        let verb = if options.head { "head" } else { "get" };
        self.request(verb, location, self.0.bucket.get_opts(location, options)).await
    }

    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        let this = self.clone();
        let delete = move |location: Result<Path>| {
            let this = this.clone();
            async move {
                let location = location?;
                let bucket = Arc::clone(&this.0.bucket);
                this.request("delete", &location, async { bucket.delete(&location).await }).await?;
                Ok(location)
            }
        };
        locations.then(delete).boxed()
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        let (this, prefix) = (self.clone(), prefix.cloned());
        let listed = async move {
            let bucket = Arc::clone(&this.0.bucket);
            let path = prefix.clone().unwrap_or_default();
            this.request("list-all", &path, async { Ok(bucket.list(prefix.as_ref())) }).await
        };
        once(listed).try_flatten().boxed()
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        let path = prefix.cloned().unwrap_or_default();
        self.request("list", &path, self.0.bucket.list_with_delimiter(prefix)).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.request("copy", to, self.0.bucket.copy_opts(from, to, options)).await
    }
}

#[async_trait]
impl MultipartStore for MemoryBucket {
    async fn create_multipart(&self, path: &Path) -> Result<MultipartId> {
        self.request("begin-upload", path, self.0.bucket.create_multipart(path)).await
    }

    async fn put_part(&self, path: &Path, id: &MultipartId, part: usize, data: PutPayload) -> Result<PartId> {
        let put = async { self.0.bucket.put_part(path, id, part, data).await.map_err(|error| gone(error, path)) };
        self.request("put-part", path, put).await
    }

    async fn complete_multipart(&self, path: &Path, id: &MultipartId, parts: Vec<PartId>) -> Result<PutResult> {
        let complete = async {
            let completed = self.0.bucket.complete_multipart(path, id, parts).await;
            completed.map_err(|error| gone(error, path))
        };
        self.request("complete-upload", path, complete).await
    }

    async fn abort_multipart(&self, path: &Path, id: &MultipartId) -> Result<()> {
        let abort = async { self.0.bucket.abort_multipart(path, id).await.map_err(|error| gone(error, path)) };
        self.request("abort-upload", path, abort).await
    }
}

/// What stores say of an upload that was ended: 404 NoSuchUpload.
fn gone(error: Error, path: &Path) -> Error {
    Error::NotFound { path: path.to_string(), source: format!("NoSuchUpload: {error}").into() }
}
