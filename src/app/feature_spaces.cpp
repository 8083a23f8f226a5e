#include "app/feature_spaces.hpp"

#include "app/feature_pass.hpp"

#include "assay/store/array.hpp"
#include "assay/valuation/distance.hpp"
#include "assay/valuation/given_features.hpp"
#include "assay/valuation/training_rows.hpp"

#include <cmath>

namespace assay::app {

namespace {

using valuation::FeatureMatrix;

// Rows scaled to length 1, where the job wants that
FeatureMatrix prepared(FeatureMatrix matrix, job::Features const& features) {
    if (features.normalise == "none")
        return matrix;
    matrix.read = [read = matrix.read, width = matrix.width](std::uint64_t begin, std::uint64_t count,
                                                             std::span<float> out) {
        read(begin, count, out);
        for (std::uint64_t i = 0; i < count; ++i) {
            std::span<float> const row = out.subspan(i * width, width);
            double const norm = std::sqrt(valuation::squared_norm(row));
            for (float& value : row)
                value = static_cast<float>(value / norm);
        }
    };
    return matrix;
}

// Local. A column of the features file, which every rank opens for itself
FeatureMatrix column(std::filesystem::path const& path, std::string const& name) {
    auto const array =
        std::make_shared<store::Handle const>(store::open_array(store::open_to_read(path), path, name));
    store::Shape const shape = store::shape_of(*array);
    return {fmt::format("{}: {}", path.string(), name), shape.at(0), shape.at(1),
            [array](std::uint64_t begin, std::uint64_t count, std::span<float> out) {
                store::read_rows(*array, begin, count, store::native_type<float>(), out.data());
            }};
}

FeatureMatrix given(std::string const& key, std::string const& address, data::View const& view,
                    job::Job const& job) {
    return valuation::given_features(valuation::parse_array_address("features." + key, address), view,
                                     row_check(job));
}

// Local
FeatureSpace computed_space(JobRun const& run, Sides const& sides, std::string const& group) {
    auto const part = [&](char const* name) { return column(run.files.features(), group + "/" + name); };
    FeatureSpace space{part("training"), part("generated"), {}};
    if (sides.held_out)
        space.held_out = part("held_out");
    return space;
}

// Local
FeatureSpace space_of(JobRun const& run, Sides const& sides, std::string const& kind, bool second) {
    job::Features const& features = run.job.features;
    if (kind == "pixels")
        return pixel_space(sides, row_check(run.job));
    if (is_computed(kind))
        return computed_space(run, sides, second ? kSecondSpace : kFirstSpace);
    if (second)
        return {given("second_training", features.second_training, sides.training, run.job),
                given("second_generated", features.second_generated, sides.generated, run.job),
                {}};
    FeatureSpace space{given("given_training", features.given_training, sides.training, run.job),
                       given("given_generated", features.given_generated, sides.generated, run.job),
                       {}};
    if (sides.held_out)
        space.held_out = given("given_held_out", features.given_held_out, *sides.held_out, run.job);
    return space;
}

// Collective. Looks at every row as the search will; returns the width
std::uint64_t check_rows(JobRun const& run, FeatureSpace const& space) {
    valuation::Distance const distance = valuation::distance_named(run.job.valuation.distance);
    valuation::Storage const storage = valuation::storage_named(run.job.features.storage);
    comm::agree(run.comm, [&] {
        auto const check = [&](FeatureMatrix const& matrix) {
            valuation::require_same_width(space.training, matrix);
            data::Slice const mine = data::my_slice(run.comm, matrix.rows);
            valuation::check_features(prepared(matrix, run.job.features), mine.begin, mine.end,
                                      [&](std::span<float> row, std::uint64_t number) {
                                          valuation::make_comparable(row, distance, storage, matrix.name,
                                                                     number);
                                      });
        };
        check(space.training);
        check(space.generated);
        if (space.held_out)
            check(*space.held_out);
    });
    return space.training.width;
}

// Collective
std::uint64_t check_space(JobRun const& run, Sides const& sides, std::string const& kind, bool second) {
    if (kind == "none")
        return 0;
    if (is_computed(kind))
        return check_computed(run, sides, second);
    // Bytes are comparable in any case
    if (kind == "pixels" && sides.training.info().type == data::SampleType::uint8 &&
        row_check(run.job) == valuation::RowCheck::finite)
        return sides.training.info().sample_elements();
    return check_rows(run, comm::agree(run.comm, [&] { return space_of(run, sides, kind, second); }));
}

FeatureSpace prepared(FeatureSpace space, job::Features const& features) {
    for (FeatureMatrix* matrix : {&space.training, &space.generated})
        *matrix = prepared(*matrix, features);
    if (space.held_out)
        space.held_out = prepared(*space.held_out, features);
    return space;
}

} // namespace

valuation::RowCheck row_check(job::Job const& job) {
    return job.features.normalise == "l2" || job.valuation.distance == "cosine"
               ? valuation::RowCheck::direction
               : valuation::RowCheck::finite;
}

FeatureSpace pixel_space(Sides const& sides, valuation::RowCheck check) {
    auto const matrix = [check](data::View const& view) { return valuation::data_set_pixels(view, check); };
    FeatureSpace space{matrix(sides.training), matrix(sides.generated), {}};
    if (sides.held_out)
        space.held_out = matrix(*sides.held_out);
    return space;
}

void add_feature_inputs(JobRun const& run, Inputs& inputs) {
    job::Features const& features = run.job.features;
    auto const add = [&](std::string const& name, std::string const& path) {
        inputs.push_back(hash_input(run.comm, name + "_sha256", name + " file", path));
    };
    auto const file_of = [](std::string const& address) { return address.substr(0, address.find(":/")); };
    add("features_model", features.model);
    add("second_model", features.second_model);
    add("given_training", file_of(features.given_training));
    add("given_generated", file_of(features.given_generated));
    add("given_held_out", file_of(features.given_held_out));
    add("second_training", file_of(features.second_training));
    add("second_generated", file_of(features.second_generated));
}

Widths check_feature_spaces(JobRun const& run, Sides const& sides) {
    return {check_space(run, sides, run.job.features.space, false),
            check_space(run, sides, run.job.features.second, true)};
}

FeatureSpaces make_feature_spaces(JobRun const& run, Sides const& sides, Inputs const& inputs) {
    job::Features const& features = run.job.features;
    if (is_computed(features.space) || is_computed(features.second))
        compute_features(run, sides, inputs);
    auto const make = [&](std::string const& kind, bool second) {
        return prepared(comm::agree(run.comm, [&] { return space_of(run, sides, kind, second); }), features);
    };
    FeatureSpaces spaces{make(features.space, false), {}};
    if (features.second != "none")
        spaces.second = make(features.second, true);
    return spaces;
}

} // namespace assay::app
