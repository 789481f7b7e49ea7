//! The tables whose changes a plugin hides or prints incompletely.

use super::Finding;
use crate::postgres::{PostgresError, SqlClient};

const SUBJECT: &str = "tables";
/// The largest number of tables in a message.
const MAX_NAMED: usize = 10;

/// A table whose changes are not decoded completely.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct FlawedTable {
    /// The name, quoted for SQL.
    name: String,
    flaw: TableFlaw,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum TableFlaw {
    /// It has no replica identity: nothing identifies an updated or deleted row.
    NoIdentity,
    /// Its changes are in no WAL.
    Unlogged,
}

/// Finds such tables; of a partitioned table the leaves, because these are decoded.
pub(super) fn query(client: &mut SqlClient) -> Result<Vec<FlawedTable>, PostgresError> {
    let rows = client.query(
        "SELECT format('%I.%I', n.nspname, c.relname) AS name, c.relpersistence = 'u' AS unlogged \
         FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
         WHERE c.relkind = 'r' AND c.relpersistence <> 't' AND n.nspname NOT IN ('pg_catalog', 'information_schema') \
         AND (c.relpersistence = 'u' OR NOT CASE c.relreplident WHEN 'f' THEN true WHEN 'n' THEN false \
              WHEN 'i' THEN EXISTS (SELECT FROM pg_catalog.pg_index i WHERE i.indrelid = c.oid AND i.indisreplident) \
              ELSE EXISTS (SELECT FROM pg_catalog.pg_index i WHERE i.indrelid = c.oid AND i.indisprimary) END) \
         ORDER BY 1",
    )?;
    let table = |row: &crate::postgres::SqlRow| FlawedTable {
        name: row.get("name").unwrap_or_default().to_owned(),
        flaw: if row.get("unlogged") == Some("t") { TableFlaw::Unlogged } else { TableFlaw::NoIdentity },
    };
    Ok(rows.iter().map(table).collect())
}

/// The findings for a slot of `plugin`.
pub(super) fn judge(tables: &[FlawedTable], plugin: &str) -> Vec<Finding> {
    let of = |flaw: TableFlaw| -> Vec<&str> {
        tables.iter().filter(|table| table.flaw == flaw).map(|table| table.name.as_str()).collect()
    };
    let (bare, unlogged) = (of(TableFlaw::NoIdentity), of(TableFlaw::Unlogged));
    let mut findings = Vec::new();
    match bare.first() {
        None => findings.push(Finding::ok(SUBJECT, "replica identity", "every table has one")),
        Some(first) => {
            let fix = format!(
                "ALTER TABLE {first} ADD PRIMARY KEY (…);  -- best; or\nALTER TABLE {first} REPLICA IDENTITY FULL;"
            );
            let seen = format!("{} without: {}; ", tables_of(bare.len()), list(&bare));
            findings.push(match plugin {
                "test_decoding" => Finding::warning(
                    SUBJECT,
                    "replica identity",
                    seen + "with test_decoding all their changes are counted, but a DELETE has no columns and an UPDATE no old key \
                            (wal2json would hide their updates and deletes, pgoutput refuse them)",
                ),
                "wal2json" => Finding::problem(
                    SUBJECT,
                    "replica identity",
                    seen + "wal2json hides their updates and deletes, with a warning in the server's log only",
                ),
                "pgoutput" => Finding::problem(
                    SUBJECT,
                    "replica identity",
                    seen + "in a publication that has updates or deletes, such statements on them are refused",
                ),
                other => Finding::warning(
                    SUBJECT,
                    "replica identity",
                    format!("{seen}how {other} decodes their updates and deletes is not known to walbook"),
                ),
            }
            .fix(fix));
        }
    }
    if let Some(first) = unlogged.first() {
        let seen = format!(
            "{} unlogged: {}; their changes are in no WAL and cannot be decoded",
            tables_of(unlogged.len()),
            list(&unlogged)
        );
        findings.push(Finding::warning(SUBJECT, "unlogged", seen).fix(format!("ALTER TABLE {first} SET LOGGED;")));
    }
    findings
}

fn tables_of(count: usize) -> String {
    if count == 1 { "1 table".to_owned() } else { format!("{count} tables") }
}

fn list(names: &[&str]) -> String {
    let shown = names.iter().take(MAX_NAMED).copied().collect::<Vec<_>>().join(", ");
    match names.len().saturating_sub(MAX_NAMED) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::replication::Severity;

    #[test]
    fn the_severity_of_a_missing_identity_depends_on_the_plugin() {
        let table = |name: &str, flaw| FlawedTable { name: name.to_owned(), flaw };
        let tables: Vec<FlawedTable> =
            (0..12).map(|n| table(&format!("public.t{n:02}"), TableFlaw::NoIdentity)).collect();
        for (plugin, level) in [
            ("test_decoding", Severity::Warning),
            ("wal2json", Severity::Problem),
            ("pgoutput", Severity::Problem),
            ("x", Severity::Warning),
        ] {
            let findings = judge(&tables, plugin);
            assert_eq!((findings.len(), findings[0].state), (1, level), "{plugin}");
            assert!(findings[0].seen.contains("12 tables without: public.t00, "), "{}", findings[0].seen);
            assert!(findings[0].seen.contains("public.t09 and 2 more"), "{}", findings[0].seen);
            assert!(findings[0].command.as_deref().is_some_and(|fix| fix.contains("public.t00 REPLICA IDENTITY FULL")));
        }
        assert_eq!(judge(&[], "wal2json")[0].state, Severity::Ok);
        let unlogged = judge(&[table("s.\"U\"", TableFlaw::Unlogged)], "test_decoding");
        assert_eq!(unlogged[1].command.as_deref(), Some("ALTER TABLE s.\"U\" SET LOGGED;"));
    }
}
