//! What people do in the shop, each thing one transaction.

use std::collections::VecDeque;

use crate::change::Operation::{self, Delete, Insert, Truncate, Update};

use super::Random;
use super::line::Line;
use super::tables::{Change, Table};

const FIRST_NAMES: [&str; 12] =
    ["Ada", "Bengt", "Chloé", "Dmitri", "Élise", "Fatma", "Günther", "Hana", "Íñigo", "Jürgen", "明", "Siân"];
const LAST_NAMES: [&str; 10] =
    ["O'Brien", "Müller", "García", "Nowak", "d'Arc", "Ångström", "Smith", "佐藤", "van der Berg", "Çelik"];
const STREETS: [&str; 6] = ["High St", "Rue de l'Église", "Hauptstraße", "Calle Mayor", "C:\\Yard\\", "Elm {Court}"];
const GOODS: [&str; 10] = [
    "kettle, 1.7 l",
    "3\" hose",
    "baker's dozen",
    "lamp [E27]",
    "desk",
    "chair: oak",
    "tea 100 g",
    "rug 2x3",
    "USB-C cable",
    "mug",
];
const NOTES: [&str; 5] = [
    "please ring twice",
    "it's a gift",
    "leave at\ntable 3: DELETE: nothing",
    "{\"floor\": 2, \"code\": \"#42\"}",
    "table public.orders: DELETE: id[integer]:1",
];
const PRODUCTS: u64 = 800;

/// What the shop remembers between transactions, so that what happens next makes sense; bounded.
#[derive(Clone, Debug)]
pub(super) struct Actions {
    random: Random,
    customers: u64,
    orders: u64,
    sessions: u64,
    entries: u64,
    open: VecDeque<Order>,
    visitors: VecDeque<u64>,
}

#[derive(Clone, Copy, Debug)]
struct Order {
    id: u64,
    customer: u64,
    cents: u64,
    items: u64,
}

impl Actions {
    pub(super) fn new(random: Random) -> Actions {
        Actions {
            random,
            customers: 4_000,
            orders: 120_000,
            sessions: 900_000,
            entries: 50_000,
            open: VecDeque::new(),
            visitors: VecDeque::new(),
        }
    }

    /// The changes of whatever happens next; `time` is the instant as PostgreSQL prints it.
    pub(super) fn next(&mut self, time: &str) -> Vec<Change> {
        match self.random.below(100) {
            0..20 => self.arrive(time),
            20..32 => self.leave(),
            32..62 => self.order(time),
            62..78 => self.pay(time),
            78..87 => self.ship(time),
            87..91 => self.register(time),
            91..94 => self.edit_profile(time),
            94..96 => self.change_price(time),
            96..98 => self.repeat_order(time),
            _ => self.cancel(time),
        }
    }

    /// The nightly import: staging tables are emptied and filled again.
    pub(super) fn import(&mut self, time: &str) -> Vec<Change> {
        let mut changes: Vec<Change> = [Table::Import, Table::ImportErrors]
            .into_iter()
            .map(|table| change(table, Truncate, Line::new(table.printed(), "TRUNCATE").flags("restart_seqs")))
            .collect();
        for row in 1..=20 + self.random.below(40) {
            let line =
                insert(Table::Import).int("row", row).int("sku", self.random.below(PRODUCTS) + 1).time("at", time);
            changes.push(change(Table::Import, Insert, line.value("tags", "text[]", "{new,\"on sale\"}")));
            if self.random.per_mille(60) {
                let line = insert(Table::ImportErrors).int("row", row).text("\"what's wrong\"", "no such SKU: 'null'");
                changes.push(change(Table::ImportErrors, Insert, line));
            }
        }
        changes
    }

    fn arrive(&mut self, time: &str) -> Vec<Change> {
        self.sessions += 1;
        self.visitors.push_back(self.sessions);
        let address = format!("10.{}.{}.{}", self.random.below(256), self.random.below(256), self.random.below(256));
        let line = insert(Table::Sessions).bare("id", "bigint", self.sessions).value("address", "inet", &address);
        vec![change(Table::Sessions, Insert, line.time("since", time).bare("customer_id", "integer", "null"))]
    }

    fn leave(&mut self) -> Vec<Change> {
        let Some(session) = self.visitors.pop_front() else { return Vec::new() };
        let line = Line::new(Table::Sessions.printed(), "DELETE").bare("id", "bigint", session);
        vec![change(Table::Sessions, Delete, line)]
    }

    fn order(&mut self, time: &str) -> Vec<Change> {
        self.orders += 1;
        let items = 1 + self.random.below(4) + self.random.below(4);
        let mut order = Order { id: self.orders, customer: self.random.below(self.customers) + 1, cents: 0, items };
        let mut changes = Vec::with_capacity(2 * items as usize + 1);
        for item in 1..=items {
            let (product, pieces) = (self.random.below(PRODUCTS) + 1, 1 + self.random.below(3));
            let cents = pieces * (199 + self.random.below(90_000));
            order.cents += cents;
            let goods = *self.random.pick(&GOODS);
            let line = insert(Table::OrderItems).bare("order_id", "bigint", order.id).int("item", item);
            let line = line.int("product_id", product).text("what", goods).int("pieces", pieces).amount("price", cents);
            changes.push(change(Table::OrderItems, Insert, line));
            let line = update(Table::Stock).int("product_id", product).int("pieces", self.random.below(500));
            changes.push(change(Table::Stock, Update, line.time("counted", time)));
        }
        let note = self.random.per_mille(120).then(|| *self.random.pick(&NOTES));
        let line = order.line(insert(Table::Orders), "placed", time);
        let line = match note {
            Some(note) => line.text("note", note),
            None => line.bare("note", "text", "null"),
        };
        changes.insert(0, change(Table::Orders, Insert, line));
        self.open.push_back(order);
        if self.open.len() > 500 {
            self.open.pop_front();
        }
        changes
    }

