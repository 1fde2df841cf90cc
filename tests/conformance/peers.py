"""Start what is judged: ours and its peers, each with as many listeners as there are slots.

Listener n forwards to store n. Peers are set up as their own manuals set up a reverse
proxy that streams: no buffering, kept connections to stores, WebSockets, client addresses
passed on; and with the same short deadlines as ours.
"""

from __future__ import annotations

import contextlib
import json
import shutil
import socket
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from loadtests.ports import free_port
from tests.integration.proxy import harness
from tests.support.processes import spawn_process

DEADLINE_S = 1
SETTINGS = {
    "BANYAN_PROXY_HEAD_TIMEOUT_S": f"{DEADLINE_S}",
    "BANYAN_PROXY_BODY_IDLE_TIMEOUT_S": f"{DEADLINE_S}",
    "BANYAN_PROXY_FIRST_BYTE_TIMEOUT_S": f"{DEADLINE_S}",
    "BANYAN_PROXY_MAX_BODY_BYTES": "1048576",
}


@dataclass(frozen=True, slots=True)
class Subject:
    """A running proxy. `logs` are read for crashes."""

    name: str
    ports: tuple[int, ...]
    logs: tuple[Path, ...]


Start = Callable[[Path, tuple[int, ...]], contextlib.AbstractContextManager[Subject]]


def find(program: str) -> str | None:
    """On PATH, or beside this Python, where packages put their commands."""
    beside = str(Path(sys.executable).parent)
    return shutil.which(program) or shutil.which(program, path=beside)


@contextlib.contextmanager
def ours(folder: Path, stores: tuple[int, ...]) -> Iterator[Subject]:
    """One process family per slot."""
    with contextlib.ExitStack() as stack, ThreadPoolExecutor(len(stores)) as pool:

        def start(number: int, port: int) -> harness.Proxy:
            url = f"http://127.0.0.1:{port}"
            text = harness.routing(url, url)
            manager = harness.proxy(folder / f"ours-{number}", text, env=SETTINGS)
            running = manager.__enter__()
            stack.push(manager)
            return running

        running = list(pool.map(start, range(len(stores)), stores))
        yield Subject("banyan", tuple(p.port for p in running), tuple(p.log for p in running))


@contextlib.contextmanager
def _started(
    name: str, folder: Path, command: list[str], ports: tuple[int, ...]
) -> Iterator[Subject]:
    log = folder / f"{name}.log"
    with spawn_process(command, log=log) as process:
        deadline = time.monotonic() + 20
        for port in ports:
            while True:
                with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                    break
                if process.poll() is not None or time.monotonic() > deadline:
                    message = f"{name} does not listen: {log.read_text()[-2000:]}"
                    raise RuntimeError(message)
                time.sleep(0.05)
        yield Subject(name, ports, (log,))


def nginx(folder: Path, stores: tuple[int, ...]) -> contextlib.AbstractContextManager[Subject]:
    """One nginx with a server for each slot."""
    folder.mkdir(parents=True, exist_ok=True)
    ports = tuple(free_port() for _ in stores)
    servers = "\n".join(
        f"""
upstream store{n} {{ server 127.0.0.1:{store}; keepalive 8; }}
server {{ listen 127.0.0.1:{port};
  location / {{ proxy_pass http://store{n}; proxy_http_version 1.1;
    proxy_set_header Host $http_host; proxy_set_header Connection $connection_upgrade;
    proxy_set_header Upgrade $http_upgrade;
    proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
    proxy_buffer_size 64k; proxy_buffers 8 64k; proxy_busy_buffers_size 64k;
    proxy_buffering off; proxy_request_buffering off; }} }}"""
        for n, (port, store) in enumerate(zip(ports, stores, strict=True))
    )
    conf = folder / "nginx.conf"
    conf.write_text(f"""
worker_processes 1; daemon off; pid {folder}/nginx.pid; error_log {folder}/nginx.err;
events {{ worker_connections 1024; }}
http {{
  access_log off; client_max_body_size 1m; lingering_timeout 1s;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/f; uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
  client_header_timeout {DEADLINE_S}s; client_body_timeout {DEADLINE_S}s;
  proxy_read_timeout {DEADLINE_S}s; proxy_send_timeout {DEADLINE_S}s;
  map $http_upgrade $connection_upgrade {{ default upgrade; '' ''; }}
{servers}
}}
""")
    return _started("nginx", folder, ["nginx", "-c", str(conf)], ports)


