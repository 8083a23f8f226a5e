"""Generate and valuation jobs: the same bytes on 1 to 4 ranks and after a kill, results as a user computes them by hand
with numpy, bad input refused in one line."""
import json
import os
import re
import signal
import subprocess
import time

import h5py
import numpy as np
import torch

import common

GENERATE = """
[job]
kind = "generate"
name = "small"
seed = 5
[dataset]
training = "{folder}/a.h5"
[generator]
network = "{network}"
width = 8
epochs = 2
batch_size = 40
micro_batch = 8
checkpoint_every = 1
[generate]
count = 90
steps = 4
score = "{folder}/b.h5"
score_draws = 2
[compute]
batch_size = 16
shard_size = 24
[output]
commit_seconds = 0.0
"""

VALUE = """
[job]
kind = "valuation"
name = "credit"
seed = 5
[dataset]
training = "{folder}/a.h5"
generated = "{folder}/b.h5"
held_out = "{folder}/c.h5"
groups = "/contributor"
attributes = "/attributes"
[valuation]
k = 7
depth = 20
bootstrap = 60
listed = 5
pixel_baseline = "yes"
[compute]
batch_size = 16
shard_size = 24
[output]
commit_seconds = 0.0
"""
GENERATED = ("/samples", "/scored", "/training", "/ledger")
VALUED = ("/samples", "/generated", "/neighbours", "/exact_neighbours", "/doubled_neighbours", "/generated_neighbours",
          "/pixel_neighbours", "/held_out_neighbours", "/held_out_to_training", "/values", "/metrics", "/truth", "/ledger")


class Encoder(torch.nn.Module):
    """An autoencoder's interface: encode(x)."""

    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Linear(64, 5)

    @torch.jit.export
    def encode(self, x):
        return torch.tanh(self.layer(x.flatten(1)))

    def forward(self, x):
        return self.encode(x)


class Corner(torch.nn.Module):
    """Features that are zero for black images."""

    @torch.jit.export
    def features(self, x):
        return x.flatten(1)[:, :5]

    def forward(self, x):
        return self.features(x)


def add_facts(path, outliers=False):
    random = np.random.default_rng(4)
    with h5py.File(path, "r+") as file:
        n = len(file["samples"])
        file["contributor"] = random.integers(0, 6, n)
        file["attributes"] = random.integers(0, 2, (n, 3)).astype("uint8")
        file["quality"] = random.random(n)
        if outliers:
            file["truth/ood"] = (np.arange(n) % 10 == 0).astype("uint8")


