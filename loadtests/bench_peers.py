"""The stores behind the proxies, and the proxies beside ours: nginx, HAProxy, Envoy."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from loadtests.bench_processes import Processes
from loadtests.ports import free_port

SAME_PATH = "/api/products/1/"
PRODUCT = {
    "id": 1,
    "title": "A book of some length",
    "price": {"currency": "GBP", "excl_tax": "9.99", "incl_tax": "11.99"},
    "stock": [{"warehouse": n, "quantity": 3 * n} for n in range(10)],
    "attributes": [{"name": f"attribute {n}", "value": "v" * 20} for n in range(24)],
}
_KEEP = "keepalive 256; keepalive_requests 100000000;"
_FORWARD = 'proxy_http_version 1.1; proxy_set_header Connection "";'


@dataclass(frozen=True, slots=True)
class Peer:
    """A proxy that is not ours."""

    name: str
    port: int
    pid: int


def start_stores(processes: Processes) -> tuple[int, int]:
    """Two nginx that answer `SAME_PATH` with one file, and anything else each time with
    other fields and another body of about the same size. Returns their ports.
    """
    html = processes.folder / "html"
    html.mkdir()
    (html / "product.json").write_text(json.dumps(PRODUCT), encoding="utf-8")
    legacy, core = free_port(), free_port()
    servers = "\n".join(_store(html, port) for port in (legacy, core))
    _start_nginx(processes, "stores", servers)
    return legacy, core


def start_equal_stores(processes: Processes) -> tuple[int, int]:
    """Two nginx that answer any path with one file of 1.8 kB. Returns their ports."""
    html = processes.folder / "html"
    html.mkdir()
    (html / "product.json").write_text(json.dumps(PRODUCT), encoding="utf-8")
    legacy, core = free_port(), free_port()
    servers = "\n".join(
        f"""
server {{
  listen 127.0.0.1:{port}; root {html}; open_file_cache max=10;
  location / {{ try_files /product.json =404; }}
}}"""
        for port in (legacy, core)
    )
    _start_nginx(processes, "stores", servers)
    return legacy, core


def _store(html: Path, port: int) -> str:
    # $request_id is 32 random hex digits, new for each request.
    body = json.dumps({**PRODUCT, "title": "Book $request_id", "seen": "$msec $connection"})
    return f"""
server {{
  listen 127.0.0.1:{port}; root {html}; open_file_cache max=10;
  location = {SAME_PATH} {{ try_files /product.json =404; }}
  location / {{
    default_type application/json;
    add_header ETag '"$request_id"'; add_header X-Trace-Id $request_id;
    add_header Cache-Control "private, max-age=0"; add_header Vary "Accept, Cookie";
    return 200 '{body}';
  }}
}}"""


def start_peers(processes: Processes, legacy: int, core: int) -> list[Peer]:
    """Those that are installed; nginx must be."""
    return [
        *_nginx(processes, legacy, core),
        *_haproxy(processes, legacy),
        *_envoy(processes, legacy, core),
    ]


def _start_nginx(processes: Processes, name: str, servers: str) -> int:
    folder = processes.folder
    text = f"""
worker_processes 1; daemon off; pid {folder}/{name}.pid; error_log {folder}/{name}.err;
worker_rlimit_nofile 16384;
events {{ worker_connections 16384; }}
http {{
  access_log off; keepalive_requests 100000000; types {{ application/json json; }}
{servers}
}}
"""
    return processes.start("nginx", "-c", processes.write(f"{name}.conf", text))


def _nginx(processes: Processes, legacy: int, core: int) -> list[Peer]:
    plain, mirror = free_port(), free_port()
    pid = _start_nginx(
        processes,
        "peer",
        f"""
upstream legacy {{ server 127.0.0.1:{legacy}; {_KEEP} }}
upstream core {{ server 127.0.0.1:{core}; {_KEEP} }}
server {{ listen 127.0.0.1:{plain}; location / {{ proxy_pass http://legacy; {_FORWARD} }} }}
server {{ listen 127.0.0.1:{mirror};
  location / {{ mirror /mirrored; proxy_pass http://legacy; {_FORWARD} }}
  location = /mirrored {{ internal; proxy_pass http://core$request_uri; {_FORWARD} }} }}
""",
    )
    return [Peer("nginx", plain, pid), Peer("nginx mirror", mirror, pid)]


def start_nginx_mirror(processes: Processes, legacy: int, core: int) -> Peer:
    """Nginx's `mirror` alone."""
    return _nginx(processes, legacy, core)[1]


def _haproxy(processes: Processes, legacy: int) -> list[Peer]:
    if not shutil.which("haproxy"):
        return []
    port = free_port()
    text = f"""
global
  nbthread 1
  maxconn 4096
defaults
  mode http
  timeout client 30s
  timeout server 30s
  timeout connect 5s
  http-reuse always
frontend shoppers
  bind 127.0.0.1:{port}
  default_backend legacy
backend legacy
  server legacy 127.0.0.1:{legacy}
"""
    pid = processes.start("haproxy", "-db", "-f", processes.write("haproxy.cfg", text))
    return [Peer("haproxy", port, pid)]


def _envoy(processes: Processes, legacy: int, core: int) -> list[Peer]:
    program = shutil.which("envoy") or shutil.which("envoy", path=str(Path(sys.executable).parent))
    if program is None:
        return []
    plain, mirror = free_port(), free_port()
    mirrored = {"cluster": "legacy", "request_mirror_policies": [{"cluster": "core"}]}
    listeners = [
        _envoy_listener("plain", plain, {"cluster": "legacy"}),
        _envoy_listener("mirror", mirror, mirrored),
    ]
    clusters = [_envoy_cluster("legacy", legacy), _envoy_cluster("core", core)]
    config = {"static_resources": {"listeners": listeners, "clusters": clusters}}
    path = processes.write("envoy.json", json.dumps(config))
    # A base id of its own, lest it meets another Envoy of this machine in shared memory.
    few = ("--concurrency", "1", "--log-level", "error", "--use-dynamic-base-id")
    pid = processes.start(program, "-c", path, *few)
    return [Peer("envoy", plain, pid), Peer("envoy mirror", mirror, pid)]


def _envoy_address(port: int) -> dict[str, object]:
    return {"socket_address": {"address": "127.0.0.1", "port_value": port}}


def _envoy_cluster(name: str, port: int) -> dict[str, object]:
    endpoint = {"endpoint": {"address": _envoy_address(port)}}
    assignment = {"cluster_name": name, "endpoints": [{"lb_endpoints": [endpoint]}]}
    return {"name": name, "connect_timeout": "2s", "type": "STATIC", "load_assignment": assignment}


def _envoy_listener(name: str, port: int, route: Mapping[str, object]) -> dict[str, object]:
    extensions = "type.googleapis.com/envoy.extensions.filters"
    router = {"@type": f"{extensions}.http.router.v3.Router", "suppress_envoy_headers": True}
    host = {"name": "all", "domains": ["*"], "routes": [{"match": {"prefix": "/"}, "route": route}]}
    manager = {
        "@type": f"{extensions}.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": name,
        "generate_request_id": False,
        "route_config": {"virtual_hosts": [host]},
        "http_filters": [{"name": "router", "typed_config": router}],
    }
    chain = {"filters": [{"name": "manager", "typed_config": manager}]}
    return {"name": name, "address": _envoy_address(port), "filter_chains": [chain]}
