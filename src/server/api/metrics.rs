//! `/metrics`: metrics for Prometheus, as OpenMetrics text.

use std::fmt;
use std::fs;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use axum::extract::State;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{DescriptorEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};

use super::schema::ApiErrors;
use crate::cluster::ClusterReport;
use crate::control::DurationHistogram;
use crate::server::error::{Answer, ApiError};
use crate::server::http::body;
use crate::server::state::{AppState, RunPhase, StateSnapshot};

type Labels = Vec<(&'static str, String)>;
type Seconds = Gauge<f64, AtomicU64>;

/// Metrics as OpenMetrics text
#[utoipa::path(get, path = "/metrics", responses(
    (status = 200, description = "Metrics", body = String, content_type = "application/openmetrics-text"),
    ApiErrors,
))]
pub(in crate::server) async fn metrics(State(state): State<Arc<AppState>>) -> Answer {
    let mut registry = Registry::with_prefix("walbook");
    registry.register("build", "What this is", Info::new(vec![("version", env!("CARGO_PKG_VERSION"))]));
    let snapshot = state.snapshot();
    add_book(&mut registry, &state, &snapshot);
    add_run(&mut registry, &state, &snapshot);
    let mut process = Registry::with_prefix("process");
    add_process(&mut process);
    let mut text = String::new();
    let encoded = encode(&mut text, &process).map(|()| text.truncate(text.len() - "# EOF\n".len()));
    encoded.and_then(|()| encode(&mut text, &registry)).map_err(|_: fmt::Error| ApiError::failed())?;
    Ok(body::answer("application/openmetrics-text; version=1.0.0; charset=utf-8", text))
}

fn add_book(registry: &mut Registry, state: &AppState, snapshot: &StateSnapshot) {
    let durable = &snapshot.durable;
    let commit = gauge(registry, "commit", "Number of the newest commit");
    commit.set(count(durable.counts.complete_to.commit));
    if let Some(committed_at) = durable.committed_at {
        let help = "When the newest commit was made";
        seconds(registry, "last_commit_timestamp", help).set(committed_at as f64 / 1e6);
    }
    let rejects = Family::<Labels, Counter>::default();
    registry.register("rejects", "Records of the book that could not be read, by reason", rejects.clone());
    for (reason, sum) in state.rejects().by_reason() {
        rejects.get_or_create(&vec![("reason", reason.to_owned())]).inc_by(sum.count);
    }
    let (groups, bad_values) = (Family::<Labels, Gauge>::default(), Family::<Labels, Counter>::default());
    registry.register("view_groups", "Groups of a view at the newest commit", groups.clone());
    registry.register("view_bad_values", "Values that a view could not compute", bad_values.clone());
    for (name, view) in durable.views.iter() {
        let labels = vec![("view", name.clone())];
        groups.get_or_create(&labels).set(count(view.groups));
        bad_values.get_or_create(&labels).inc_by(view.bad_values.count);
    }
    let watching = gauge(registry, "watchers", "Clients of the live stream");
    watching.set(count(state.watching() as u64));
}

fn add_run(registry: &mut Registry, state: &AppState, snapshot: &StateSnapshot) {
    let (Some(run), Some(live)) = (state.run_in(snapshot), &snapshot.live) else { return };
    let run_status = state.run_status(snapshot);
    let records = Counter::<u64>::default();
    records.inc_by(run.settings.progress.records());
    registry.register("records_read", "Records read by this process", records);
    let changes = Counter::<u64>::default();
    changes.inc_by(run.settings.progress.changes());
    registry.register("changes_committed", "Changes committed since the run began", changes);
    gauge(registry, "epoch", "The newest closed epoch").set(count(live.epoch));
    let help = "Whether the source answers: 0 while the state is disconnected";
    gauge(registry, "source_connected", help).set(i64::from(run_status.state != RunPhase::Disconnected));
    if let Some(complete_at) = run_status.complete_at {
        let help = "Every record that the topics held at this time has been read";
        seconds(registry, "complete_timestamp", help).set(complete_at as f64 / 1e6);
    }
    if let Some(cluster) = &run_status.cluster {
        add_cluster(registry, cluster);
    }
    registry.register_collector(Box::new(CommitSeconds(run.settings.progress.commit_durations())));

    let family = Family::<Labels, Gauge>::default;
    let (next, end, records, bytes) = (family(), family(), family(), family());
    let is_kafka = run.settings.source.is_kafka();
    let lag_seconds = Family::<Labels, Seconds>::default();
    registry.register("partition_next_offset", "The first offset that was not read", next.clone());
    registry.register("partition_end_offset", "The offset at which the partition ends", end.clone());
    if is_kafka {
        registry.register("partition_lag_records", "Offsets that can be read and were not", records.clone());
    } else {
        let help = "Bytes that can be read and were not";
        registry.register_with_unit("partition_lag", help, Unit::Bytes, bytes.clone());
    }
    let help = "How long ago everything that the partition held had been read";
    registry.register_with_unit("partition_lag", help, Unit::Seconds, lag_seconds.clone());
    for partition in &run_status.partitions {
        let number = partition.partition.number.to_string();
        let labels = vec![("topic", partition.partition.topic.clone()), ("partition", number)];
        next.get_or_create(&labels).set(partition.next);
        if let Some(at) = partition.end {
            end.get_or_create(&labels).set(at);
        }
        if let Some(lag) = partition.lag {
            (if is_kafka { &records } else { &bytes }).get_or_create(&labels).set(count(lag));
        }
        if let Some(seconds) = partition.lag_seconds {
            lag_seconds.get_or_create(&labels).set(seconds);
        }
    }
}

