"""Exact neighbour lists of Fashion-MNIST's test images among its training images, as a results file of a valuation.

    fashion_neighbours.py results.h5 [--images DIR] [--outliers 1000] [-k 100] [--distance l2|squared_l2] [--queries 10000]

A reference for the search engine and the input of fashion_golden.py. The squared distances are integers below 2^26, so
that double precision holds them exactly; order is (distance, row). --outliers appends the first training images with
255 - x as rows 60000.., marked in /truth/ood.
"""
import argparse
import gzip
import pathlib

import h5py
import numpy as np

BLOCK = 500


def read(folder, name, header):
    return np.frombuffer(gzip.decompress((folder / name).read_bytes()), np.uint8)[header:]


def nearest(train, norms, queries, k):
    """Rows and squared distances of the k nearest, ascending by (distance, row)."""
    squared = norms + (queries * queries).sum(1, dtype=np.float64)[:, None] - 2 * (queries @ train.T)
    key = squared.astype(np.int64) * len(train) + np.arange(len(train))
    key = np.sort(np.partition(key, k - 1, axis=1)[:, :k], axis=1)
    return key % len(train), key // len(train)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("output", type=pathlib.Path)
    parser.add_argument("--images", type=pathlib.Path, default="/usr/share/datasets/fashion-mnist")
    parser.add_argument("--outliers", type=int, default=0)
    parser.add_argument("-k", type=int, default=100)
    parser.add_argument("--distance", choices=("l2", "squared_l2"), default="l2")
    parser.add_argument("--queries", type=int, default=10000)
    options = parser.parse_args()

    train = read(options.images, "train-images-idx3-ubyte.gz", 16).reshape(-1, 784)
    train_labels = read(options.images, "train-labels-idx1-ubyte.gz", 8).astype("int64")
    test = read(options.images, "t10k-images-idx3-ubyte.gz", 16).reshape(-1, 784)[:options.queries]
    test_labels = read(options.images, "t10k-labels-idx1-ubyte.gz", 8).astype("int64")[:options.queries]
    train = np.concatenate([train, 255 - train[:options.outliers]])
    train_labels = np.concatenate([train_labels, train_labels[:options.outliers]])
    ood = (np.arange(len(train)) >= len(train) - options.outliers).astype("uint8")

    features = train.astype(np.float64)
    norms = (features * features).sum(1)
    with h5py.File(options.output, "w") as file:
        file["samples/id"], file["samples/label"] = np.arange(len(train), dtype="uint64"), train_labels
        file["generated/id"], file["generated/label"] = np.arange(len(test), dtype="uint64"), test_labels
        rows = file.create_dataset("neighbours/row", (len(test), options.k), "int64")
        distances = file.create_dataset("neighbours/distance", (len(test), options.k), "float64")
        for begin in range(0, len(test), BLOCK):
            block = slice(begin, begin + BLOCK)
            rows[block], squared = nearest(features, norms, test[block].astype(np.float64), options.k)
            squared = squared / 255.0 ** 2
            distances[block] = np.sqrt(squared) if options.distance == "l2" else squared
        if options.outliers:
            file["truth/ood"] = ood
    print(f"{options.output}: {len(test)} lists of {options.k} among {len(train)} rows")


if __name__ == "__main__":
    main()
