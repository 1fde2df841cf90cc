"""What the proxy leaves on disk: the spool of captured exchanges, and their accounting.

with SpoolReader(Path("var/spool"), positions) as reader:
    for position, frame in reader.read(500): ...
"""

from proxy.storage.account import (
    DROPPED,
    MIRRORED,
    SPOOLED,
    Account,
    AccountError,
    RunAccount,
    counter_name,
    read_account,
    split_name,
)
from proxy.storage.emptying import empty_frames
from proxy.storage.lag import Lag, spool_lag
from proxy.storage.records import Place as StoredPlace
from proxy.storage.records import Stored, checksum, pack, pack_place
from proxy.storage.runs import read_accounts, redaction_key, sealing_key, spool_bytes, sweep
from proxy.storage.segments import START, Position
from proxy.storage.spool import SpoolReader
from proxy.storage.writer import Packed, SpoolLimits, SpoolWriter, Written

__all__ = [
    "DROPPED",
    "MIRRORED",
    "SPOOLED",
    "START",
    "Account",
    "AccountError",
    "Lag",
    "Packed",
    "Position",
    "RunAccount",
    "SpoolLimits",
    "SpoolReader",
    "SpoolWriter",
    "Stored",
    "StoredPlace",
    "Written",
    "checksum",
    "counter_name",
    "empty_frames",
    "pack",
    "pack_place",
    "read_account",
    "read_accounts",
    "redaction_key",
    "sealing_key",
    "split_name",
    "spool_bytes",
    "spool_lag",
    "sweep",
]
