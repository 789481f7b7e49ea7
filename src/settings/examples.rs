//! Two examples for each command, shown by its help and its manual page.

/// The examples of a command, each with what it does and what to type; `walbook` is the program itself.
pub fn examples(command: &str) -> &'static [(&'static str, &'static str)] {
    match command {
        "walbook" => &[
            ("See everything work with nothing installed", "walbook demo"),
            ("Show the options of a command in full", "walbook help run"),
        ],
        "demo" => &[
            ("Serve the page while a small shop makes changes, until Ctrl-C", "walbook demo"),
            ("Process two weeks, verify, keep the book", "walbook demo --once --dir shop-book"),
        ],
        "capture" => &[
            (
                "Copy a slot to a topic until stopped; create both the first time",
                "walbook capture --postgres postgresql://app@db/shop --slot shop --create-slot --brokers kafka:9092 --topic shop-changes --create-topic",
            ),
            (
                "Copy all that the server has now, then end",
                "walbook capture --postgres postgresql://app@db/shop --slot shop --brokers kafka:9092 --topic shop-changes --once",
            ),
        ],
        "run" => &[
            (
                "Read a topic, and serve the page",
                "walbook run book --brokers kafka:9092 --topic shop-changes --serve 127.0.0.1:8321",
            ),
            (
                "Read a replication slot without Kafka, up to its present end",
                "walbook run book --postgres postgresql://app@db/shop --slot shop --until-end",
            ),
            ("Read what pg_recvlogical prints", "walbook run book --input -"),
            (
                "Keep the book in a bucket instead of a directory",
                "walbook run s3://shop-books/orders --brokers kafka:9092 --topic shop-changes --store region=eu-central-1",
            ),
        ],
        "query" => &[
            (
                "Count the changes of a week by day and operation",
                "walbook query book --from 2026-11-16 --to 2026-11-22 --by day,op",
            ),
            (
                "Count the deletes of each table of a schema, for a program",
                "walbook query book --table 'public.*' --op delete --by table --format json",
            ),
            (
                "Print ten rows of a view, the least number of changes first",
                "walbook query book --view daily --order changes --limit 10",
            ),
        ],
        "events" => &[
            ("Print the newest 20 changes", "walbook events book --limit 20"),
            (
                "Print the deletes of one table on one day",
                "walbook events book --table public.orders --op delete --from 2026-11-22 --to 2026-11-22",
            ),
            ("Print the history of one row", "walbook events book --table public.orders --where \"key.id = '42'\""),
        ],
        "rejects" => &[
            ("Print the newest 100 records that could not be read", "walbook rejects book"),
            (
                "Print one whole, with its bytes, of those with some word in their reason",
                "walbook rejects book --reason debezium --limit 1 --format json",
            ),
        ],
        "serve" => &[
            ("Serve the page on this machine only", "walbook serve book"),
            (
                "Serve other machines, which must send a token",
                "walbook serve book --listen 0.0.0.0:8321 --token-file token --allow-host book.example.org",
            ),
        ],
        "verify" => &[
            ("Recount a book; exit code 0 only if all checks hold", "walbook verify book"),
            ("The same for a program", "walbook verify book --format json"),
        ],
        "compact" => &[
            ("Merge the small files of all days that are over", "walbook compact book"),
            (
                "Merge those of two days, whatever still comes to them",
                "walbook compact book --day 2026-11-21,2026-11-22",
            ),
        ],
        "prune" => &[
            ("Remove the events and rejects of all days before a day", "walbook prune book --before 2026-11-01"),
            ("The same, with what was removed for a program", "walbook prune book --before 2026-11-01 --format json"),
        ],
        "rebuild" => &[
            ("Write what follows from log and events anew", "walbook rebuild book"),
            ("The same, with how many files differed for a program", "walbook rebuild book --format json"),
        ],
        "view" => &[
            (
                "Declare a view",
                "walbook view create book \"CREATE VIEW daily AS SELECT day, count(*) AS changes FROM changes GROUP BY day\"",
            ),
            ("Print all views, with how many values could not be computed", "walbook view list book"),
        ],
        "slot" => &[
            ("Create a slot", "walbook slot create --postgres postgresql://app@db/shop --slot shop"),
            (
                "Show how far behind all slots of a server are",
                "walbook slot status --postgres postgresql://app@db/shop",
            ),
        ],
        "doctor" => &[
            ("Check a server before its first slot is created", "walbook doctor --postgres postgresql://app@db/shop"),
            (
                "Check everything between a slot and a book",
                "walbook doctor book --postgres postgresql://app@db/shop --slot shop --brokers kafka:9092 --topic shop-changes",
            ),
        ],
        "completions" => &[
            ("Complete commands and flags in this bash", "source <(walbook completions bash)"),
            ("For all future zsh sessions", "walbook completions zsh > ~/.zfunc/_walbook"),
        ],
        "man" => &[
            ("Read the manual", "walbook man | man -l -"),
            ("Install the pages", "walbook man --out-dir /usr/local/share/man/man1"),
        ],
        _ => &[],
    }
}
