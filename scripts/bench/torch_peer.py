"""PyTorch as a program of scripts/bench.sh; peer.h says how it is started.

It reads the .cfg and .weights itself. Inference has batch normalization folded into the convolutions and runs in
whichever of PyTorch's ways is the fastest here: as it is, with channels last, or frozen and optimized for inference,
which keeps oneDNN's layouts between layers. Training is SGD with momentum on cross entropy, batch normalization as
PyTorch has it, in the faster of the two layouts. softmax and yolo layers are left out.
"""

import copy
import sys
import time
import warnings

import peer

peer.set_threads()

import numpy
import torch
from torch import nn
from torch.nn import functional


class WeightsFile:
    """A .weights file, read array by array."""

    def __init__(self, path):
        with open(path, "rb") as file:
            major, minor, _ = numpy.fromfile(file, "<i4", 3)
            file.seek(20 if major * 10 + minor >= 2 else 16)
            self.numbers = numpy.fromfile(file, "<f4")
        self.at = 0

    def take(self, *shape):
        n = int(numpy.prod(shape))
        self.at += n
        if self.at > len(self.numbers):
            sys.exit("the weights file is too short")
        return torch.from_numpy(self.numbers[self.at - n : self.at].reshape(shape).copy())


def activate(x, name):
    if name == "relu":
        return functional.relu_(x)
    if name == "leaky":
        return functional.leaky_relu_(x, 0.1)
    if name != "linear":
        sys.exit(f"activation={name} is not known here")
    return x


