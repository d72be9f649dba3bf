"""Fixtures for the tests of the web."""

from __future__ import annotations

import pytest

from tests.web.world import Client, World, client


@pytest.fixture
def world() -> World:
    """A service that ran for two minutes without trouble."""
    made = World()
    for _ in range(24):
        made.step()
    return made


@pytest.fixture
def web(world: World) -> Client:
    """A client of that service's port."""
    return client(world)
