"""Draw the composites on which weights do worst: the picture of a model card, from photographs that may be shown.

DATA is a training data folder; of its photos-validation only those with a free licence in SOURCES.csv are used, and the
mattes are all drawn. Prints the photographs' sources.
"""

from __future__ import annotations

import argparse
import csv
from pathlib import Path

import numpy as np
from PIL import Image

from lsa_engine.evaluation import evaluate
from lsa_engine.inference import Matter
from lsa_engine.training.composites import ProceduralComposites, Style
from lsa_engine.training.datasets import list_pictures, load_photos
from lsa_engine.trimap import Trimap

FREE = ("CC0", "Public domain", "Unsplash")
SIZE = 384


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("--weights", default="lsa-lite")
    parser.add_argument("--examples", type=int, default=150)
    parser.add_argument("--shown", type=int, default=5)
    options = parser.parse_args()
    with (options.data / "SOURCES.csv").open(encoding="utf-8") as file:
        sources = {row["file"]: row for row in csv.DictReader(file)}
    folder = "photos-validation"
    names = [path.name for path in list_pictures(options.data / folder)]
    free = [
        index
        for index, name in enumerate(names)
        if any(sources[f"{folder}/{name}"]["licence"].startswith(start) for start in FREE)
    ]
    photos = load_photos([folder], options.data)
    composites = ProceduralComposites([photos[index] for index in free], [], seed=11)
    matter = Matter(options.weights)
    found = []
    for number in range(options.examples):
        example = composites.draw(number, SIZE, Style(parts=0.3, wide_share=0.3, wide_reach=60.0))
        trimap = Trimap(example.trimap)
        if not (trimap.foreground.any() and trimap.background.any()):
            continue
        matter.set_image(example.image)
        matter.set_trimap(trimap)
        alpha = matter.predict().alpha
        truth = example.alpha.astype(np.float32) / 255
        found.append((evaluate(alpha, truth, trimap).sad, number, alpha, example))
    found.sort(key=lambda one: -one[0])
    rows = []
    for sad, number, alpha, example in found[: options.shown]:
        planes = (example.trimap, np.round(alpha * 255).astype(np.uint8), example.alpha)
        rows.append(np.hstack([example.image, *(np.repeat(plane[..., None], 3, 2) for plane in planes)]))
        print(f"example {number}: SAD {sad:.2f}")
    sheet = Image.fromarray(np.vstack(rows))
    sheet.resize((sheet.width // 2, sheet.height // 2), Image.Resampling.LANCZOS).save(options.output, quality=88)
    sads = [one[0] for one in found]
    print(f"{len(sads)} composites, mean SAD {np.mean(sads):.2f}, median {np.median(sads):.2f}")
    for index in free:
        source = sources[f"{folder}/{names[index]}"]
        print(f"{names[index]}: {source['author_or_title']}, {source['repo']}, {source['licence']}")


if __name__ == "__main__":
    main()
