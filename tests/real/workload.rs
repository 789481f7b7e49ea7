//! Sessions that change a database at random: rolled back in part or whole, beside DDL, with names and values that are
//! hard to read. What they intended does not matter: PostgreSQL's triggers record what was done.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::dice::Dice;
use crate::psql::Session;

/// The tables that the sessions share; a database for them runs this first.
pub(crate) const TABLES: &str = include_str!("workload.sql");

/// Tables of the columns `id`, `v`, `n`, as SQL names them.
const NAMES: [&str; 11] = [
    "public.plain",
    "public.\"user\"",
    "\"a.b\".c",
    "a.\"b.c\"",
    "\"Ümläut ✓\".\"a.b: <script>\"",
    "public.\"we\"\"ird, public.plain\"",
    "public.\"new\nline: INSERT:\"",
    "public.full_identity",
    "public.no_identity",
    "public.parts",
    "public.toasted",
];

/// Texts that a careless parser mistakes for grammar, as SQL literals.
const TEXTS: [&str; 10] = [
    "'plain'",
    "null",
    "''",
    "'COMMIT 5'",
    "E'first\\nCOMMIT 5\\ntable public.z: DELETE: id[integer]:1'",
    "'x'' UPDATE: table public.z: DELETE: id[integer]:1'",
    "'ends with '''",
    "E'back\\\\slash\\t\\x01 \"quoted\" {\"data\":\"BEGIN 1\"}'",
    "'ünïcode ✓ 🐘'",
    "'unchanged-toast-datum'",
];

/// What a session asks of the server: to wait little for others, and to say soon that two wait for each other.
const TIMEOUT: &str = "-c lock_timeout=500ms -c deadlock_timeout=50ms";

/// Running sessions; dropped, they end.
pub(crate) struct Workload {
    enough: Arc<AtomicBool>,
    sessions: Vec<JoinHandle<u64>>,
}

impl Workload {
    /// Starts `sessions` of them on a database that has the tables.
    pub(crate) fn start(url: &str, sessions: u32, dice: &mut Dice) -> Workload {
        let enough = Arc::new(AtomicBool::new(false));
        let start = |number| {
            let (url, enough, dice) = (url.to_owned(), Arc::clone(&enough), dice.fork());
            thread::spawn(move || Author { number, dice, made: 0 }.change_until(&url, &enough))
        };
        Workload { sessions: (0..sessions).map(start).collect(), enough }
    }

    /// Ends them, and says how many transactions were asked for.
    pub(crate) fn finish(mut self) -> u64 {
        self.enough.store(true, Ordering::Relaxed);
        self.sessions.drain(..).map(|session| session.join().expect("a session ends well")).sum()
    }
}

impl Drop for Workload {
    fn drop(&mut self) {
        self.enough.store(true, Ordering::Relaxed);
    }
}

/// Who makes up one session's transactions.
struct Author {
    number: u32,
    dice: Dice,
    /// How many tables it has made.
    made: u32,
}

impl Author {
    /// Runs transaction after transaction, connecting again when the server went away; returns how many.
    fn change_until(mut self, url: &str, enough: &AtomicBool) -> u64 {
        let mut transactions = 0;
        while !enough.load(Ordering::Relaxed) {
            let mut session = Session::open(url, TIMEOUT);
            while !enough.load(Ordering::Relaxed) && session.run(&self.transaction()) {
                transactions += 1;
                thread::sleep(self.dice.between(Duration::from_millis(2), Duration::from_millis(50)));
            }
            // The server may be on its way up.
            thread::sleep(Duration::from_millis(50));
        }
        transactions
    }

    /// One transaction, or one statement that is its own.
    fn transaction(&mut self) -> String {
        if self.dice.below(12) == 0 {
            return self.table_of_its_own();
        }
        if self.dice.below(4) == 0 {
            return self.statement();
        }
        let mut text = "begin;\n".to_owned();
        for part in 0..=self.dice.below(4) {
            let statement = self.statement();
            match self.dice.below(5) {
                0 => {
                    let kept = self.statement();
                    text += &format!("savepoint s{part};\n{statement};\nrollback to s{part};\n{kept};\n");
                }
                1 => text += &format!("savepoint s{part};\n{statement};\nrelease s{part};\n"),
                _ => text += &format!("{statement};\n"),
            }
        }
        text + self.dice.pick(&["commit", "commit", "commit", "commit", "commit", "rollback"])
    }

    fn statement(&mut self) -> String {
        let table = self.dice.pick(&NAMES);
        let (id, rest, text) = (self.dice.below(1000), self.dice.below(17), self.dice.pick(&TEXTS));
        let rows = id + self.dice.below(8);
        match self.dice.below(60) {
            0..=21 => format!(
                "insert into {table} select i, {text}, i % 6 from generate_series({id}, {rows}) as i on conflict do nothing"
            ),
            22..=29 => format!("update {table} set v = {text} where id between {id} and {rows} + 5"),
            30..=34 => format!("update {table} set n = (n + 1) % 6 where id % 17 = {rest} and id < {id}"),
            35..=38 => format!("update {table} set id = id + 1000 where id between {id} and {rows} + 5"),
            39..=46 => format!("delete from {table} where id between {id} and {rows} + 30 or id > 1970"),
            47 => {
                let mut both = [table, self.dice.pick(&NAMES)];
                // In one order, so that sessions do not wait for each other in a circle too often.
                both.sort_unstable();
                if both[0] == both[1] { format!("truncate {table}") } else { format!("truncate {}", both.join(", ")) }
            }
            48 => format!("truncate {table} restart identity cascade"),
            49..=51 => format!("copy {table} (id, n) from program 'seq {id} {rows} | sed \"s/$/\\t3/\"'"),
            52..=53 => format!("update public.toasted set n = n + 1 where id < {id}"),
            54..=55 => format!("update public.toasted set v = repeat({text}, 400 * n), n = 5 where id % 17 = {rest}"),
            56..=57 => format!("select pg_logical_emit_message({}, 'test', {text})", id % 2 == 0),
            _ => format!(
                "alter table {table} add column extra int default 7;\nupdate {table} set extra = id where id % 17 = {rest};\n\
                 alter table {table} drop column extra"
            ),
        }
    }

    /// A table that is made, filled, renamed, filled again and mostly dropped.
    fn table_of_its_own(&mut self) -> String {
        self.made += 1;
        let name = format!("\"Tafel {} {}\"", self.number, self.made);
        let (first, second) = (self.dice.below(20), self.dice.below(20));
        let text = self.dice.pick(&TEXTS);
        let mut statements = vec![
            format!("create table {name} (id int, v text)"),
            format!("insert into {name} select i, {text} from generate_series(1, {first}) as i"),
            format!("alter table {name} rename to {}", name.replace("Tafel", "né le")),
            format!("alter table {} add column w bigint default 1", name.replace("Tafel", "né le")),
            format!(
                "insert into {} select i, {text} from generate_series(1, {second}) as i",
                name.replace("Tafel", "né le")
            ),
            format!("delete from {} where id % 3 = 0", name.replace("Tafel", "né le")),
        ];
        if self.dice.below(4) > 0 {
            statements.push(format!("drop table {}", name.replace("Tafel", "né le")));
        }
        let text = statements.join(";\n");
        if self.dice.below(2) == 0 { format!("begin;\n{text};\ncommit") } else { text }
    }
}
