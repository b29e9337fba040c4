"""Sample photographs and their trimaps, which come with the package; README.md beside them tells their sources."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.resources import as_file, files
from typing import TYPE_CHECKING, Any

from lsa_engine.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lsa_engine.trimap import Trimap


@dataclass(frozen=True)
class Sample:
    """Where a photograph comes from.

    Attributes
    ----------
    name : str
        Its files are NAME.jpg and NAME_trimap.png.
    subject : str
        What is to be seen, and what is difficult about it.
    credit : str
        Author, repository, path and commit, and what was done to it.
    licence : str
        Of the photograph; all trimaps are drawn for this project and CC0-1.0.
    """

    name: str
    subject: str
    credit: str
    licence: str


SAMPLES = {
    sample.name: sample
    for sample in (
        Sample(
            "peacock",
            "a peacock: feathers before an even ground",
            "MDN contributors, repository mdn/learning-area, "
            "html/introduction-to-html/structuring-a-page-of-content-finished/favorite-2.jpg, "
            "commit ca1ff0bd06e12b96a6742ffdf040bb22966e5a5e, reduced in size",
            "CC0-1.0",
        ),
        Sample(
            "twigs",
            "a bare tree: fine branching twigs before sky and sea",
            "MDN contributors, repository mdn/dom-examples, view-transitions/spa/images/watery-view.jpg, "
            "commit 6aaab9c50896ad161853296c6f704f8b900c4aac, reduced in size and cropped",
            "CC0-1.0",
        ),
        Sample(
            "jellyfish",
            "a jellyfish: translucent, with threads that fade away",
            'author "ng" (Unsplash), repository pop-os/wallpapers, original/ng-32703.jpg, '
            "commit 03a25a14a76eaf3825b980ab50aad6698c1c5a35, cropped",
            "Unsplash License (declared public domain by the repository)",
        ),
        Sample(
            "flower",
            "Orychophragmus violaceus: petals, buds and leaves, some of them out of focus",
            "immich-app contributors, repository immich-app/test-assets, albums/nature/orychophragmus_violaceus.jpg, "
            "commit ec56cc6c1d76c45bc9615dc6ea232470a2b0a3a1, reduced in size",
            "public domain",
        ),
    )
}


def load_photograph(name: str = "peacock") -> NDArray[Any]:
    """Return a sample photograph, uint8 (H, W, 3).

    Parameters
    ----------
    name : str
        One of :data:`SAMPLES`.

    Raises
    ------
    InputError
        If there is no sample of that name.
    """
    from lsa_engine.image_io import read_image

    with as_file(files(__name__) / f"{find_sample(name).name}.jpg") as path:
        return read_image(path)


def load_trimap(name: str = "peacock") -> Trimap:
    """Return the trimap of a sample photograph, of the same height and width.

    Parameters
    ----------
    name : str
        One of :data:`SAMPLES`.

    Raises
    ------
    InputError
        If there is no sample of that name.
    """
    from lsa_engine.image_io import read_trimap

    with as_file(files(__name__) / f"{find_sample(name).name}_trimap.png") as path:
        return read_trimap(path)


def find_sample(name: str) -> Sample:
    """Return what is known of a sample.

    Raises
    ------
    InputError
        If there is no sample of that name.
    """
    if name not in SAMPLES:
        raise InputError(f"There is no sample {name!r}, only {', '.join(SAMPLES)}: choose one of these.")
    return SAMPLES[name]
