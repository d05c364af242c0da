//! From the records of a service (SRV, RFC 2782) to back ends.
//!
//! Contract: the records with the lowest priority are the back ends, all others are backups: they get turns only while
//! none of the first is up. Weights are shares: 0 counts as 1, and all are scaled down together where one is larger
//! than a back end's may be. The weight of the target itself multiplies them.

use std::collections::{BTreeSet, HashMap};
use std::net::SocketAddr;
use std::sync::Arc;

use super::message::ServiceRecord;
use super::resolver::{Found, LookUpError};
use crate::balance::Member;
use crate::balance::limits::WEIGHT_MAX;
use crate::net::limits::{ADDRESSES_PER_NAME_MAX, HOSTS_PER_SERVICE_MAX};
use crate::net::target::{Target, is_host_name};

/// The back ends that these records of `target` name; `look_up` finds the addresses of a host.
///
/// A host that does not exist is left out. Errors: a look-up that fails, since the list would not be whole; no host
/// that exists.
pub(super) fn members(
    target: &Target,
    records: Found<ServiceRecord>,
    look_up: impl Fn(&str) -> Result<Found<SocketAddr>, LookUpError>,
) -> Result<Found<Member>, LookUpError> {
    let Found { all, mut ttl } = records;
    let mut records = usable(all);
    let hosts = addresses(&records, look_up)?;
    records.retain(|record| hosts.contains_key(&record.host));
    let Some(lowest) = records.first().map(|record| record.priority) else {
        return Err(LookUpError::NotFound("none of the hosts of the service has an address"));
    };
    let largest = records.iter().map(|record| share(target, record)).max().unwrap_or(1);
    let mut members = Vec::new();
    for record in &records {
        let host = &hosts[&record.host];
        ttl = ttl.into_iter().chain(host.ttl).min();
        let name: Arc<str> = record.host.as_str().into();
        members.extend(host.all.iter().map(|at| Member {
            host: Some(Arc::clone(&name)),
            weight: scaled(share(target, record), largest),
            is_backup: target.is_backup || record.priority != lowest,
            ..target.member(SocketAddr::new(at.ip(), record.port))
        }));
    }
    Ok(Found { all: members, ttl })
}

/// The addresses of the hosts of these records, but for those that have none.
fn addresses(
    records: &[ServiceRecord],
    look_up: impl Fn(&str) -> Result<Found<SocketAddr>, LookUpError>,
) -> Result<HashMap<String, Found<SocketAddr>>, LookUpError> {
    let names: BTreeSet<&str> = records.iter().map(|record| record.host.as_str()).collect();
    let mut hosts = HashMap::new();
    for name in names.into_iter().take(HOSTS_PER_SERVICE_MAX) {
        match look_up(name) {
            Ok(found) => _ = hosts.insert(name.to_owned(), found),
            Err(LookUpError::NotFound(words)) => log::debug!("{name}: {words}"),
            Err(error) => return Err(error),
        }
    }
    Ok(hosts)
}

/// The records that can be used, the first to be asked first, and each time the same ones of too many. A service
/// whose host is the root does not exist.
fn usable(mut records: Vec<ServiceRecord>) -> Vec<ServiceRecord> {
    records.retain(|record| record.port != 0 && is_host_name(&record.host));
    records.sort_by(|one, other| {
        (one.priority, &one.host, one.port).cmp(&(other.priority, &other.host, other.port))
    });
    records.truncate(ADDRESSES_PER_NAME_MAX);
    records
}

/// What a back end of this record is to get.
fn share(target: &Target, record: &ServiceRecord) -> u64 {
    u64::from(record.weight.max(1)) * u64::from(target.weight)
}

