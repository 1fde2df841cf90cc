"""Cases where ours is not `right`, and why that is meant. All others must be right."""

from __future__ import annotations

from tests.conformance.case import Grade

ARGUED: dict[str, tuple[Grade, str]] = {
    "A method in small letters is not made another": (
        Grade.SAFE, "Methods are case-sensitive: `get` is an unknown one."),
    "A closed half of a client's connection is no reason to fail, or to go on": (
        Grade.SAFE, "A client that closes its half cannot be told from one that left."),
    "A client that leaves in its body is no request": (
        Grade.SAFE, "Nobody is there to read a refusal."),
    "A client that leaves in a chunk is no request": (
        Grade.SAFE, "Nobody is there to read a refusal."),
    "A client that leaves in a trailer is no request": (
        Grade.SAFE, "Nobody is there to read a refusal."),
}  # fmt: skip
