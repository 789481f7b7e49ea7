//! All groups of a view as text, piece by piece.

use std::sync::Arc;

use super::groups::ViewGroups;
use super::sorted_groups::ViewGroup;
use crate::query::{Filter, QueryError};

/// Rows of a piece.
const PIECE_ROWS: usize = 512;

impl ViewGroups {
    /// All rows on the days of a filter as JSON between `head` and `tail`.
    ///
    /// # Errors
    /// As [`ViewGroups::rows`].
    pub fn text(&self, days: &Filter, head: Vec<u8>, tail: Vec<u8>) -> Result<ViewText, QueryError> {
        self.check_days(days)?;
        let rows = self.groups.iter(days).cloned().collect();
        Ok(ViewText::new(self.clone(), rows, head, tail))
    }
}

/// Groups as text, piece by piece: a head, the rows as JSON, a tail.
pub struct ViewText {
    groups: ViewGroups,
    rows: std::vec::IntoIter<Arc<ViewGroup>>,
    head: Option<Vec<u8>>,
    tail: Option<Vec<u8>>,
    most_bytes: usize,
}

impl ViewText {
    fn new(groups: ViewGroups, rows: Vec<Arc<ViewGroup>>, head: Vec<u8>, tail: Vec<u8>) -> ViewText {
        // Texts of group columns and of extremes are packed into about their length.
        let packed: usize = rows.iter().map(|group| group.packed_bytes()).sum();
        let most_bytes = head.len() + tail.len() + rows.len() * groups.row_bytes() + 2 * packed;
        ViewText { groups, rows: rows.into_iter(), head: Some(head), tail: Some(tail), most_bytes }
    }

    /// About the bytes of all pieces, rather too many.
    pub fn most_bytes(&self) -> usize {
        self.most_bytes
    }
}

impl Iterator for ViewText {
    type Item = Result<Vec<u8>, QueryError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.tail.as_ref()?;
        let is_first = self.head.is_some();
        let mut piece = self.head.take().unwrap_or_default();
        let batch: Vec<Arc<ViewGroup>> = self.rows.by_ref().take(PIECE_ROWS).collect();
        if batch.is_empty() {
            piece.extend(self.tail.take().unwrap_or_default());
            return Some(Ok(piece));
        }
        let groups: Vec<&ViewGroup> = batch.iter().map(|group| &**group).collect();
        Some(self.groups.append_json(&groups, is_first, &mut piece).map(|()| piece))
    }
}
