// Part of the test program assay_faulty: with ASSAY_SLOW_WRITES=MILLISECONDS each write() to a file of the
// disk goes out in small pieces with that delay before each, as over a slow network. A kill then finds half
// of a write done. These definitions take the place of libc's for all libraries of the program.
#include <algorithm>
#include <cstdlib>

#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

namespace {

constexpr std::size_t kPiece = 250; // ends in the middle of a value

bool is_slow(int file) {
    static bool const asked = std::getenv("ASSAY_SLOW_WRITES") != nullptr;
    struct stat status = {};
    return asked && ::fstat(file, &status) == 0 && S_ISREG(status.st_mode);
}

// Calls write_piece(data, size, bytes done so far) until all is written or a piece fails
template <class WritePiece>
ssize_t in_pieces(void const* data, std::size_t size, WritePiece write_piece) {
    static int const delay = std::atoi(std::getenv("ASSAY_SLOW_WRITES"));
    std::size_t done = 0;
    do {
        ::usleep(static_cast<useconds_t>(1000 * delay));
        ssize_t const n =
            write_piece(static_cast<char const*>(data) + done, std::min(kPiece, size - done), done);
        if (n < 0)
            return done > 0 ? static_cast<ssize_t>(done) : -1;
        done += static_cast<std::size_t>(n);
    } while (done < size);
    return static_cast<ssize_t>(done);
}

} // namespace

extern "C" {

ssize_t write(int file, void const* data, size_t size) {
    auto const raw = [file](void const* piece, std::size_t bytes, std::size_t) -> ssize_t {
        return ::syscall(SYS_write, file, piece, bytes);
    };
    return is_slow(file) ? in_pieces(data, size, raw) : raw(data, size, 0);
}

ssize_t pwrite64(int file, void const* data, size_t size, off64_t offset) {
    auto const raw = [=](void const* piece, std::size_t bytes, std::size_t done) -> ssize_t {
        return ::syscall(SYS_pwrite64, file, piece, bytes, offset + static_cast<off64_t>(done));
    };
    return is_slow(file) ? in_pieces(data, size, raw) : raw(data, size, 0);
}

ssize_t pwrite(int file, void const* data, size_t size, off_t offset) {
    return pwrite64(file, data, size, offset);
}

// One buffer only, when slow: a short count is what callers must expect anyway
ssize_t writev(int file, iovec const* buffers, int count) {
    return is_slow(file) && count > 0 ? write(file, buffers->iov_base, buffers->iov_len)
                                      : ::syscall(SYS_writev, file, buffers, count);
}

ssize_t pwritev64(int file, iovec const* buffers, int count, off64_t offset) {
    return is_slow(file) && count > 0 ? pwrite64(file, buffers->iov_base, buffers->iov_len, offset)
                                      : ::syscall(SYS_pwritev, file, buffers, count, offset, 0);
}

ssize_t pwritev(int file, iovec const* buffers, int count, off_t offset) {
    return pwritev64(file, buffers, count, offset);
}
}
