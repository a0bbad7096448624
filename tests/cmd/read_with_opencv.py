"""What OpenCV's dnn module, a reader of Darknet's files made by others, makes of a network.

    read_with_opencv.py blob IMAGE WIDTH HEIGHT OUT
        writes the image as the floats that a network takes: red, green, blue, each from 0 to 1

    read_with_opencv.py compute CFG WEIGHTS WIDTH HEIGHT BLOB
        has OpenCV compute the network

    read_with_opencv.py compare CFG WEIGHTS WIDTH HEIGHT BLOB OUTPUTS
        has OpenCV compute the layers that are in OUTPUTS, as `random_weights -outputs` wrote it
        for the same blob, and prints a line for each: the layer and the largest

            |theirs - ours| / max(|ours|, root mean square of ours)

Exit status 1 where OpenCV doesn't compute the network, and why as the last line on stderr.
"""

import sys

import cv2
import numpy


def write_blob(image, width, height, out):
    pixels = cv2.imread(image)
    if pixels is None:
        sys.exit(f"{image}: OpenCV doesn't read it")
    blob = cv2.dnn.blobFromImage(pixels, 1 / 255, (int(width), int(height)), swapRB=True)
    blob.astype("<f4").tofile(out)


def forward(cfg, weights, width, height, blob, choose):
    """What OpenCV computes of the layers that choose(net) names."""
    try:
        net = cv2.dnn.readNetFromDarknet(cfg, weights)
        net.setPreferableBackend(cv2.dnn.DNN_BACKEND_OPENCV)
        net.setInput(numpy.fromfile(blob, "<f4").reshape(1, -1, int(height), int(width)))
        return net.forward(choose(net))
    except cv2.error as error:
        sys.exit(f"{cfg}: {' '.join(str(error).split())}")


def read_outputs(path):
    """[(layer, numbers)], as in the file."""
    words = numpy.fromfile(path, "<i4")
    layers, at = [], 0
    while at < len(words):
        layer, count = words[at : at + 2]
        layers.append((layer, words[at + 2 : at + 2 + count].view("<f4")))
        at += 2 + count
    return layers


def name_of(net, layer):
    """OpenCV's name of Darknet's layer, which is one with linear outputs."""
    for kind in ("conv", "fullyConnected", "avgpool"):
        if f"{kind}_{layer}" in net.getLayerNames():
            return f"{kind}_{layer}"
    sys.exit(f"OpenCV has no layer {layer} among {', '.join(net.getLayerNames())}")


def compare(cfg, weights, width, height, blob, outputs):
    layers = read_outputs(outputs)
    results = forward(cfg, weights, width, height, blob, lambda net: [name_of(net, layer) for layer, _ in layers])
    for (layer, ours), theirs in zip(layers, results):
        if theirs.size != ours.size:
            sys.exit(f"layer {layer}: OpenCV makes {theirs.size} numbers, Darknet {ours.size}")
        size = numpy.maximum(numpy.abs(ours), numpy.sqrt(numpy.mean(numpy.square(ours))))
        print(layer, f"{numpy.max(numpy.abs(theirs.ravel() - ours) / size):.2g}")


def compute(*arguments):
    forward(*arguments, lambda net: net.getUnconnectedOutLayersNames())


def main():
    modes = {"blob": (write_blob, 4), "compute": (compute, 5), "compare": (compare, 6)}
    mode, count = modes.get(sys.argv[1] if len(sys.argv) > 1 else "", (None, 0))
    if len(sys.argv) - 2 != count or mode is None:
        sys.exit(__doc__)
    mode(*sys.argv[2:])


main()
