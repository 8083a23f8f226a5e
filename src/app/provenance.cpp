#include "app/provenance.hpp"

#include "assay/base/error.hpp"
#include "assay/base/log.hpp"
#include "assay/base/sha256.hpp"
#include "assay/base/version.hpp"
#include "assay/comm/agree.hpp"
#include "assay/comm/collectives.hpp"
#include "assay/job/job_file.hpp"
#include "assay/model/torch_setup.hpp"

#include <cstdlib>
#include <ctime>
#include <functional>

namespace assay::app {

namespace {

std::string environment(char const* name) {
    char const* value = std::getenv(name);
    return value ? value : "";
}

std::string libraries() {
    unsigned major = 0, minor = 0, release = 0;
    H5get_libversion(&major, &minor, &release);
    char mpi[MPI_MAX_LIBRARY_VERSION_STRING];
    int length = 0;
    MPI_Get_library_version(mpi, &length);
    std::string const mpi_text(mpi, static_cast<std::size_t>(length));
    return fmt::format("torch {}; HDF5 {}.{}.{}; {}", model::torch_version(), major, minor, release,
                       mpi_text.substr(0, mpi_text.find(',')));
}

// `text(name)` reads a root attribute of the file
void check_same(std::filesystem::path const& path, std::function<std::string(std::string const&)> const& text,
                job::Job const& job, Inputs const& inputs) {
    if (text("job_hash") != job::hash(job))
        fail(Exit::usage, "{}: was begun with another job: {}. Use the same one, or --overwrite",
             path.string(), job::difference(text("job"), job::dump(job)));
    for (Input const& input : inputs)
        if (std::string const before = text(input.attribute); before != input.sha256)
            fail(Exit::usage,
                 "{}: was begun with another {} ({} {:.12}… then, {:.12}… now). Use the same one, or "
                 "--overwrite",
                 path.string(), input.what, input.attribute, before, input.sha256);
}

} // namespace

std::string utc_now() {
    std::time_t const now = std::time(nullptr);
    char text[32];
    std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", std::gmtime(&now));
    return text;
}

std::string hash_file(comm::Communicator const& comm, std::filesystem::path const& path) {
    constexpr std::uint64_t kPiece = 64 << 20;
    auto const ranks = static_cast<std::uint64_t>(comm.size()),
               rank = static_cast<std::uint64_t>(comm.rank());
    std::uint64_t pieces = 0;
    std::string const own = comm::agree(comm, [&] {
        std::string digests;
        if (std::error_code error; !std::filesystem::is_regular_file(path, error))
            fail(Exit::data, "{}: no such file. Check the path", path.string());
        pieces = (std::filesystem::file_size(path) + kPiece - 1) / kPiece;
        for (std::uint64_t piece = rank; piece < pieces; piece += ranks)
            digests += sha256_file(path, piece * kPiece, (piece + 1) * kPiece) + "\n";
        return digests;
    });
    std::vector<char> const all = comm::all_gather<char>(comm, own);
    constexpr std::size_t kLine = 65;
    std::string list; // the pieces in their order; rank r has every ranks-th from r on
    for (std::uint64_t piece = 0; piece < pieces; ++piece) {
        std::uint64_t const before =
            piece % ranks * (pieces / ranks) + std::min(piece % ranks, pieces % ranks);
        auto const line = all.begin() + static_cast<std::ptrdiff_t>((before + piece / ranks) * kLine);
        list.append(line, line + kLine);
    }
    return sha256(list);
}

Input hash_input(comm::Communicator const& comm, std::string attribute, std::string what,
                 std::filesystem::path const& path) {
    return {std::move(attribute), std::move(what), path.empty() ? "" : hash_file(comm, path)};
}

std::string training_key(job::Job const& job, Inputs const& inputs) {
    std::string all = job::hash(job);
    for (Input const& input : inputs)
        all += input.sha256;
    return sha256(all);
}

void check_same_job(std::filesystem::path const& results, job::Job const& job) {
    store::Handle const file = store::open_to_read(results);
    if (store::read_string(file, "/", "job_hash") != job::hash(job))
        fail(Exit::usage, "{} is the result of another job: {}. Choose another --output, or --overwrite it",
             results.string(),
             job::difference(store::read_string(file, "/", "job").value_or(""), job::dump(job)));
}

void add_provenance(store::ResultLayout& layout, comm::Communicator const& comm, job::Job const& job,
                    Inputs const& inputs, Placement const& placement, std::string const& command_line) {
    layout.text = {{"format", "assay-results"},     {"software", "assay"},
                   {"software_version", version()}, {"git_hash", git_hash()},
                   {"job", job::dump(job)},         {"job_hash", job::hash(job)},
                   {"command_line", command_line},  {"hosts", hosts(placement)},
                   {"gpus", gpus(placement)},       {"slurm_job_id", environment("SLURM_JOB_ID")},
                   {"libraries", libraries()},      {"device", placement.device.str()},
                   {"started", utc_now()},          {"finished", "0000-00-00T00:00:00Z"},
                   {"status", "running "}}; // as long as "complete", which is written in place
    for (Input const& input : inputs)
        layout.text.emplace_back(input.attribute, input.sha256);
    layout.numbers = {{"format_version", 1},
                      {"seed", job.job.seed},
                      {"mpi_size", comm.size()},
                      {"torch_threads", placement.threads},
                      {"shards_resumed", 0}};
    for (auto& [name, value] : layout.text)
        value = comm::broadcast(comm, value); // clocks and environments differ; metadata must not
}

void check_same_run(store::ResultFile const& file, job::Job const& job, Inputs const& inputs,
                    Placement const& placement, std::filesystem::path const& path) {
    check_same(
        store::partial_of(path), [&](std::string const& name) { return file.text(name); }, job, inputs);
    std::string const device = placement.device.str();
    if (std::string const before = file.text("device"); before != device)
        spdlog::warn("begun on {}, goes on with {}: the bits of the two parts may differ", before, device);
    if (std::int64_t const before = file.number("torch_threads"); before != placement.threads)
        spdlog::warn(
            "begun with {} thread(s) per rank, goes on with {}: the bits of the two parts may differ", before,
            placement.threads);
    if (std::string const before = file.text("git_hash"); before != git_hash())
        spdlog::warn("begun by build {}, goes on with {}: the bits of the two parts may differ", before,
                     git_hash());
}

void check_same_inputs(std::filesystem::path const& path, job::Job const& job, Inputs const& inputs) {
    store::Handle const file = store::open_to_read(path);
    check_same(
        path, [&](std::string const& name) { return store::read_string(file, "/", name).value_or(""); }, job,
        inputs);
}

} // namespace assay::app
