//! The settings of a run with several processes: where they are, what protects their connections, and what must be equal in all.

use humantime::format_duration;

use super::args::RunArgs;
use super::{OriginSettings, SettingsError};
use crate::cluster::{ClusterOptions, ClusterShape, LinkSecurity};
use crate::source::kafka::StartFrom;

/// The settings of librdkafka that decide which records are read; others may differ, as those of racks and certificates do.
const DECISIVE: [&str; 1] = ["isolation.level"];

/// The shape of the cluster, by the hosts file.
pub(super) fn shape(args: &RunArgs, workers: usize) -> Result<ClusterShape, SettingsError> {
    match (args.processes, &args.hosts) {
        (0, _) => Err(SettingsError::Wrong("-n 0: expected at least one process".to_owned())),
        (1, None) if args.process == 0 => Ok(ClusterShape::single(workers)),
        (_, None) => Err(SettingsError::Wrong("-n and -p need --hosts FILE with one host:port per process".to_owned())),
        (processes, Some(hosts)) => Ok(ClusterShape::cluster(workers, processes, args.process, hosts)?),
    }
}

/// How the processes connect, and what they agree on.
pub(super) fn options(
    args: &RunArgs,
    shape: &ClusterShape,
    origin: &OriginSettings,
) -> Result<ClusterOptions, SettingsError> {
    let mut security = LinkSecurity::default();
    if let Some(path) = &args.cluster_token_file {
        security = security.with_secret(path)?;
    }
    match (&args.cluster_cert, &args.cluster_key, &args.cluster_ca) {
        (None, None, None) => {}
        (Some(cert), Some(key), Some(ca)) => security = security.with_tls(cert, key, ca)?,
        _ => {
            let message = "--cluster-cert, --cluster-key and --cluster-ca are given together, or not at all";
            return Err(SettingsError::Wrong(message.to_owned()));
        }
    }
    if shape.is_cluster() && !args.cluster_insecure {
        security.expect_encrypted(&shape.addresses)?;
    }
    Ok(ClusterOptions { security, settings: agreed(args, shape, origin), ..ClusterOptions::default() })
}

/// What must be equal in all processes, by the names under which it is set.
fn agreed(args: &RunArgs, shape: &ClusterShape, origin: &OriginSettings) -> Vec<(String, String)> {
    let or_default = |value: Option<String>| value.unwrap_or_else(|| "not given".to_owned());
    let mut settings = vec![
        ("-n", shape.addresses.len().to_string()),
        ("-w", shape.workers.to_string()),
        ("--hosts", shape.addresses.join(" ")),
        ("--until-end", args.until_end.to_string()),
        ("--fail-on-rejects", args.fail_on_rejects.to_string()),
        ("--standby", args.standby.to_string()),
        ("--commit-interval", format_duration(args.commit_interval).to_string()),
        ("--commit-bytes", args.commit_bytes.as_u64().to_string()),
        ("--time-zone", or_default(args.time_zone.map(|zone| zone.name().to_owned()))),
        ("--day-from", or_default(args.day_from.map(|rule| rule.to_string()))),
    ];
    let mut passed = Vec::new();
    if let OriginSettings::Kafka(input) = origin {
        settings.extend([
            ("--brokers", input.kafka.brokers.clone()),
            ("--topic", input.topics.join(",")),
            ("--from", if input.from == StartFrom::Latest { "latest" } else { "earliest" }.to_owned()),
            ("--group", or_default(input.group.clone())),
        ]);
        let decisive = input.kafka.passed.iter().filter(|(key, _)| DECISIVE.contains(&key.as_str()));
        passed.extend(decisive.map(|(key, value)| (format!("-X {key}"), value.clone())));
    }
    settings.into_iter().map(|(name, value)| (name.to_owned(), value)).chain(passed).collect()
}
