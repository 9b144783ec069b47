"""Where a call may go: which `api_base` an agent may have, and which machines may be behind it.

A model's address is a way into the operator's network, so nothing is allowed but what is listed. Two rules that need
each other: what the address says (`refusal_of`), and what its name resolves to at the moment of connecting
(`refusal_of_resolved`), since a public name can point to a private machine.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

# No user, no query, no fragment, no escapes: what a base needs, and nothing two parsers could read differently.
BASE = re.compile(
    r"(https?)://([a-z0-9]([a-z0-9.-]*[a-z0-9])?|\[[0-9a-f:.]+\])(?::([0-9]{1,5}))?((?:/[\w.~-]+)*)/?", re.A
)
DEFAULT_PORTS = {"http": 80, "https": 443}

# Ways to write another machine's address that Python's own list takes for public ones, and Azure's metadata server.
NEVER_PUBLIC = tuple(
    ip_network(text)
    for text in ("64:ff9b::/96", "2002::/16", "2001::/32", "::/96", "fec0::/10", "192.0.0.0/24", "168.63.129.16/32")
)


@dataclass(frozen=True, slots=True)
class Base:
    """An address taken apart. `host` is without brackets, `path` without a slash at its end."""

    scheme: str
    host: str
    port: int
    path: str

    def same_origin(self, other: "Base") -> bool:
        return (self.scheme, self.host, self.port) == (other.scheme, other.host, other.port)

    def is_under(self, other: "Base") -> bool:
        return self.same_origin(other) and (self.path + "/").startswith(other.path + "/")


def base_of(text: str) -> Base:
    """The parts of an address such as `https://models.example.org/v1`; any other form raises `ValueError`."""
    match = BASE.fullmatch(text.strip())
    if not match:
        raise ValueError("not a plain http or https address in small letters")
    scheme, host, _, port, path = match.groups()
    number = int(port) if port else DEFAULT_PORTS[scheme]
    if not 0 < number < 65_536:
        raise ValueError("no such port")
    if any(set(part) == {"."} for part in path.split("/") if part):
        raise ValueError("dots for a folder")
    return Base(scheme, host.strip("[]"), number, path)


def is_public(text: str) -> bool:
    """Whether an IP address is on the open internet: not private, loopback, link-local, metadata, or hidden in IPv6."""
    address: IPv4Address | IPv6Address = ip_address(text.split("%")[0])
    if isinstance(address, IPv6Address) and address.ipv4_mapped:
        address = address.ipv4_mapped
    hidden = any(address.version == network.version and address in network for network in NEVER_PUBLIC)
    return address.is_global and not address.is_multicast and not hidden


def _is_literal(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


@dataclass(frozen=True, slots=True)
class AllowedAddresses:
    """What the operator allows: addresses a model may be given, and hosts that may be on a private network.

    `http://` is allowed only for an address that is listed with it. A host in `private_hosts` is written as in the
    address: a name or an IP address.
    """

    bases: tuple[Base, ...] = ()
    private_hosts: frozenset[str] = frozenset()

    @classmethod
    def of(cls, bases: Iterable[str], private_hosts: Iterable[str] = ()) -> "AllowedAddresses":
        """From the operator's lists; an entry that is no address raises `ValueError` and is named."""
        parts = []
        for text in bases:
            try:
                parts.append(base_of(text))
            except ValueError as error:
                raise ValueError(f"{text!r} is {error}") from error
        return cls(tuple(parts), frozenset(host.strip("[] ").lower() for host in private_hosts))

    def refusal_of(self, api_base: str | None) -> str | None:
        """Why an agent may not have this `api_base`; None when it may. Without one, the provider's own is used."""
        if api_base is None:
            return None
        try:
            wanted = base_of(api_base)
        except ValueError as error:
            return f"api_base is {error}"
        if not any(wanted.is_under(listed) for listed in self.bases):
            return "api_base is not in the operator's list"
        return self._refusal_of_literal(wanted.host)

    def refusal_of_request(self, origin: str, api_base: str | None) -> str | None:
        """Why a request may not be sent to `origin` (`https://host:port`) for a model with this `api_base`.

        What is about to be sent is looked at, since a library takes addresses from more places than its arguments.
        """
        try:
            wanted = base_of(origin)
        except ValueError:
            return "the request goes to no plain address"
        if api_base is not None:
            if not wanted.same_origin(base_of(api_base)):
                return "the request goes elsewhere than api_base"
        elif wanted.scheme != "https" and not any(wanted.same_origin(listed) for listed in self.bases):
            return "the provider's own address is not https, and not listed"
        return self._refusal_of_literal(wanted.host)

    def refusal_of_resolved(self, host: str, addresses: Iterable[str]) -> str | None:
        """Why a host that resolves to these IP addresses may not be connected to; None when it may."""
        if host.strip("[]").lower() in self.private_hosts:
            return None
        if all(is_public(address) for address in addresses):
            return None
        return "the host is on a private network, and not among the private hosts"

    def _refusal_of_literal(self, host: str) -> str | None:
        return self.refusal_of_resolved(host, [host]) if _is_literal(host) else None
