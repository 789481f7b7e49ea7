//! Envelopes of other systems, recognized by the keys of the whole object.
//!
//! Such an object may have a column `data`, and that may hold a line of test_decoding: it is a row of a table all the same, and
//! not a change that PostgreSQL printed. So its keys are looked at before its `data`. But Connect's transforms add fields of any
//! name to a line's record: a key shows a system only with a value that this system writes, and systems whose envelopes
//! have no text in `data` do not explain one that has.

use crate::parse::Reject;

/// Which keys of other systems' envelopes an object has; one bit each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::parse) struct Signs(u64);

macro_rules! signs {
    ($($name:ident = $bit:literal: $($key:literal)|+;)+) => {
        impl Signs {
            $(const $name: Signs = Signs(1 << $bit);)+

            /// What a key shows; empty for any other key.
            pub(in crate::parse) fn of_key(key: &str) -> Signs {
                match key {
                    $($($key)|+ => Signs::$name,)+
                    _ => Signs(0),
                }
            }
        }
    };
}

signs! {
    CHANGE = 0: "change";
    ACTION = 1: "action";
    SOURCE = 2: "source";
    OP = 3: "op";
    ROW = 4: "before" | "after";
    FLATTENED_OP = 5: "__op";
    STATUS = 6: "status";
    ID = 7: "id";
    COLLECTIONS = 8: "data_collections" | "event_count";
    SPEC_VERSION = 9: "specversion";
    CANAL = 10: "isDdl" | "mysqlType" | "sqlType";
    TYPE = 11: "type";
    TABLE = 12: "table";
    DATABASE = 13: "database";
    OP_TYPE = 14: "op_type";
    OP_TIME = 15: "op_ts" | "current_ts" | "pos";
    OPERATION_TYPE = 16: "operationType";
    DOCUMENT = 17: "fullDocument" | "documentKey" | "clusterTime";
    METADATA = 18: "metadata";
    RECORD = 19: "record" | "old_record";
    BEFORE_DATA = 20: "beforeData";
    TS_MS = 21: "ts_ms";
    FLATTENED_TABLE = 22: "__table";
    FLATTENED_TIME = 23: "__ts_ms";
    FLATTENED_DELETED = 24: "__deleted";
    FLATTENED_LSN = 25: "__lsn";
    FLATTENED_TXID = 26: "__txId";
    FLATTENED_SOURCE_TIME = 27: "__source_ts_ms";
    FLATTENED_SOURCE_LSN = 28: "__source_lsn";
}

/// What a field holds, as far as it shows a system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::parse) enum Shown<'v> {
    Null,
    Text(&'v str),
    Object,
    Array,
    /// A number or a literal.
    Other,
}

impl Signs {
    /// Any of the fields that Debezium adds to a flattened row.
    const FLATTENED: Signs = Signs(
        Signs::FLATTENED_OP.0
            | Signs::FLATTENED_DELETED.0
            | Signs::FLATTENED_LSN.0
            | Signs::FLATTENED_TXID.0
            | Signs::FLATTENED_SOURCE_TIME.0
            | Signs::FLATTENED_SOURCE_LSN.0,
    );
    // Shown by values, and by no key alone.
    const ACTION_LETTER: Signs = Signs(1 << 61);
    const OP_LETTER: Signs = Signs(1 << 62);
    const SOURCE_OBJECT: Signs = Signs(1 << 63);

    /// What a field shows; empty where another system's field would have another value.
    pub(in crate::parse) fn of_field(key: &str, value: Shown<'_>) -> Signs {
        let sign = Signs::of_key(key);
        let more = match (sign, value) {
            // Rows before and after a change, and all fields of some systems, may be null.
            (Signs::CHANGE | Signs::ACTION | Signs::OP | Signs::SOURCE | Signs::SPEC_VERSION, Shown::Null) => {
                return Signs::default();
            }
            (sign, Shown::Null) if Signs::FLATTENED.has(&[sign]) => return Signs::default(),
            (Signs::CHANGE, Shown::Array) => sign,
            (Signs::CHANGE, _) => return Signs::default(),
            (Signs::ACTION, Shown::Text("B" | "C" | "I" | "U" | "D" | "T" | "M")) => Signs::ACTION_LETTER,
            (Signs::OP, Shown::Text("c" | "u" | "d" | "r" | "t" | "m")) => Signs::OP_LETTER,
            (Signs::SOURCE, Shown::Object) => Signs::SOURCE_OBJECT,
            _ => sign,
        };
        Signs(sign.0 | more.0)
    }