class Valuation(common.ProgramTest):
    def setUp(self):
        super().setUp()
        for name, n, seed in (("a", 300, 1), ("b", 110, 2), ("c", 70, 3)):
            common.write_data_set(self.folder / f"{name}.h5", n, seed)
            add_facts(self.folder / f"{name}.h5", outliers=name == "a")
        (self.folder / "value.toml").write_text(VALUE.format(folder=self.folder))

    def same_on_any_ranks(self, job, groups, *arguments, files=(), ranks_tried=(0, 1, 2, 3, 4)):
        for ranks in ranks_tried:
            common.assay("run", job, "--output", self.folder / str(ranks), *arguments, ranks=ranks)
            self.assertEqual(common.differences(self.folder / "0/results.h5", self.folder / f"{ranks}/results.h5",
                                                groups), "")
            for file in files:
                self.assertEqual((self.folder / f"{ranks}" / file).read_bytes(), (self.folder / "0" / file).read_bytes())

    def test_generators_give_the_same_bytes_on_any_ranks(self):
        for network in ("vae", "gan", "ddpm"):
            with self.subTest(network):
                job = self.folder / f"{network}.toml"
                job.write_text(GENERATE.format(folder=self.folder, network=network))
                # model/train_test trains each on 1 to 4 ranks
                self.same_on_any_ranks(job, GENERATED, "--overwrite", files=("samples.png",),
                                       ranks_tried=(0, 1, 2, 3, 4) if network == "vae" else (0, 3))
                with h5py.File(self.folder / "0/generated.h5") as made, h5py.File(self.folder / "0/results.h5") as file:
                    self.assertEqual(made["samples"].shape, (90, 1, 8, 8))
                    self.assertEqual(made["samples"].dtype, "uint8")
                    np.testing.assert_array_equal(made["labels"][:], np.arange(90) % 4)
                    values = file["samples/value"][:]
                    np.testing.assert_array_equal(made["samples"][:].reshape(90, 64),
                                                  np.floor(values.astype("f4") * np.float32(255) + np.float32(.5)))
                    self.assertTrue(np.isfinite(file["scored/loss"][:]).all())
                    self.assertTrue((file["training/used"][:] == 1).all())

    def test_part_of_the_training_set(self):
        job = self.folder / "vae.toml"
        job.write_text(GENERATE.format(folder=self.folder, network="vae"))
        with h5py.File(self.folder / "out.h5", "w") as file:
            file["exclude"] = np.arange(0, 100, dtype="uint64") * 7 + 3
        used = []
        for subset in (1, 2):
            common.assay("run", job, "--output", self.folder / f"part{subset}", "--set", "dataset.share=0.5", "--set",
                         f"dataset.subset={subset}", "--set", f"dataset.exclude={self.folder}/out.h5")
            with h5py.File(self.folder / f"part{subset}/results.h5") as file:
                used.append(file["training/used"][:])
        for part in used:
            self.assertEqual(part.sum(), 100)  # half of the 200 that are left
            self.assertEqual(part[:100].sum(), 0)
        self.assertFalse((used[0] == used[1]).all())

    def test_a_generator_is_loaded(self):
        job = self.folder / "vae.toml"
        job.write_text(GENERATE.format(folder=self.folder, network="vae"))
        common.assay("run", job, "--output", self.folder / "trained")
        common.assay("run", job, "--output", self.folder / "loaded", "--set",
                     f"generator.file={self.folder}/trained/generator.ckpt")
        self.assertEqual(common.differences(self.folder / "trained/results.h5", self.folder / "loaded/results.h5",
                                            GENERATED), "")
        error = common.assay("run", job, "--output", self.folder / "other", "--set",
                             f"generator.file={self.folder}/trained/generator.ckpt", "--set", "generator.width=9",
                             code=65).stderr
        self.assertIn("generator.ckpt", error)

    def test_the_same_credit_on_any_ranks(self):
        torch.manual_seed(1)
        torch.jit.save(torch.jit.script(Encoder()), str(self.folder / "encoder.pt"))
        for space in (["pixels"], ["pca", "features.components=6"],
                      ["model", f"features.model={self.folder}/encoder.pt", "features.normalise=l2"],
                      ["pixels", "valuation.quality=sharpness", "features.second=model", "valuation.rerank=40",
                       f"features.second_model={self.folder}/encoder.pt"]):
            with self.subTest(space):
                sets = [a for s in [f"features.space={space[0]}", *space[1:]] for a in ("--set", s)]
                self.same_on_any_ranks(self.folder / "value.toml", VALUED, "--overwrite", *sets,
                                       files=("summary.json", "credit.png", "removal/top.h5"),
                                       ranks_tried=(0, 1, 2, 3, 4) if space == ["pixels"] else (0, 2, 3))

    def test_credit_is_what_numpy_computes(self):
        common.assay("run", self.folder / "value.toml", "--output", self.folder / "run", "--set",
                     'valuation.temperature="median_gap"')
        with h5py.File(self.folder / "a.h5") as a, h5py.File(self.folder / "b.h5") as b:
            x, y = a["samples"][:].reshape(300, 64).astype("i8"), b["samples"][:].reshape(110, 64).astype("i8")
            labels, wanted = a["labels"][:], b["labels"][:]
        squared = ((y[:, None] - x[None]) ** 2).sum(2)
        order = np.argsort(squared, axis=1, kind="stable")[:, :20]
        distance = np.sqrt(np.take_along_axis(squared, order, 1).astype("f8"))
        with h5py.File(self.folder / "run/results.h5") as file:
            np.testing.assert_array_equal(file["neighbours/row"][:], order)
            np.testing.assert_array_equal(file["neighbours/distance"][:], distance)
            tau = np.median(distance[:, 6] - distance[:, 0])
            weights = np.exp(-(distance[:, :7] - distance[:, :1]) / tau)
            weights /= weights.sum(1, keepdims=True)
            credit = np.zeros(300)
            np.add.at(credit, order[:, :7], weights)
            np.testing.assert_allclose(file["values/credit"][:], credit, atol=1e-9)
            self.assertAlmostEqual(file["values/credit"][:].sum(), 110, 9)
            np.testing.assert_array_equal(file["values/hits"][:], np.bincount(order[:, :7].ravel(), minlength=300))
            nearest = np.argsort(squared.T, axis=1, kind="stable")[:, :5]  # generated samples of each training one
            np.testing.assert_array_equal(file["generated_neighbours/row"][:], nearest)
            np.testing.assert_allclose(file["values/distance"][:],
                                       np.sqrt(np.take_along_axis(squared.T, nearest, 1)).mean(1), rtol=1e-12)
        text = json.dumps(json.loads((self.folder / "run/summary.json").read_text()))
        c1 = (labels[order[:, :7]] == wanted[:, None]).mean()
        self.assertIn(f"{c1:.6f}"[:7], text)

    def test_a_second_space_ranks_what_the_first_proposes(self):
        random = np.random.default_rng(6)
        second = {"train": random.normal(size=(300, 5)).astype("f4"), "made": random.normal(size=(110, 5)).astype("f4")}
        with h5py.File(self.folder / "s.h5", "w") as file:
            for name, values in second.items():
                file[name] = values
        common.assay("run", self.folder / "value.toml", "--output", self.folder / "run", *(a for s in (
            "features.second=given", f"features.second_training={self.folder}/s.h5:/train",
            f"features.second_generated={self.folder}/s.h5:/made", "valuation.rerank=30",
            "valuation.checked_queries=40") for a in ("--set", s)))
        with h5py.File(self.folder / "a.h5") as a, h5py.File(self.folder / "b.h5") as b:
            x, y = a["samples"][:].reshape(300, 64).astype("i8"), b["samples"][:].reshape(110, 64).astype("i8")
        first = ((y[:, None] - x[None]) ** 2).sum(2)
        other = ((second["made"].astype("f8")[:, None] - second["train"].astype("f8")[None]) ** 2).sum(2)

        def ranked(candidates):
            proposed = np.argsort(first, axis=1, kind="stable")[:, :candidates]
            return np.take_along_axis(proposed, np.argsort(np.take_along_axis(other, proposed, 1), 1), 1)[:, :20]

        with h5py.File(self.folder / "run/results.h5") as file:
            queries = file["doubled_neighbours/query"][:]
            self.assertEqual(len(queries), 40)
            np.testing.assert_array_equal(file["neighbours/row"][:], ranked(30))
            np.testing.assert_array_equal(file["doubled_neighbours/row"][:], ranked(60)[queries])
            changed = (ranked(30)[queries, :7] != ranked(60)[queries, :7]).any(1).mean()
            self.assertAlmostEqual(file["metrics/valuation"].attrs["rerank_changed"], changed)
            self.assertGreater(changed, .5)

    def test_quality_is_what_numpy_computes(self):
        def sharpness(images):
            inner = images[:, 1:-1, 1:-1]
            laplace = (images[:, :-2, 1:-1] + images[:, 2:, 1:-1] + images[:, 1:-1, :-2] + images[:, 1:-1, 2:]
                       - 4 * inner)
            return laplace.reshape(len(images), -1).var(1) / 16

        def entropy(images):
            counts = np.stack([np.bincount((image * 255).round().astype(int).ravel(), minlength=256)
                               for image in images])
            share = counts / counts.sum(1, keepdims=True)
            return -(share * np.log2(np.where(share > 0, share, 1))).sum(1)

        with h5py.File(self.folder / "b.h5") as b:
            images = b["samples"][:, 0] / 255
        for name, score in (("sharpness", sharpness), ("entropy", entropy)):
            common.assay("run", self.folder / "value.toml", "--output", self.folder / name, "--set",
                         f"valuation.quality={name}")
            with h5py.File(self.folder / name / "results.h5") as file:
                np.testing.assert_allclose(file["generated/quality"][:], score(images), rtol=1e-5)
                self.assertAlmostEqual(file["values/credit"][:].sum(), 110, 6)  # qualities of mean 1

    def test_half_precision_and_given_features(self):
        random = np.random.default_rng(5)
        with h5py.File(self.folder / "f.h5", "w") as file:
            for name, n in (("train", 300), ("made", 110), ("held", 70)):
                file[name] = random.normal(size=(n, 9)).astype("float16")
        sets = [a for s in ("features.space=given", "features.storage=float16",
                            *(f"features.given_{k}={self.folder}/f.h5:/{v}" for k, v in
                              (("training", "train"), ("generated", "made"), ("held_out", "held"))))
                for a in ("--set", s)]
        common.assay("run", self.folder / "value.toml", "--output", self.folder / "run", *sets, ranks=2)
        with h5py.File(self.folder / "f.h5") as f, h5py.File(self.folder / "run/results.h5") as file:
            x, y = f["train"][:].astype("f8"), f["made"][:].astype("f8")
            exact = np.sqrt(((y[:, None] - x[None]) ** 2).sum(2))
            np.testing.assert_allclose(file["neighbours/distance"][:], np.sort(exact, 1)[:, :20], rtol=1e-12)

    def test_approximate_search_comes_with_its_recall(self):
        sets = ["--set", "valuation.search=ivf", "--set", "valuation.lists=12", "--set", "valuation.pixel_baseline=no"]
        for probes in (2, 12):
            done = common.assay("run", self.folder / "value.toml", "--output", self.folder / str(probes), *sets, "--set",
                                f"valuation.probes={probes}", ranks=2)
            recall = float(re.search(r"recall@7 is ([01]\.\d+)", done.stdout)[1])
            with h5py.File(self.folder / f"{probes}/results.h5") as file:
                queries, right = file["exact_neighbours/query"][:], file["exact_neighbours/row"][:, :7]
                found = file["neighbours/row"][:][queries, :7]
                share = np.mean([len(set(a) & set(b)) / 7 for a, b in zip(found, right)])
                self.assertAlmostEqual(recall, share, 3)  # there are no ties
                self.assertEqual(file["metrics/valuation"].attrs["approximate_credit_moved"] == 0, probes == 12)
            self.assertEqual(recall == 1, probes == 12)
            again = common.assay("reduce", self.folder / f"{probes}/results.h5", "--output", self.folder / "again",
                                 "--overwrite")
            self.assertIn(f"recall@7 is {recall:.4f}", again.stdout)
        common.assay("run", self.folder / "value.toml", "--output", self.folder / "exact", "--set",
                     "valuation.pixel_baseline=no")
        with h5py.File(self.folder / "exact/results.h5") as exact, h5py.File(self.folder / "12/results.h5") as all_cells:
            for name in ("row", "distance"):
                np.testing.assert_array_equal(all_cells[f"neighbours/{name}"][:], exact[f"neighbours/{name}"][:])

    def test_one_job_generates_and_credits(self):
        job = self.folder / "both.toml"
        job.write_text(VALUE.format(folder=self.folder).replace(f'generated = "{self.folder}/b.h5"\n', "")
                       .replace('attributes = "/attributes"\n', "") +
                       '[generator]\nnetwork = "vae"\nwidth = 8\nepochs = 2\nmicro_batch = 8\n[generate]\ncount = 60\n')
        self.same_on_any_ranks(job, VALUED, files=("generated.h5", "summary.json"), ranks_tried=(0, 2))

    def kill_and_resume(self, job, files):
        """Kills runs of the job at five later and later moments; what the last leaves must be as if nothing happened."""
        started = time.time()
        common.assay("run", job, "--output", self.folder / "whole")
        duration = time.time() - started
        for step in range(5):
            process = subprocess.Popen(common.command(["run", job, "--output", self.folder / "run", "--resume"],
                                                      ranks=step % 3), env=common.ENVIRONMENT,
                                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            time.sleep(duration * (0.3 + 0.15 * step))
            for pid in [*common.children(process.pid), process.pid]:
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass
            process.wait(60)
        common.assay("run", job, "--output", self.folder / "run", "--resume", ranks=3)
        self.assertEqual(common.differences(self.folder / "whole/results.h5", self.folder / "run/results.h5", VALUED), "")
        for file in files:
            self.assertEqual((self.folder / "whole" / file).read_bytes(), (self.folder / "run" / file).read_bytes())

    def test_killed_and_resumed_in_several_spaces(self):
        torch.manual_seed(1)
        torch.jit.save(torch.jit.script(Encoder()), str(self.folder / "encoder.pt"))
        job = self.folder / "spaces.toml"
        job.write_text(VALUE.format(folder=self.folder).replace("shard_size = 24", "shard_size = 2")
                       .replace("[valuation]", '[valuation]\nsearch = "ivf"\nlists = 12\nprobes = 3\nrerank = 40') +
                       f'[features]\nspace = "pca"\ncomponents = 6\nsecond = "model"\n'
                       f'second_model = "{self.folder}/encoder.pt"\n')
        self.kill_and_resume(job, ["summary.json"])
        with h5py.File(self.folder / "run/features.h5") as file:
            basis = file["pca/basis"][:]
            np.testing.assert_allclose(basis.T @ basis, np.eye(6), atol=1e-12)

    def test_kept_components_are_gone_on_with(self):
        sets = ["--set", "features.space=pca", "--set", "features.components=6", "--set", "compute.shard_size=1"]
        partial = self.folder / "run/features.h5.partial"
        process = subprocess.Popen(common.command(["run", self.folder / "value.toml", "--output", self.folder / "run",
                                                   *sets]), env=common.ENVIRONMENT, stderr=subprocess.DEVNULL)
        while process.poll() is None and not partial.exists():
            time.sleep(0.001)
        process.send_signal(signal.SIGUSR1)
        self.assertEqual(process.wait(60), 75)
        with h5py.File(partial, "r+") as file:  # as another machine may have found them
            file["pca/basis"][:, 0] *= -1
            file["ledger/shard_done"][...] = 0
            basis, mean = file["pca/basis"][:], file["pca/mean"][:]
        common.assay("run", self.folder / "value.toml", "--output", self.folder / "run", *sets, "--resume")
        with h5py.File(self.folder / "run/features.h5") as file, h5py.File(self.folder / "a.h5") as a:
            x = a["samples"][:].reshape(300, 64) / 255
            np.testing.assert_allclose(file["features/training"][:], (x - mean) @ basis, atol=1e-5)

    def test_killed_and_resumed(self):
        job = self.folder / "both.toml"
        job.write_text(VALUE.format(folder=self.folder).replace(f'generated = "{self.folder}/b.h5"\n', "")
                       .replace('attributes = "/attributes"\n', "").replace("shard_size = 24", "shard_size = 4") +
                       '[generator]\nnetwork = "vae"\nwidth = 8\nepochs = 4\nmicro_batch = 8\ncheckpoint_every = 1\n'
                       "[generate]\ncount = 160\n")
        self.kill_and_resume(job, ["summary.json", "generated.h5"])

    def test_reduced_again_offline(self):
        common.assay("run", self.folder / "value.toml", "--output", self.folder / "run")
        results = self.folder / "run/results.h5"
        before = common.digest(results)
        again = common.assay("reduce", results, "--output", self.folder / "again")
        self.assertIn("answer:", again.stdout)
        self.assertEqual((self.folder / "again/summary.json").read_bytes(),
                         (self.folder / "run/summary.json").read_bytes())
        common.assay("reduce", results, "--output", self.folder / "k3", "--set", "valuation.k=3")
        for key in ("valuation.distance=cosine", "features.space=pca", "dataset.generated_count=9"):
            self.assertIn(key.split("=")[0], common.assay("reduce", results, "--output", self.folder / "no", "--set", key,
                                                          code=64).stderr)
        self.assertNotEqual((self.folder / "k3/summary.json").read_bytes(),
                            (self.folder / "run/summary.json").read_bytes())
        self.assertEqual(common.digest(results), before)

    def test_ground_truth_moves_no_value(self):
        for name in ("run", "turned"):
            common.assay("run", self.folder / "value.toml", "--output", self.folder / name)
            with h5py.File(self.folder / "a.h5", "r+") as file:
                file["truth/ood"][...] = 1 - file["truth/ood"][:]
        groups = tuple(g for g in VALUED if g not in ("/truth", "/metrics"))
        self.assertEqual(common.differences(self.folder / "run/results.h5", self.folder / "turned/results.h5", groups), "")

    def refused(self, code, parts, *sets):
        for ranks in (0, 2):
            error = common.assay("run", self.folder / "value.toml", "--output", self.folder / "bad",
                                 *(a for s in sets for a in ("--set", s)), code=code, ranks=ranks).stderr
            for part in parts:
                self.assertIn(part, error)
            self.assertFalse((self.folder / "bad/results.h5").exists())

    def test_bad_input(self):
        def write(name, key, value):
            path = self.folder / f"{name}.h5"
            common.write_data_set(path, 110, 2)
            add_facts(path)
            with h5py.File(path, "r+") as file:
                if key in file:
                    del file[key]
                file[key] = value
            return f"dataset.generated={path}"

        self.refused(64, ["valuation.k=400", "300"], "valuation.k=400")
        self.refused(64, ["held_out", "training file"], f"dataset.held_out={self.folder}/a.h5")
        self.refused(64, ["generate.count=0"], "dataset.generated=", "generator.network=vae", "generate.count=0")
        self.refused(64, ["dataset.attributes", "itself"], "dataset.generated=", "generator.network=vae")
        self.refused(64, ["valuation.shapley_k=200", "100"], "valuation.shapley_k=200", "valuation.depth=100")
        self.refused(65, ["none.h5: no such file"], f"valuation.lds={self.folder}/none.h5")
        self.refused(64, ["features.components=65", "64 values"], "features.space=pca", "features.components=65")
        self.refused(64, ["valuation.lists=301", "300"], "valuation.search=ivf", "valuation.lists=301")
        self.refused(65, ["zero.h5", "quality of every sample is 0"], write("zero", "quality", np.zeros(110)),
                     "valuation.quality=column")
        black = np.zeros((110, 1, 8, 8), "uint8")
        self.refused(65, ["quality of every sample is 0"], write("black", "samples", black),
                     "valuation.quality=sharpness")
        self.refused(65, ["black.h5", "row 0", "direction"], write("black", "samples", black),
                     "valuation.distance=cosine")
        torch.jit.save(torch.jit.script(Corner()), str(self.folder / "corner.pt"))
        error = common.assay("run", self.folder / "value.toml", "--output", self.folder / "zero", *(
            a for s in (write("black", "samples", black), "features.normalise=l2", "features.space=model",
                        f"features.model={self.folder}/corner.pt") for a in ("--set", s)), code=65).stderr
        self.assertIn("generated sample 3 ", error)
        self.assertIn("direction", error)
        self.refused(64, ["GiB", "valuation.memory"], "valuation.memory=0.001")
        self.refused(65, ["/quality", "nan"], write("nan", "quality", np.full(110, np.nan)), "valuation.quality=column")
        self.refused(65, ["/quality", "-1"], write("minus", "quality", np.full(110, -1.)), "valuation.quality=column")
        self.refused(65, ["/attributes"], write("short", "attributes", np.zeros((109, 3), "uint8")))
        self.refused(65, ["attributes"], write("wide", "attributes", np.zeros((110, 4), "uint8")))
        self.refused(65, ["/samples"], write("empty", "samples", np.zeros((0, 1, 8, 8), "uint8")))
        self.refused(65, ["label"], write("label", "labels", np.full(110, 9)), "dataset.classes=4")
        random = np.random.default_rng(5)
        good = random.normal(size=(300, 9)).astype("float32")
        made, held = good[:110].copy(), good[:70].copy()

        def given(**arrays):
            with h5py.File(self.folder / "f.h5", "w") as file:
                for name, values in {"train": good, "made": made, "held": held, **arrays}.items():
                    file[name] = values
            return ["features.space=given", f"features.given_training={self.folder}/f.h5:/train",
                    f"features.given_generated={self.folder}/f.h5:/made",
                    f"features.given_held_out={self.folder}/f.h5:/held"]

        self.refused(65, ["/train", "299"], *given(train=good[:299]))
        self.refused(65, ["9", "8"], *given(made=made[:, :8]))
        broken = good.copy()
        broken[17, 3] = np.inf
        self.refused(65, ["/train", "row 17"], *given(train=broken))
        zero = made.copy()
        zero[5] = 0
        self.refused(65, ["/made", "row 5"], *given(made=zero), "valuation.distance=cosine")

    def test_memory_is_counted_before_the_run(self):
        with h5py.File(self.folder / "wide.h5", "w") as file:  # 180 MB as float32
            file["train"] = np.random.default_rng(5).random((300, 150000), dtype="f4")
            file["made"] = file["train"][:110]
        sets = [a for s in ("features.space=given", f"features.given_training={self.folder}/wide.h5:/train",
                            f"features.given_generated={self.folder}/wide.h5:/made", "dataset.held_out=",
                            "valuation.pixel_baseline=no", "valuation.memory=0.6") for a in ("--set", s)]
        job = self.folder / "value.toml"
        error = common.assay("run", job, "--output", self.folder / "bad", *sets, code=64).stderr
        for part in ("rank 0 of 1 needs 0.63 GiB", "150000 features of 300 samples", "0.60 GiB", "valuation.memory"):
            self.assertIn(part, error)
        self.assertFalse((self.folder / "bad/results.h5.partial").exists())
        self.assertIn("0.63 GiB", common.assay("check", job, *sets).stderr)
        self.assertNotIn("GiB", common.assay("check", job, *sets, ranks=2).stderr)
        self.assertNotIn("GiB", common.assay("check", job, *sets, "--set", "features.storage=float16").stderr)
        large = ["features.storage=float16", "valuation.distance=inner_product"]
        with h5py.File(self.folder / "wide.h5", "r+") as file:
            file["made"][7, 3] = 1e5
        error = common.assay("check", job, *sets, *(a for s in large for a in ("--set", s)), code=65).stderr
        self.assertIn("row 7", error)

    def test_nothing_is_trained_for_a_job_that_must_fail(self):
        with h5py.File(self.folder / "lds.h5", "w") as file:
            file["masks"] = np.ones((4, 300), "uint8")
            file["outputs"] = np.full((4, 60), np.nan)
        (self.folder / "text.pt").write_text("no model")
        job = self.folder / "both.toml"
        job.write_text(VALUE.format(folder=self.folder).replace(f'generated = "{self.folder}/b.h5"\n', "")
                       .replace('attributes = "/attributes"\n', "") +
                       '[generator]\nnetwork = "vae"\nwidth = 8\nepochs = 2\nmicro_batch = 8\n[generate]\ncount = 60\n')
        for code, parts, sets in ((64, ["valuation.k=301"], ["valuation.k=301"]),
                                  (65, ["/nobody"], ["dataset.groups=/nobody"]),
                                  (65, ["outputs", "nan"], [f"valuation.lds={self.folder}/lds.h5"]),
                                  (65, ["text.pt"], ["features.space=model", f"features.model={self.folder}/text.pt"]),
                                  (64, ["features.components=65"], ["features.space=pca", "features.components=65"]),
                                  (64, ["features.second", "itself"],
                                   ["features.second=given", "features.second_training=f.h5:/t",
                                    "features.second_generated=f.h5:/g"])):
            with self.subTest(sets):
                for command in ("check", "run"):
                    output = ["--output", self.folder / "bad"] if command == "run" else []
                    error = common.assay(command, job, *output, *(a for s in sets for a in ("--set", s)),
                                         code=code).stderr
                    for part in parts:
                        self.assertIn(part, error)
                self.assertFalse((self.folder / "bad/generator.ckpt").exists())


if __name__ == "__main__":
    common.main()
