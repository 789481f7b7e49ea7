//! The shop's tables.

use crate::change::Operation;

/// A table of the shop.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Table {
    Customers,
    User,
    Sessions,
    Products,
    PriceList,
    Stock,
    Orders,
    OrderItems,
    Order,
    Payments,
    Returns,
    AuditLog,
    Import,
    ImportErrors,
}

impl Table {
    /// Schema and table as plain text.
    pub(super) fn name(self) -> (&'static str, &'static str) {
        match self {
            Table::Customers => ("public", "customers"),
            Table::User => ("public", "user"),
            Table::Sessions => ("public", "sessions"),
            Table::Products => ("public", "products"),
            Table::PriceList => ("public", "Price List"),
            Table::Stock => ("public", "stock"),
            Table::Orders => ("public", "orders"),
            Table::OrderItems => ("public", "order_items"),
            Table::Order => ("public", "order"),
            Table::Payments => ("public", "payments"),
            Table::Returns => ("public", "returns \"2026\""),
            Table::AuditLog => ("audit", "log"),
            Table::Import => ("staging", "import"),
            Table::ImportErrors => ("staging", "import errors"),
        }
    }

    /// The name as test_decoding prints it; [`super::quoted`] of the plain text, kept ready because every record needs it.
    pub(super) fn printed(self) -> &'static str {
        match self {
            Table::Customers => "public.customers",
            Table::User => "public.\"user\"",
            Table::Sessions => "public.sessions",
            Table::Products => "public.products",
            Table::PriceList => "public.\"Price List\"",
            Table::Stock => "public.stock",
            Table::Orders => "public.orders",
            Table::OrderItems => "public.order_items",
            Table::Order => "public.\"order\"",
            Table::Payments => "public.payments",
            Table::Returns => "public.\"returns \"\"2026\"\"\"",
            Table::AuditLog => "audit.log",
            Table::Import => "staging.import",
            Table::ImportErrors => "staging.\"import errors\"",
        }
    }
}

/// One change of one table, as a line.
#[derive(Clone, Debug)]
pub(super) struct Change {
    pub(super) table: Table,
    pub(super) op: Operation,
    pub(super) line: String,
}

#[cfg(test)]
mod tests {
    use super::super::quoted;
    use super::*;

    #[test]
    fn names_are_printed_as_postgresql_prints_them() {
        let all = [
            Table::Customers,
            Table::User,
            Table::Sessions,
            Table::Products,
            Table::PriceList,
            Table::Stock,
            Table::Orders,
            Table::OrderItems,
            Table::Order,
            Table::Payments,
            Table::Returns,
            Table::AuditLog,
            Table::Import,
            Table::ImportErrors,
        ];
        for table in all {
            let (schema, name) = table.name();
            assert_eq!(table.printed(), format!("{}.{}", quoted(schema), quoted(name)));
        }
    }
}
