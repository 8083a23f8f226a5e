"""A room includes only the rooms it may use."""
import pathlib
import re

import common

ROOT = pathlib.Path(__file__).resolve().parents[2]
ORDER = ("base", "comm", "store", "job", "data", "model", "pass", "usage", "valuation", "report")
MAY_USE = {room: set(ORDER[:i + 1]) for i, room in enumerate(ORDER)}
MAY_USE["job"] = {"base", "job"}
MAY_USE["comm"] = {"base", "comm"}
MAY_USE["valuation"] -= {"usage"}  # stages do not know each other


class Rooms(common.ProgramTest):
    def test_includes(self):
        seen = 0
        for room in ORDER:
            files = [*(ROOT / "include/assay" / room).iterdir(), *(ROOT / "src" / room).iterdir()]
            for file in files:
                for used in re.findall(r'#include "assay/(\w+)/', file.read_text()):
                    self.assertIn(used, MAY_USE[room], f"{file} includes {used}")
                    seen += 1
        self.assertGreater(seen, 50)

    def test_headers_have_no_torch_below_model(self):
        for room in ORDER[:ORDER.index("model")]:
            for file in (ROOT / "include/assay" / room).iterdir():
                self.assertNotIn("torch/", file.read_text(), file)


if __name__ == "__main__":
    common.main()
