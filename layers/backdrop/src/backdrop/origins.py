"""URLs and addresses that a stranger chose: one strict reading, and what counts as public.

Promises that whatever is read has one meaning only. Refuses credentials, control characters and every spelling of a
host that another reader could take for something else. Pure: nothing is resolved or connected to here. What it raises
quotes nothing of the URL.

Special addresses: IANA's registries (iana.org/assignments/iana-ipv4-special-registry, …/iana-ipv6-special-registry).
"""

import re
import string
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from urllib.parse import quote

_FLAGS = re.ASCII | re.IGNORECASE | re.DOTALL  # ASCII: or the Kelvin sign would be a k, and the long s an s
_URL = re.compile(r"(https?)://([a-z0-9._-]{1,253}|\[[0-9a-f:.]{2,45}\])(?::([0-9]{1,5}))?((?:[/?#].*)?)", _FLAGS)
_LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?")
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")  # a last label like this makes a host an IPv4 address to some readers
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_PORTS = {"http": 80, "https": 443}
_MAX_URL = 16_384
_SAFE = string.punctuation.replace("\\", "")

_UNICAST_V6 = IPv6Network("2000::/3")  # so neither mapped, translated (NAT64), unique local nor link-local addresses
_RELAY_V4 = IPv4Network("192.88.99.0/24")  # 6to4 relays, withdrawn

type Origin = tuple[str, str, int]
type Address = IPv4Address | IPv6Address


class Unreadable(ValueError):
    """A URL that is refused. The message says why without quoting it."""


def origin(url: str) -> Origin:
    """Scheme, host and port of a URL, in their one spelling.

    Raises:
        Unreadable: not an http or https URL.
    """
    return read(url)[0]


def read(url: str) -> tuple[Origin, str]:
    """A URL's origin and its request target (path and query, percent-encoded where they are not).

    Raises:
        Unreadable: another reader might read it otherwise, or it is no http or https URL.
    """
    found = None if len(url) > _MAX_URL or _CONTROL.search(url) else _URL.fullmatch(url)
    if not found:
        raise Unreadable("it is not a plain http or https URL")
    scheme, host, port_text, rest = found[1].lower(), _host(found[2].lower()), found[3], found[4].partition("#")[0]
    port = int(port_text) if port_text else _PORTS[scheme]
    if not 0 < port < 65_536:  # noqa: PLR2004 - TCP's ports
        raise Unreadable("its port is none")
    target = rest if rest.startswith("/") else "/" + rest
    try:
        return (scheme, host, port), quote(target, safe=_SAFE)
    except UnicodeEncodeError:
        raise Unreadable("it holds half a character") from None


def public(address: Address) -> bool:
    """Whether an address is one of the public internet.

    IPv6 counts only as global unicast: what embeds an IPv4 address (mapped, 6to4, NAT64, Teredo) is refused, whichever
    address it embeds.
    """
    if not address.is_global or address.is_multicast or address.is_reserved:
        return False
    return address in _UNICAST_V6 if isinstance(address, IPv6Address) else address not in _RELAY_V4


def authority(place: Origin) -> str:
    """The place as a Host header names it."""
    scheme, host, port = place
    named = f"[{host}]" if ":" in host else host
    return named if port == _PORTS[scheme] else f"{named}:{port}"


def shown(place: Origin) -> str:
    """The place as a message may quote it."""
    return f"{place[0]}://{authority(place)}"


def _host(text: str) -> str:
    if text.startswith("["):
        try:
            return str(IPv6Address(text[1:-1]))
        except ValueError:
            raise Unreadable("its host is no IPv6 address") from None
    labels = text.split(".")
    if _NUMBER.fullmatch(labels[-1]):
        try:
            return str(IPv4Address(text))
        except ValueError:
            raise Unreadable("its host is an unusual spelling of an address") from None
    if not all(_LABEL.fullmatch(label) for label in labels):
        raise Unreadable("its host is not a plain host name")
    return text
