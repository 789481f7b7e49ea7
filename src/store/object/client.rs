//! The client of an object store, from where the book is, the options, and the environment.

use std::sync::Arc;
use std::time::Duration;

use object_store::aws::AmazonS3Builder;
use object_store::azure::MicrosoftAzureBuilder;
use object_store::gcp::GoogleCloudStorageBuilder;
use object_store::{BackoffConfig, RetryConfig};
use rustls::crypto::ring;

use super::objects::Bucket;
use super::options::settings;
use super::tree::ObjectTree;
use crate::change::with_causes;
use crate::store::{BucketKind, BucketLocation, StoreError, StoreOption};

/// How long one request may take, with its answer: parts of uploads have megabytes.
const TIMEOUT: &str = "60s";
/// How long and how often requests are sent again; the pauses double, with a random share.
const RETRY_TIMEOUT: Duration = Duration::from_secs(120);
const MOST_RETRIES: usize = 10;

/// The objects of a book. Nothing is asked for yet.
///
/// # Errors
/// [`StoreError`] when options or the environment are wrong.
pub fn open(location: &BucketLocation, options: &[StoreOption]) -> Result<ObjectTree, StoreError> {
    let BucketLocation { kind, bucket, prefix } = location;
    let settings = settings(*kind, options)?;
    // Another one may be set already, and is as good.
    drop(ring::default_provider().install_default());
    let client = match kind {
        BucketKind::S3 => s3(bucket, settings),
        BucketKind::Google => google(bucket, settings),
        BucketKind::Azure => azure(bucket, settings),
    };
    let failed = |error: object_store::Error| StoreError::Settings {
        address: location.to_string(),
        reason: with_causes(&error),
    };
    let tree = ObjectTree::new(client.map_err(failed)?, prefix);
    // Azure may answer that a copy is pending, and the client does not say so.
    Ok(if *kind == BucketKind::Azure { tree.with_late_copies() } else { tree })
}

type Settings = Vec<(&'static str, String)>;

fn s3(bucket: &str, settings: Settings) -> object_store::Result<Arc<dyn Bucket>> {
    let mut builder = AmazonS3Builder::from_env().with_bucket_name(bucket).with_retry(retries());
    for (key, value) in [("timeout", TIMEOUT.to_owned())].into_iter().chain(settings) {
        builder = builder.with_config(key.parse()?, value);
    }
    Ok(Arc::new(builder.build()?))
}

fn google(bucket: &str, settings: Settings) -> object_store::Result<Arc<dyn Bucket>> {
    let mut builder = GoogleCloudStorageBuilder::from_env().with_bucket_name(bucket).with_retry(retries());
    for (key, value) in [("timeout", TIMEOUT.to_owned())].into_iter().chain(settings) {
        builder = builder.with_config(key.parse()?, value);
    }
    Ok(Arc::new(builder.build()?))
}

fn azure(container: &str, settings: Settings) -> object_store::Result<Arc<dyn Bucket>> {
    let mut builder = MicrosoftAzureBuilder::from_env().with_container_name(container).with_retry(retries());
    for (key, value) in [("timeout", TIMEOUT.to_owned())].into_iter().chain(settings) {
        builder = builder.with_config(key.parse()?, value);
    }
    Ok(Arc::new(builder.build()?))
}

fn retries() -> RetryConfig {
    let backoff =
        BackoffConfig { init_backoff: Duration::from_millis(100), max_backoff: Duration::from_secs(10), base: 2. };
    RetryConfig { backoff, max_retries: MOST_RETRIES, retry_timeout: RETRY_TIMEOUT }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::BookLocation;

    #[test]
    fn a_client_is_made_without_asking_for_anything() {
        for (address, options) in [
            ("s3://shop/book", &["region=eu-central-1"][..]),
            ("s3://shop/book", &["endpoint=http://localhost:1", "allow-http=true", "path-style=true"]),
            ("gs://shop/book", &["anonymous=true"]),
            ("az://shop/book", &["account=shop"]),
        ] {
            let BookLocation::Bucket(location) = address.parse().expect("an address") else { panic!("{address}") };
            let options: Vec<StoreOption> = options.iter().map(|text| text.parse().expect("an option")).collect();
            assert!(open(&location, &options).is_ok(), "{address} {options:?}");
        }
    }

    #[test]
    fn an_account_that_is_missing_is_said() {
        let BookLocation::Bucket(location) = "az://shop/book".parse().expect("an address") else { panic!("az") };
        let Err(error) = open(&location, &[]) else { panic!("no account is set") };
        assert!(error.to_string().contains("ccount"), "{error}");
    }
}
