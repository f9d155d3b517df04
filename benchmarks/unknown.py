"""Unknown faces in groups: how good on LFW, how long 20,000 take, and one more.

    python benchmarks/unknown.py [--list train|test] [--faces 20000]

Needs LFW: VISAGE_SHARED_DATA (or ../shared/data) with `lfw-dev`. What is chosen is chosen on the training list; the
test list is for reporting. The many faces that time is taken with are made of the training list's.
"""

import argparse
import sys
import time
from statistics import median

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from accuracy import Lfw, installed_embedders
from common import shared_data, table
from identification import Album
from visage import VisageError, load_settings
from visage.core.cards import EmbedderCard
from visage.core.unknown.cluster import LINK_RATE, Clusters, thresholds_for
from visage.core.values import Floats
from visage.wiring import model_card

Labels = NDArray[np.intp]

ONE_MORE = 100
MOST = 200  # faces of a person
# A made face is its person's own, drawn somewhat to the middle, plus what sets two pictures of somebody else apart.
# So its similarity to its like is that of real pictures (or above, with retail-0095), and people are lookalikes of each
# other as far as the real ones are. Then the similarity at which groups are joined is set to where the made faces have
# the false matches that the real ones have at theirs.
TO_THE_MIDDLE = 0.85


def quality(vectors: Floats, labels: Labels, link: float) -> list[tuple[str, str]]:
    found = _groups(_clusters(link, vectors), len(labels))
    sizes = np.bincount(found)
    right, together = _pairs(_both(found, labels)), _pairs(found)
    overlap = np.bincount(_both(found, labels))[_both(found, labels)]
    precision, recall = right / max(1, together), right / max(1, _pairs(labels))
    b_precision, b_recall = (overlap / sizes[found]).mean(), (overlap / np.bincount(labels)[labels]).mean()
    return [
        ("faces, people", f"{len(labels)}, {labels.max() + 1}; joined from a similarity of {link:.4f}"),
        ("pairs", f"precision {precision:.4f}, recall {recall:.4f}"),
        ("B-cubed", f"precision {b_precision:.4f}, recall {b_recall:.4f}, F {_f(b_precision, b_recall):.4f}"),
        ("groups of two or more", f"{(sizes > 1).sum()}, the largest of {sizes.max()}"),
    ]


