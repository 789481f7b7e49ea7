//! The files of docs/deploy name what they must, and their commands are commands of this version.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use walbook::settings::args::{Command as WalbookCommand, RunArgs};
use walbook::settings::parse;

fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/deploy").join(name)
}

fn text(name: &str) -> String {
    fs::read_to_string(path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// The run that a command line starts, whose settings file is left out.
fn run(arguments: &[&str]) -> RunArgs {
    let file = arguments.iter().position(|argument| *argument == "--config");
    let file = file.map_or(0..0, |at| at..at + 2);
    let kept = arguments.iter().enumerate().filter(|(at, _)| !file.contains(at)).map(|(_, argument)| argument);
    let words = ["walbook"].iter().chain(kept).map(OsString::from);
    match parse(words).map(|args| args.command) {
        Ok(WalbookCommand::Run(run)) => *run,
        Ok(_) => panic!("{arguments:?} is no run"),
        Err(end) => {
            end.print();
            panic!("{arguments:?} is refused");
        }
    }
}

/// The manifests by kind and name.
fn manifests() -> BTreeMap<(String, String), Value> {
    let documents: Vec<Value> = serde_saphyr::from_multiple(&text("kubernetes.yaml")).expect("documents of YAML");
    let of = |document: &Value, pointer: &str| document.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
    let named = documents.into_iter().map(|document| {
        let kind = of(&document, "/kind").expect("a kind");
        let version = of(&document, "/apiVersion").expect("a version");
        let expected = if ["StatefulSet", "Deployment"].contains(&kind.as_str()) { "apps/v1" } else { "v1" };
        assert_eq!(version, expected, "{kind}");
        ((kind, of(&document, "/metadata/name").expect("a name")), document)
    });
    named.collect()
}

fn manifest<'a>(all: &'a BTreeMap<(String, String), Value>, kind: &str, name: &str) -> &'a Value {
    all.get(&(kind.to_owned(), name.to_owned())).unwrap_or_else(|| panic!("there is no {kind} {name}"))
}

fn at<'a>(value: &'a Value, pointer: &str) -> &'a Value {
    value.pointer(pointer).unwrap_or_else(|| panic!("there is no {pointer} in {value:#}"))
}

fn strings<'a>(value: &'a Value, pointer: &str) -> Vec<&'a str> {
    let list = at(value, pointer).as_array().unwrap_or_else(|| panic!("{pointer} is no list"));
    list.iter().map(|item| item.as_str().expect("a text")).collect()
}

#[test]
fn pods_are_hardened_end_in_order_and_are_never_killed_for_being_behind() {
    let all = manifests();
    for (kind, name) in [("StatefulSet", "walbook"), ("Deployment", "walbook-standby")] {
        let workload = manifest(&all, kind, name);
        assert_eq!(at(workload, "/spec/selector/matchLabels/app.kubernetes.io~1name"), "walbook");
        let labels = at(workload, "/spec/template/metadata/labels");
        let selected = at(workload, "/spec/selector/matchLabels").as_object().expect("labels");
        assert!(selected.iter().all(|(label, value)| labels.get(label) == Some(value)), "{name} selects its own pods");
        let pod = at(workload, "/spec/template/spec");
        // The last commit may take 10 s.
        assert!(at(pod, "/terminationGracePeriodSeconds").as_u64().is_some_and(|seconds| seconds > 10));
        assert_eq!(at(pod, "/securityContext/runAsNonRoot"), true);
        assert_eq!(at(pod, "/securityContext/seccompProfile/type"), "RuntimeDefault");
        let container = at(pod, "/containers/0");
        assert_eq!(at(container, "/securityContext/allowPrivilegeEscalation"), false);
        assert_eq!(at(container, "/securityContext/readOnlyRootFilesystem"), true);
        assert_eq!(strings(container, "/securityContext/capabilities/drop"), ["ALL"]);
        assert_eq!(strings(container, "/readinessProbe/exec/command"), ["walbook-ready"]);
        assert_eq!(container.get("livenessProbe"), None, "a run that catches up must not be killed");
        assert!(at(container, "/resources/requests/memory").is_string());
        // Every mount has its volume, and every volume its source.
        let volumes = at(pod, "/volumes").as_array().expect("volumes");
        for mount in at(container, "/volumeMounts").as_array().expect("mounts") {
            let volume = volumes.iter().find(|volume| volume["name"] == mount["name"]);
            let volume = volume.unwrap_or_else(|| panic!("{name}: no volume {}", mount["name"]));
            if let Some(claim) = volume.pointer("/persistentVolumeClaim/claimName") {
                manifest(&all, "PersistentVolumeClaim", claim.as_str().expect("a name"));
            }
            if let Some(settings) = volume.pointer("/configMap/name") {
                manifest(&all, "ConfigMap", settings.as_str().expect("a name"));
            }
        }
    }
}

