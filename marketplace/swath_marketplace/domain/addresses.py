"""Where a user may have this service send something: which URLs, and which network addresses."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import urlsplit

from swath_marketplace.domain.errors import AddressRefused

IpAddress = ipaddress.IPv4Address | ipaddress.IPv6Address
IpNetwork = ipaddress.IPv4Network | ipaddress.IPv6Network

LONGEST_URL = 2000
_PORTS = {"https": 443, "http": 80}

#: Blocks that IANA's special-purpose registry does not call globally reachable, multicast, and addresses inside clouds
#: that are public by number alone.
_PRIVATE_4 = tuple(
    ipaddress.IPv4Network(block)
    for block in (
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",  # shared address space of carriers; Alibaba's metadata stands in it
        "127.0.0.0/8",
        "168.63.129.16/32",  # Azure's host, behind every virtual machine there
        "169.254.0.0/16",  # link-local, and with it the metadata of most clouds
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.88.99.0/24",  # 6to4 relays
        "192.168.0.0/16",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/4",
        "240.0.0.0/4",
    )
)
#: What is routed at all; everything else (loopback, link-local, unique local, multicast) is not public.
_GLOBAL_6 = ipaddress.IPv6Network("2000::/3")
_PRIVATE_6 = tuple(
    ipaddress.IPv6Network(block)
    for block in (
        "2001::/23",  # protocol assignments, Teredo and ORCHID among them
        "2001:db8::/32",
        "2002::/16",  # 6to4: an IPv4 address of anybody's choice inside
        "3fff::/20",
    )
)
#: An IPv4 address stands in the last 32 bits of these.
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")


def is_public(address: IpAddress) -> bool:
    """Whether `address` is one of the open internet; one that carries an IPv4 address is judged by that."""
    if isinstance(address, ipaddress.IPv4Address):
        return not any(address in block for block in _PRIVATE_4)
    if (inner := embedded(address)) is not None:
        return is_public(inner)
    return address in _GLOBAL_6 and not any(address in block for block in _PRIVATE_6)


def embedded(address: IpAddress) -> ipaddress.IPv4Address | None:
    """The IPv4 address that packets to `address` end at: of ``::ffff:0:0/96`` and of NAT64's well-known prefix."""
    if isinstance(address, ipaddress.IPv4Address):
        return None
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF) if address in _NAT64 else None


@dataclass(frozen=True, kw_only=True, slots=True)
class Target:
    """A URL, taken apart."""

    url: str
    scheme: str
    host: str
    """As DNS has it: ASCII, lower case; an IPv6 address without brackets."""
    port: int
    path: str
    """With the query; never empty."""

    @property
    def authority(self) -> str:
        """What the ``Host`` header says."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _PORTS[self.scheme] else f"{host}:{self.port}"


@dataclass(frozen=True, kw_only=True, slots=True)
class OutgoingRules:
    """What an operator lets this service send to."""

    allowed: tuple[IpNetwork, ...] = ()
    """Networks that are allowed though they are not public."""
    ports: tuple[range, ...] = (range(80, 81), range(443, 444), range(8080, 8081), range(8443, 8444))
    allow_http: bool = False

    @classmethod
    def of(cls, *, networks: str, ports: str, allow_http: bool) -> OutgoingRules:
        """Rules as an operator writes them: networks and ports (or ranges, ``8000-8999``), with commas between.

        Raises
        ------
        ValueError
            Naming the part that cannot be read.
        """
        allowed = tuple(ipaddress.ip_network(part.strip()) for part in networks.split(",") if part.strip())
        return cls(allowed=allowed, ports=_ranges(ports), allow_http=allow_http)

    def target(self, url: str) -> Target:
        """`url`, when it is one that may be sent to, wherever its name leads.

        Raises
        ------
        AddressRefused
        """
        if len(url) > LONGEST_URL or not url.isascii() or not url.isprintable() or " " in url or "\\" in url:
            raise refused("it is no URL that can be sent to", f"ASCII of at most {LONGEST_URL} characters")
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError:
            raise refused("it cannot be read as a URL", "send https://host/path") from None
        schemes = ("https", "http") if self.allow_http else ("https",)
        if parts.scheme not in schemes:
            raise refused("only https is sent to here" if len(schemes) == 1 else "only http and https are", "use https")
        if parts.username is not None or parts.password is not None:
            raise refused("it carries a user or a password", "tell deliveries from others by their signature")
        if parts.fragment:
            raise refused("it has a fragment, which is never sent", "leave out what follows the #")
        host = (parts.hostname or "").rstrip(".")
        if not host or "%" in host or len(host) > 253:
            raise refused("it names no host", "send https://host/path")
        port = _PORTS[parts.scheme] if port is None else port
        if not any(port in allowed for allowed in self.ports):
            raise refused(f"port {port} is not sent to here", "use the scheme's own port, or ask the operator")
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        return Target(url=url, scheme=parts.scheme, host=host, port=port, path=path)

    def check(self, addresses: Iterable[str]) -> tuple[IpAddress, ...]:
        """The addresses a name leads to, when every one of them may be sent to.

        Raises
        ------
        AddressRefused
            One of them may not: whoever answers for the name could otherwise choose which one is met.
        """
        found = tuple(dict.fromkeys(ipaddress.ip_address(one.partition("%")[0]) for one in addresses))
        if not found:
            raise refused("its name leads nowhere", "check the host's name")
        for address in found:
            if not (is_public(address) or self._allows(address)):
                raise refused("it leads to a private address", "give an address of the open internet")
        return found

    def _allows(self, address: IpAddress) -> bool:
        real = embedded(address) or address
        return any(real in network for network in self.allowed if network.version == real.version)


def refused(why: str, mend: str) -> AddressRefused:
    """The error of an address that is not sent to."""
    finding = {"field": "url", "message": why, "mend": mend}
    return AddressRefused(
        code="address-refused", message=f"this address is not sent to: {why}", mend=mend, findings=[finding]
    )


def _ranges(text: str) -> tuple[range, ...]:
    found = []
    for part in (part.strip() for part in text.split(",")):
        first, _, last = part.partition("-")
        if part:
            found.append(range(int(first), int(last or first) + 1))
    return tuple(found)