    fn pay(&mut self, time: &str) -> Vec<Change> {
        let Some(order) = self.open.back().copied() else { return Vec::new() };
        let means = *self.random.pick(&["card", "transfer", "voucher"]);
        let line = insert(Table::Payments).bare("order_id", "bigint", order.id).amount("amount", order.cents);
        let line = line.value("means", "payment_means", means).value("fee", "money", "$0.35").time("paid", time);
        let risk = self.random.fraction();
        let line = line.bare("risk", "double precision", risk).bare("flags", "bit varying", "B'0101'");
        let paid = order.line(update(Table::Orders), "paid", time).bare("note", "text", "unchanged-toast-datum");
        vec![change(Table::Payments, Insert, line), change(Table::Orders, Update, paid)]
    }

    fn ship(&mut self, time: &str) -> Vec<Change> {
        let Some(order) = self.open.pop_front() else { return Vec::new() };
        let line = order.line(update(Table::Orders), "shipped", time).bare("note", "text", "unchanged-toast-datum");
        let mut changes = vec![change(Table::Orders, Update, line)];
        if self.random.per_mille(80) {
            let line = insert(Table::Returns).bare("\"Order\"", "bigint", order.id).text("why", "doesn't fit");
            changes.push(change(Table::Returns, Insert, line));
            changes.push(self.log("return", time));
        }
        changes
    }

    fn register(&mut self, time: &str) -> Vec<Change> {
        self.customers += 1;
        let (first, last) = (*self.random.pick(&FIRST_NAMES), *self.random.pick(&LAST_NAMES));
        let street = format!("{} {}", self.random.below(99) + 1, self.random.pick(&STREETS));
        let line = insert(Table::Customers).int("id", self.customers).text("name", &format!("{first} {last}"));
        let customer = line.text("street", &street).time("since", time);
        let mail = format!("customer{}@example.org", self.customers);
        let user = insert(Table::User).value("mail", "character varying", &mail).int("customer_id", self.customers);
        let user = user.bare("\"admin?\"", "boolean", false);
        vec![
            change(Table::Customers, Insert, customer),
            change(Table::User, Insert, user),
            self.log("registered", time),
        ]
    }

    /// A new mail address is a new key: test_decoding prints the old one too, and it is one UPDATE.
    fn edit_profile(&mut self, time: &str) -> Vec<Change> {
        let customer = self.random.below(self.customers) + 1;
        let line = Line::new(Table::User.printed(), "UPDATE").old_key();
        let line = line.value("mail", "character varying", &format!("customer{customer}@example.org")).new_tuple();
        let line = line.value("mail", "character varying", &format!("new-tuple: {customer}@example.org"));
        let line = line.int("customer_id", customer).bare("\"admin?\"", "boolean", false);
        vec![change(Table::User, Update, line), self.log("new mail", time)]
    }

    fn change_price(&mut self, time: &str) -> Vec<Change> {
        let (product, cents) = (self.random.below(PRODUCTS) + 1, 199 + self.random.below(90_000));
        let price = update(Table::PriceList).int("\"Product No.\"", product).amount("\"price [EUR]\"", cents);
        let goods = *self.random.pick(&GOODS);
        let line = update(Table::Products).int("id", product).text("name", goods).value("sizes", "integer[]", "{1,2}");
        vec![
            change(Table::PriceList, Update, price.time("\"valid: from\"", time)),
            change(Table::Products, Update, line),
            self.log("price", time),
        ]
    }

    fn repeat_order(&mut self, time: &str) -> Vec<Change> {
        let customer = self.random.below(self.customers) + 1;
        let (op, line) = match self.random.per_mille(600) {
            true => (Insert, insert(Table::Order)),
            false => (Update, update(Table::Order)),
        };
        vec![change(Table::Order, op, line.int("customer_id", customer).time("\"from\"", time))]
    }

    fn cancel(&mut self, time: &str) -> Vec<Change> {
        let Some(order) = self.open.pop_back() else { return Vec::new() };
        let mut changes = Vec::new();
        for item in 1..=order.items {
            let line = Line::new(Table::OrderItems.printed(), "DELETE").bare("order_id", "bigint", order.id);
            changes.push(change(Table::OrderItems, Delete, line.int("item", item)));
        }
        let line = Line::new(Table::Orders.printed(), "DELETE").bare("id", "bigint", order.id);
        changes.push(change(Table::Orders, Delete, line));
        changes.push(self.log("cancelled", time));
        changes
    }

    fn log(&mut self, what: &str, time: &str) -> Change {
        self.entries += 1;
        let line = insert(Table::AuditLog).bare("id", "bigint", self.entries).text("what", what).time("at", time);
        change(Table::AuditLog, Insert, line)
    }
}

impl Order {
    fn line(self, line: Line, state: &str, time: &str) -> Line {
        let line = line.bare("id", "bigint", self.id).int("customer_id", self.customer).text("state", state);
        line.amount("total", self.cents).time("since", time)
    }
}

fn change(table: Table, op: Operation, line: Line) -> Change {
    Change { table, op, line: line.finish() }
}

fn insert(table: Table) -> Line {
    Line::new(table.printed(), "INSERT")
}

fn update(table: Table) -> Line {
    Line::new(table.printed(), "UPDATE")
}
