"""`assay reduce` on neighbour lists written by h5py."""
import json

import h5py
import numpy as np

import common


def values_of(folder):
    with h5py.File(folder / "values.h5") as file:
        return file["values/credit"][:]


class ValuationOffline(common.ProgramTest):
    def write(self, path, n=300, m=200, k=30, planted=30):
        """Samples around three centres, by label; the last are far off and planted."""
        random = np.random.default_rng(1)
        labels, wanted = np.arange(n) % 3, np.arange(m) % 3
        training = random.normal(size=(n, 5)) + 20 * labels[:, None]
        training[n - planted:] += 500
        generated = random.normal(size=(m, 5)) + 20 * wanted[:, None]
        distance = np.sqrt(((generated[:, None] - training[None]) ** 2).sum(2))
        row = np.argsort(distance, axis=1, kind="stable")[:, :k]
        with h5py.File(path, "w") as file:
            file["samples/id"] = 100 + np.arange(n, dtype="uint64")
            file["samples/label"] = labels
            file["generated/id"] = np.arange(m, dtype="uint64")
            file["generated/label"] = wanted
            file["neighbours/row"] = row
            file["neighbours/distance"] = np.take_along_axis(distance, row, axis=1)
            file["truth/ood"] = (np.arange(n) >= n - planted).astype("uint8")
        return path

    def reduce(self, path, folder, *more):
        done = common.assay("reduce", path, "--output", self.folder / folder, *more)
        return done, json.loads((self.folder / folder / "summary.json").read_text())

    def test_the_whole(self):
        path = self.write(self.folder / "lists.h5")
        before = path.read_bytes()
        done, summary = self.reduce(path, "out")
        found = summary["valuation"]
        self.assertEqual(summary["kind"], "valuation")
        self.assertEqual(found["details"]["k"], 30)  # all that there is, without a job
        self.assertTrue(all(entry["share"] == 1 for entry in found["identical_class"]["at"]))
        self.assertEqual(summary["truth"]["outliers"]["outliers_with_credit"], 0)
        self.assertGreater(summary["truth"]["outliers"]["credit"]["auroc"], 0.9)
        self.assertRegex(done.stdout.splitlines()[-1], r"^answer: the tenth of the training samples with most credit has \d+ %")
        self.assertEqual(before, path.read_bytes(), "reduce must not touch its input")
        credit = values_of(self.folder / "out")
        self.assertAlmostEqual(credit.sum(), 200, places=9)
        with h5py.File(self.folder / "out/removal/top.h5") as file:
            self.assertEqual(set(file["exclude"][:]), set(100 + np.argsort(-credit, kind="stable")[:30]))

    def test_other_settings_give_other_values(self):
        path = self.write(self.folder / "lists.h5")
        _, before = self.reduce(path, "out")
        self.reduce(path, "ten", "--set", "valuation.k=10", "--set", "valuation.temperature=uniform")
        with h5py.File(path) as file:
            hits = np.bincount(file["neighbours/row"][:, :10].ravel(), minlength=300)
        np.testing.assert_allclose(values_of(self.folder / "ten"), hits / 10, atol=1e-9)
        refit = ("reduce", path, "--output", self.folder / "out", "--set", "valuation.perplexity=3")
        self.assertIn("nothing is overwritten unasked", common.assay(*refit, code=64).stderr)
        self.assertEqual(before, json.loads((self.folder / "out/summary.json").read_text()))
        common.assay(*refit, "--overwrite")
        self.assertIn("valuation.quality", common.assay("reduce", path, "--output", self.folder / "q", "--set",
                                                        "valuation.quality=column", code=64).stderr)

    def test_truth_is_sealed(self):
        path = self.write(self.folder / "lists.h5")
        _, before = self.reduce(path, "out")
        with h5py.File(path, "r+") as file:
            file["truth/ood"][:] = 1 - file["truth/ood"][:]
        _, after = self.reduce(path, "turned")
        self.assertEqual(before["valuation"], after["valuation"])
        self.assertNotEqual(before["truth"], after["truth"])
        self.assertTrue(np.array_equal(values_of(self.folder / "out"), values_of(self.folder / "turned")))

    def test_retrained_models_check_the_credit(self):
        path = self.write(self.folder / "lists.h5")
        with h5py.File(path) as file:
            row, distance = file["neighbours/row"][:], file["neighbours/distance"][:]
        masks = np.random.default_rng(2).integers(0, 2, (40, 300)).astype("uint8")
        weights = np.exp(-(distance - distance[:, :1]))
        with h5py.File(self.folder / "lds.h5", "w") as file:
            file["masks"] = masks
            file["outputs"] = np.stack([(mask[row] * weights).sum(1) for mask in masks])
        _, summary = self.reduce(path, "out", "--set", "valuation.temperature=paper", "--set",
                                 f"valuation.lds={self.folder}/lds.h5")
        self.assertGreater(summary["valuation"]["details"]["lds"], 0.99)


if __name__ == "__main__":
    common.main()
