#include "app/partner_checks.hpp"

#include "app/partner_images.hpp"

#include "assay/base/error.hpp"
#include "assay/store/array.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>

namespace assay::app {

namespace {

constexpr std::uint64_t kPiece = 1 << 10; // samples at a time

void check_ids(store::Handle const& file, std::filesystem::path const& path, data::View const& suspects) {
    store::Handle const column = store::open_array(file, path, kPartnerIds);
    std::uint64_t const size = suspects.size();
    if (store::shape_of(column) != store::Shape{size})
        fail(Exit::data,
             "{}: {} is [{}] (must be uint64 [{}], the suspects' ids). Make it for these suspects",
             path.string(), kPartnerIds, fmt::join(store::shape_of(column), ", "), size);
    store::for_each_piece<std::uint64_t>(column, [&](std::uint64_t first,
                                                     std::span<std::uint64_t const> piece) {
        std::vector<std::uint64_t> const ids = suspects.ids(first, first + piece.size());
        for (std::size_t i = 0; i < ids.size(); ++i)
            if (ids[i] != piece[i])
                fail(Exit::data,
                     "{}: {} is {} in row {} (the suspect there is {}: partners stand in the order of the "
                     "suspects). Make it for these suspects",
                     path.string(), kPartnerIds, piece[i], first + i, ids[i]);
    });
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
                     "{}: sample {} holds {} (a generator redraws values between 0 and 1). Scale the values, "
                     "and leave "
                     "dataset.mean and dataset.deviation out",
                     suspects.dataset().path().string(), samples.ids[at / suspects.info().sample_bytes()],
                     value);
        }
    }
}

void check_partner_file(std::filesystem::path const& path, data::View const& suspects,
                        data::Slice const& mine) {
    store::in_file(path, Exit::data, "The file is damaged or of another kind: make it again", [&] {
        store::Handle const file = store::open_to_read(path);
        check_ids(file, path, suspects);
        check_images(file, path, suspects, mine);
    });
}

} // namespace assay::app
