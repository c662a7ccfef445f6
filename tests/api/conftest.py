"""A fresh control plane behind a real Api for each test."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.api.door import Story, Tell, open_door


@pytest.fixture
def tell(tmp_path: Path) -> Tell:
    def run(story: Story) -> None:
        async def main() -> None:
            async with open_door(tmp_path) as door:
                await story(door)

        asyncio.run(main())

    return run
