"""Ports for services are those that nobody else is given."""

from __future__ import annotations

import random
import socket

from loadtests.ports import free_port


def test_no_port_is_given_twice() -> None:
    assert len({free_port() for _ in range(200)}) == 200


def test_tests_under_one_seed_do_not_draw_the_same_ports() -> None:
    drawn = []
    for _ in range(2):
        random.seed(7)
        drawn.append([free_port() for _ in range(5)])
    assert drawn[0] != drawn[1]


def test_a_port_that_is_taken_is_not_given() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", free_port()))
        assert taken.getsockname()[1] not in {free_port() for _ in range(50)}


def test_ports_are_not_among_those_the_system_gives_away_by_itself() -> None:
    given = {free_port() for _ in range(50)}
    for _ in range(50):
        with socket.socket() as any_port:
            any_port.bind(("127.0.0.1", 0))
            assert any_port.getsockname()[1] > max(given)