#[test]
fn the_cluster_finds_itself_and_its_runs_are_commands_of_this_version() {
    let all = manifests();
    let cluster = manifest(&all, "StatefulSet", "walbook");
    let service = manifest(&all, "Service", at(cluster, "/spec/serviceName").as_str().expect("a name"));
    assert_eq!(at(service, "/spec/clusterIP"), "None");
    // They find each other before any of them is ready, and start at the same time.
    assert_eq!(at(service, "/spec/publishNotReadyAddresses"), true);
    assert_eq!(at(cluster, "/spec/podManagementPolicy"), "Parallel");
    let settings = manifest(&all, "ConfigMap", "walbook");
    let hosts = at(settings, "/data/hosts").as_str().expect("a text");
    let replicas = at(cluster, "/spec/replicas").as_u64().expect("a number");
    let expected: Vec<String> = (0..replicas).map(|index| format!("walbook-{index}.walbook:2101")).collect();
    assert_eq!(hosts.lines().collect::<Vec<_>>(), expected);
    let port = at(cluster, "/spec/template/spec/containers/0/ports/0");
    assert_eq!((at(port, "/name"), at(port, "/containerPort")), (&"cluster".into(), &2101.into()));
    let index = at(cluster, "/spec/template/spec/containers/0/env/0");
    assert_eq!(at(index, "/name"), "WALBOOK_PROCESS");
    let field = at(index, "/valueFrom/fieldRef/fieldPath").as_str().expect("a path");
    assert!(field.contains("apps.kubernetes.io/pod-index"), "{field}");

    // What the settings file gives is given by flags here.
    let source = ["--brokers", "b:1", "--topic", "t"];
    let arguments = |of: &Value| -> RunArgs {
        run(&[strings(of, "/spec/template/spec/containers/0/args"), source.to_vec()].concat())
    };
    let run = arguments(cluster);
    assert_eq!((run.processes as u64, run.supervise, run.standby), (replicas, true, false));
    assert!(run.cluster_token_file.is_some() && run.cluster_cert.is_some() && !run.cluster_insecure);
    assert!(run.access.token_file.is_some() && !run.access.insecure);
    let standby = arguments(manifest(&all, "Deployment", "walbook-standby"));
    assert_eq!((standby.processes, standby.supervise, standby.standby), (1, true, true));
    assert_eq!((standby.book, standby.serve), (run.book, run.serve));
    let toml = at(settings, "/data/walbook.toml").as_str().expect("a text");
    let file = tempfile::NamedTempFile::new().expect("a temporary file");
    fs::write(file.path(), toml).expect("it can be written");
    let config = file.path().to_str().expect("a plain path");
    let parsed = parse(["walbook", "--config", config, "run", "book"].map(OsString::from));
    assert!(parsed.is_ok(), "the settings file is refused");

    // The page's service finds the process that serves: the first one, or the standby.
    let page = at(manifest(&all, "Service", "walbook-page"), "/spec/selector").as_object().expect("labels");
    assert_eq!(page.get("apps.kubernetes.io/pod-index"), Some(&Value::from("0")));
    let labels = at(manifest(&all, "Deployment", "walbook-standby"), "/spec/template/metadata/labels");
    assert!(page.iter().all(|(label, value)| labels.get(label) == Some(value)), "{labels}");
}

/// The settings of a unit, by section and key.
fn unit() -> BTreeMap<(String, String), Vec<String>> {
    let mut settings: BTreeMap<(String, String), Vec<String>> = BTreeMap::new();
    let mut section = String::new();
    for line in text("walbook.service").lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        match line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
            Some(name) => name.clone_into(&mut section),
            None => {
                let (key, value) = line.split_once('=').unwrap_or_else(|| panic!("{line:?} is no setting"));
                settings.entry((section.clone(), key.to_owned())).or_default().push(value.to_owned());
            }
        }
    }
    settings
}

