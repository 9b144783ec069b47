"""Static files as they are sent: collected into one folder, each beside its compressed forms."""

from collections.abc import Iterator
from typing import Any

from whitenoise.storage import CompressedStaticFilesStorage


class Collected(CompressedStaticFilesStorage):  # type: ignore[misc]  # it has no types
    """Compresses only what has changed: all of it takes as long as everything else at the start of the site."""

    def post_process(self, paths: dict[str, Any], dry_run: bool = False, **options: Any) -> Iterator[Any]:
        changed = {name: found for name, found in paths.items() if dry_run or not self._is_compressed(name)}
        yield from super().post_process(changed, dry_run, **options)

    def _is_compressed(self, name: str) -> bool:
        packed = f"{name}.gz"
        return bool(self.exists(packed) and self.get_modified_time(packed) >= self.get_modified_time(name))
