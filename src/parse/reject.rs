//! Why a record could not be read.

/// Why a record could not be read; its text is the `reason` column of the rejects.
///
/// The texts hold nothing of the record but the keys of an unknown shape, so that rejects can be grouped by reason; the record's
/// bytes stand beside it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Reject {
    /// A value of no bytes (a null value is a tombstone).
    #[error("empty value: expected a test_decoding line or a JSON object around one")]
    Empty,
    /// The value is not UTF-8.
    #[error("not UTF-8: decode a database whose encoding is UTF8")]
    NotUtf8,
    /// The framing of a schema registry: a zero byte and a schema's number.
    #[error("schema registry framing (Avro, Protobuf) is not read: use JsonConverter or StringConverter")]
    SchemaRegistry,
    /// The value begins as a JSON object or a JSON string and breaks JSON's rules.
    #[error("begins like JSON but is not valid JSON")]
    JsonSyntax,
    /// A JSON object without its end.
    #[error("JSON ends early: the value was cut short")]
    JsonCut,
    /// JSON nested deeper than serde_json goes.
    #[error("JSON is nested deeper than 127 levels")]
    JsonDepth,
    /// A Connect envelope around a number, an array, ….
    #[error("\"payload\" is neither an object nor a string: expected {{\"data\":\"…\"}}, or a test_decoding line")]
    Payload,
    /// An object of no known shape, with the names of its keys.
    #[error("JSON object of unknown shape, without a line in \"data\"; keys: {0}")]
    NoData(Box<str>),
    /// A JSON object with a line, where the line itself should be.
    #[error("a JSON object inside a JSON string: unwrap it once")]
    NestedJson,
    /// The field that should hold the line is null.
    #[error("\"data\" is null: expected a test_decoding line")]
    NullData,
    /// The field that should hold the line is a number, an array, ….
    #[error("\"data\" is not a string: expected a test_decoding line")]
    DataType,
    /// `Struct{` without its closing brace.
    #[error("Struct{{…}} without its closing brace: the value was cut short")]
    StructCut,
    /// A printed struct of other fields.
    #[error("Struct{{…}} without \"data\": expected a test_decoding line in a field of that name")]
    StructData,

    /// wal2json, one object for a transaction.
    #[error("wal2json v1 is not read yet: use the plugin test_decoding")]
    Wal2JsonV1,
    /// wal2json, one object for a change.
    #[error("wal2json v2 is not read yet: use the plugin test_decoding")]
    Wal2JsonV2,
    /// A change of Debezium.
    #[error("Debezium change events are not read yet: use the plugin test_decoding with Kafka Connect JDBC")]
    Debezium,
    /// A change of Debezium after its flattening transform.
    #[error("flattened Debezium events are not read yet: use the plugin test_decoding with Kafka Connect JDBC")]
    DebeziumFlattened,
    /// Debezium's transaction topic.
    #[error("Debezium transaction metadata is not read yet: leave its topic out")]
    DebeziumTransaction,
    /// A heartbeat where none is expected.
    #[error("looks like a Debezium heartbeat, but the topic does not begin with __debezium-heartbeat")]
    Heartbeat,
    /// An event in the form of cloudevents.io.
    #[error("CloudEvents are not read: use the plugin test_decoding")]
    CloudEvents,
    /// A row change of Canal.
    #[error("Canal's row changes (MySQL) are not read")]
    Canal,
    /// A row change of Maxwell.
    #[error("Maxwell's row changes (MySQL) are not read")]
    Maxwell,
    /// A row change of GoldenGate.
    #[error("GoldenGate's row changes are not read: use the plugin test_decoding")]
    GoldenGate,
    /// A change stream of MongoDB.
    #[error("MongoDB's change events are not read")]
    MongoDb,
    /// A row change of Qlik Replicate.
    #[error("Qlik Replicate's row changes are not read: use the plugin test_decoding")]
    Qlik,
    /// A row change as Supabase's webhooks and Sequin have it.
    #[error("row changes with \"record\" (Supabase, Sequin) are not read: use the plugin test_decoding")]
    RowWebhook,
    /// A row change of AWS DMS, Striim or alike.
    #[error("row changes with \"metadata\" (AWS DMS, Striim) are not read: use the plugin test_decoding")]
    RowMetadata,
    /// Binary pgoutput, as base64 or hexadecimal.
    #[error("binary pgoutput in \"data\" is not read: use the plugin test_decoding and pg_logical_slot_get_changes")]
    Pgoutput,

    /// No line of test_decoding begins like this.
    #[error("not a line of test_decoding")]
    UnknownLine,
    /// `BEGIN` with something else than a transaction number behind it.
    #[error("malformed BEGIN line")]
    Begin,
    /// `COMMIT` with something else than a transaction number and a time behind it.
    #[error("malformed COMMIT line")]
    Commit,
    /// A two-phase line without its transaction's name.
    #[error("malformed two-phase line: expected a quoted transaction name")]
    TwoPhase,
    /// A `message:` line that does not begin as one.
    #[error("malformed message line")]
    Message,
    /// A change of a streamed transaction names neither table nor operation.
    #[error("streamed change names no table: turn the slot option stream-changes off")]
    Streamed,
    /// A change of a transaction without COMMIT.
    #[error("transaction without COMMIT: its recording was interrupted, and the server sends it again")]
    Unfinished,
    /// Not a name.
    #[error("malformed name: expected schema.table, quoted where PostgreSQL quotes")]
    Name,
    /// A quoted name without its closing quote.
    #[error("quoted name without closing quote: the line was cut short")]
    UnclosedName,
    /// A name of no characters.
    #[error("empty quoted name")]
    EmptyName,
    /// A table's name without an operation behind it.
    #[error("no operation after the table name: expected \": INSERT:\" or alike")]
    NoOperation,
    /// None of the four operations.
    #[error("unknown operation: expected INSERT, UPDATE, DELETE or TRUNCATE")]
    Operation,
    /// A list of tables before something else than `TRUNCATE`.
    #[error("several tables in a change that is not a TRUNCATE")]
    SeveralTables,
    /// What follows the operation is not a list of columns.
    #[error("malformed columns after the operation")]
    Tuple,
    /// What follows `TRUNCATE:` is not a list of flags.
    #[error("malformed flags after TRUNCATE")]
    TruncateFlags,

    /// The day comes from the commit time, and that is not an instant.
    #[error("\"commit_time\", which --day-from commit needs, is not a time like 2026-11-22T12:34:56.123456Z")]
    CommitTime,
    /// The day comes from the commit time, and the record has none.
    #[error("no \"commit_time\", which --day-from commit needs")]
    NoCommitTime,
    /// No time from which the day could be derived.
    #[error("no usable time: neither \"commit_time\" nor a Kafka timestamp of the years 0001 to 9999")]
    NoTime,
    /// A table's name that is longer than PostgreSQL's names.
    #[error("table name of more than 4096 bytes: no PostgreSQL has such")]
    LongName,
    /// The instant lies outside the years 0001 to 9999 in the book's time zone.
    #[error("time outside the years 0001 to 9999 in the book's time zone")]
    TimeRange,
}

