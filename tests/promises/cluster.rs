//! Processes of a cluster agree before they work, exchange what they must, and end together.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use timely::WorkerConfig;
use timely::dataflow::operators::{Exchange, Input, Inspect, Probe};
use walbook::book::BookError;
use walbook::change::{Classified, Failure, FailureKind};
use walbook::cluster::{Cluster, ClusterOptions, ClusterShape, LinkSecurity, UNKNOWN_BOOK};
use walbook::control::Shutdown;

/// Free ports of this machine.
fn addresses(processes: usize) -> Vec<String> {
    let listeners: Vec<TcpListener> =
        (0..processes).map(|_| TcpListener::bind("127.0.0.1:0").expect("a free port")).collect();
    listeners.iter().map(|listener| listener.local_addr().expect("it is bound").to_string()).collect()
}

fn shape(addresses: &[String], process: usize, workers: usize) -> ClusterShape {
    ClusterShape { workers, process, addresses: addresses.to_vec() }
}

fn options(settings: &[(&str, &str)]) -> ClusterOptions {
    let settings = settings.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    ClusterOptions { settings, form_timeout: Duration::from_secs(20), ..ClusterOptions::default() }
}

/// What came of forming, by process.
type Formed = Vec<Result<(Cluster, Shutdown), Failure>>;

/// Forms a cluster of one worker in each process, with the options of each.
fn form(addresses: &[String], options: &[ClusterOptions]) -> Formed {
    thread::scope(|scope| {
        let forming: Vec<_> = options
            .iter()
            .enumerate()
            .map(|(process, options)| {
                scope.spawn(move || {
                    let shutdown = Shutdown::new();
                    let formed = Cluster::form(&shape(addresses, process, 1), options, &shutdown);
                    formed.map(|cluster| (cluster, shutdown))
                })
            })
            .collect();
        forming.into_iter().map(|process| process.join().expect("no panic")).collect()
    })
}

fn whole(formed: Formed) -> Vec<(Cluster, Shutdown)> {
    formed.into_iter().map(|formed| formed.map_err(|failure| failure.chain()).expect("it forms")).collect()
}

/// The failure of a process, which comes within a time.
fn failure_of(shutdown: &Shutdown, within: Duration) -> Failure {
    let begin = Instant::now();
    while !shutdown.has_failed() {
        assert!(begin.elapsed() < within, "no failure within {within:?}");
        thread::sleep(Duration::from_millis(5));
    }
    shutdown.take_failure().expect("it has failed")
}

/// Two processes that do not fit together: the failures of both.
fn refused(one: ClusterOptions, other: ClusterOptions) -> [Failure; 2] {
    let mut failures = form(&addresses(2), &[one, other]).into_iter().map(|formed| formed.err().expect("a refusal"));
    [failures.next().expect("two"), failures.next().expect("two")]
}

#[test]
fn processes_exchange_what_workers_send_and_end_well() {
    const NUMBERS: u64 = 200_000;
    let (addresses, workers) = (addresses(3), 2);
    let received: u64 = thread::scope(|scope| {
        let process = |process| {
            let addresses = &addresses;
            scope.spawn(move || {
                let shutdown = Shutdown::new();
                let shape = shape(addresses, process, workers);
                let mut cluster = Cluster::form(&shape, &options(&[("-w", "2")]), &shutdown).expect("it forms");
                let (allocators, guard) = cluster.allocators().expect("sockets");
                let work = |worker: &mut timely::worker::Worker| {
                    let (sum, adding) = (std::rc::Rc::new(std::cell::Cell::new(0)), std::rc::Rc::default());
                    let adding: std::rc::Rc<std::cell::Cell<u64>> = adding;
                    let added = std::rc::Rc::clone(&adding);
                    let (mut input, probe) = worker.dataflow::<u64, _, _>(|scope| {
                        let (input, numbers) = scope.new_input::<Vec<u64>>();
                        let exchanged = numbers.exchange(|number| *number);
                        let (probe, _) = exchanged.inspect(move |number| added.set(added.get() + number)).probe();
                        (input, probe)
                    });
                    (0..NUMBERS).for_each(|number| input.send(number));
                    input.advance_to(1);
                    while probe.less_than(&1) {
                        worker.step_or_park(Some(Duration::from_millis(10)));
                    }
                    drop(input);
                    sum.set(adding.get());
                    sum.get()
                };
                let guards = timely::execute::execute_from(allocators, guard, WorkerConfig::default(), work);
                let sums = guards.expect("workers").join();
                cluster.finish(&shutdown).expect("success");
                sums.into_iter().map(|sum| sum.expect("a sum")).sum::<u64>()
            })
        };
        let processes: Vec<_> = (0..3).map(process).collect();
        processes.into_iter().map(|process| process.join().expect("no panic")).sum()
    });
    assert_eq!(received, 6 * NUMBERS * (NUMBERS - 1) / 2);
}

