//! The tables: those whose rows a plugin would hide, or print with less than there is.

use super::Finding;
use crate::postgres::{Client, PostgresError};

const SUBJECT: &str = "tables";
/// So many tables are named.
const NAMED: usize = 10;

/// A table that needs a word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Table {
    /// As SQL names it.
    name: String,
    trouble: Trouble,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Trouble {
    /// Nothing tells which row was updated or deleted.
    NoIdentity,
    /// Its changes are in no WAL.
    Unlogged,
}

/// Asks for the tables that need a word; partitioned ones are looked at leaf by leaf, as they are decoded.
pub(super) fn ask(client: &mut Client) -> Result<Vec<Table>, PostgresError> {
    let rows = client.query(
        "SELECT format('%I.%I', n.nspname, c.relname) AS name, c.relpersistence = 'u' AS unlogged \
         FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
         WHERE c.relkind = 'r' AND c.relpersistence <> 't' AND n.nspname NOT IN ('pg_catalog', 'information_schema') \
         AND (c.relpersistence = 'u' OR NOT CASE c.relreplident WHEN 'f' THEN true WHEN 'n' THEN false \
              WHEN 'i' THEN EXISTS (SELECT FROM pg_catalog.pg_index i WHERE i.indrelid = c.oid AND i.indisreplident) \
              ELSE EXISTS (SELECT FROM pg_catalog.pg_index i WHERE i.indrelid = c.oid AND i.indisprimary) END) \
         ORDER BY 1",
    )?;
    let table = |row: &crate::postgres::Row| Table {
        name: row.get("name").unwrap_or_default().to_owned(),
        trouble: if row.get("unlogged") == Some("t") { Trouble::Unlogged } else { Trouble::NoIdentity },
    };
    Ok(rows.iter().map(table).collect())
}

/// What this means for a slot of `plugin`.
pub(super) fn judge(tables: &[Table], plugin: &str) -> Vec<Finding> {
    let of = |trouble: Trouble| -> Vec<&str> {
        tables.iter().filter(|table| table.trouble == trouble).map(|table| table.name.as_str()).collect()
    };
    let (bare, unlogged) = (of(Trouble::NoIdentity), of(Trouble::Unlogged));
    let mut findings = Vec::new();
    match bare.first() {
        None => findings.push(Finding::ok(SUBJECT, "replica identity", "every table has one")),
        Some(first) => {
            let mend = format!(
                "ALTER TABLE {first} ADD PRIMARY KEY (…);  -- best; or\nALTER TABLE {first} REPLICA IDENTITY FULL;"
            );
            let seen = format!("{} without: {}; ", tables_of(bare.len()), list(&bare));
            findings.push(match plugin {
                "test_decoding" => Finding::warning(
                    SUBJECT,
                    "replica identity",
                    seen + "with test_decoding all their changes count, but a DELETE tells no column, and an UPDATE no old key \
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
                    format!("{seen}what {other} makes of their updates and deletes is its own business"),
                ),
            }
            .mend(mend));
        }
    }
    if let Some(first) = unlogged.first() {
        let seen = format!(
            "{} unlogged: {}; their changes are in no WAL and cannot be decoded",
            tables_of(unlogged.len()),
            list(&unlogged)
        );
        findings.push(Finding::warning(SUBJECT, "unlogged", seen).mend(format!("ALTER TABLE {first} SET LOGGED;")));
    }
    findings
}

fn tables_of(count: usize) -> String {
    if count == 1 { "1 table".to_owned() } else { format!("{count} tables") }
}

fn list(names: &[&str]) -> String {
    let shown = names.iter().take(NAMED).copied().collect::<Vec<_>>().join(", ");
    match names.len().saturating_sub(NAMED) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::slot::Level;

    #[test]
    fn what_a_missing_identity_means_depends_on_the_plugin() {
        let table = |name: &str, trouble| Table { name: name.to_owned(), trouble };
        let tables: Vec<Table> = (0..12).map(|n| table(&format!("public.t{n:02}"), Trouble::NoIdentity)).collect();
        for (plugin, level) in [
            ("test_decoding", Level::Warning),
            ("wal2json", Level::Problem),
            ("pgoutput", Level::Problem),
            ("x", Level::Warning),
        ] {
            let findings = judge(&tables, plugin);
            assert_eq!((findings.len(), findings[0].state), (1, level), "{plugin}");
            assert!(findings[0].seen.contains("12 tables without: public.t00, "), "{}", findings[0].seen);
            assert!(findings[0].seen.contains("public.t09 and 2 more"), "{}", findings[0].seen);
            assert!(
                findings[0].command.as_deref().is_some_and(|mend| mend.contains("public.t00 REPLICA IDENTITY FULL"))
            );
        }
        assert_eq!(judge(&[], "wal2json")[0].state, Level::Well);
        let unlogged = judge(&[table("s.\"U\"", Trouble::Unlogged)], "test_decoding");
        assert_eq!(unlogged[1].command.as_deref(), Some("ALTER TABLE s.\"U\" SET LOGGED;"));
    }
}
