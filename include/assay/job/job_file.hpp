//! Reading, checking and echoing job files (TOML).
#pragma once

#include "assay/job/job.hpp"

#include <filesystem>
#include <string>
#include <vector>

namespace assay::job {

//! Local (root, then broadcast). Reads a job file and applies `--set` overrides, "section.key=value" each.
//! Error(usage) names the key's path and the value: unknown, ill-typed, out of range; or the line of a syntax
//! error.
Job read(std::filesystem::path const& path, std::vector<std::string> const& overrides = {});

//! The same from text, each key checked by itself; `origin` stands in messages for the file's name.
Job parse(std::string const& text, std::string const& origin, std::vector<std::string> const& overrides = {});

//! Error(usage) for keys that are each fine but do not fit together or lack one another.
void check(Job const& job);

//! A complete job file that parses back to `job`; with `explain`, each key carries its unit and meaning.
std::string dump(Job const& job, bool explain = false);

//! The first keys in which two dumped jobs differ, [output] aside, each as "compute.threads = 1 (was 2)";
//! empty if none. hash() decides whether jobs differ, this says where.
std::string difference(std::string const& before, std::string const& now);

//! SHA-256 of all that can change a result: everything but [output].
std::string hash(Job const& job);

} // namespace assay::job