/// The same, as a weight: the largest share is the largest weight, if it is larger.
fn scaled(share: u64, largest: u64) -> u32 {
    let most = u64::from(WEIGHT_MAX);
    let weight = if largest > most { share * most / largest } else { share };
    // No share is larger than the largest one.
    u32::try_from(weight.max(1)).unwrap_or(WEIGHT_MAX)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn record(priority: u16, weight: u16, port: u16, host: &str) -> ServiceRecord {
        ServiceRecord { priority, weight, port, host: host.to_owned() }
    }

    fn found<T>(all: Vec<T>, seconds: u64) -> Found<T> {
        Found { all, ttl: Some(Duration::from_secs(seconds)) }
    }

    /// Host `aN` has the address 127.0.0.N; `two` has two, `gone` has none, and `dark` cannot be looked up.
    fn look_up(host: &str) -> Result<Found<SocketAddr>, LookUpError> {
        let at = |last: u8| SocketAddr::from(([127, 0, 0, last], 0));
        match host {
            "gone" => Err(LookUpError::NotFound("gone")),
            "dark" => Err(LookUpError::Silent("dark".to_owned())),
            "two" => Ok(found(vec![at(1), at(2)], 5)),
            _ => Ok(found(vec![at(host[1..].parse().unwrap())], 60)),
        }
    }

    fn told(text: &str, records: Vec<ServiceRecord>) -> Vec<String> {
        let members = members(&text.parse().unwrap(), found(records, 30), look_up).unwrap();
        let tell = |member: &Member| {
            let backup = if member.is_backup { " backup" } else { "" };
            let (service, host) = (member.service.as_deref().unwrap(), member.host.as_deref().unwrap());
            format!("{host} {} {}{backup} {service}", member.address, member.weight)
        };
        members.all.iter().map(tell).collect()
    }

    #[test]
    fn each_address_of_each_host_is_a_back_end_and_higher_priorities_are_backups() {
        let records = vec![record(20, 7, 81, "a3"), record(10, 0, 80, "two"), record(10, 3, 82, "two")];
        assert_eq!(
            told("srv:x", records.clone()),
            [
                "two 127.0.0.1:80 1 x",
                "two 127.0.0.2:80 1 x",
                "two 127.0.0.1:82 3 x",
                "two 127.0.0.2:82 3 x",
                "a3 127.0.0.3:81 7 backup x"
            ]
        );
        assert!(told("srv:x backup", records).iter().all(|line| line.ends_with(" backup x")));
    }

    #[test]
    fn weights_keep_their_shares() {
        let records =
            |weights: [u16; 2]| vec![record(0, weights[0], 80, "a1"), record(0, weights[1], 80, "a2")];
        let weights = |text: &str, of: [u16; 2]| -> Vec<u32> {
            let members = members(&text.parse().unwrap(), found(records(of), 30), look_up).unwrap();
            members.all.iter().map(|member| member.weight).collect()
        };
        assert_eq!(weights("srv:x", [0, 0]), [1, 1]);
        assert_eq!(weights("srv:x", [10, 256]), [10, 256]);
        assert_eq!(weights("srv:x", [100, 1000]), [25, 256]);
        assert_eq!(weights("srv:x", [1, u16::MAX]), [1, 256]);
        assert_eq!(weights("srv:x weight=3", [10, 20]), [30, 60]);
        assert_eq!(weights("srv:x weight=256", [u16::MAX, u16::MAX]), [256, 256]);
    }

    #[test]
    fn what_cannot_be_a_host_is_left_out() {
        let records = vec![
            record(0, 1, 0, "a1"),
            record(0, 1, 80, ""),
            record(0, 1, 80, "a\u{1b}[31m"),
            record(0, 1, 80, "gone"),
            record(1, 1, 80, "a4"),
        ];
        assert_eq!(
            told("srv:x", records.clone()),
            ["a4 127.0.0.4:80 1 x"],
            "the first priority of what is there"
        );
        let target = "srv:x".parse().unwrap();
        let none = members(&target, found(records[..4].to_vec(), 30), look_up);
        assert!(matches!(none, Err(LookUpError::NotFound(_))), "{none:?}");
    }

    #[test]
    fn a_host_that_cannot_be_looked_up_fails_all_of_it() {
        let records = vec![record(0, 1, 80, "a1"), record(0, 1, 80, "dark")];
        let result = members(&"srv:x".parse().unwrap(), found(records, 30), look_up);
        assert_eq!(result, Err(LookUpError::Silent("dark".to_owned())));
    }

    #[test]
    fn the_shortest_time_counts() {
        let of = |host: &str, seconds| {
            let target = "srv:x".parse().unwrap();
            members(&target, found(vec![record(0, 1, 80, host)], seconds), look_up).unwrap().ttl
        };
        assert_eq!(of("a1", 30), Some(Duration::from_secs(30)));
        assert_eq!(of("two", 30), Some(Duration::from_secs(5)));
        assert_eq!(of("two", 2), Some(Duration::from_secs(2)));
    }

    #[test]
    fn a_service_has_a_bound() {
        let looked_up = std::cell::Cell::new(0);
        let count = |_: &str| {
            looked_up.set(looked_up.get() + 1);
            look_up("a1")
        };
        let records: Vec<_> =
            (0..3000).map(|number| record(0, 1, number + 1, &format!("h{number}"))).collect();
        members(&"srv:x".parse().unwrap(), found(records, 30), count).unwrap();
        assert_eq!(looked_up.get(), HOSTS_PER_SERVICE_MAX);
    }
}