    /// Notes what a field shows, in place of what an earlier one with the same key did. Keys that share a bit show it whatever they hold.
    pub(in crate::parse) fn set(&mut self, key: &str, value: Shown<'_>) {
        let sign = Signs::of_key(key);
        let by_value = match sign {
            Signs::ACTION => Signs::ACTION_LETTER,
            Signs::OP => Signs::OP_LETTER,
            Signs::SOURCE => Signs::SOURCE_OBJECT,
            _ => Signs::default(),
        };
        self.0 &= !(sign.0 | by_value.0);
        self.add(Signs::of_field(key, value));
    }
}

impl Signs {
    /// Whether there are none.
    pub(in crate::parse) fn is_empty(self) -> bool {
        self.0 == 0
    }

    pub(in crate::parse) fn add(&mut self, more: Signs) {
        self.0 |= more.0;
    }

    fn has(self, all: &[Signs]) -> bool {
        all.iter().all(|sign| self.0 & sign.0 != 0)
    }

    /// The system whose envelope explains the fields; some do only where `data` holds no text.
    pub(in crate::parse) fn system(self, data_is_text: bool) -> Option<Reject> {
        // Each combination is sure by itself; where two fit, the first names the outer envelope.
        let systems: [(&[Signs], Reject); 9] = [
            (&[Signs::SPEC_VERSION], Reject::CloudEvents),
            (&[Signs::CHANGE], Reject::Wal2JsonV1),
            (&[Signs::ACTION_LETTER], Reject::Wal2JsonV2),
            (&[Signs::OP, Signs::SOURCE], Reject::Debezium),
            (&[Signs::ROW, Signs::SOURCE_OBJECT], Reject::Debezium),
            (&[Signs::OP, Signs::ROW], Reject::Debezium),
            (&[Signs::OP_LETTER, Signs::TS_MS], Reject::Debezium),
            (&[Signs::FLATTENED], Reject::DebeziumFlattened),
            (&[Signs::FLATTENED_TABLE, Signs::FLATTENED_TIME], Reject::DebeziumFlattened),
        ];
        // A line's record may have such fields too, but their envelopes have an object in `data`, or none.
        let systems_without_text: [(&[Signs], Reject); 9] = [
            (&[Signs::RECORD, Signs::TABLE], Reject::RowWebhook),
            (&[Signs::RECORD, Signs::ACTION], Reject::RowWebhook),
            (&[Signs::STATUS, Signs::ID, Signs::COLLECTIONS], Reject::DebeziumTransaction),
            (&[Signs::CANAL], Reject::Canal),
            (&[Signs::TYPE, Signs::TABLE, Signs::DATABASE], Reject::Maxwell),
            (&[Signs::OP_TYPE, Signs::OP_TIME], Reject::GoldenGate),
            (&[Signs::OPERATION_TYPE, Signs::DOCUMENT], Reject::MongoDb),
            (&[Signs::BEFORE_DATA], Reject::Qlik),
            (&[Signs::FLATTENED_TABLE], Reject::DebeziumFlattened),
        ];
        let without_text = systems_without_text.into_iter().take(if data_is_text { 0 } else { usize::MAX });
        systems.into_iter().chain(without_text).find(|(signs, _)| self.has(signs)).map(|(_, system)| system)
    }

    /// The system that an object without `data` looks like.
    pub(in crate::parse) fn system_without_data(self) -> Option<Reject> {
        self.has(&[Signs::STATUS, Signs::ID]).then_some(Reject::DebeziumTransaction)
    }

    /// The system of a printed struct whose newest field is a struct.
    pub(in crate::parse) fn system_of_nested_row(self) -> Option<Reject> {
        let is_debezium = self.has(&[Signs::ROW]) || self.has(&[Signs::SOURCE]);
        self.system(false).or(is_debezium.then_some(Reject::Debezium))
    }

    /// The system that an object looks like whose `data` is no text.
    pub(in crate::parse) fn system_of_row(self) -> Option<Reject> {
        self.has(&[Signs::METADATA]).then_some(Reject::RowMetadata)
    }
}
