#!/usr/bin/python3
"""What the experiments of docs/experiments/valuation.md need beside Fashion-MNIST, all from data/fashion-mnist-train.h5:

data/fashion-mnist-planted.h5  the 60,000 training images and 1,000 planted outliers, /truth/ood says which; --outliers
                               inverted | noise | rotated. Outliers carry the labels of the images they are made of
data/fashion-mnist-nine.h5     --outliers class: the 54,000 training images of classes 0 to 8, for a generator to learn from;
                               fashion-mnist-planted.h5 then holds these and 1,000 images of class 9, the outliers
data/fashion-mnist-5000.h5     --first 5000: the first 5,000 training images. A file of their own, so that job.seed chooses
                               how a generator is trained and not on what
data/features.pt               TorchScript of a small classifier trained for a few minutes; features(x) is its last
                               hidden layer
data/random-training.h5, data/random-queries.h5   --random N M D: standard normal rows, float32
"""
import argparse

import h5py
import numpy as np

TRAINING = "data/fashion-mnist-train.h5"
PLANTED = "data/fashion-mnist-planted.h5"


def read_training():
    with h5py.File(TRAINING) as file:
        return file["samples"][:], file["labels"][:]


def write(path, images, labels, outliers=None):
    with h5py.File(path, "w") as file:
        file["samples"] = images
        file["samples"].attrs["layout"] = "NCHW"
        file["labels"] = labels
        if outliers is not None:
            file["truth/ood"] = outliers.astype("uint8")


def leave_class_out(count=1000, left_out=9, seed=1):
    images, labels = read_training()
    kept = np.flatnonzero(labels != left_out)
    write("data/fashion-mnist-nine.h5", images[kept], labels[kept])
    planted = np.random.default_rng(seed).choice(np.flatnonzero(labels == left_out), count, replace=False)
    rows = np.concatenate([kept, np.sort(planted)])
    write(PLANTED, images[rows], labels[rows], labels[rows] == left_out)


def plant(kind, count=1000, seed=1):
    if kind == "class":
        leave_class_out(count)
        return
    random = np.random.default_rng(seed)
    images, labels = read_training()
    rows = np.sort(random.choice(len(images), count, replace=False))
    outliers = {"inverted": lambda x: 255 - x, "rotated": lambda x: np.rot90(x, 1, (2, 3)),
                "noise": lambda x: random.integers(0, 256, x.shape)}[kind](images[rows]).astype("uint8")
    write(PLANTED, np.concatenate([images, outliers]), np.concatenate([labels, labels[rows]]),
          np.repeat([0, 1], [len(images), count]))


def first(count):
    images, labels = read_training()
    write(f"data/fashion-mnist-{count}.h5", images[:count], labels[:count])


def learn_features(epochs):
    import torch
    from torch import nn

    class Features(nn.Module):
        def __init__(self):
            super().__init__()
            self.body = nn.Sequential(nn.Conv2d(1, 16, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2),
                                      nn.Conv2d(16, 32, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(),
                                      nn.Linear(32 * 49, 128), nn.ReLU())
            self.head = nn.Linear(128, 10)

        @torch.jit.export
        def features(self, x):
            return self.body(x)

        def forward(self, x):
            return self.head(self.body(x))

    torch.manual_seed(1)
    images, labels = read_training()
    x, y = torch.from_numpy(images).float() / 255, torch.from_numpy(labels)
    net = Features()
    optimizer = torch.optim.Adam(net.parameters(), 1e-3)
    for epoch in range(epochs):
        for rows in torch.randperm(len(x)).split(128):
            optimizer.zero_grad()
            nn.functional.cross_entropy(net(x[rows]), y[rows]).backward()
            optimizer.step()
        print(f"epoch {epoch + 1}/{epochs}", flush=True)
    torch.jit.save(torch.jit.script(net.eval()), "data/features.pt")


def write_random(n, m, d):
    for name, rows, seed in (("training", n, 1), ("queries", m, 2)):
        random = np.random.default_rng(seed)
        with h5py.File(f"data/random-{name}.h5", "w") as file:
            samples = file.create_dataset("samples", (rows, d), "float32")
            samples.attrs["layout"] = "NF"
            for begin in range(0, rows, 1 << 16):
                end = min(rows, begin + (1 << 16))
                samples[begin:end] = random.standard_normal((end - begin, d), dtype="float32")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--outliers", choices=("inverted", "noise", "rotated", "class"))
    parser.add_argument("--first", type=int, metavar="N")
    parser.add_argument("--features", type=int, metavar="EPOCHS")
    parser.add_argument("--random", type=int, nargs=3, metavar=("N", "M", "D"))
    arguments = parser.parse_args()
    if arguments.outliers:
        plant(arguments.outliers)
    if arguments.first:
        first(arguments.first)
    if arguments.features:
        learn_features(arguments.features)
    if arguments.random:
        write_random(*arguments.random)
