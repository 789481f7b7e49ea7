//! What a Parquet file of the book says of itself.

use parquet::file::metadata::ParquetMetaData;

/// The key-value metadata of a file.
#[derive(Clone, Copy)]
pub(crate) struct KeyValues<'a>(pub(crate) &'a ParquetMetaData);

impl<'a> KeyValues<'a> {
    /// The text under a key.
    pub(crate) fn text(self, key: &str) -> Result<&'a str, String> {
        let pairs = self.0.file_metadata().key_value_metadata().map_or(&[][..], Vec::as_slice);
        let value = pairs.iter().find(|pair| pair.key == key).and_then(|pair| pair.value.as_deref());
        value.ok_or_else(|| format!("its metadata has no {key}"))
    }

    /// The number under a key.
    pub(crate) fn number(self, key: &str) -> Result<u64, String> {
        let text = self.text(key)?;
        text.parse().map_err(|_| format!("its metadata has {key} {text:?}"))
    }
}
