"""`assay reduce` on Fashion-MNIST against numbers found independently, in integer arithmetic.

    fashion_golden.py --assay build/release/assay plain.h5 outliers.h5

plain.h5: exact lists of the 10,000 test images among the 60,000 training images, k = 100, raw pixels over 255, l2;
outliers.h5: the same with 255 - x of rows 0..999 as rows 60000.., k = 200. Both as fashion_neighbours.py makes them, or
a search of assay's own. Prints a line per number and fails if one is off.
"""
import argparse
import json
import pathlib
import shutil
import subprocess
import sys
import tempfile

import h5py
import numpy as np

failures = []


def check(name, found, wanted, tolerance=0.0):
    fine = bool(np.all(np.abs(np.asarray(found, float) - np.asarray(wanted, float)) <= tolerance))
    print(f"{'ok  ' if fine else 'OFF '} {name}: {found}" + ("" if fine else f", should be {wanted}"))
    if not fine:
        failures.append(name)


class Reduction:
    """One call of assay reduce: its summary, and the values of every row."""

    def __init__(self, assay, results, folder, **settings):
        shutil.rmtree(folder, ignore_errors=True)
        command = [str(assay), "reduce", str(results), "--output", str(folder)]
        for key, value in settings.items():
            command += ["--set", f"valuation.{key}={json.dumps(value)}"]
        subprocess.run(command, check=True, capture_output=True)
        summary = json.loads((folder / "summary.json").read_text())
        self.found, self.truth = summary["valuation"], summary.get("truth")
        self.details = self.found["details"]
        with h5py.File(folder / "values.h5") as file:
            self.values = {name: column[:] for name, column in file["values"].items() if isinstance(column, h5py.Dataset)}


def with_lists(source, target, rows, distances, **columns):
    """A results file with the ids and labels of another, and other lists or columns."""
    with h5py.File(source) as old, h5py.File(target, "w") as new:
        for name in ("samples/id", "samples/label", "generated/id", "generated/label"):
            new[name] = columns.pop(name.replace("/", "_"), old[name][:])
        new["neighbours/row"], new["neighbours/distance"] = rows, distances
        for name, values in columns.items():
            new[name] = values
    return target


def check_lists(rows, distances):
    squared = np.rint((distances * 255.0) ** 2).astype(np.int64)
    check("sum of squared distances, k = 1, 10, 50, 100", [int(squared[:, :k].sum()) for k in (1, 10, 50, 100)],
          [9270785279, 116298688830, 706369408916, 1551003392761])
    ranks, queries = np.arange(1, 101, dtype=np.uint64), np.arange(1, len(rows) + 1, dtype=np.uint64)[:, None]
    with np.errstate(over="ignore"):
        code = int(((rows.astype(np.uint64) + np.uint64(1)) * ranks * queries).sum(dtype=np.uint64))
    check("sum of (row + 1) rank (query + 1) mod 2^64", code - 7600932435630898, 0)
    check("nearest of test image 0", rows[0, :5], [18094, 53939, 18352, 52468, 15081])
    check("their squared distances", squared[0, :5], [232610, 465111, 501971, 532363, 580701])
    check("extreme top-1 squared distances", [squared[:, 0].min(), squared[:, 0].max()], [433, 5332389])


def check_classes(assay, plain, folder):
    found = Reduction(assay, plain, folder, k=50).found["identical_class"]
    at = {entry["k"]: entry["share"] for entry in found["at"]}
    check("identical class at 1, 5, 10, 30, 50, 100", [round(at[k] * k * 10000) for k in (1, 5, 10, 30, 50, 100)],
          [8497, 41072, 80520, 233376, 381753, 741627])
    place = [entry["k"] for entry in found["at"]].index(50)
    check("identical class at 50 by class", [round(rates[place], 4) for rates in found["by_class"]],
          [.7427, .9381, .6345, .7636, .6107, .6983, .5104, .9052, .8982, .9333])


def gini(hits):
    ascending, n = np.sort(hits).astype(float), len(hits)
    return (2 * np.arange(1, n + 1) - n - 1) @ ascending / (n * ascending.sum())


def check_weights(assay, plain, folder, rows, distances):
    for k, covered, most, wanted in ((10, 36418, 35, .631039), (50, 52345, 135, .523524)):
        hits = Reduction(assay, plain, folder, k=k, temperature="uniform").values["hits"]
        check(f"uniform, k = {k}: rows with credit, most hits", [int((hits > 0).sum()), int(hits.max())], [covered, most])
        check(f"uniform, k = {k}: Gini of hits", round(float(gini(hits)), 6), wanted, 1e-6)
    squared = distances ** 2
    for name, lists, wanted in (("squared l2", squared, (7.9814, .537645, 5.477575, 49958)),
                                ("l2", distances, (47.0318, .052078, 2.781612, 7828)),
                                ("mean squared", squared / 784, (49.9997, .020192, 2.700778, 7828))):
        file = with_lists(plain, folder.parent / "lists.h5", rows, lists)
        one = Reduction(assay, file, folder, k=50, temperature="paper")
        credit = one.values["credit"]
        check(f"temperature 1, {name}: n_eff, top weight, largest credit",
              [one.details["effective_number"], one.details["top_weight"], credit.max()], wanted[:3], [6e-5, 6e-7, 6e-7])
        check(f"temperature 1, {name}: its row", int(credit.argmax()), wanted[3])
    gap = Reduction(assay, plain, folder, k=50, temperature="median_gap").details
    check("median gap: tau, n_eff", [gap["tau"], gap["effective_number"]], [1.098728820, 47.5814], [6e-10, 6e-5])
    ten = Reduction(assay, plain, folder, k=50, temperature="perplexity", perplexity=10)
    check("perplexity 10: mean tau, top weight, largest credit",
          [ten.details["tau"], ten.details["top_weight"], ten.values["credit"].max()],
          [.203318276, .393999, 5.046082], [6e-10, 6e-7, 6e-7])
    check("perplexity 10: n_eff", ten.details["effective_number"], 10, 1e-9)
    check("perplexity 10: the largest credit's row", int(ten.values["credit"].argmax()), 49958)


