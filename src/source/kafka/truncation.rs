//! What librdkafka's error of a position tells about a log that was cut.

use rdkafka::error::RDKafkaErrorCode;

/// What a partition's leader answers about a leader epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EpochEnd {
    /// The newest epoch in the log that is not above the epoch that was asked for; -1 where there is none.
    pub epoch: i32,
    /// The first offset of the next epoch, or the end of the log; -1 where there is no such epoch.
    pub end: i64,
}

/// The offset from which on a new leader has other records or none, if librdkafka reports that; `is_epoch_known` tells
/// whether the leader was asked, and has the records that were read.
///
/// With `auto.offset.reset=error` librdkafka reports the leader's answer, or, if it found no common epoch, only the description
/// of its code `_LOG_TRUNCATION`, in the text (rdkafka_offset.c, `rd_kafka_toppar_handle_OffsetForLeaderEpoch`).
pub(super) fn truncated_from(offset: i64, next: i64, is_epoch_known: bool, text: &str) -> Option<i64> {
    if let Some(answer) = parse_truncation(text) {
        // A cut beyond what was read concerns only what librdkafka had fetched ahead.
        return Some(answer.end.max(0)).filter(|from| *from < next);
    }
    if text.contains(&description(RDKafkaErrorCode::LogTruncation)) {
        return Some(0);
    }
    // Without leader epochs a position that was set back is the only sign.
    (offset < next && !is_epoch_known).then(|| offset.max(0))
}

/// The leader's answer in librdkafka's text of a position that it found truncated; `None` for any other text.
///
/// `…: broker end offset is 300 (offset leader epoch 2)…` (rdkafka_offset.c, `rd_kafka_toppar_handle_OffsetForLeaderEpoch`).
pub(super) fn parse_truncation(text: &str) -> Option<EpochEnd> {
    let (_, rest) = text.split_once("broker end offset is ")?;
    let (end, rest) = rest.split_once(" (offset leader epoch ")?;
    let (epoch, _) = rest.split_once(')')?;
    Some(EpochEnd { epoch: epoch.parse().ok()?, end: end.parse().ok()? })
}

/// librdkafka's own description of a code, which rdkafka prints in parentheses behind the code's name.
fn description(code: RDKafkaErrorCode) -> String {
    let text = code.to_string();
    let inner = text.split_once(" (").and_then(|(_, rest)| rest.strip_suffix(')'));
    inner.map_or_else(|| text.clone(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_truncation_is_recognized_by_the_leaders_answer_or_the_description_of_its_code() {
        // librdkafka's text ends with `%s (broker %d)` of the description (rd_kafka_offset_reset).
        let text = |description: &str| format!("some reason: {description} (broker 1)");
        let answered = |end: i64| {
            format!(
                "Partition log truncation detected at offset 9 (leader epoch 2): broker end offset is {end} (offset leader epoch 2). Reset to INVALID.: Local"
            )
        };
        let truncated = text("Local: Partition log truncation detected");
        let out_of_range = text("Broker: Offset out of range");
        const INVALID_OFFSET: i64 = -1001;
        assert_eq!(truncated_from(INVALID_OFFSET, 5, true, &answered(3)), Some(3));
        assert_eq!(truncated_from(INVALID_OFFSET, 5, false, &answered(-1)), Some(0));
        assert_eq!(truncated_from(INVALID_OFFSET, 5, false, &answered(7)), None, "only what was fetched ahead is gone");
        assert_eq!(truncated_from(5, 5, true, &truncated), Some(0));
        assert_eq!(truncated_from(4, 5, false, &out_of_range), Some(4), "the position was set back");
        assert_eq!(truncated_from(4, 5, true, &out_of_range), None, "the leader has the records before it");
        assert_eq!(truncated_from(5, 5, false, &out_of_range), None);
        assert_eq!(truncated_from(9, 5, false, &out_of_range), None, "librdkafka has fetched more than was read");
        // A librdkafka that words it in another way, or does not know the code, fails here.
        assert_eq!(description(RDKafkaErrorCode::LogTruncation), "Local: Partition log truncation detected");
    }
}
