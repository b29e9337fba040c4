"""Prepared decoders of parts of a large image, kept for the edits that follow."""

from __future__ import annotations

from dataclasses import dataclass

from lsa_engine.inference.tiling import Tile
from lsa_engine.network.prepared import PreparedDecoder


@dataclass(frozen=True)
class Kept:
    """The decoder of a tile, which can be asked for any pixels of its core."""

    tile: Tile
    decoder: PreparedDecoder


class Decoders:
    """Decoders within a limit of memory; those that were not used for the longest time go first.

    Parameters
    ----------
    room : float
        Bytes that they may take.
    """

    def __init__(self, room: float) -> None:
        self.room = room
        self._kept: list[Kept] = []  # the one used last comes last

    @property
    def nbytes(self) -> int:
        """Bytes that they take."""
        return sum(kept.decoder.nbytes for kept in self._kept)

    def recent(self) -> list[Kept]:
        """Return them, the one used last first."""
        return self._kept[::-1]

    def use(self, kept: Kept) -> None:
        """Take one for used."""
        self._kept.remove(kept)
        self._kept.append(kept)

    def keep(self, kept: Kept, in_use: list[Kept]) -> bool:
        """Keep one if there is room, or if there is without those that are not in use; return whether it is kept."""
        needed = kept.decoder.nbytes
        held = [other for other in self._kept if any(other is used for used in in_use)]
        if needed + sum(other.decoder.nbytes for other in held) > self.room:
            return False
        while self.nbytes + needed > self.room:
            self._kept.remove(next(other for other in self._kept if not any(other is used for used in in_use)))
        self._kept.append(kept)
        return True

    def shrink(self, room: float, in_use: list[Kept]) -> None:
        """Let go of those that are not in use until they take no more than so many bytes."""
        for kept in list(self._kept):
            if self.nbytes > room and not any(kept is used for used in in_use):
                self._kept.remove(kept)
