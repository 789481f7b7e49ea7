//! Where a book is, as users write it: a directory, or a prefix in a bucket of an object store; and the options of the latter.

use std::ffi::OsString;
use std::fmt::{self, Display, Formatter};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use super::StoreError;

/// The schemes of [`BucketKind`], for messages.
const SCHEMES: &str = "s3://, gs:// and az://";

/// Where a book is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BookLocation {
    /// A directory of a file system.
    Directory(PathBuf),
    /// Objects below a prefix of a bucket.
    Bucket(BucketLocation),
}

/// A prefix in a bucket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BucketLocation {
    /// The protocol.
    pub kind: BucketKind,
    /// The bucket's name; Azure calls it a container.
    pub bucket: String,
    /// What all keys begin with, without slashes at its ends; empty for a book that has the bucket for itself.
    pub prefix: String,
}

/// The protocol of an object store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BucketKind {
    /// Amazon S3, and what speaks like it.
    S3,
    /// Google Cloud Storage.
    Google,
    /// Azure Blob Storage.
    Azure,
}

/// An option of an object store, as it is typed: `key=value`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreOption {
    /// Its name.
    pub key: String,
    /// Its value.
    pub value: String,
}

impl FromStr for StoreOption {
    type Err = String;

    fn from_str(text: &str) -> Result<StoreOption, String> {
        match text.split_once('=') {
            Some((key, value)) if !key.trim().is_empty() => {
                Ok(StoreOption { key: key.trim().to_owned(), value: value.trim().to_owned() })
            }
            _ => Err("expected KEY=VALUE, as in endpoint=https://storage.example".to_owned()),
        }
    }
}

impl BucketKind {
    /// How its addresses begin, before `://`.
    pub fn scheme(self) -> &'static str {
        match self {
            BucketKind::S3 => "s3",
            BucketKind::Google => "gs",
            BucketKind::Azure => "az",
        }
    }
}

impl BookLocation {
    /// Reads what a user wrote as BOOK: an address with a scheme, or the path of a directory.
    ///
    /// # Errors
    /// [`StoreError::UnknownScheme`]; [`StoreError::NoBucket`] and [`StoreError::WrongAddress`] for an address without a bucket, or with
    /// something that no key can have.
    pub fn parse(text: OsString) -> Result<BookLocation, StoreError> {
        let address = text.to_str().and_then(|text| text.split_once("://"));
        // A path may have `://` in it, but not directly after its first word.
        let is_scheme =
            |scheme: &str| scheme.chars().all(|letter| letter.is_ascii_alphanumeric() || "+-.".contains(letter));
        let Some((scheme, rest)) = address.filter(|(scheme, _)| !scheme.is_empty() && is_scheme(scheme)) else {
            return Ok(BookLocation::Directory(text.into()));
        };
        let kinds = [BucketKind::S3, BucketKind::Google, BucketKind::Azure];
        let Some(kind) = kinds.into_iter().find(|kind| kind.scheme() == scheme) else {
            return Err(StoreError::UnknownScheme { scheme: scheme.to_owned(), known: SCHEMES });
        };
        let address = || format!("{scheme}://{rest}");
        let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        if bucket.is_empty() {
            return Err(StoreError::NoBucket { address: address() });
        }
        let prefix = prefix.strip_suffix('/').unwrap_or(prefix);
        // Others would be written into keys by their codes, and a reader of the bucket would not find the address that was asked for.
        let is_plain = |letter: char| matches!(letter, ' '..='}') && !"\\{}^%`[]\"<>#|*?".contains(letter);
        let is_part = |part: &str| !matches!(part, "" | "." | "..") && part.chars().all(is_plain);
        if !prefix.is_empty() && !prefix.split('/').all(is_part) {
            let reason =
                "each part of the prefix has letters and signs of ASCII that keys can have, and is not empty, . or ..";
            return Err(StoreError::WrongAddress { address: address(), reason });
        }
        if !bucket.chars().all(|letter| letter.is_ascii_alphanumeric() || "-._".contains(letter)) {
            let reason =
                "a bucket's name has letters, digits, hyphens, points and underscores; credentials do not belong here";
            return Err(StoreError::WrongAddress { address: address(), reason });
        }
        Ok(BookLocation::Bucket(BucketLocation { kind, bucket: bucket.to_owned(), prefix: prefix.to_owned() }))
    }

