"""Which addresses a granted name may lead to: the public internet, and nothing of this machine or its network.

``ipaddress.is_global`` is no filter: it is true for cloud metadata hosts, multicast and addresses that embed IPv4.

>>> reachable(ip_address("93.184.216.34")), reachable(ip_address("127.0.0.1")), reachable(ip_address("168.63.129.16"))
(True, False, False)
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

Address = IPv4Address | IPv6Address
PUBLIC_V6 = IPv6Network("2000::/3")
NOT_PUBLIC_V6 = tuple(map(IPv6Network, ("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20")))
PROTOCOL_V4 = IPv4Network("192.0.0.0/24")
AZURE_HOST = IPv4Address("168.63.129.16")
METADATA = (IPv4Network("169.254.0.0/16"), IPv6Network("fd00:ec2::254/128"), IPv4Network("168.63.129.16/32"))

__all__ = ["Address", "ip_address", "is_metadata", "reachable"]


def _plain(address: Address) -> Address:
    if isinstance(address, IPv6Address) and address.ipv4_mapped:
        return address.ipv4_mapped
    return address


def reachable(address: Address) -> bool:
    """True for a public unicast address."""
    address = _plain(address)
    if isinstance(address, IPv6Address):
        return address in PUBLIC_V6 and not any(address in network for network in NOT_PUBLIC_V6)
    return (
        address.is_global
        and not address.is_multicast
        and address not in PROTOCOL_V4
        and address != AZURE_HOST
    )


def is_metadata(address: Address) -> bool:
    """Cloud metadata services: refused even where a private grant switches ``reachable`` off."""
    address = _plain(address)
    return any(address in network for network in METADATA if network.version == address.version)
