#include "app/partner_checks.hpp"

#include "assay/base/error.hpp"
#include "assay/store/array.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>

namespace assay::app {

namespace {

constexpr std::uint64_t kPiece = 64; // samples at a time: of 3 x 224 x 224 floats 39 MB

// A file of assay's own says what it was made for
void check_origin(store::Handle const& file, std::filesystem::path const& path,
                  std::string const& suspects_sha256) {
    std::string const status = store::read_string(file, "/", "status").value_or("complete"),
                      made_for = store::read_string(file, "/", "suspects_sha256").value_or(suspects_sha256);
    if (status != "complete")
        fail(Exit::data, "{}: is unfinished (status \"{}\"). Go on with the run that makes it, with --resume",
             path.string(), status);
    if (made_for != suspects_sha256)
        fail(Exit::data,
             "{}: was made of another suspects file (SHA-256 {}, not {}). Make it for these suspects",
             path.string(), made_for, suspects_sha256);
}

// One integer per suspect, in their order
template <class T>
void check_column(store::Handle const& file, std::filesystem::path const& path, char const* name,
                  data::View const& suspects, data::Slice const& mine, std::vector<T> const& wanted) {
    store::Handle const column = store::open_array(file, path, name);
    store::require_written(column, path, name);
    std::string const type = store::type_name(column);
    if (store::shape_of(column) != store::Shape{suspects.size()} || (type != "uint64" && type != "int64"))
        fail(Exit::data,
             "{}: {} is {} [{}] (must be integers [{}], one per suspect). Make it for these suspects",
             path.string(), name, type, fmt::join(store::shape_of(column), ", "), suspects.size());
    std::vector<T> found(wanted.size());
    if (!found.empty())
        store::read_rows(column, mine.begin, found.size(), store::native_type<T>(), found.data());
    for (std::size_t i = 0; i < found.size(); ++i)
        if (found[i] != wanted[i])
            fail(Exit::data,
                 "{}: {} is {} in row {} (of the suspect there it is {}: partners stand in the order of the "
                 "suspects). Make it for these suspects",
                 path.string(), name, found[i], mine.begin + i, wanted[i]);
}

void check_images(store::Handle const& file, std::filesystem::path const& path, data::View const& suspects,
                  data::Slice const& mine) {
    bool const bytes = suspects.info().type == data::SampleType::uint8;
    std::uint64_t const width = suspects.info().sample_elements();
    for (char const* name : kPartnerImages) {
        store::Handle const column = store::open_array(file, path, name);
        store::require_written(column, path, name);
        if (store::type_name(column) != "float32" ||
            store::shape_of(column) != store::Shape{suspects.size(), width})
            fail(Exit::data,
                 "{}: {} is {} [{}] (must be float32 [{}, {}], a partner per suspect). Write it so",
                 path.string(), name, store::type_name(column), fmt::join(store::shape_of(column), ", "),
                 suspects.size(), width);
        for (std::uint64_t begin = mine.begin; begin < mine.end; begin += kPiece) {
            std::uint64_t const count = std::min(kPiece, mine.end - begin);
            std::vector<float> values(count * width);
            store::read_rows(column, begin, count, store::native_type<float>(), values.data());
            for (std::size_t at = 0; at < values.size(); ++at)
                if (!std::isfinite(values[at]) || (bytes && !(values[at] >= 0 && values[at] <= 1)))
                    fail(Exit::data, "{}: {} holds {} in row {} ({}). Correct it", path.string(), name,
                         values[at], begin + at / width,
                         bytes ? "must be between 0 and 1: shares of 255" : "must be finite");
        }
    }
}

} // namespace

void check_unit_interval(data::View const& suspects, data::Slice const& mine) {
    if (suspects.info().type == data::SampleType::uint8)
        return;
    for (std::uint64_t begin = mine.begin; begin < mine.end; begin += kPiece) {
        data::Samples const samples = suspects.read(begin, std::min(mine.end, begin + kPiece));
        for (std::size_t at = 0; at < samples.values.size(); at += sizeof(float)) {
            float value = 0;
            std::memcpy(&value, samples.values.data() + at, sizeof value);
            if (!(value >= 0 && value <= 1))
                fail(Exit::data,
                     "{}: sample {} holds {} (a generator redraws values between 0 and 1). Scale them, and "
                     "give in "
                     "dataset.mean and dataset.deviation what the target is to see",
                     suspects.dataset().path().string(), samples.ids[at / suspects.info().sample_bytes()],
                     value);
        }
    }
}

void check_partner_file(std::filesystem::path const& path, data::View const& suspects,
                        data::Slice const& mine, std::string const& suspects_sha256) {
    store::in_file(path, Exit::data, "The file is damaged or of another kind: make it again", [&] {
        store::Handle const file = store::open_to_read(path);
        check_origin(file, path, suspects_sha256);
        check_column(file, path, "/samples/id", suspects, mine, suspects.ids(mine.begin, mine.end));
        if (suspects.info().has_labels && store::exists(file, "/samples/label"))
            check_column(file, path, "/samples/label", suspects, mine, suspects.labels(mine.begin, mine.end));
        check_images(file, path, suspects, mine);
    });
}

} // namespace assay::app