def haproxy(folder: Path, stores: tuple[int, ...]) -> contextlib.AbstractContextManager[Subject]:
    """One HAProxy with a frontend for each slot."""
    folder.mkdir(parents=True, exist_ok=True)
    ports = tuple(free_port() for _ in stores)
    faces = "\n".join(
        f"""
frontend face{n}
  bind 127.0.0.1:{port}
  default_backend store{n}
backend store{n}
  server s 127.0.0.1:{store}"""
        for n, (port, store) in enumerate(zip(ports, stores, strict=True))
    )
    conf = folder / "haproxy.cfg"
    conf.write_text(f"""
global
  nbthread 1
  maxconn 1024
defaults
  mode http
  option forwardfor
  option http-keep-alive
  option abortonclose
  timeout connect 2s
  timeout client {DEADLINE_S}s
  timeout server {DEADLINE_S}s
  timeout http-request {DEADLINE_S}s
  timeout tunnel 5s
{faces}
""")
    return _started("haproxy", folder, ["haproxy", "-db", "-f", str(conf)], ports)


def envoy(folder: Path, stores: tuple[int, ...]) -> contextlib.AbstractContextManager[Subject]:
    """One Envoy with a listener for each slot."""
    folder.mkdir(parents=True, exist_ok=True)
    ports = tuple(free_port() for _ in stores)
    listeners = [_envoy_listener(n, port) for n, port in enumerate(ports)]
    clusters = [_envoy_cluster(n, port) for n, port in enumerate(stores)]
    conf = folder / "envoy.json"
    conf.write_text(
        json.dumps({"static_resources": {"listeners": listeners, "clusters": clusters}})
    )
    program = find("envoy")
    assert program is not None
    command = [program, "-c", str(conf), "--concurrency", "1", "--log-level", "error"]
    command += ["--use-dynamic-base-id"]
    return _started("envoy", folder, command, ports)


def _envoy_address(port: int) -> dict[str, object]:
    return {"socket_address": {"address": "127.0.0.1", "port_value": port}}


def _envoy_cluster(number: int, port: int) -> dict[str, object]:
    endpoint = {"endpoint": {"address": _envoy_address(port)}}
    return {
        "name": f"store{number}",
        "connect_timeout": "2s",
        "type": "STATIC",
        "load_assignment": {
            "cluster_name": f"store{number}",
            "endpoints": [{"lb_endpoints": [endpoint]}],
        },
    }


def _envoy_listener(number: int, port: int) -> dict[str, object]:
    extensions = "type.googleapis.com/envoy.extensions.filters"
    route = {
        "cluster": f"store{number}",
        "timeout": "0s",
        "idle_timeout": f"{DEADLINE_S}s",
    }
    manager = {
        "@type": f"{extensions}.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": f"face{number}",
        "use_remote_address": True,
        "http_protocol_options": {"accept_http_10": True},
        "request_headers_timeout": f"{DEADLINE_S}s",
        "stream_idle_timeout": f"{DEADLINE_S}s",
        "upgrade_configs": [{"upgrade_type": "websocket"}],
        "route_config": {
            "virtual_hosts": [
                {
                    "name": "all",
                    "domains": ["*"],
                    "routes": [{"match": {"prefix": "/"}, "route": route}],
                }
            ]
        },
        "http_filters": [
            {
                "name": "router",
                "typed_config": {"@type": f"{extensions}.http.router.v3.Router"},
            }
        ],
    }
    chain = {"filters": [{"name": "manager", "typed_config": manager}]}
    return {
        "name": f"face{number}",
        "address": _envoy_address(port),
        "filter_chains": [chain],
    }


PEERS: dict[str, Start] = {"nginx": nginx, "haproxy": haproxy, "envoy": envoy}
