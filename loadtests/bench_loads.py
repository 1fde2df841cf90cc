"""What wrk sends, and what it says afterwards."""

from __future__ import annotations

import re
import subprocess
from dataclasses import dataclass
from enum import StrEnum

from loadtests.bench_peers import SAME_PATH
from loadtests.bench_processes import BenchError


class Load(StrEnum):
    """What the shoppers of a measurement send.

    varied: as browsers do: 14 fields, other paths, other cookies, and each answer differs.
    repeated: one request of two fields, again and again, and one answer: what a memo loves.
    five routes, all routes: `/shop/rNNNN/M/` over the first 5 or over all 5,000 routes.
    """

    VARIED = "varied"
    REPEATED = "repeated"
    FIVE_ROUTES = "five routes"
    ALL_ROUTES = "all routes"


ROUTES = {Load.FIVE_ROUTES: 5, Load.ALL_ROUTES: 5_000}

# A visit is ten requests under one cookie; a cookie never comes back.
_VARIED = """
local agents = {
  "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/126.0 Safari/537.36",
  "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 Version/17.4 Safari/605",
  "Mozilla/5.0 (X11; Linux x86_64; rv:127.0) Gecko/20100101 Firefox/127.0",
  "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 Mobile/15E148",
}
local languages = {"en-GB,en;q=0.9", "de-DE,de;q=0.9,en;q=0.7", "fr-FR,fr;q=0.8", "en-US,en;q=0.5"}
local asked, fixed = 0, {}
init = function()
  math.randomseed(os.time())
  asked = math.random(1, 1000000000)
  for i = 1, 16 do
    fixed[i] = "Host: shop.example\\r\\nConnection: keep-alive\\r\\n"
      .. "User-Agent: " .. agents[i % 4 + 1] .. "\\r\\n"
      .. "Accept: application/json, text/plain, */*\\r\\n"
      .. "Accept-Language: " .. languages[math.floor(i / 4) % 4 + 1] .. "\\r\\n"
      .. "Accept-Encoding: gzip, deflate, br\\r\\n"
      .. 'Sec-CH-UA: "Chromium";v="126", "Not A Brand";v="8"\\r\\n'
      .. "Sec-CH-UA-Mobile: ?0\\r\\nSec-Fetch-Dest: empty\\r\\nSec-Fetch-Mode: cors\\r\\n"
      .. "Sec-Fetch-Site: same-origin\\r\\nCache-Control: no-cache\\r\\n"
  end
end
request = function()
  asked = asked + 1
  local visit = math.floor(asked / 10)
  local id = asked * 7919 % 100003
  return "GET /api/products/" .. id + 2 .. "/?page=" .. asked % 9 .. " HTTP/1.1\\r\\n"
    .. fixed[visit % 16 + 1]
    .. "Referer: https://shop.example/catalogue/page-" .. id % 977 .. "/\\r\\n"
    .. string.format("Cookie: sessionid=%016x; _ga=GA1.2.%d; currency=GBP\\r\\n\\r\\n",
                     visit, visit * 31 % 1000000007)
end
"""
_WIDE = """
local asked = 0
init = function() math.randomseed(os.time()); asked = math.random(1, 1000000) end
request = function()
  asked = asked + 1
  return string.format("GET /shop/r%04d/%04d/ HTTP/1.1\\r\\nHost: shop.example\\r\\n\\r\\n",
                       asked * 7919 % ROUTES, asked % 9973)
end
"""


def script(load: Load) -> str | None:
    """The Lua that makes wrk send such a load; None where its own request will do."""
    match load:
        case Load.VARIED:
            return _VARIED
        case Load.REPEATED:
            return None
        case Load.FIVE_ROUTES | Load.ALL_ROUTES:
            return _WIDE.replace("ROUTES", str(ROUTES[load]))


@dataclass(frozen=True, slots=True)
class Said:
    """What wrk counted.

    Attributes:
        rate: requests per second.
    """

    requests: int
    rate: float
    p50_ms: float
    p99_ms: float


def read_wrk(text: str) -> Said:
    """Parse what wrk printed.

    Raises:
        BenchError: some answers were bad, or there were none.
    """
    bad = re.search(r"Non-2xx.*|Socket errors.*", text)
    count = re.search(r"(\d+) requests in", text)
    rate = re.search(r"Requests/sec:\s+(\S+)", text)
    quantiles = dict(re.findall(r"^\s+(50|99)%\s+(\S+)", text, re.MULTILINE))
    if bad or not count or not rate or not int(count[1]) or len(quantiles) != 2:
        raise BenchError(f"no clean answers: {bad[0] if bad else text.strip()}")
    p50_ms, p99_ms = (_milliseconds(quantiles[q]) for q in ("50", "99"))
    return Said(int(count[1]), float(rate[1]), p50_ms, p99_ms)


def _milliseconds(text: str) -> float:
    for unit, factor in (("us", 0.001), ("ms", 1.0), ("s", 1_000.0), ("m", 60_000.0)):
        if text.endswith(unit):
            return float(text.removesuffix(unit)) * factor
    raise BenchError(f"wrk printed a time that is none: {text}")


def run_wrk(port: int, lua: str | None, seconds: int, connections: int) -> Said:
    """Load a port; `lua` is the file of a script.

    Raises:
        BenchError: some answers were bad.
    """
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}", "--latency"]
    command += ["-s", lua] if lua else []
    command.append(f"http://127.0.0.1:{port}{SAME_PATH}")
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode:
        raise BenchError(f"wrk ended with {done.returncode}: {done.stderr.strip()}")
    return read_wrk(done.stdout)