/// The processes of a cluster, the others as this one sees them.
fn add_cluster(registry: &mut Registry, cluster: &ClusterReport) {
    gauge(registry, "cluster_processes", "Processes of the cluster").set(count(cluster.processes.len() as u64));
    let (answers, reaches) = (Family::<Labels, Gauge>::default(), Family::<Labels, Gauge>::default());
    let last_contact = Family::<Labels, Seconds>::default();
    let help = "How long ago something last came from another process of the cluster";
    registry.register_with_unit("cluster_peer_last_contact", help, Unit::Seconds, last_contact.clone());
    registry.register("cluster_peer_answers", "Whether another process of the cluster answers", answers.clone());
    let help = "Whether another process of the cluster reaches what it reads";
    registry.register("cluster_peer_source_connected", help, reaches.clone());
    for peer in cluster.processes.iter().filter(|peer| peer.process != cluster.process) {
        let labels = vec![("process", peer.process.to_string())];
        last_contact.get_or_create(&labels).set(peer.silent.as_secs_f64());
        answers.get_or_create(&labels).set(i64::from(peer.answers));
        let is_lost = peer.source.as_ref().is_some_and(|source| source.error.is_some());
        reaches.get_or_create(&labels).set(i64::from(!is_lost));
    }
}

fn gauge(registry: &mut Registry, name: &str, help: &str) -> Gauge {
    let gauge = Gauge::default();
    registry.register(name, help, gauge.clone());
    gauge
}

fn seconds(registry: &mut Registry, name: &str, help: &str) -> Seconds {
    let gauge = Seconds::default();
    registry.register_with_unit(name, help, Unit::Seconds, gauge.clone());
    gauge
}

fn count(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// How long commits took.
#[derive(Debug)]
struct CommitSeconds(DurationHistogram);

impl Collector for CommitSeconds {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let help = "How long it took to put a commit into the log and its files in place";
        let seconds = Some(&Unit::Seconds);
        let mut metric = encoder.encode_descriptor("commit_duration", help, seconds, MetricType::Histogram)?;
        let DurationHistogram { buckets, sum, .. } = &self.0;
        let count = buckets.iter().map(|(_, count)| count).sum();
        metric.encode_histogram::<NoLabelSet>(sum.as_secs_f64(), count, buckets, None)
    }
}

/// Metrics of this process, from `/proc`.
fn add_process(registry: &mut Registry) {
    // The fields of /proc/self/stat after the name, which may contain blanks; the state is the first.
    let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields: Vec<&str> = stat.rsplit_once(") ").map_or("", |(_, rest)| rest).split(' ').collect();
    let field = |place: usize| fields.get(place).and_then(|text| text.parse::<u64>().ok());
    // The kernel counts in hundredths of a second and in pages of 4 kB on all supported machines.
    if let (Some(user), Some(system)) = (field(11), field(12)) {
        let cpu = Counter::<f64, AtomicU64>::default();
        cpu.inc_by((user + system) as f64 / 100.0);
        registry.register_with_unit("cpu", "Processor time of this process", Unit::Seconds, cpu);
    }
    if let Some(pages) = field(21) {
        let memory: Gauge = Gauge::default();
        memory.set(count(pages.saturating_mul(4096)));
        registry.register_with_unit("resident_memory", "Memory of this process", Unit::Bytes, memory);
    }
}
