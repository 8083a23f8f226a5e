// torch 1.13 does not tell a GPU's UUID, and a build without CUDA has no headers to ask with. The driver's
// library is loaded by name instead, so that one build serves nodes with and without GPUs. The four calls are
// declared here as cuda.h declares them.
#include "assay/base/gpus.hpp"

#include <spdlog/fmt/fmt.h>

#include <array>

#include <dlfcn.h>

namespace assay {

namespace {

using Bytes = std::array<unsigned char, 16>; // CUuuid

struct Driver {
    int (*init)(unsigned flags) = nullptr;
    int (*count)(int* devices) = nullptr;
    int (*device)(int* handle, int ordinal) = nullptr;
    int (*uuid)(Bytes* bytes, int handle) = nullptr;
    bool complete() const { return init && count && device && uuid; }
};

template <class Function>
void load(void* library, char const* name, Function& function) {
    if (void* const symbol = dlsym(library, name))
        function = reinterpret_cast<Function>(symbol);
}

Driver load_driver() {
    Driver driver;
    void* const library = dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL); // never closed: torch uses it too
    if (!library)
        return driver;
    load(library, "cuInit", driver.init);
    load(library, "cuDeviceGetCount", driver.count);
    load(library, "cuDeviceGet", driver.device);
    load(library, "cuDeviceGetUuid", driver.uuid);
    load(library, "cuDeviceGetUuid_v2", driver.uuid); // since 11.4; tells MIG instances apart
    return driver;
}

std::string text(Bytes const& bytes) {
    std::string text = "GPU";
    for (std::size_t i = 0; i < bytes.size(); ++i)
        text += fmt::format("{}{:02x}", i == 0 || i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "", bytes[i]);
    return text;
}

} // namespace

std::vector<std::string> gpu_uuids() {
    Driver const driver = load_driver();
    int devices = 0;
    if (!driver.complete() || driver.init(0) != 0 || driver.count(&devices) != 0)
        return {};
    std::vector<std::string> uuids;
    for (int ordinal = 0; ordinal < devices; ++ordinal) {
        int handle = 0;
        Bytes bytes{};
        if (driver.device(&handle, ordinal) != 0 || driver.uuid(&bytes, handle) != 0)
            return {};
        uuids.push_back(text(bytes));
    }
    return uuids;
}

} // namespace assay
