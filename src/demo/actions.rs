//! What customers and staff do in the shop, each action one transaction.

use std::collections::VecDeque;

use crate::change::Operation;
use crate::change::Operation::{Delete, Insert, Truncate, Update};

use super::change_line::ChangeLine;
use super::tables::{ShopChange, ShopTable};
use super::views::Sale;
use fastrand::Rng;

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
/// Where customers live, by the last digit of their number.
const REGIONS: [&str; 10] = ["north", "south", "west", "north", "islands", "south", "north", "west", "north", "south"];

/// The state between transactions that keeps the actions consistent; bounded.
#[derive(Clone, Debug)]
pub(super) struct Actions {
    random: Rng,
    customers: u64,
    orders: u64,
    sessions: u64,
    entries: u64,
    open: VecDeque<ShopOrder>,
    visitors: VecDeque<u64>,
}

#[derive(Clone, Copy, Debug)]
struct ShopOrder {
    id: u64,
    customer: u64,
    cents: u64,
    items: u64,
}

impl Actions {
    pub(super) fn new(random: Rng) -> Actions {
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

    /// The changes of the next action; `time` is the instant as PostgreSQL prints it.
    pub(super) fn next(&mut self, time: &str) -> Vec<ShopChange> {
        match self.random.u64(..100) {
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
    pub(super) fn import(&mut self, time: &str) -> Vec<ShopChange> {
        let mut changes: Vec<ShopChange> = [ShopTable::Import, ShopTable::ImportErrors]
            .into_iter()
            .map(|table| change(table, Truncate, ChangeLine::new(table.printed(), "TRUNCATE").flags("restart_seqs")))
            .collect();
        for row in 1..=20 + self.random.u64(..40) {
            let line =
                insert(ShopTable::Import).int("row", row).int("sku", self.random.u64(..PRODUCTS) + 1).time("at", time);
            changes.push(change(ShopTable::Import, Insert, line.value("tags", "text[]", "{new,\"on sale\"}")));
            if self.random.u32(..1000) < 60 {
                let line =
                    insert(ShopTable::ImportErrors).int("row", row).text("\"what's wrong\"", "no such SKU: 'null'");
                changes.push(change(ShopTable::ImportErrors, Insert, line));
            }
        }
        changes
    }

    fn arrive(&mut self, time: &str) -> Vec<ShopChange> {
        self.sessions += 1;
        self.visitors.push_back(self.sessions);
        let address = format!("10.{}.{}.{}", self.random.u64(..256), self.random.u64(..256), self.random.u64(..256));
        let line = insert(ShopTable::Sessions).bare("id", "bigint", self.sessions).value("address", "inet", &address);
        vec![change(ShopTable::Sessions, Insert, line.time("since", time).bare("customer_id", "integer", "null"))]
    }

    fn leave(&mut self) -> Vec<ShopChange> {
        let Some(session) = self.visitors.pop_front() else { return Vec::new() };
        let line = ChangeLine::new(ShopTable::Sessions.printed(), "DELETE").bare("id", "bigint", session);
        vec![change(ShopTable::Sessions, Delete, line)]
    }

    fn order(&mut self, time: &str) -> Vec<ShopChange> {
        self.orders += 1;
        let items = 1 + self.random.u64(..4) + self.random.u64(..4);
        let mut order = ShopOrder { id: self.orders, customer: self.random.u64(..self.customers) + 1, cents: 0, items };
        let mut changes = Vec::with_capacity(2 * items as usize + 1);
        for item in 1..=items {
            let (product, pieces) = (self.random.u64(..PRODUCTS) + 1, 1 + self.random.u64(..3));
            let cents = pieces * (199 + self.random.u64(..90_000));
            order.cents += cents;
            let goods = self.pick(&GOODS);
            let line = insert(ShopTable::OrderItems).bare("order_id", "bigint", order.id).int("item", item);
            let line = line.int("product_id", product).text("what", goods).int("pieces", pieces).amount("price", cents);
            changes.push(change(ShopTable::OrderItems, Insert, line));
            let line = update(ShopTable::Stock).int("product_id", product).int("pieces", self.random.u64(..500));
            changes.push(change(ShopTable::Stock, Update, line.time("counted", time)));
        }
        let note = (self.random.u32(..1000) < 120).then(|| self.pick(&NOTES));
        let line = order.line(insert(ShopTable::Orders), "placed", time);
        let line = match note {
            Some(note) => line.text("note", note),
            None => line.bare("note", "text", "null"),
        };
        let ordered = Some(Sale::Ordered { customer: order.customer });
        changes.insert(0, ShopChange { sale: ordered, ..change(ShopTable::Orders, Insert, line) });
        self.open.push_back(order);
        if self.open.len() > 500 {
            self.open.pop_front();
        }
        changes
    }

    fn pay(&mut self, time: &str) -> Vec<ShopChange> {
        let Some(order) = self.open.back().copied() else { return Vec::new() };
        let means = self.pick(&["card", "transfer", "voucher"]);
        let line = insert(ShopTable::Payments).bare("order_id", "bigint", order.id).amount("amount", order.cents);
        let line = line.value("means", "payment_means", means).value("fee", "money", "$0.35").time("paid", time);
        let risk = self.random.f64();
        let line = line.bare("risk", "double precision", risk).bare("flags", "bit varying", "B'0101'");
        let paid = order.line(update(ShopTable::Orders), "paid", time).bare("note", "text", "unchanged-toast-datum");
        let sale = Some(Sale::Paid { region: order.region(), cents: order.cents });
        vec![change(ShopTable::Payments, Insert, line), ShopChange { sale, ..change(ShopTable::Orders, Update, paid) }]
    }

    fn ship(&mut self, time: &str) -> Vec<ShopChange> {
        let Some(order) = self.open.pop_front() else { return Vec::new() };
        let line = order.line(update(ShopTable::Orders), "shipped", time).bare("note", "text", "unchanged-toast-datum");
        let mut changes = vec![change(ShopTable::Orders, Update, line)];
        if self.random.u32(..1000) < 80 {
            let line = insert(ShopTable::Returns).bare("\"Order\"", "bigint", order.id).text("why", "doesn't fit");
            changes.push(change(ShopTable::Returns, Insert, line));
            changes.push(self.log("return", time));
        }
        changes
    }

    fn register(&mut self, time: &str) -> Vec<ShopChange> {
        self.customers += 1;
        let (first, last) = (self.pick(&FIRST_NAMES), self.pick(&LAST_NAMES));
        let street = format!("{} {}", self.random.u64(..99) + 1, self.pick(&STREETS));
        let line = insert(ShopTable::Customers).int("id", self.customers).text("name", &format!("{first} {last}"));
        let customer = line.text("street", &street).time("since", time);
        let mail = format!("customer{}@example.org", self.customers);
        let user = insert(ShopTable::User).value("mail", "character varying", &mail).int("customer_id", self.customers);
        let user = user.bare("\"admin?\"", "boolean", false);
        vec![
            change(ShopTable::Customers, Insert, customer),
            change(ShopTable::User, Insert, user),
            self.log("registered", time),
        ]
    }

    /// A new mail address is a new key: test_decoding prints the old one too, and it is one UPDATE.
    fn edit_profile(&mut self, time: &str) -> Vec<ShopChange> {
        let customer = self.random.u64(..self.customers) + 1;
        let line = ChangeLine::new(ShopTable::User.printed(), "UPDATE").old_key();
        let line = line.value("mail", "character varying", &format!("customer{customer}@example.org")).new_tuple();
        let line = line.value("mail", "character varying", &format!("new-tuple: {customer}@example.org"));
        let line = line.int("customer_id", customer).bare("\"admin?\"", "boolean", false);
        vec![change(ShopTable::User, Update, line), self.log("new mail", time)]
    }

    fn change_price(&mut self, time: &str) -> Vec<ShopChange> {
        let (product, cents) = (self.random.u64(..PRODUCTS) + 1, 199 + self.random.u64(..90_000));
        let price = update(ShopTable::PriceList).int("\"Product No.\"", product).amount("\"price [EUR]\"", cents);
        let goods = self.pick(&GOODS);
        let line =
            update(ShopTable::Products).int("id", product).text("name", goods).value("sizes", "integer[]", "{1,2}");
        vec![
            change(ShopTable::PriceList, Update, price.time("\"valid: from\"", time)),
            change(ShopTable::Products, Update, line),
            self.log("price", time),
        ]
    }

    fn repeat_order(&mut self, time: &str) -> Vec<ShopChange> {
        let customer = self.random.u64(..self.customers) + 1;
        let (op, line) = match self.random.u32(..1000) < 600 {
            true => (Insert, insert(ShopTable::Order)),
            false => (Update, update(ShopTable::Order)),
        };
        vec![change(ShopTable::Order, op, line.int("customer_id", customer).time("\"from\"", time))]
    }

    fn cancel(&mut self, time: &str) -> Vec<ShopChange> {
        let Some(order) = self.open.pop_back() else { return Vec::new() };
        let mut changes = Vec::new();
        for item in 1..=order.items {
            let line = ChangeLine::new(ShopTable::OrderItems.printed(), "DELETE").bare("order_id", "bigint", order.id);
            changes.push(change(ShopTable::OrderItems, Delete, line.int("item", item)));
        }
        let line = ChangeLine::new(ShopTable::Orders.printed(), "DELETE").bare("id", "bigint", order.id);
        changes.push(change(ShopTable::Orders, Delete, line));
        changes.push(self.log("cancelled", time));
        changes
    }

    fn pick(&mut self, choices: &[&'static str]) -> &'static str {
        choices[self.random.usize(..choices.len())]
    }

    fn log(&mut self, what: &str, time: &str) -> ShopChange {
        self.entries += 1;
        let line = insert(ShopTable::AuditLog).bare("id", "bigint", self.entries).text("what", what).time("at", time);
        change(ShopTable::AuditLog, Insert, line)
    }
}

impl ShopOrder {
    fn line(self, line: ChangeLine, state: &str, time: &str) -> ChangeLine {
        let line = line.bare("id", "bigint", self.id).int("customer_id", self.customer).text("state", state);
        line.text("region", self.region()).amount("total", self.cents).time("since", time)
    }

    fn region(&self) -> &'static str {
        REGIONS[(self.customer % 10) as usize]
    }
}

fn change(table: ShopTable, op: Operation, line: ChangeLine) -> ShopChange {
    ShopChange { table, op, line: line.finish(), sale: None }
}

fn insert(table: ShopTable) -> ChangeLine {
    ChangeLine::new(table.printed(), "INSERT")
}

fn update(table: ShopTable) -> ChangeLine {
    ChangeLine::new(table.printed(), "UPDATE")
}
