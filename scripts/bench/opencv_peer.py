"""OpenCV's dnn as a program of scripts/bench.sh; peer.h says how it is started. It only infers; exit status 3 where it
doesn't read the network, such as one with shortcuts between images of different sizes."""

import sys

import peer

peer.set_threads()

import cv2


def load(job):
    net = cv2.dnn.readNetFromDarknet(job.cfg, job.weights)
    net.setPreferableBackend(cv2.dnn.DNN_BACKEND_OPENCV)
    net.setPreferableTarget(cv2.dnn.DNN_TARGET_CPU)
    return net


def name_of(net, layer):
    """OpenCV's name of Darknet's layer, which is one with linear outputs."""
    for kind in ("conv", "fullyConnected", "avgpool"):
        if f"{kind}_{layer}" in net.getLayerNames():
            return f"{kind}_{layer}"
    sys.exit(f"OpenCV has no layer {layer}")


def run_job(job):
    net, images = load(job), job.images()
    names = [name_of(net, layer) for layer in job.wanted()]

    def run():
        net.setInput(images)
        return net.forward(names)

    if job.mode == "outputs":
        job.write(run())
    else:
        job.measure(run)


def main():
    job = peer.Peer()
    if job.mode == "train":
        sys.exit(3)
    cv2.setNumThreads(job.threads)
    try:
        run_job(job)
    except cv2.error as error:
        print(" ".join(str(error).split()), file=sys.stderr)
        sys.exit(3)


main()
