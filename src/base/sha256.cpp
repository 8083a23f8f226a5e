#include "assay/base/sha256.hpp"

#include "assay/base/error.hpp"

#include <openssl/evp.h>

#include <algorithm>
#include <array>
#include <fstream>
#include <memory>
#include <vector>

namespace assay {

namespace {

class Digest {
  public:
    Digest() { EVP_DigestInit_ex(context_.get(), EVP_sha256(), nullptr); }
    void add(void const* bytes, std::size_t count) { EVP_DigestUpdate(context_.get(), bytes, count); }
    std::string hex() {
        std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
        unsigned size = 0;
        EVP_DigestFinal_ex(context_.get(), digest.data(), &size);
        return fmt::format("{:02x}", fmt::join(digest.begin(), digest.begin() + size, ""));
    }

  private:
    std::unique_ptr<EVP_MD_CTX, void (*)(EVP_MD_CTX*)> context_{EVP_MD_CTX_new(), EVP_MD_CTX_free};
};

} // namespace

std::string sha256_file(std::filesystem::path const& path, std::uint64_t begin, std::uint64_t end) {
    std::ifstream file(path, std::ios::binary);
    file.seekg(static_cast<std::streamoff>(begin));
    Digest digest;
    std::vector<char> piece(1 << 20);
    while (file && begin < end) {
        file.read(piece.data(),
                  static_cast<std::streamsize>(std::min<std::uint64_t>(piece.size(), end - begin)));
        digest.add(piece.data(), static_cast<std::size_t>(file.gcount()));
        begin += static_cast<std::uint64_t>(file.gcount());
    }
    if (!file && !file.eof())
        fail(Exit::io, "{}: cannot be read (needed for its SHA-256). Check that it exists and is readable",
             path.string());
    return digest.hex();
}

std::string sha256(std::string_view bytes) {
    Digest digest;
    digest.add(bytes.data(), bytes.size());
    return digest.hex();
}

} // namespace assay