#[test]
fn settings_that_differ_are_refused_by_name() {
    let options =
        |settings: &[(&str, &str)]| ClusterOptions { form_timeout: Duration::from_secs(2), ..options(settings) };
    let failures = refused(options(&[("-w", "2"), ("--topic", "a")]), options(&[("-w", "2"), ("--topic", "a,b")]));
    for failure in failures {
        assert_eq!(failure.kind(), FailureKind::Usage);
        let text = failure.chain();
        assert!(text.contains("--topic is a in process 0 and a,b in process 1"), "{text}");
    }
    let [_, other] = refused(options(&[("-w", "2")]), options(&[("-w", "2"), ("-X a", "b")]));
    assert!(other.chain().contains("-X a is not given in process 0 and b in process 1"), "{}", other.chain());
}

#[test]
fn a_book_that_is_made_while_processes_start_is_no_difference_for_good() {
    let of = |book: &str| ClusterOptions {
        form_timeout: Duration::from_secs(2),
        ..options(&[("-w", "2"), ("the id of the book", book)])
    };
    for (one, other) in [(UNKNOWN_BOOK, "a1"), ("a1", UNKNOWN_BOOK)] {
        for failure in refused(of(one), of(other)) {
            assert_eq!(failure.kind(), FailureKind::Cluster, "a restart reads the same id: {}", failure.chain());
        }
    }
    for failure in refused(of("a1"), of("b2")) {
        assert_eq!(failure.kind(), FailureKind::Usage, "{}", failure.chain());
    }
}

fn with_secret(secret: &str) -> ClusterOptions {
    let mut file = tempfile::NamedTempFile::new().expect("a temporary file");
    file.write_all(secret.as_bytes()).expect("it can be written");
    let security = LinkSecurity::default().with_secret(file.path()).expect("a secret");
    ClusterOptions { security, form_timeout: Duration::from_secs(2), ..options(&[]) }
}

#[test]
fn only_who_has_the_secret_is_admitted() {
    let without = || ClusterOptions { form_timeout: Duration::from_secs(2), ..options(&[]) };
    whole(form(&addresses(2), &[with_secret("a secret of the cluster"), with_secret("a secret of the cluster")]));
    for (one, other, words) in [
        (with_secret("a secret of the cluster"), with_secret("another secret, longer"), "--cluster-token-file"),
        (with_secret("a secret of the cluster"), without(), "has a --cluster-token-file, this one has none"),
        (without(), with_secret("sixteen letters.."), "the other one has none"),
    ] {
        let [waiting, dialling] = refused(one, other);
        assert_eq!(dialling.kind(), FailureKind::Usage);
        assert!(dialling.chain().contains(words), "{}", dialling.chain());
        assert_eq!(waiting.kind(), FailureKind::Usage);
        assert!(
            waiting.chain().contains("process 1") && waiting.chain().contains("has not connected; refused meanwhile"),
            "{}",
            waiting.chain()
        );
    }
}

#[test]
fn strangers_do_not_disturb_a_cluster_that_forms() {
    let addresses = addresses(2);
    thread::scope(|scope| {
        let waiting = scope.spawn(|| {
            let shutdown = Shutdown::new();
            Cluster::form(&shape(&addresses, 0, 1), &options(&[]), &shutdown).map(|cluster| (cluster, shutdown))
        });
        let connect = || {
            let begin = Instant::now();
            loop {
                match TcpStream::connect(&addresses[0]) {
                    Ok(stream) => return stream,
                    Err(error) => assert!(begin.elapsed() < Duration::from_secs(5), "{error}"),
                }
            }
        };
        let garbage: [&[u8]; 4] = [b"GET / HTTP/1.1\r\n\r\n", &[0; 1000], b"\x01\xff\xff\xff\xff", b"\x01\x02\0\0\0{}"];
        for bytes in garbage {
            let mut stream = connect();
            stream.write_all(bytes).expect("sent");
            // It is closed, whatever the other side had to say before.
            stream.set_read_timeout(Some(Duration::from_secs(10))).expect("a timeout");
            let closed = stream.read_to_end(&mut Vec::new());
            assert!(!closed.is_err_and(|error| error.kind() == std::io::ErrorKind::WouldBlock), "{bytes:?}");
        }
        // Silent ones, and one that has sent the beginning of a frame.
        let mut half: Vec<TcpStream> = (0..100).map(|_| connect()).collect();
        half[0].write_all(b"\x01\xff").expect("sent");
        let begin = Instant::now();
        let shutdown = Shutdown::new();
        Cluster::form(&shape(&addresses, 1, 1), &options(&[]), &shutdown)
            .map_err(|failure| failure.chain())
            .expect("it forms");
        // At most 64 handshakes are under way; each has five seconds.
        assert!(begin.elapsed() < Duration::from_secs(15), "{:?}", begin.elapsed());
        waiting.join().expect("no panic").map_err(|failure| failure.chain()).expect("it forms");
    });
}

