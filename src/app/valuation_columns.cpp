#include "app/valuation_columns.hpp"

#include "assay/base/error.hpp"
#include "assay/comm/collectives.hpp"
#include "assay/valuation/quality.hpp"

#include <algorithm>
#include <set>

namespace assay::app {

namespace {

constexpr std::uint64_t kNumbers = 1 << 16, kImages = 256; // samples read at a time

constexpr char const* kOutliers = "/truth/ood"; // in the training file and in the results

// Calls visit(begin, end) for [begin, end) in pieces
template <std::uint64_t kPiece = kNumbers, class Visit>
void in_pieces(std::uint64_t begin, std::uint64_t end, Visit visit) {
    for (std::uint64_t first = begin; first < end; first += kPiece)
        visit(first, std::min(end, first + kPiece));
}

// Different values of a column that is read piece by piece
template <class Read>
std::set<std::int64_t> different_values(std::uint64_t size, Read read) {
    std::set<std::int64_t> values;
    in_pieces(0, size, [&](std::uint64_t begin, std::uint64_t end) {
        auto const piece = read(begin, end);
        values.insert(piece.begin(), piece.end());
    });
    return values;
}

std::set<std::int64_t> different_labels(data::View const& view) {
    if (!view.info().has_labels)
        return {};
    return different_values(view.size(),
                            [&](std::uint64_t begin, std::uint64_t end) { return view.labels(begin, end); });
}

decltype(SampleFacts::quality) quality_of(job::Job const& job, data::View const& generated) {
    std::string const& wanted = job.valuation.quality;
    if (wanted == "none")
        return {};
    if (wanted == "column")
        return data::open_quality(generated).read;
    valuation::require_images(generated.dataset());
    auto* const score = wanted == "sharpness" ? &valuation::sharpness : &valuation::entropy;
    return [&generated, score](std::uint64_t first, std::uint64_t last) {
        std::vector<float> scores;
        in_pieces<kImages>(first, last, [&](std::uint64_t begin, std::uint64_t end) {
            std::vector<float> const piece = valuation::score_images(generated, score, begin, end);
            scores.insert(scores.end(), piece.begin(), piece.end());
        });
        return scores;
    };
}

template <class Array>
void check_array(comm::Communicator const& comm, data::View const& view, Array const& array) {
    if (!array)
        return;
    data::Slice const mine = data::my_slice(comm, view.size());
    comm::agree(comm, [&] {
        in_pieces(mine.begin, mine.end,
                  [&](std::uint64_t begin, std::uint64_t end) { array->read(begin, end); });
    });
}

} // namespace

SampleFacts open_facts(job::Job const& job, Sides const& sides) {
    job::ValuationData const& data = job.valuation_data;
    SampleFacts facts;
    if (!data.groups.empty())
        facts.groups = data::open_groups(sides.training, data.groups);
    if (!data.attributes.empty()) {
        facts.attributes = data::open_attributes(sides.training, data.attributes);
        facts.generated_attributes = data::open_attributes(sides.generated, data.attributes);
        if (facts.attributes->width != facts.generated_attributes->width)
            fail(Exit::data, "{} has {} attributes, {} has {} (they must be the same ones). Correct them",
                 facts.attributes->name, facts.attributes->width, facts.generated_attributes->name,
                 facts.generated_attributes->width);
    }
    if (data::has_sample_array(sides.training.dataset(), kOutliers))
        facts.outliers = data::open_flags(sides.training, kOutliers);
    facts.quality = quality_of(job, sides.generated);
    return facts;
}

void check_facts(comm::Communicator const& comm, Sides const& sides, SampleFacts const& facts) {
    check_array(comm, sides.training, facts.groups);
    check_array(comm, sides.training, facts.attributes);
    check_array(comm, sides.generated, facts.generated_attributes);
    check_array(comm, sides.training, facts.outliers);
    if (!facts.quality)
        return;
    data::Slice const mine = data::my_slice(comm, sides.generated.size());
    bool positive = sides.generated.size() == 0;
    comm::agree(comm, [&] {
        in_pieces(mine.begin, mine.end, [&](std::uint64_t begin, std::uint64_t end) {
            positive |= std::ranges::any_of(facts.quality(begin, end), [](float q) { return q > 0; });
        });
    });
    if (comm::all_max(comm, std::int64_t{positive}) == 0)
        throw comm::AgreedError(
            Exit::data,
            fmt::format("{}: the quality of every sample is 0 (none has credit to give). Correct it, or set "
                        "valuation.quality=\"none\"",
                        sides.generated.dataset().path().string()));
}

valuation::Extent extent_of(Sides const& sides, SampleFacts const& facts, std::int64_t stored_k) {
    valuation::Extent extent;
    extent.rows = sides.training.size();
    extent.generated = sides.generated.size();
    extent.stored_k = stored_k;
    extent.labels = different_labels(sides.training).size();
    extent.generated_labels = different_labels(sides.generated).size();
    if (facts.groups)
        extent.groups = different_values(sides.training.size(), facts.groups->read).size();
    if (facts.attributes)
        extent.attributes = facts.attributes->width;
    return extent;
}

void announce_facts(store::ResultLayout& layout, Sides const& sides, SampleFacts const& facts) {
    std::uint64_t const rows = sides.training.size(), generated = sides.generated.size();
    announce_samples(layout, "/samples", rows);
    announce_samples(layout, "/generated", generated);
    auto const add = [&](char const* path, hid_t type, store::Shape shape, char const* description) {
        layout.columns.push_back({path, type, std::move(shape), description, "1", ""});
    };
    hid_t const byte = store::native_type<std::uint8_t>();
    if (facts.groups)
        add(valuation::kTrainingGroups, store::native_type<std::int64_t>(), {rows}, "group");
    if (facts.attributes) {
        std::uint64_t const width = facts.attributes->width;
        add(valuation::kTrainingAttributes, byte, {rows, width}, "1: has the attribute");
        add(valuation::kGeneratedAttributes, byte, {generated, width}, "1: has the attribute");
    }
    if (facts.quality)
        add(valuation::kQuality, store::native_type<float>(), {generated},
            "weight of the generated sample, as given or scored");
    if (facts.outliers)
        add(kOutliers, byte, {rows}, "1: planted outlier; only the code that scores C3 reads it");
}

void write_facts(comm::Communicator const& comm, store::ResultFile& file, Sides const& sides,
                 SampleFacts const& facts) {
    std::uint64_t const rows = sides.training.size(), generated = sides.generated.size();
    write_samples(comm, file, "/samples", sides.training);
    write_samples(comm, file, "/generated", sides.generated);
    if (facts.groups)
        write_in_slices(comm, file, valuation::kTrainingGroups, rows, facts.groups->read);
    if (facts.attributes) {
        write_in_slices(comm, file, valuation::kTrainingAttributes, rows, facts.attributes->read);
        write_in_slices(comm, file, valuation::kGeneratedAttributes, generated,
                        facts.generated_attributes->read);
    }
    if (facts.quality)
        write_in_slices(comm, file, valuation::kQuality, generated, facts.quality);
    if (facts.outliers)
        write_in_slices(comm, file, kOutliers, rows, facts.outliers->read);
}

} // namespace assay::app
