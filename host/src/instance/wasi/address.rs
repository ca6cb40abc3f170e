//! Which addresses are public: what a name may stand for.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Why an address is not public, in words; `None`: it is. What carries an IPv4 address in an
/// IPv6 one counts as not public, whatever it carries.
pub(super) fn not_public(address: IpAddr) -> Option<&'static str> {
    match address {
        IpAddr::V4(address) => not_public_v4(address),
        IpAddr::V6(address) => not_public_v6(address),
    }
}

fn not_public_v4(address: Ipv4Addr) -> Option<&'static str> {
    let within = |a: u8, b: u8, bits: u32| {
        let network = u32::from_be_bytes([a, b, 0, 0]);
        (address.to_bits() ^ network).leading_zeros() >= bits
    };
    let [_, _, third, _] = address.octets();
    Some(match () {
        () if address.is_loopback() => "this machine (loopback)",
        () if address.is_unspecified() || within(0, 0, 8) => "no address of a host (unspecified)",
        () if address.is_private() => "a private network",
        () if address.is_link_local() => "the local link",
        () if within(100, 64, 10) => "the network of a provider (shared)",
        () if address.is_broadcast() || address.is_multicast() => "many hosts (multicast)",
        () if within(240, 0, 4) => "a reserved range",
        () if address.is_documentation() || within(198, 18, 15) => "a range for tests",
        () if within(192, 0, 16) && third == 0 => "a reserved range",
        () => return None,
    })
}

fn not_public_v6(address: Ipv6Addr) -> Option<&'static str> {
    let within = |a: u16, b: u16, bits: u32| {
        let network = u128::from(a) << 112 | u128::from(b) << 96;
        (address.to_bits() ^ network).leading_zeros() >= bits
    };
    Some(match () {
        () if address.is_loopback() => "this machine (loopback)",
        () if address.is_unspecified() => "no address of a host (unspecified)",
        () if address.to_ipv4_mapped().is_some() => "an IPv4 address in an IPv6 one (mapped)",
        () if within(0x64, 0xff9b, 32) => "an IPv4 address in an IPv6 one (NAT64)",
        () if within(0x2002, 0, 16) => "an IPv4 address in an IPv6 one (6to4)",
        () if within(0x2001, 0, 32) => "an IPv4 address in an IPv6 one (Teredo)",
        () if address.is_unique_local() => "a private network (unique local)",
        () if address.is_unicast_link_local() => "the local link",
        () if address.is_multicast() => "many hosts (multicast)",
        () if within(0x2001, 0xdb8, 32) || within(0x3fff, 0, 20) => "a range for tests",
        // What is given out to hosts is all in 2000::/3.
        () if !within(0x2000, 0, 3) || within(0x2001, 0, 23) => "a reserved range",
        () => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_hosts_on_the_internet_are_public() {
        for public in ["1.1.1.1", "93.184.216.34", "192.0.1.1", "172.32.0.1", "2606:4700::1111"] {
            assert_eq!(not_public(public.parse().unwrap()), None, "{public}");
        }
    }

    #[test]
    fn all_other_addresses_are_not() {
        for (address, why) in [
            ("127.0.0.1", "loopback"),
            ("127.255.255.254", "loopback"),
            ("0.0.0.0", "unspecified"),
            ("0.1.2.3", "unspecified"),
            ("10.0.0.1", "private"),
            ("172.16.0.1", "private"),
            ("172.31.255.255", "private"),
            ("192.168.1.1", "private"),
            ("169.254.169.254", "link"),
            ("100.64.0.1", "shared"),
            ("100.127.255.255", "shared"),
            ("224.0.0.1", "multicast"),
            ("255.255.255.255", "multicast"),
            ("240.0.0.1", "reserved"),
            ("192.0.0.8", "reserved"),
            ("198.19.0.1", "tests"),
            ("203.0.113.7", "tests"),
            ("::1", "loopback"),
            ("::", "unspecified"),
            ("::ffff:127.0.0.1", "mapped"),
            ("::ffff:1.1.1.1", "mapped"),
            ("::127.0.0.1", "reserved"),
            ("64:ff9b::7f00:1", "NAT64"),
            ("64:ff9b:1::1", "NAT64"),
            ("2002:7f00:1::1", "6to4"),
            ("2001:0:1::1", "Teredo"),
            ("fc00::1", "unique local"),
            ("fd12:3456::1", "unique local"),
            ("fe80::1", "link"),
            ("fec0::1", "reserved"),
            ("ff02::1", "multicast"),
            ("2001:db8::1", "tests"),
            ("100::1", "reserved"),
        ] {
            let found = not_public(address.parse().unwrap());
            assert!(found.is_some_and(|words| words.contains(why)), "{address}: {found:?}");
        }
    }
}
