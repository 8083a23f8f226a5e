"""The Python in the docs runs, in order, page by page; job files in the repository are fine."""
import pathlib
import re
import subprocess
import sys

import h5py

import common

ROOT = pathlib.Path(__file__).resolve().parents[2]


class Docs(common.ProgramTest):
    def run_page(self, name):
        blocks = re.findall(r"^```python\n(.*?)^```", (ROOT / "docs" / name).read_text(), re.M | re.S)
        self.assertTrue(blocks, f"no recipes in {name}")
        for block in blocks:
            (self.folder / "recipe.py").write_text(block)
            done = subprocess.run([sys.executable, "recipe.py"], cwd=self.folder, text=True, capture_output=True)
            self.assertEqual(done.returncode, 0, f"{name}:\n{block}\n{done.stderr}")

    def test_results(self):
        job = common.make_job(self.folder)
        common.assay("run", job, "--output", self.folder)
        common.assay("sweep", job, "--output", self.folder, "--set", "sweep.grid.model.train.usage_fraction=[0.5, 1]")
        self.run_page("results.md")
        answer = common.assay("reduce", self.folder / "mine.h5", "--output", self.folder / "mine")
        self.assertIn("answer: about 4", answer.stdout)
        self.assertRegex(answer.stdout, "adjusted count, known members 0.4")
        answer = common.assay("reduce", self.folder / "lists.h5", "--output", self.folder / "lists")
        self.assertIn("answer: the tenth of the training samples with most credit has", answer.stdout)
        self.assertTrue((self.folder / "lists/values.h5").exists())
        self.assertTrue((self.folder / "lists/removal/top.h5").exists())

    def test_models(self):
        self.run_page("models.md")
        self.assertTrue((self.folder / "target.pt").exists())

    def test_exported_model_is_accepted(self):
        self.run_page("models.md")
        common.write_data_set(self.folder / "a.h5", 60, 1, side=28)
        (self.folder / "job.toml").write_text(
            f"[dataset]\nsuspects = '{self.folder}/a.h5'\n[model]\nfile = '{self.folder}/target.pt'\n")
        self.assertIn("8 signals", common.assay("check", self.folder / "job.toml").stdout)
        (self.folder / "job.toml").write_text(
            f"[dataset]\nsuspects = '{self.folder}/a.h5'\n"
            f"[model]\nfile = '{self.folder}/autoregressive.pt'\nfamily = 'autoregressive'\n")
        self.assertIn("25 signals", common.assay("check", self.folder / "job.toml").stdout)
        (self.folder / "job.toml").write_text(
            f"[dataset]\nsuspects = '{self.folder}/a.h5'\n"
            f"[model]\nfile = '{self.folder}/diffusion.pt'\nfamily = 'diffusion'\n")
        self.assertIn("9 signals", common.assay("check", self.folder / "job.toml").stdout)

    def test_valuation(self):
        common.write_data_set(self.folder / "train.h5", 2100, 1)
        common.write_data_set(self.folder / "generated.h5", 30, 2)
        (self.folder / "job.toml").write_text('[job]\nkind = "valuation"\nname = "docs"\n[dataset]\n'
                                              f'training = "{self.folder}/train.h5"\n'
                                              f'generated = "{self.folder}/generated.h5"\n')
        common.assay("run", self.folder / "job.toml", "--output", self.folder / "run")
        (self.folder / "run/results.h5").rename(self.folder / "results.h5")
        self.run_page("valuation.md")
        with h5py.File(self.folder / "features.h5") as file:
            self.assertEqual((file["train"].shape, file["generated"].shape), ((2100, 32), (30, 32)))
            self.assertTrue((file["train"][:] != 0).any(axis=1).all())  # no row was left out

    def test_dumped_job_reads_back(self):
        dumped = common.assay("dump-job", "usage").stdout
        (self.folder / "job.toml").write_text(dumped)
        error = common.assay("check", self.folder / "job.toml", code=64).stderr
        self.assertIn("dataset.suspects is missing", error)


if __name__ == "__main__":
    common.main()
