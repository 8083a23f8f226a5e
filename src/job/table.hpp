//! Job files as TOML tables: what one job and a grid of jobs are both read from. Errors are Error(usage).
#pragma once

#include "assay/job/job.hpp"

#include <toml++/toml.h>

#include <filesystem>
#include <string>

namespace assay::job {

std::string read_text(std::filesystem::path const& path);
toml::table parse_table(std::string const& text, std::string const& origin);

//! One `--set` override, "section.key=value"; a value that is no TOML is taken as a string.
struct Override {
    std::string key;
    toml::table value; //!< under "value"
};
Override parse_override(std::string const& text);
void apply(toml::table& root, std::string const& override_text);

//! The job in a table, each key checked by itself.
Job job_from(toml::table const& root);

//! A value as TOML writes it, in the shortest form that reads back as the same.
std::string literal(toml::node const& node);

} // namespace assay::job