def speed(vectors: Floats, labels: Labels, count: int) -> list[tuple[str, str]]:
    """A crowd, grouped at once; then some leave and come again, one by one."""
    many, whose = _crowd(vectors, labels, count)
    link = _link(many, whose)
    ids, pictures = _names(count)
    started = time.perf_counter(), time.process_time()
    clusters = _clusters(link, many)
    wall, cpu = time.perf_counter() - started[0], time.process_time() - started[1]
    groups = clusters.groups()
    less, more, busy = [], [], []
    for one in range(0, count, max(1, count // ONE_MORE)):
        begin = time.perf_counter()
        clusters.remove([ids[one]])
        between, working = time.perf_counter(), time.process_time()
        clusters.add([ids[one]], many[one : one + 1], [pictures[one]])
        busy.append(time.process_time() - working)
        less.append(between - begin)
        more.append(time.perf_counter() - between)
    if clusters.groups() != groups:
        raise SystemExit("faces that left and came again are grouped differently")
    sizes = np.bincount(whose)
    return [
        ("faces, people", f"{count:,}, {len(sizes)} with 1 to {sizes.max()} faces, joined from {link:.4f}"),
        ("by links alone", f"{_chain(many, link):,} faces hang together"),
        ("all at once", f"{wall:.2f} s, {cpu:.2f} s of processor time (must 10 s)"),
        ("one more", f"median {median(more) * 1e3:.1f} ms, longest {max(more) * 1e3:.1f} ms (must 50 ms)"),
        ("its processor time", f"median {median(busy) * 1e3:.1f} ms, longest {max(busy) * 1e3:.1f} ms"),
        ("one less", f"median {median(less) * 1e3:.1f} ms, longest {max(less) * 1e3:.1f} ms"),
        ("groups", f"{len(groups):,}, the largest of {len(groups[0])}"),
    ]


def _crowd(vectors: Floats, labels: Labels, count: int) -> tuple[Floats, Labels]:
    """Faces of the same people, a few of whom have many and most of whom have few: vectors, whose each is."""
    random = np.random.default_rng(0)
    people = labels.max() + 1
    shares = random.pareto(1.1, people) + 1.0
    sizes = np.ones(people, dtype=np.int64)
    while missing := count - sizes.sum():
        sizes = np.minimum(sizes + random.multinomial(missing, shares / shares.sum()), MOST)
    each = np.bincount(labels)
    means = np.zeros((people, vectors.shape[1]))
    np.add.at(means, labels, vectors)
    means /= each[:, None]
    several = each[labels] > 1
    # Apart from the mean of k, a picture is nearer to it than to the person's true middle.
    widen = np.sqrt(each[labels] / np.maximum(1, each[labels] - 1))
    apart = ((vectors - means[labels]) * widen[:, None])[several]
    middle = vectors.mean(axis=0)
    whose = random.permutation(np.repeat(np.arange(people), sizes))
    own = vectors[np.unique(labels, return_index=True)[1]]
    made = middle + TO_THE_MIDDLE * (own - middle)[whose] + apart[random.integers(0, len(apart), count)]
    return (made / np.linalg.norm(made, axis=1, keepdims=True)).astype(np.float32), whose


def _link(vectors: Floats, labels: Labels, some: int = 6000) -> float:
    """The similarity that a share of LINK_RATE of the comparisons of two people reaches, of some faces."""
    similarities = vectors[:some] @ vectors[:some].T
    return float(np.quantile(similarities[labels[:some, None] != labels[None, :some]], 1.0 - LINK_RATE))


def _chain(vectors: Floats, link: float, step: int = 500) -> int:
    """How many faces hang together by links from one to the next."""
    ends = [np.nonzero(vectors[start : start + step] @ vectors.T >= link) for start in range(0, len(vectors), step)]
    first = np.concatenate([rows + step * number for number, (rows, _) in enumerate(ends)])
    second = np.concatenate([columns for _, columns in ends])
    graph = coo_array((np.ones(len(first)), (first, second)), shape=(len(vectors), len(vectors)))
    return int(np.bincount(connected_components(graph, directed=False)[1]).max())


def _clusters(link: float, vectors: Floats) -> Clusters:
    clusters = Clusters(link)
    ids, pictures = _names(len(vectors))
    clusters.add(ids, vectors, pictures)
    return clusters


def _names(count: int) -> tuple[list[str], list[frozenset[str]]]:
    """Ids, and each on a picture of its own."""
    ids = [f"face{number}" for number in range(count)]
    return ids, [frozenset([one]) for one in ids]


def _groups(clusters: Clusters, count: int) -> Labels:
    number = {one: group for group, ids in enumerate(clusters.groups()) for one in ids}
    return np.array([number[one] for one in _names(count)[0]])


def _both(found: Labels, labels: Labels) -> Labels:
    return np.unique(found * (labels.max() + 1) + labels, return_inverse=True)[1]


def _pairs(labels: Labels) -> int:
    sizes = np.bincount(labels)
    return int((sizes * (sizes - 1) // 2).sum())


def _f(precision: float, recall: float) -> float:
    return 2 * precision * recall / (precision + recall)


def _numbered(album: Album) -> tuple[Floats, Labels]:
    return album.vectors, np.unique(album.labels, return_inverse=True)[1]


def main() -> None:
    parser = argparse.ArgumentParser(description="Unknown faces in groups: how good, how long.")
    parser.add_argument("--list", choices=("train", "test"), default="test", help="whose pictures quality is told of")
    parser.add_argument("--faces", type=int, default=20_000, help="how many faces time is taken with")
    options = parser.parse_args()
    shared = shared_data()
    if shared is None:
        raise SystemExit("no LFW here (VISAGE_SHARED_DATA)")
    lfw = Lfw(shared / "lfw-dev")
    for embedder in installed_embedders():
        card = model_card(embedder, load_settings())
        if not isinstance(card, EmbedderCard):
            raise SystemExit(f"{embedder} is no embedder")
        train = _numbered(lfw.album(embedder, lfw.train))
        chosen = train if options.list == "train" else _numbered(lfw.album(embedder, lfw.test))
        rows = quality(*chosen, thresholds_for(card).link)
        table(f"LFW View 1, {options.list} list, in groups: {embedder}", rows)
        table(f"Many faces in groups: {embedder}", speed(*train, options.faces))


if __name__ == "__main__":
    try:
        main()
    except VisageError as error:
        sys.exit(str(error))
