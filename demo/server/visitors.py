"""Who a request comes from: its address, and the session of a page or client."""

from functools import lru_cache
from ipaddress import IPv6Address, ip_address, ip_network
from typing import NamedTuple

from starlette.requests import HTTPConnection

# A household has a whole network of IPv6 addresses; it counts as one address.
IPV6_NETWORK = 64  # bits


class Visitor(NamedTuple):
    """A caller, for limits per address and per session.

    Attributes:
        address: where the request came from. Behind a proxy it is what the proxy says; uvicorn
            trusts those named in $FORWARDED_ALLOW_IPS, by default those on this machine.
        session: the hash an open page, or a ``gradio_client``, sends with each call; anybody can
            make up another. Empty where there is none, as in calls by ``curl``.
    """

    address: str
    session: str = ""


def visitor_of(request: HTTPConnection, session: str | None = None) -> Visitor:
    """Who sent a request; ``session`` is the one named in its body or URL."""
    return Visitor(_network(request.client.host[:64] if request.client else ""), session or "")


@lru_cache(maxsize=1024)
def _network(host: str) -> str:
    try:
        address = ip_address(host)
    except ValueError:
        return host
    if isinstance(address, IPv6Address) and not address.is_loopback:
        return str(ip_network((address, IPV6_NETWORK), strict=False))
    return host
