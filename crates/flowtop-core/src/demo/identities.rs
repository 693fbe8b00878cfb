//! Names of hosts and services, and identities of processes, in the made-up traffic.

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use core::net::IpAddr;

use super::mixed;
use crate::names::Names;
use crate::owner::{Identity, Owners, Seen};

/// Names for some of the made-up hosts, without DNS.
#[derive(Clone, Copy, Debug)]
pub struct DemoNames;

const HOSTS: &[(&str, &str)] = &[
    ("192.0.2.10", "master-1.example.org"),
    ("192.0.2.21", "db-primary.example.org"),
    ("192.0.2.22", "cache.example.org"),
    ("192.0.2.30", "prometheus.example.org"),
    ("192.0.2.40", "backup.example.org"),
    ("192.0.2.11", "node-11.example.org"),
    ("192.0.2.12", "node-12.example.org"),
    ("198.51.100.9", "bastion.example.net"),
    ("203.0.113.5", "mirror.with-a-rather-long-name.example.net"),
    ("2001:db8:0:1::10", "master-1.example.org"),
];

const SERVICES: &[(u16, &str)] = &[
    (22, "ssh"),
    (443, "https"),
    (873, "rsync"),
    (2379, "etcd-client"),
    (5432, "postgresql"),
    (6379, "redis"),
];

impl Names for DemoNames {
    fn host(&self, address: IpAddr) -> Option<String> {
        let found = HOSTS.iter().find(|(text, _)| text.parse() == Ok(address));
        found.map(|(_, name)| (*name).to_owned())
    }

    fn service(&self, port: u16) -> Option<&str> {
        SERVICES.iter().find(|(number, _)| *number == port).map(|(_, name)| *name)
    }
}

/// Identities of the made-up processes, in place of `/proc`.
#[derive(Clone, Copy, Debug)]
pub struct DemoOwners;

/// A process: its number, its user, its unit, and namespace, pod and container if it is in one.
struct Process(u32, &'static str, Option<&'static str>, Option<[&'static str; 3]>);

const PROCESSES: &[Process] = &[
    Process(812, "www-data", Some("nginx.service"), None),
    Process(813, "www-data", Some("nginx.service"), None),
    Process(1290, "app", None, Some(["shop", "api-server-7d9f8b6c5-x2x4q", "api"])),
    Process(1291, "app", None, Some(["shop", "worker-0", "worker"])),
    Process(2044, "root", Some("backup.service"), None),
    Process(3301, "root", Some("ssh.service"), None),
    Process(640, "node-exp", Some("node_exporter.service"), None),
    Process(1402, "root", None, Some(["kube-system", "etcd-master-1", "etcd"])),
    Process(1501, "root", None, Some(["kube-system", "kube-apiserver-master-1", "kube-apiserver"])),
    Process(1777, "root", None, Some(["logging", "日志收集-4kz7p", "collector"])),
    Process(2210, "alice", Some("session-4.scope"), None),
];

impl Owners for DemoOwners {
    fn identity(&self, seen: &Seen, _: u64) -> Option<Arc<Identity>> {
        let text = |text: &str| Some(text.to_owned());
        let found = PROCESSES.iter().find(|Process(pid, ..)| *pid == seen.pid);
        Some(Arc::new(found.map_or_else(Identity::default, |Process(pid, user, unit, place)| Identity {
            comm: seen.comm_text(),
            user: text(user),
            unit: unit.and_then(text),
            namespace: place.and_then(|[namespace, ..]| text(namespace)),
            pod: place.and_then(|[_, pod, _]| text(pod)),
            container: place.and_then(|[.., container]| text(container)),
            container_id: place.map(|_| format!("{:016x}", mixed(u64::from(*pid))).repeat(4)),
            ..Identity::default()
        })))
    }
}
