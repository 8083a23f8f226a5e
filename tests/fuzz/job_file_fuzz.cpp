// A job file's text, and behind NUL bytes one --set override each
#include "fuzz.hpp"

#include "assay/job/job_file.hpp"

using namespace assay;

int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
    std::string_view rest(reinterpret_cast<char const*>(data), size);
    std::vector<std::string> parts;
    for (;;) {
        auto const end = std::min(rest.find('\0'), rest.size());
        parts.emplace_back(rest.substr(0, end));
        if (end == rest.size())
            break;
        rest.remove_prefix(end + 1);
    }
    std::vector<std::string> const overrides(parts.begin() + 1, parts.end());
    job::Job job;
    if (!fuzz::succeeds_or_fails_with(Exit::usage,
                                      [&] { job = job::parse(parts[0], "job.toml", overrides); }))
        return 0;
    fuzz::succeeds_or_fails_with(Exit::usage, [&] { job::check(job); });
    // What the results file will hold reads back as the same job
    std::string const text = job::dump(job);
    fuzz::require(job::dump(job::parse(text, "dump")) == text, "a dumped job reads back as another one");
    fuzz::require(job::dump(job::parse(job::dump(job, true), "dump")) == text, "nor with its meanings");
    return 0;
}
