"""Engines of a benchmark's own."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def engines_of_its_own(*, with_redis: bool = False) -> Iterator[Path]:
    """Django on a PostgreSQL, and a Redis if wanted, in a folder that is gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="oo-bench-", dir="/tmp") as name:
        from config import engines

        found = engines.use(Path(name), durable=True, with_redis=with_redis)
        os.environ.update(SECRET_KEY="bench", DATABASE_URL=found.database_url, REDIS_URL=found.redis_url)
        os.environ["DJANGO_SETTINGS_MODULE"] = "config.settings"
        import django

        django.setup()
        try:
            yield Path(name)
        finally:
            engines.stop(Path(name))
