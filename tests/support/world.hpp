//! What tests that run on several ranks share: the communicator of the launch, and a folder all ranks see.
#pragma once

#include "assay/comm/collectives.hpp"
#include "assay/comm/communicator.hpp"

#include <cstdlib>
#include <filesystem>
#include <stdexcept>
#include <string>

namespace assay::test {

//! All ranks of this launch; serial where the test program was started without a launcher (mpi_main.cpp).
comm::Communicator const& world();

//! A fresh folder, the same on all ranks; construction and destruction are collective.
class SharedFolder {
  public:
    SharedFolder() {
        std::string name = (std::filesystem::temp_directory_path() / "assay-test-XXXXXX").string();
        if (world().is_root() && !mkdtemp(name.data()))
            throw std::runtime_error("no temporary folder");
        path_ = comm::broadcast(world(), name);
    }
    ~SharedFolder() {
        world().barrier();
        if (world().is_root())
            std::filesystem::remove_all(path_);
    }
    SharedFolder(SharedFolder const&) = delete;
    SharedFolder& operator=(SharedFolder const&) = delete;
    std::filesystem::path operator/(std::filesystem::path const& name) const { return path_ / name; }

  private:
    std::filesystem::path path_;
};

} // namespace assay::test
