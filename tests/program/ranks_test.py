"""The same job gives the same bytes on 1, 2, 3 and 4 ranks."""
import json

import h5py

import common


class Ranks(common.ProgramTest):
    def compare(self, *sets):
        job = common.make_job(self.folder)
        arguments = [a for s in sets for a in ("--set", s)]
        for ranks in (0, 1, 2, 3, 4):
            common.assay("run", job, "--output", self.folder / str(ranks), "--overwrite", *arguments, ranks=ranks)
        for ranks in (1, 2, 3, 4):
            self.assertEqual(common.differences(self.folder / "0/results.h5", self.folder / f"{ranks}/results.h5"), "")
            self.assertEqual((self.folder / "0/summary.json").read_bytes(),
                             (self.folder / f"{ranks}/summary.json").read_bytes())

    def test_held_out_reference_and_crop_flip_training(self):
        self.compare("model.train.augment=crop_flip")

    def test_partners_and_batch_norm(self):
        self.compare("usage.reference=partners", "model.train.network=resnet18", "model.train.norm=batch",
                     "model.train.epochs=1", "model.train.optimizer=adam", "model.train.learning_rate=0.001",
                     *self.REFERENCES)

    REFERENCES = ("usage.references.count=4", "usage.references.network=mlp", "usage.references.width=16",
                  "usage.references.epochs=2")

    def test_reference_models_beside_held_out_data(self):
        self.compare("usage.reference=held_out", *self.REFERENCES)

    def test_reference_models_of_another_run(self):
        job = common.make_job(self.folder)
        sets = ("usage.reference=partners", "model.train.network=mlp", *self.REFERENCES)
        arguments = [a for s in sets for a in ("--set", s)]
        common.assay("run", job, "--output", self.folder / "first", *arguments)
        taken = (*arguments, "--set", f"usage.references.folder={self.folder}/first/references")
        common.assay("check", job, *taken)
        common.assay("run", job, "--output", self.folder / "second", *taken, ranks=2)
        self.assertEqual(common.differences(self.folder / "first/results.h5", self.folder / "second/results.h5"), "")
        self.assertFalse((self.folder / "second/references").exists())
        for other in ("job.seed=6", "usage.references.epochs=3", "dataset.label_noise=0.2"):
            done = common.assay("check", job, *taken, "--set", other, code=64)
            self.assertIn("first/references/0.ckpt: was trained on other samples", done.stderr, other)
        done = common.assay("run", job, *taken, "--output", self.folder / "first", "--overwrite", code=64)
        self.assertIn("is written, or removed, by a run into", done.stderr)

    def test_redrawn_partners(self):
        self.compare("usage.reference=partners", "generator.network=ddpm", "generator.width=8", "generator.epochs=1",
                     "generator.batch_size=40", "usage.references.count=4", "usage.references.network=mlp",
                     "usage.references.width=8", "usage.references.epochs=1")
        with h5py.File(self.folder / "0/results.h5") as file:
            self.assertIn("mixtures: none", file["metrics/usage"].attrs["considered_partners"].decode())
        for ranks in (1, 2, 3, 4):
            self.assertEqual(common.differences(self.folder / "0/partners.h5", self.folder / f"{ranks}/partners.h5",
                                                ("/samples", "/ledger")), "")

    def test_partners_of_two_kinds_do_not_mix(self):
        """A job with both computes what jobs with one of them do, and reduces to what they say."""
        job = common.make_job(self.folder)
        vae = ("generator.network=vae", "generator.width=16", "generator.latent=4", "generator.epochs=1")
        kinds = {"both": vae, "redrawn": (*vae, "usage.partners=redrawn"), "mixtures": ()}
        for name, sets in kinds.items():
            sets = ("usage.reference=partners", "model.train.network=mlp", *self.REFERENCES, *sets)
            common.assay("run", job, "--output", self.folder / name, *(a for s in sets for a in ("--set", s)))
        both = self.folder / "both/results.h5"
        with h5py.File(both) as file:
            said = file["metrics/usage"].attrs["considered_partners"].decode()
        self.assertRegex(said, "^redrawn: none .*; mixtures: none ")
        groups = {"redrawn": ("/redrawn", "/redrawn_2"),
                  "mixtures": ("/partners", "/partners_2", "/partners_3", "/partners_4")}
        for name, own in groups.items():
            wanted = own + ("/signals", "/references/0/signals", "/references/3" + own[0], "/references/3" + own[1])
            for group in wanted:
                self.assertEqual(common.compare_group(both, self.folder / name / "results.h5", group), "", group)
            common.assay("reduce", both, "--set", f"usage.partners={name}", "--output", self.folder / f"only-{name}")
            summaries = [json.loads((self.folder / folder / "summary.json").read_text())["usage"]
                         for folder in (name, f"only-{name}")]
            self.assertEqual(*summaries)
        done = common.assay("reduce", self.folder / "mixtures/results.h5", "--set", "usage.partners=redrawn", code=65)
        self.assertIn('usage.partners="redrawn", of which it holds none', done.stderr)

    def test_autoregressive(self):
        for network, width in (("made", 24), ("transformer", 8)):
            with self.subTest(network):
                self.compare("model.family=autoregressive", f"model.train.network={network}",
                             f"model.train.width={width}", "model.train.optimizer=adam",
                             "model.train.learning_rate=0.005")

    def test_diffusion(self):
        for network, pool, signals in (("ddpm", 1, "default"), ("ddpm_mlp", 2, "all")):
            with self.subTest(network):
                self.compare("model.family=diffusion", f"model.train.network={network}", f"model.train.pool={pool}",
                             "model.train.width=8", "model.train.optimizer=adam", "model.train.learning_rate=0.005",
                             "model.train.epochs=1", f'usage.signals=["{signals}"]')

    def test_the_comparison_sees_a_difference(self):
        job = common.make_job(self.folder)
        for seed in (1, 2):
            common.assay("run", job, "--output", self.folder / str(seed), "--set", f"job.seed={seed}")
        self.assertNotEqual(common.differences(self.folder / "1/results.h5", self.folder / "2/results.h5"), "")


if __name__ == "__main__":
    common.main()