/// The query of Kafka Connect's JDBC source that walbook reads.
const CONNECT_QUERY: &str = "walbook reads lines of test_decoding, alone or in a field \"data\": let psql -At ask \
    SELECT data FROM pg_logical_slot_get_changes('SLOT', NULL, NULL), and Kafka Connect's JDBC source ask \
    SELECT lsn::text AS lsn, xid::text::bigint AS xid, data FROM pg_logical_slot_get_changes('SLOT', NULL, NULL)";
/// The converters of Kafka Connect whose values are read.
const CONVERTER: &str =
    "set value.converter=org.apache.kafka.connect.json.JsonConverter (or …storage.StringConverter) in Kafka Connect";
/// What is read of a server, without another program in between.
const OTHER_PLUGIN: &str = "create a slot with the plugin test_decoding (`walbook slot create`), and read it with `walbook capture` or \
    `walbook run --slot`";

impl Reject {
    /// The setting or the query that makes such records readable, where it follows from the reason.
    pub fn advice(&self) -> Option<&'static str> {
        Some(match self {
            Reject::Empty | Reject::JsonSyntax | Reject::UnknownLine | Reject::NoData(_) | Reject::StructData => {
                CONNECT_QUERY
            }
            Reject::Payload | Reject::NullData | Reject::DataType => CONNECT_QUERY,
            Reject::SchemaRegistry => CONVERTER,
            Reject::Wal2JsonV1
            | Reject::Wal2JsonV2
            | Reject::Debezium
            | Reject::DebeziumFlattened
            | Reject::CloudEvents
            | Reject::GoldenGate
            | Reject::Qlik
            | Reject::RowWebhook
            | Reject::RowMetadata
            | Reject::Pgoutput => OTHER_PLUGIN,
            Reject::NoCommitTime | Reject::CommitTime => {
                "let the records carry \"commit_time\", or make a new book with --day-from auto or --day-from kafka"
            }
            Reject::NoTime => {
                "let the producer set timestamps in milliseconds, or let the records carry \"commit_time\""
            }
            Reject::TimeRange => {
                "let the producer set timestamps in milliseconds since 1970, and look at the clock of the server"
            }
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_is_short_and_names_what_to_do() {
        assert_eq!(
            Reject::Payload.to_string(),
            "\"payload\" is neither an object nor a string: expected {\"data\":\"…\"}, or a test_decoding line"
        );
        assert!(Reject::Streamed.to_string().contains("stream-changes"));
    }
}
