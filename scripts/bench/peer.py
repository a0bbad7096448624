"""What the programs in Python that scripts/bench.sh runs share; peer.h says how they are started."""

import os
import statistics
import sys
import time

import numpy


class Peer:
    """The command line: mode, cfg, weights, batch, threads, and seconds or out."""

    def __init__(self):
        if len(sys.argv) != 7:
            sys.exit(
                f"{sys.argv[0]}: expected forward|train CFG WEIGHTS BATCH THREADS SECONDS or outputs CFG WEIGHTS "
                "BATCH THREADS OUT"
            )
        self.mode, self.cfg, self.weights = sys.argv[1:4]
        self.batch, self.threads = int(sys.argv[4]), int(sys.argv[5])
        self.out = sys.argv[6]
        self.seconds = float(self.out) if self.mode != "outputs" else None
        self.sections = read_cfg(self.cfg)

    def images(self):
        """(batch, c, h, w): number k is a hash of k."""
        net = self.sections[0][1]
        shape = [self.batch] + [int(net[key]) for key in ("channels", "height", "width")]
        k = numpy.arange(numpy.prod(shape), dtype=numpy.uint32)
        k *= numpy.uint32(2654435761)
        k ^= k >> 15
        k *= numpy.uint32(2246822519)
        k ^= k >> 13
        return ((k >> 8).astype(numpy.float32) / numpy.float32(1 << 24)).reshape(shape)

    def wanted(self):
        """The layers whose outputs are compared."""
        layers = self.sections[1:]
        deciding = ("yolo", "region", "detection", "softmax")
        wanted = [i - 1 for i, (kind, _) in enumerate(layers) if i and kind in deciding]
        return wanted or [max(i for i, (kind, _) in enumerate(layers) if kind != "cost")]

    def write(self, outputs):
        with open(self.out, "wb") as file:
            for output in outputs:
                numpy.array([output.size], "<i4").tofile(file)
                numpy.ascontiguousarray(output, "<f4").tofile(file)

    def measure(self, run):
        print(f"{self.batch / median_seconds(run, self.seconds):.6g}")


def read_cfg(path):
    """[(kind, {key: value})], the first of which is [net]. The first of a duplicated key wins."""
    sections = []
    with open(path) as file:
        for line in file:
            line = line.replace(" ", "").replace("\t", "").rstrip("\n")
            if line.startswith("["):
                sections.append((line.strip("[]"), {}))
            elif line and line[0] not in "#;" and "=" in line:
                key, value = line.split("=", 1)
                sections[-1][1].setdefault(key, value)
    return sections


def median_seconds(run, seconds):
    """As peer_measure in peer.h does."""
    begin = time.perf_counter()
    run()
    start = now = time.perf_counter()
    if start - begin > 8 * seconds:
        return start - begin
    samples = []
    while not samples or now - start < seconds:
        before = now
        run()
        now = time.perf_counter()
        samples.append(now - before)
    return statistics.median(samples)


def set_threads():
    """Before a library with OpenMP is imported."""
    os.environ["OMP_NUM_THREADS"] = sys.argv[5] if len(sys.argv) > 5 else "1"
