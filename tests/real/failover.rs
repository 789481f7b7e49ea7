//! A standby is promoted: with a synchronized slot a capture continues, with a new slot it reports what is lost.

use std::thread;
use std::time::{Duration, Instant};

use crate::capture::{Capture, expect_range};
use crate::captured::Captured;
use crate::database::Database;
use crate::environment;
use crate::server::Server;
use crate::topic::Topic;

/// From this version on a standby keeps copies of the primary's slots.
const FAILOVER_SLOTS: u32 = 17;

/// A primary that may have standbys, with a captured database of one table.
struct Primary {
    server: Server,
    database: Database,
    capture: Capture,
}

impl Primary {
    fn start(name: &str) -> Primary {
        let server = Server::start(name, &[]);
        let database = Database::bare(&server.url(), name);
        database.script("create table public.t (id int)");
        let topic = Topic::nowhere(environment::brokers(), name, 1);
        let capture = Capture::new(&database, &topic);
        capture.first();
        Primary { server, database, capture }
    }

    fn standby(&self) -> Server {
        if self.server.version() < FAILOVER_SLOTS {
            return self.server.standby("standby", &[]);
        }
        self.server.script("select pg_create_physical_replication_slot('standby')");
        self.server
            .standby("standby", &["primary_slot_name=standby", "hot_standby_feedback=on", "sync_replication_slots=on"])
    }

    /// The database on the server that was promoted, with a slot of the same name there if it has none.
    fn moved_to(&self, standby: &Server) -> String {
        let url = format!("{}/{}", standby.url(), self.database.name);
        crate::psql::script(
            &url,
            &format!(
                "select pg_create_logical_replication_slot('{slot}', 'test_decoding')
                 where not exists (select from pg_replication_slots where slot_name = '{slot}')",
                slot = self.capture.slot
            ),
        );
        url
    }
}

/// Waits until a query answers `t`.
fn await_truth(server: &Server, question: &str) {
    let began = Instant::now();
    while server.script(question).trim() != "t" {
        assert!(began.elapsed() < Duration::from_secs(60), "not yet true: {question}");
        thread::sleep(Duration::from_millis(100));
    }
}

#[test]
fn a_promoted_standby_continues_with_the_slot_or_is_refused_without() {
    let mut primary = Primary::start("failover");
    let standby = primary.standby();
    primary.database.script("insert into public.t select generate_series(1, 100)");
    primary.capture.once(&[]);
    let position = primary.database.confirmed(&primary.capture.slot);
    let end = primary.database.script("select pg_current_wal_lsn()");
    await_truth(&standby, &format!("select pg_last_wal_replay_lsn() >= '{}'", end.trim()));
    let carries_slots = standby.version() >= FAILOVER_SLOTS;
    if carries_slots {
        let slot = &primary.capture.slot;
        await_truth(
            &standby,
            &format!(
                "select count(*) = 1 from pg_replication_slots where slot_name = '{slot}' and synced and not temporary"
            ),
        );
    }
    primary.database.script("insert into public.t select generate_series(101, 150)");
    primary.server.stop("fast");
    standby.promote();
    let url = primary.moved_to(&standby);
    crate::psql::script(&url, "insert into public.t select generate_series(151, 200)");
    primary.capture.url = url.clone();

    if carries_slots {
        println!("PostgreSQL {}: the slot was carried over", standby.version());
        primary.capture.once(&[]);
        assert_eq!(Captured::read(&primary.capture.topic).len(), 200);
    } else {
        println!("PostgreSQL {}: the slot was created anew", standby.version());
        let confirmed = crate::psql::script(&url, "select confirmed_flush_lsn from pg_replication_slots");
        let ended = primary.capture.once_with_code(3, &[]);
        expect_range(&ended, position, crate::captured::lsn(confirmed.trim()).expect("an LSN"));
        assert_eq!(Captured::read(&primary.capture.topic).len(), 100);
    }
}

#[test]
fn a_timeline_that_branched_below_the_position_is_refused() {
    let mut primary = Primary::start("branched");
    let mut standby = primary.standby();
    primary.database.script("insert into public.t select generate_series(1, 100)");
    let end = primary.database.script("select pg_current_wal_lsn()");
    await_truth(&standby, &format!("select pg_last_wal_replay_lsn() >= '{}'", end.trim()));
    standby.stop("fast");
    // The topic holds changes that the standby never received.
    primary.database.script("insert into public.t select generate_series(101, 5000)");
    primary.capture.once(&[]);
    primary.server.stop("immediate");
    standby.launch();
    standby.promote();
    primary.capture.url = primary.moved_to(&standby);

    let ended = primary.capture.once_with_code(3, &[]);
    ended.expect_said(&["timeline"]);
    assert_eq!(Captured::read(&primary.capture.topic).len(), 5000);
}

#[test]
fn another_cluster_with_a_slot_of_the_same_name_is_refused() {
    let mut primary = Primary::start("first_cluster");
    primary.database.script("insert into public.t select generate_series(1, 100)");
    primary.capture.once(&[]);
    let other = Server::start("other_cluster", &[]);
    let database = Database::bare(&other.url(), "other_cluster");
    database.make_slot(&primary.capture.slot, "'test_decoding'");
    primary.capture.url = database.url();
    primary.capture.once_with_code(3, &[]).expect_said(&["another server", "identifier"]);
    assert_eq!(Captured::read(&primary.capture.topic).len(), 100);
}
