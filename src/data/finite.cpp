#include "data/finite.hpp"

#include <cmath>
#include <cstring>

namespace assay::data {

std::optional<NotFinite> first_not_finite(std::span<std::byte const> bytes) {
    for (std::size_t i = 0; i < bytes.size() / sizeof(float); ++i) {
        float value = 0;
        std::memcpy(&value, bytes.data() + i * sizeof value, sizeof value);
        if (!std::isfinite(value))
            return NotFinite{i, value};
    }
    return std::nullopt;
}

} // namespace assay::data