class Weighted(nn.Module):
    """A convolutional or connected layer, its batch normalization folded into it unless it is to be trained."""

    def __init__(self, kind, options, shape, weights, train):
        super().__init__()
        c, h, w = shape
        self.activation = options.get("activation", "logistic")
        normalize = options.get("batch_normalize", "0") == "1"
        self.norm = None
        if kind == "convolutional":
            n, size, groups = (int(options.get(key, 1)) for key in ("filters", "size", "groups"))
            pad = size // 2 if options.get("pad", "0") != "0" else int(options.get("padding", 0))
            bias = weights.take(n)
            norm = [weights.take(n) for _ in range(3)] if normalize else None
            matrix = weights.take(n, c // groups, size, size)
            self.linear = nn.Conv2d(c, n, size, int(options.get("stride", 1)), pad, groups=groups,
                                    bias=not (train and normalize))
        else:
            n = int(options["output"])
            bias, matrix = weights.take(n), weights.take(n, c * h * w)
            norm = [weights.take(n) for _ in range(3)] if normalize else None
            self.linear = nn.Linear(c * h * w, n, bias=not (train and normalize))
        if normalize and train:
            self.norm = (nn.BatchNorm2d if kind == "convolutional" else nn.BatchNorm1d)(n)
            self.norm.bias.data, self.norm.weight.data = bias, norm[0]
            self.norm.running_mean, self.norm.running_var = norm[1:]
        elif normalize:  # as Darknet does it on the processor
            scale = norm[0] / (norm[2].sqrt() + 1e-6)
            bias = bias - norm[1] * scale
            matrix = matrix * scale.reshape([-1] + [1] * (matrix.dim() - 1))
        self.linear.weight.data = matrix
        if self.linear.bias is not None:
            self.linear.bias.data = bias

    def forward(self, x):
        if isinstance(self.linear, nn.Linear):
            x = x.flatten(1)
        x = self.linear(x)
        if self.norm is not None:
            x = self.norm(x)
        return activate(x, self.activation)


class Maxpool(nn.Module):
    """Padded by size - 1 in all, half of it, rounded down, on the left."""

    def __init__(self, options, shape):
        super().__init__()
        self.stride = int(options.get("stride", 1))
        self.size = int(options.get("size", self.stride))
        pad = int(options.get("padding", self.size - 1))
        self.pad = []
        for side in (shape[2], shape[1]):
            out = (side + pad - self.size) // self.stride + 1
            self.pad += [pad // 2, max(0, (out - 1) * self.stride + self.size - side - pad // 2)]

    def forward(self, x):
        if any(self.pad):
            x = functional.pad(x, self.pad, value=-numpy.inf)
        return functional.max_pool2d(x, self.size, self.stride)


class Shortcut(nn.Module):
    """Adds an earlier layer's first channels, every so manieth pixel of them."""

    def __init__(self, options, index):
        super().__init__()
        if float(options.get("alpha", 1)) != 1 or float(options.get("beta", 1)) != 1:
            sys.exit("alpha= and beta= of shortcuts are not known here")
        self.source = int(options["from"]) + (index if int(options["from"]) < 0 else 0)
        self.activation = options.get("activation", "linear")

    def forward(self, x, other):
        step = other.shape[2] // x.shape[2]
        if step > 1:
            other = other[:, :, ::step, ::step]
        c = min(x.shape[1], other.shape[1])
        if c < other.shape[1]:
            other = other[:, :c]
        if c < x.shape[1]:
            other = functional.pad(other, [0, 0, 0, 0, 0, x.shape[1] - c])
        return activate(x + other, self.activation)


class Network(nn.Module):
    def __init__(self, job, train):
        super().__init__()
        net = job.sections[0][1]
        self.kinds = [kind for kind, _ in job.sections[1:]]
        self.layers = nn.ModuleList()
        self.sources = []
        self.wanted = job.wanted()
        weights, shape = WeightsFile(job.weights), [int(net[key]) for key in ("channels", "height", "width")]
        shapes = []
        for i, (kind, options) in enumerate(job.sections[1:]):
            layer, sources = None, [i - 1]
            if kind in ("convolutional", "connected"):
                layer = Weighted(kind, options, shape, weights, train)
            elif kind == "maxpool":
                layer = Maxpool(options, shape)
            elif kind == "avgpool":
                layer = nn.AdaptiveAvgPool2d(1)
            elif kind == "upsample":
                layer = nn.Upsample(scale_factor=int(options.get("stride", 2)), mode="nearest")
            elif kind == "dropout" and train:
                layer = nn.Dropout(float(options.get("probability", 0.5)))
            elif kind == "shortcut":
                layer = Shortcut(options, i)
                sources.append(layer.source)
            elif kind == "route":
                sources = [int(x) + (i if int(x) < 0 else 0) for x in options["layers"].split(",")]
            elif kind not in ("dropout", "softmax", "yolo", "cost"):
                sys.exit(f"[{kind}] is not known here")
            self.layers.append(layer if layer is not None else nn.Identity())
            self.sources.append(sources)
            with torch.no_grad():
                shape = self.shape_after(i, shape, shapes)
            shapes.append(shape)
        if weights.at != len(weights.numbers):
            sys.exit("the weights file is too long")

    def shape_after(self, i, shape, shapes):
        if self.kinds[i] == "connected":
            return [self.layers[i].linear.out_features, 1, 1]
        if self.kinds[i] == "route":
            parts = [shapes[s] for s in self.sources[i]]
            return [sum(part[0] for part in parts)] + parts[0][1:]
        if self.kinds[i] == "convolutional":
            conv = self.layers[i].linear
            sides = [(s + 2 * conv.padding[0] - conv.kernel_size[0]) // conv.stride[0] + 1 for s in shape[1:]]
            return [conv.out_channels] + sides
        if self.kinds[i] in ("maxpool", "avgpool", "upsample"):
            return list(self.layers[i](torch.zeros([1] + shape)).shape[1:])
        return shape

    def forward(self, x):
        outputs = []
        last = {}  # an output is dropped once nobody reads it any more
        for i, sources in enumerate(self.sources):
            for s in sources:
                last[s] = i
        for i, layer in enumerate(self.layers):
            inputs = [outputs[s] if s >= 0 else x for s in self.sources[i]]
            if self.kinds[i] == "route":
                out = torch.cat(inputs, 1) if len(inputs) > 1 else inputs[0]
            else:
                out = layer(*inputs)
            outputs.append(out)
            del inputs, out
            for s in self.sources[i]:
                if s >= 0 and last[s] == i and s not in self.wanted:
                    outputs[s] = None
        return tuple(outputs[i] for i in self.wanted)


# ---- inference ------------------------------------------------------------------------------------------------------


def ways_to_infer(net, images):
    """(name, function) for each way in which PyTorch can run it."""
    yield "as it is", lambda: net(images)
    with warnings.catch_warnings():  # about what Python decides while tracing: it always decides the same
        warnings.simplefilter("ignore")
        frozen = torch.jit.freeze(torch.jit.trace(net, images, check_trace=False))
    frozen = torch.jit.optimize_for_inference(frozen)
    yield "frozen", lambda: frozen(images)
    other, last = (x.to(memory_format=torch.channels_last) for x in (copy.deepcopy(net), images))
    yield "channels last", lambda: other(last)


def time_of(run):
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def fastest(ways):
    """The way that takes the least time: in its second run, unless the first took long."""
    best = None
    for name, run in ways:
        seconds = time_of(run)
        if seconds < 0.25:
            seconds = time_of(run)
        print(f"{name}: {seconds:.4f} s", file=sys.stderr)
        if best is None or seconds < best[0]:
            best = seconds, run
    return best[1]


def infer(job):
    net, images = Network(job, train=False).eval(), torch.from_numpy(job.images())
    with torch.inference_mode():
        if job.mode == "outputs":
            results = [[y.to_dense() if y.is_mkldnn else y for y in run()] for _, run in ways_to_infer(net, images)]
            for other in results[1:]:
                for a, b in zip(results[0], other):
                    if (a - b).abs().max() > 1e-4 * a.abs().max():
                        sys.exit("PyTorch's ways of running the network differ")
            job.write([y.numpy() for y in results[1]])
        else:
            job.measure(fastest(ways_to_infer(net, images)))


# ---- training -------------------------------------------------------------------------------------------------------


def trainer(job, images, layout):
    net = Network(job, train=True).train().to(memory_format=layout)
    images = images.to(memory_format=layout)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.001, momentum=0.9, weight_decay=0.0005)
    classes = net(images[:2])[0].shape[1]
    labels = torch.arange(job.batch) % classes

    def step():
        optimizer.zero_grad(set_to_none=True)
        functional.cross_entropy(net(images)[0].flatten(1), labels).backward()
        optimizer.step()

    return step


def train(job):
    images = torch.from_numpy(job.images())
    layouts = (("as it is", torch.contiguous_format), ("channels last", torch.channels_last))
    job.measure(fastest((name, trainer(job, images, layout)) for name, layout in layouts))


def main():
    job = peer.Peer()
    torch.set_num_threads(job.threads)
    if job.mode == "train":
        train(job)
    else:
        infer(job)


main()
