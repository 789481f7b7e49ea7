//! The shop's tables.

use crate::change::Operation;

use super::views::Sale;

/// A table of the shop.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum ShopTable {
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

impl ShopTable {
    /// Schema and table as plain text.
    pub(super) fn name(self) -> (&'static str, &'static str) {
        match self {
            ShopTable::Customers => ("public", "customers"),
            ShopTable::User => ("public", "user"),
            ShopTable::Sessions => ("public", "sessions"),
            ShopTable::Products => ("public", "products"),
            ShopTable::PriceList => ("public", "Price List"),
            ShopTable::Stock => ("public", "stock"),
            ShopTable::Orders => ("public", "orders"),
            ShopTable::OrderItems => ("public", "order_items"),
            ShopTable::Order => ("public", "order"),
            ShopTable::Payments => ("public", "payments"),
            ShopTable::Returns => ("public", "returns \"2026\""),
            ShopTable::AuditLog => ("audit", "log"),
            ShopTable::Import => ("staging", "import"),
            ShopTable::ImportErrors => ("staging", "import errors"),
        }
    }

    /// The name as test_decoding prints it; [`super::quoted`] of the plain text, a constant because every record needs it.
    pub(super) fn printed(self) -> &'static str {
        match self {
            ShopTable::Customers => "public.customers",
            ShopTable::User => "public.\"user\"",
            ShopTable::Sessions => "public.sessions",
            ShopTable::Products => "public.products",
            ShopTable::PriceList => "public.\"Price List\"",
            ShopTable::Stock => "public.stock",
            ShopTable::Orders => "public.orders",
            ShopTable::OrderItems => "public.order_items",
            ShopTable::Order => "public.\"order\"",
            ShopTable::Payments => "public.payments",
            ShopTable::Returns => "public.\"returns \"\"2026\"\"\"",
            ShopTable::AuditLog => "audit.log",
            ShopTable::Import => "staging.import",
            ShopTable::ImportErrors => "staging.\"import errors\"",
        }
    }
}

/// One change of one table, as a line.
#[derive(Clone, Debug)]
pub(super) struct ShopChange {
    pub(super) table: ShopTable,
    pub(super) op: Operation,
    pub(super) line: String,
    /// What it adds to the views, if anything.
    pub(super) sale: Option<Sale>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::demo::quoted;

    #[test]
    fn names_are_printed_as_postgresql_prints_them() {
        let all = [
            ShopTable::Customers,
            ShopTable::User,
            ShopTable::Sessions,
            ShopTable::Products,
            ShopTable::PriceList,
            ShopTable::Stock,
            ShopTable::Orders,
            ShopTable::OrderItems,
            ShopTable::Order,
            ShopTable::Payments,
            ShopTable::Returns,
            ShopTable::AuditLog,
            ShopTable::Import,
            ShopTable::ImportErrors,
        ];
        for table in all {
            let (schema, name) = table.name();
            assert_eq!(table.printed(), format!("{}.{}", quoted(schema), quoted(name)));
        }
    }
}
