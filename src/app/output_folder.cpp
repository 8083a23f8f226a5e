#include "app/output_folder.hpp"

#include "assay/base/error.hpp"
#include "assay/store/result_file.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string_view>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

namespace assay::app {

namespace {

// Is the open file still the one of that name?
bool is_at(int descriptor, std::filesystem::path const& path) {
    struct stat open = {}, named = {};
    return ::fstat(descriptor, &open) == 0 && ::stat(path.c_str(), &named) == 0 &&
           open.st_dev == named.st_dev && open.st_ino == named.st_ino;
}

} // namespace

std::vector<std::filesystem::path> OutputFiles::unfinished() const {
    std::vector<std::filesystem::path> paths{store::partial_of(results()),
                                             checkpoint(),
                                             generator(),
                                             store::partial_of(generation()),
                                             generation(),
                                             generated(),
                                             store::partial_of(features()),
                                             features(),
                                             store::partial_of(partners()),
                                             partners()};
    if (std::filesystem::exists(references()))
        for (auto const& entry : std::filesystem::directory_iterator(references()))
            paths.push_back(entry.path());
    return paths;
}

std::vector<std::filesystem::path> OutputFiles::all() const {
    std::vector<std::filesystem::path> paths{summary(), sheet(), samples(), results()};
    for (char const* which : {"top.h5", "bottom.h5", "random.h5"})
        paths.push_back(removal() / which);
    for (auto const& left : unfinished())
        paths.push_back(left);
    for (auto const& file : {results(), generation(), features(), partners()})
        paths.push_back(store::unborn_of(file));
    return paths;
}

OutputFiles output_of(job::Job const& job, std::filesystem::path const& asked) {
    if (!asked.empty())
        return {asked};
    if (!job.output.directory.empty())
        return {job.output.directory};
    return {std::filesystem::path("runs") / job.job.name};
}

OutputLock::OutputLock(std::filesystem::path const& folder) {
    std::error_code error;
    std::filesystem::create_directories(folder, error);
    path_ = folder / ".lock";
    descriptor_ = ::open(path_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (descriptor_ < 0)
        fail(Exit::io, "{}: cannot be written to ({}). Choose another --output", folder.string(),
             error ? error.message() : std::strerror(errno));
    if (::flock(descriptor_, LOCK_EX | LOCK_NB) == 0 && is_at(descriptor_, path_))
        return;
    ::close(descriptor_);
    fail(Exit::usage, "{}: another run is writing here. Wait for it, or choose another --output",
         folder.string());
}

OutputLock::~OutputLock() {
    if (descriptor_ < 0)
        return;
    ::unlink(path_.c_str()); // while it is locked: who has opened it by now finds that it is gone
    ::close(descriptor_);
}

void check_inputs_stay(OutputFiles const& files, job::Job job) {
    std::vector<std::filesystem::path> written{std::filesystem::weakly_canonical(files.references())};
    for (std::filesystem::path const& path : files.all())
        written.push_back(std::filesystem::weakly_canonical(path));
    auto const check = [&](std::string const& key, std::string const& value) {
        if (std::ranges::find(written, std::filesystem::weakly_canonical(value)) != written.end())
            fail(Exit::usage,
                 "{}=\"{}\" (is written, or removed, by a run into {}). Copy it, or choose another --output",
                 key, value, files.folder.string());
    };
    job.sections([&](char const* name, auto& section) {
        section.fields(
            [&](char const* key, auto& value, job::Rule const&, std::string_view unit, char const*) {
                if constexpr (std::is_same_v<std::decay_t<decltype(value)>, std::string>)
                    if (!value.empty() && (unit == "path" || unit == "file:/array"))
                        check(std::string(name) + "." + key,
                              unit == "path" ? value : value.substr(0, value.find(":/")));
            });
    });
}

void check_output(OutputFiles const& files, bool resume, bool overwrite) {
    std::filesystem::path existing = std::filesystem::absolute(files.folder);
    while (!std::filesystem::exists(existing) && existing.has_relative_path())
        existing = existing.parent_path();
    if (!std::filesystem::is_directory(existing) || ::access(existing.c_str(), W_OK) != 0)
        fail(Exit::io, "{}: cannot be written to ({} is {}). Choose another --output", files.folder.string(),
             existing.string(), std::filesystem::is_directory(existing) ? "read-only here" : "no folder");
    if (overwrite)
        return;
    if (std::filesystem::exists(files.results()) && !resume)
        fail(Exit::usage,
             "{} exists (results are not overwritten unasked). Choose another --output, or --overwrite it",
             files.results().string());
    for (auto const& left : files.unfinished())
        if (std::filesystem::exists(left) && !resume)
            fail(Exit::usage,
                 "{} exists (an unfinished run). Go on with --resume, or start again with --overwrite",
                 left.string());
}

void clear_output(OutputFiles const& files) {
    for (auto const& path : files.all())
        std::filesystem::remove(path);
}

} // namespace assay::app