#[test]
fn the_unit_restarts_what_may_heal_and_lets_the_last_commit_end() {
    let unit = unit();
    let service = |key: &str| {
        let values = unit.get(&("Service".to_owned(), key.to_owned()));
        values.unwrap_or_else(|| panic!("no {key}")).join(" ")
    };
    let command = service("ExecStart");
    let words: Vec<&str> = command.split(' ').collect();
    assert_eq!(words[0], "/usr/local/bin/walbook");
    let run = run(&[&words[1..], &["--brokers", "b:1", "--topic", "t"]].concat());
    assert!(run.supervise && run.book.directory().is_some_and(|book| book.starts_with("/var/lib/walbook")));
    assert_eq!((service("Restart").as_str(), service("RestartPreventExitStatus").as_str()), ("on-failure", "2 3 4"));
    assert_eq!(service("KillMode"), "mixed", "a second signal would end the run before its last commit");
    assert_eq!(service("TimeoutStopSec"), "30s");
    assert_eq!(
        service("OOMPolicy"),
        "continue",
        "systemd would stop the supervisor with a run that memory was short for"
    );
    for hardened in ["NoNewPrivileges", "PrivateTmp", "ProtectHome", "RestrictNamespaces", "MemoryDenyWriteExecute"] {
        assert_eq!(service(hardened), "yes", "{hardened}");
    }
    assert_eq!((service("ProtectSystem").as_str(), service("StateDirectory").as_str()), ("strict", "walbook"));
}

#[test]
fn systemd_accepts_the_unit() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let unit = folder.path().join("walbook.service");
    // Its program is not installed here.
    fs::write(&unit, text("walbook.service").replace("/usr/local/bin/walbook", env!("CARGO_BIN_EXE_walbook")))
        .expect("a file can be written");
    let Ok(verified) = Command::new("systemd-analyze").arg("verify").arg(&unit).output() else {
        println!("there is no systemd-analyze here: only the fields were checked");
        return;
    };
    let said = String::from_utf8_lossy(&verified.stderr);
    assert!(verified.status.success() && !said.contains("walbook.service:"), "{said}");
}

#[test]
fn the_image_holds_one_program_that_is_not_run_by_root() {
    let lines = text("Containerfile");
    let lines: Vec<&str> = lines.lines().filter(|line| !line.starts_with('#')).collect();
    let froms: Vec<&&str> = lines.iter().filter(|line| line.starts_with("FROM ")).collect();
    assert_eq!(froms.len(), 2, "what builds it is not in it");
    let user = lines.iter().rfind(|line| line.starts_with("USER ")).expect("a user");
    assert_eq!(*user, "USER 10001:10001");
    assert!(lines.contains(&r#"ENTRYPOINT ["walbook"]"#), "the supervisor is the first process: it gets the signals");
    let copied = lines.iter().filter_map(|line| line.strip_prefix("COPY --chmod=0755 ")?.split(' ').next());
    for file in copied {
        assert!(Path::new(env!("CARGO_MANIFEST_DIR")).join(file).exists(), "{file}");
    }
}

#[test]
fn the_readiness_probe_asks_the_process_that_serves() {
    use std::io::{Read, Write};
    use std::net::TcpListener;
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = listener.local_addr().expect("it is bound").port().to_string();
    let probe = |process: &str| {
        let status = Command::new(path("walbook-ready")).arg(&port).env("WALBOOK_PROCESS", process).status();
        status.expect("bash is installed").success()
    };
    assert!(probe("1"), "one that serves nothing is ready");
    for (status, is_ready) in [("200 OK", true), ("503 Service Unavailable", false)] {
        let answered = std::thread::scope(|scope| {
            let asked = scope.spawn(|| probe("0"));
            let (mut client, _) = listener.accept().expect("a client");
            let mut request = Vec::new();
            while !request.ends_with(b"\r\n\r\n") {
                let mut byte = [0];
                client.read_exact(&mut byte).expect("a whole request");
                request.extend(byte);
            }
            assert!(request.starts_with(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n"));
            write!(client, "HTTP/1.1 {status}\r\ncontent-length: 0\r\n\r\n").expect("sent");
            drop(client);
            asked.join().expect("no panic")
        });
        assert_eq!(answered, is_ready, "{status}");
    }
    drop(listener);
    assert!(!probe("0"), "nothing listens");
}