    /// The directory, if it is one.
    pub fn directory(&self) -> Option<&Path> {
        match self {
            BookLocation::Directory(path) => Some(path),
            BookLocation::Bucket(_) => None,
        }
    }

    /// What the user wrote, as a path that is only printed.
    pub fn to_path(&self) -> PathBuf {
        match self {
            BookLocation::Directory(path) => path.clone(),
            BookLocation::Bucket(bucket) => PathBuf::from(bucket.to_string()),
        }
    }
}

impl FromStr for BookLocation {
    type Err = StoreError;

    fn from_str(text: &str) -> Result<BookLocation, StoreError> {
        BookLocation::parse(text.into())
    }
}

impl From<&Path> for BookLocation {
    fn from(path: &Path) -> BookLocation {
        BookLocation::Directory(path.to_owned())
    }
}

impl Display for BookLocation {
    fn fmt(&self, to: &mut Formatter<'_>) -> fmt::Result {
        match self {
            BookLocation::Directory(path) => path.display().fmt(to),
            BookLocation::Bucket(bucket) => bucket.fmt(to),
        }
    }
}

impl Display for BucketLocation {
    fn fmt(&self, to: &mut Formatter<'_>) -> fmt::Result {
        let BucketLocation { kind, bucket, prefix } = self;
        let separator = if prefix.is_empty() { "" } else { "/" };
        write!(to, "{}://{bucket}{separator}{prefix}", kind.scheme())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<BookLocation, String> {
        text.parse().map_err(|error: StoreError| error.to_string())
    }

    #[test]
    fn an_address_is_a_bucket_and_a_prefix() {
        for (text, kind, bucket, prefix, printed) in [
            ("s3://shop", BucketKind::S3, "shop", "", "s3://shop"),
            ("s3://shop/", BucketKind::S3, "shop", "", "s3://shop"),
            ("s3://shop/a/book/", BucketKind::S3, "shop", "a/book", "s3://shop/a/book"),
            ("gs://shop.example/book", BucketKind::Google, "shop.example", "book", "gs://shop.example/book"),
            ("az://shop/day=1", BucketKind::Azure, "shop", "day=1", "az://shop/day=1"),
        ] {
            let location = parse(text).expect("an address");
            let (bucket, prefix) = (bucket.to_owned(), prefix.to_owned());
            assert_eq!(location, BookLocation::Bucket(BucketLocation { kind, bucket, prefix }));
            assert_eq!(location.to_string(), printed);
        }
    }

    #[test]
    fn an_option_is_a_key_and_a_value() {
        let option = |key: &str, value: &str| Ok(StoreOption { key: key.to_owned(), value: value.to_owned() });
        assert_eq!("endpoint=http://a?b=c".parse(), option("endpoint", "http://a?b=c"));
        assert_eq!(" region = x ".parse(), option("region", "x"));
        for text in ["endpoint", "=x", " = "] {
            assert!(text.parse::<StoreOption>().is_err(), "{text}");
        }
    }

    #[test]
    fn anything_else_is_a_directory() {
        for text in ["book", "/var/lib/book", "./s3://shop", "s3:/shop", "s3", "a b://c", "://"] {
            assert_eq!(parse(text), Ok(BookLocation::Directory(text.into())), "{text}");
        }
    }

    #[test]
    fn a_wrong_address_is_refused_with_the_reason() {
        for (text, reason) in [
            ("http://shop/book", "s3://, gs:// and az://"),
            ("S3://shop/book", "s3://, gs:// and az://"),
            ("file:///var/book", "s3://, gs:// and az://"),
            ("s3://", "bucket"),
            ("s3:///book", "bucket"),
            ("s3://shop//book", "each part"),
            ("s3://shop/../book", "each part"),
            ("s3://shop/a?b", "each part"),
            ("s3://shop/caf\u{e9}", "ASCII"),
            ("s3://key:secret@shop/book", "credentials"),
        ] {
            let message = parse(text).expect_err("no address");
            assert!(message.contains(reason), "{text}: {message}");
        }
    }
}
