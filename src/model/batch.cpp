#include "assay/model/batch.hpp"

#include "assay/base/error.hpp"
#include "assay/base/random.hpp"

namespace assay::model {

namespace {

// Share of labels that drop_labels() drops; 10 to 20 % is common in classifier-free guidance
constexpr double kNullShare = 0.1;

// A per-channel vector shaped to broadcast over [B, C, ...]
torch::Tensor per_channel(std::vector<double> const& values, torch::Tensor const& x) {
    if (x.dim() < 2 || static_cast<std::int64_t>(values.size()) != x.size(1))
        fail(Exit::data,
             "dataset.mean and dataset.deviation have {} entries (samples have {} channels). Give one per "
             "channel",
             values.size(), x.dim() < 2 ? 1 : x.size(1));
    std::vector<std::int64_t> shape(static_cast<std::size_t>(x.dim()), 1);
    shape[1] = x.size(1);
    return torch::tensor(values, torch::kFloat32).reshape(shape).to(x.device());
}

} // namespace

Batch to_batch(data::Samples const& samples, data::DatasetInfo const& info,
               Normalisation const& normalisation, std::size_t begin, std::size_t end, torch::Device device) {
    std::vector<std::int64_t> shape(info.sample_shape.begin(), info.sample_shape.end());
    shape.insert(shape.begin(), static_cast<std::int64_t>(end - begin));
    bool const bytes = info.type == data::SampleType::uint8;
    auto* const first = const_cast<std::byte*>(samples.values.data()) + begin * info.sample_bytes();
    Batch batch;
    batch.ids.assign(samples.ids.begin() + static_cast<std::ptrdiff_t>(begin),
                     samples.ids.begin() + static_cast<std::ptrdiff_t>(end));
    torch::Tensor const stored = torch::from_blob(first, shape, bytes ? torch::kUInt8 : torch::kFloat32);
    batch.x = stored.to(device, torch::kFloat32, /*non_blocking=*/false, /*copy=*/true);
    if (bytes)
        batch.x.div_(255);
    if (!normalisation.mean.empty())
        batch.x.sub_(per_channel(normalisation.mean, batch.x))
            .div_(per_channel(normalisation.deviation, batch.x));
    if (!samples.labels.empty())
        batch.y = torch::from_blob(const_cast<std::int64_t*>(samples.labels.data()) + begin,
                                   {static_cast<std::int64_t>(end - begin)}, torch::kInt64)
                      .to(device, torch::kInt64, false, true);
    return batch;
}

void append(std::vector<float>& values, torch::Tensor const& tensor) {
    torch::Tensor const host = tensor.detach().to(torch::kCPU, torch::kFloat32).contiguous();
    values.insert(values.end(), host.data_ptr<float>(), host.data_ptr<float>() + host.numel());
}

torch::Tensor augment(torch::Tensor const& x, std::vector<std::uint64_t> const& ids, std::uint64_t seed,
                      std::uint64_t draw) {
    constexpr std::int64_t kShift = 2;
    std::int64_t const count = x.size(0), channels = x.size(1), height = x.size(2), width = x.size(3);
    // Source row and column of every output pixel in the image padded by kShift
    torch::Tensor rows = torch::empty({count, height}, torch::kInt64);
    torch::Tensor columns = torch::empty({count, width}, torch::kInt64);
    auto row = rows.accessor<std::int64_t, 2>();
    auto column = columns.accessor<std::int64_t, 2>();
    for (std::int64_t i = 0; i < count; ++i) {
        Random random(mix64(seed) ^ draw, "augment", ids[static_cast<std::size_t>(i)]);
        auto const down = static_cast<std::int64_t>(random.below(2 * kShift + 1));
        auto const right = static_cast<std::int64_t>(random.below(2 * kShift + 1));
        bool const mirror = random.below(2) == 1;
        for (std::int64_t h = 0; h < height; ++h)
            row[i][h] = h + down;
        for (std::int64_t w = 0; w < width; ++w)
            column[i][w] = right + (mirror ? width - 1 - w : w);
    }
    auto const device = x.device();
    torch::Tensor const padded = torch::constant_pad_nd(x, {kShift, kShift, kShift, kShift}, 0);
    return padded.index({torch::arange(count).reshape({-1, 1, 1, 1}).to(device),
                         torch::arange(channels).reshape({1, -1, 1, 1}).to(device),
                         rows.reshape({count, 1, height, 1}).to(device),
                         columns.reshape({count, 1, 1, width}).to(device)});
}

torch::Tensor keyed_normals(std::vector<std::uint64_t> const& ids, torch::IntArrayRef shape,
                            std::uint64_t seed, std::string_view purpose, torch::Device device) {
    std::vector<std::int64_t> sizes(shape.begin(), shape.end());
    sizes.insert(sizes.begin(), static_cast<std::int64_t>(ids.size()));
    torch::Tensor const normals = torch::empty(sizes);
    float* next = normals.data_ptr<float>();
    std::int64_t const each = ids.empty() ? 0 : normals.numel() / normals.size(0);
    for (std::uint64_t id : ids) {
        Random random(seed, purpose, id);
        for (std::int64_t i = 0; i < each; ++i)
            *next++ = static_cast<float>(random.normal());
    }
    return normals.to(device);
}

torch::Tensor drop_labels(Batch const& batch, std::uint64_t draws) {
    std::vector<std::int64_t> dropped;
    for (std::uint64_t id : batch.ids)
        dropped.push_back(Random(draws, "drop label", id).uniform() < kNullShare);
    return batch.y.masked_fill(torch::tensor(dropped, torch::kInt64).to(torch::kBool).to(batch.y.device()),
                               kNullLabel);
}

torch::Tensor condition(torch::Tensor const& label, std::int64_t classes) {
    return torch::where(label < 0, classes, label);
}

} // namespace assay::model
