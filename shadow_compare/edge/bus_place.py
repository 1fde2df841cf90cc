"""Which bus frames travel over; a value, so that nobody needs NATS to say it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit


@dataclass(frozen=True, slots=True)
class BusPlace:
    """Which bus, and the bounds of what it keeps for us.

    Attributes:
        url: nats://[user:password@]HOST:PORT or tls://…; several, comma-separated, are one
            cluster.
        stream: name of the stream, and first word of all subjects.
        credentials: a NATS credentials file, or None.
        max_bytes: of frames that wait; when it is reached the spool keeps what comes.
        max_age_s: older frames are dropped by the bus, and booked as `bus_dropped`.
        ack_wait_s: how long a silent comparer keeps the frames it took.
        replicas: servers that hold each frame.
    """

    url: str
    stream: str = "BANYAN"
    credentials: Path | None = None
    max_bytes: int = 1024**3
    max_age_s: float = 86_400.0
    ack_wait_s: float = 30.0
    replicas: int = 1

    @property
    def shown(self) -> str:
        """The addresses without what is secret."""
        parts = [urlsplit(url) for url in self.url.split(",")]
        return ",".join(f"{part.hostname or '?'}:{part.port or 4222}" for part in parts)

    @property
    def notes_stream(self) -> str:
        """The stream that holds the last note of each run."""
        return f"{self.stream}_RUNS"

    def frames_of(self, run: str) -> str:
        """Subject of a run's frames."""
        return f"{self.stream}.frames.{run}"

    def note_of(self, run: str) -> str:
        """Subject of a run's note."""
        return f"{self.stream}.runs.{run}"
