"""Who a request comes from: the address, and the page or client it names."""

from functools import lru_cache
from ipaddress import IPv6Address, ip_address, ip_network
from typing import NamedTuple

from starlette.requests import HTTPConnection

# A household gets a whole network of IPv6 addresses.
IPV6_NETWORK = 64  # bits


class Visitor(NamedTuple):
    """Someone who must not stop others.

    Attributes:
        address: where the request came from. Behind a proxy it is what the proxy says; uvicorn
            believes those named in $FORWARDED_ALLOW_IPS, unless told those of this machine.
        session: the hash an open page, or a ``gradio_client``, sends with each call; anybody can
            make up another. Empty where there is none, as in calls by ``curl``.
    """

    address: str
    session: str = ""


def visitor_of(request: HTTPConnection, session: str | None = None) -> Visitor:
    """Who sent a request; ``session`` is what its body or its address says."""
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