#[test]
fn what_is_in_the_place_of_a_process_is_named() {
    let silent = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let mut addresses = addresses(2);
    addresses[0] = silent.local_addr().expect("it is bound").to_string();
    let short = ClusterOptions { form_timeout: Duration::from_secs(1), ..options(&[]) };
    let fail = |addresses: &[String]| {
        let formed = Cluster::form(&shape(addresses, 1, 1), &short, &Shutdown::new());
        formed.err().expect("no cluster")
    };
    let failure = fail(&addresses);
    assert_eq!(failure.kind(), FailureKind::Cluster);
    let text = failure.chain();
    assert!(text.contains(&addresses[0]) && text.contains("nothing was received within the deadline"), "{text}");

    drop(silent);
    let text = fail(&addresses).chain();
    assert!(text.contains(&addresses[0]) && text.contains("Connection refused"), "{text}");

    let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
    addresses[1] = taken.local_addr().expect("it is bound").to_string();
    let failure = fail(&addresses);
    assert_eq!(failure.kind(), FailureKind::Other);
    assert!(failure.chain().contains(&addresses[1]), "{}", failure.chain());
}

#[test]
fn a_second_process_of_an_index_is_refused_and_the_first_stays() {
    let addresses = addresses(3);
    thread::scope(|scope| {
        let start = |process| {
            let addresses = &addresses;
            scope.spawn(move || {
                let shutdown = Shutdown::new();
                Cluster::form(&shape(addresses, process, 1), &options(&[]), &shutdown)
                    .map(|cluster| (cluster, shutdown))
            })
        };
        let (zero, one) = (start(0), start(1));
        // Until both are connected; process 2 is still missing.
        thread::sleep(Duration::from_millis(500));
        // As on another machine: it listens elsewhere.
        let mut elsewhere = addresses.clone();
        elsewhere[1] = "127.0.0.1:0".to_owned();
        // It is tried again: the first one could be gone, and this one its successor.
        let begin = Instant::now();
        let short = ClusterOptions { form_timeout: Duration::from_secs(2), ..options(&[]) };
        let second = Cluster::form(&shape(&elsewhere, 1, 1), &short, &Shutdown::new());
        assert!(begin.elapsed() >= Duration::from_secs(2), "{:?}", begin.elapsed());
        let failure = second.err().expect("a refusal");
        assert_eq!(failure.kind(), FailureKind::Usage);
        assert!(failure.chain().contains("another process 1 is connected already"), "{}", failure.chain());
        let two = start(2);
        for process in [zero, one, two] {
            let (_, shutdown) = process.join().expect("no panic").map_err(|failure| failure.chain()).expect("it forms");
            assert!(!shutdown.has_failed());
        }
    });
}

#[test]
fn the_failure_of_one_is_the_failure_of_all() {
    for (failure, kind, words) in [
        (BookError::Fenced { reason: "entry 3 is another run's".to_owned() }.into(), FailureKind::Fenced, "entry 3"),
        (Failure::new("no space left"), FailureKind::Other, "no space left"),
    ] {
        let mut processes = whole(form(&addresses(3), &vec![options(&[]); 3]));
        let (failing, _) = processes.remove(1);
        failing.fail(&failure);
        for (_cluster, shutdown) in processes {
            let failure = failure_of(&shutdown, Duration::from_secs(5));
            assert_eq!(failure.kind(), kind);
            let text = failure.chain();
            assert!(text.contains("process 1") && text.contains(words), "{text}");
        }
    }
}

#[test]
fn kinds_of_failures_keep_their_exit_codes() {
    for kind in
        [FailureKind::Other, FailureKind::Usage, FailureKind::DataLoss, FailureKind::Fenced, FailureKind::Cluster]
    {
        assert_eq!(FailureKind::of_exit_code(kind.exit_code()), kind);
    }
    assert_eq!(std::io::Error::other("disk").kind(), std::io::ErrorKind::Other);
    assert_eq!(Classified::exit_code(&std::io::Error::other("disk")), 1);
}
