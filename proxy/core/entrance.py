"""What a connection has to show before its first request."""

from __future__ import annotations

import msgspec

from proxy.core.proxy_protocol import ProxyMode


class Entrance(msgspec.Struct, frozen=True):
    """The listener's options, as the supervisor hands them to the workers.

    Attributes:
        tls_certificate: path of a PEM file; None for plain HTTP.
        tls_key: path; None when the key is in the certificate's file.
        tls_client_ca: path; clients must show a certificate of one of these.
        proxy_protocol: which connections begin with a PROXY header.
    """

    tls_certificate: str | None = None
    tls_key: str | None = None
    tls_client_ca: str | None = None
    proxy_protocol: ProxyMode = ProxyMode.OFF

    @property
    def is_open(self) -> bool:
        """Nothing has to be shown: connections go straight to HTTP."""
        return self.tls_certificate is None and self.proxy_protocol is ProxyMode.OFF