def check_outliers(assay, outliers, folder):
    found = Reduction(assay, outliers, folder, k=50, temperature="uniform").truth["outliers"]
    check("outliers, k = 50: AUROC", found["credit"]["auroc"], .936208, 6e-7)
    check("outliers, k = 50: (1 + c)/2", found["credit"]["auroc"] - (1 + 52345 / 60000) / 2, 0, 1e-12)
    check("outliers, k = 50: with credit", found["outliers_with_credit"], 0)
    found = Reduction(assay, outliers, folder, k=200, temperature="uniform").truth["outliers"]
    check("outliers, k = 200: AUROC by hits", found["uniform_weights"]["auroc"], .977690, 6e-7)
    # 200 does not divide 2^40: what is left goes to the nearest row, and breaks ties of rows with as many hits
    check("outliers, k = 200: AUROC by credit", found["credit"]["auroc"], .977690, 6e-6)
    check("outliers, k = 200: clean and outlier rows with credit",
          [round(found["coverage"] * 60000), found["outliers_with_credit"]], [57373, 12])


def check_audit(assay, plain, folder, rows, distances):
    """Even rows as training, odd rows as held-out data; each list of 100 has enough of both."""
    even = [np.flatnonzero(list_ % 2 == 0)[:20] for list_ in rows]
    odd = np.array([np.flatnonzero(list_ % 2 == 1)[0] for list_ in rows])
    queries = np.arange(len(rows))
    file = with_lists(plain, folder.parent / "audit.h5", np.stack([rows[j, even[j]] // 2 for j in queries]),
                      np.stack([distances[j, even[j]] for j in queries]),
                      samples_id=np.arange(30000, dtype="uint64"), samples_label=np.zeros(30000, "int64"),
                      **{"held_out_neighbours/row": rows[queries, odd][:, None] // 2,
                         "held_out_neighbours/distance": distances[queries, odd][:, None],
                         # 30,000 held-out rows, whose own nearest rows are not needed here
                         "held_out_to_training/row": np.zeros((30000, 1), "int64"),
                         "held_out_to_training/distance": np.ones((30000, 1))})
    found = Reduction(assay, file, folder, k=10).details
    check("audit: nearer to even rows", found["nearer_to_training"] * 10000, 4895, 1e-9)
    check("audit: z", found["nearer_to_training_z"], -2.1, 1e-9)


def mix(z):
    with np.errstate(over="ignore"):
        z = z + np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


def check_mislabelled(assay, plain, folder, rows, distances):
    with h5py.File(plain) as file:
        labels = file["samples/label"][:]
    ids = np.arange(60000, dtype=np.uint64)
    flipped = mix(ids) % np.uint64(10) == 0
    labels = np.where(flipped, (labels + 1 + (mix(ids + np.uint64(1000000)) % np.uint64(9)).astype("int64")) % 10, labels)
    check("mislabelled rows", int(flipped.sum()), 5994)
    file = with_lists(plain, folder.parent / "flipped.h5", rows, distances, samples_label=labels)
    for k, total, auroc in ((1, .127300000, .944213), (5, .101340000, .947555), (10, .087480000, .948469)):
        values = Reduction(assay, file, folder, k=50, shapley_k=k).values["shapley"]
        check(f"Shapley, K = {k}: sum", values.sum(), total, 6e-10 + 60000 * 2.0 ** -40)
        ascending = np.sort(values[flipped])
        below, upto = (np.searchsorted(ascending, values[~flipped], side) for side in ("left", "right"))
        check(f"Shapley, K = {k}: AUROC of clean labels", (below + upto).mean() / 2 / len(ascending), auroc, 6e-7)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("plain", type=pathlib.Path)
    parser.add_argument("outliers", type=pathlib.Path)
    parser.add_argument("--assay", type=pathlib.Path, required=True)
    options = parser.parse_args()
    with h5py.File(options.plain) as file:
        rows, distances = file["neighbours/row"][:], file["neighbours/distance"][:]
    with tempfile.TemporaryDirectory() as scratch:
        folder = pathlib.Path(scratch) / "reduced"
        check_lists(rows, distances)
        check_classes(options.assay, options.plain, folder)
        check_weights(options.assay, options.plain, folder, rows, distances)
        check_outliers(options.assay, options.outliers, folder)
        check_audit(options.assay, options.plain, folder, rows, distances)
        check_mislabelled(options.assay, options.plain, folder, rows, distances)
    sys.exit(f"{len(failures)} off" if failures else 0)


if __name__ == "__main__":
    main()
