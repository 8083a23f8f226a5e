// Runs on any number of ranks (support/mpi_main.cpp)
#include "assay/data/choose.hpp"

#include "assay/base/random.hpp"
#include "data/part_fixtures.hpp"
#include "support/world.hpp"

#include <set>

namespace assay::data {
namespace {

using assay::test::SharedFolder;
using assay::test::world;
using Ids = std::vector<std::uint64_t>;

// Each rank opens the file that root wrote
Dataset with_ids(SharedFolder const& folder, Ids const& ids) {
    if (world().is_root())
        test::write_part(folder / "d.h5", ids, std::vector<std::int64_t>(ids.size(), 0));
    world().barrier();
    return Dataset(folder / "d.h5");
}

Ids random_ids(std::size_t count) {
    Ids ids(count);
    for (std::size_t i = 0; i < count; ++i)
        ids[i] = mix64(i); // a bijection
    return ids;
}

// The same from the whole list of ids in memory
Ids naive_choice(Ids const& ids, Ids const& among, std::uint64_t seed, std::size_t begin, std::size_t end) {
    Ids of_rows;
    for (std::uint64_t row : among)
        of_rows.push_back(ids[row]);
    std::vector<std::size_t> const order = keyed_order(of_rows, seed);
    Ids rows;
    for (std::size_t place = begin; place < end; ++place)
        rows.push_back(among[order[place]]);
    std::ranges::sort(rows);
    return rows;
}

Ids list(Rows const& rows) {
    return rows.between(0, rows.size());
}

TEST(MySlice, SharesAllRowsOutInOrder) {
    for (std::uint64_t size : {0, 1, 63, 64, 65, 1000}) {
        Slice const mine = my_slice(world(), size);
        EXPECT_TRUE(mine.begin % 64 == 0 || mine.begin == size);
        Ids const ends = comm::all_gather<std::uint64_t>(world(), std::array{mine.begin, mine.end});
        EXPECT_EQ(ends.front(), 0U);
        EXPECT_EQ(ends.back(), size);
        for (std::size_t i = 1; i + 1 < ends.size(); i += 2)
            EXPECT_EQ(ends[i], ends[i + 1]);
    }
}

TEST(ChooseRows, TakesPlacesOfTheKeyedOrder) {
    SharedFolder const folder;
    Ids const ids = random_ids(1000);
    Dataset const dataset = with_ids(folder, ids);
    Ids all(1000);
    std::iota(all.begin(), all.end(), 0U);
    for (std::uint64_t seed : {1U, 2U})
        for (auto const& [begin, end] : {std::pair(0, 1), std::pair(0, 400), std::pair(400, 1000),
                                         std::pair(999, 1000), std::pair(3, 3), std::pair(0, 1000)})
            EXPECT_EQ(list(choose_rows(world(), dataset, Rows::all(1000), seed, begin, end)),
                      naive_choice(ids, all, seed, begin, end))
                << begin << " " << end;
}

TEST(ChooseRows, AmongAChoiceTakesOnlyFromIt) {
    SharedFolder const folder;
    Ids const ids = random_ids(700);
    Dataset const dataset = with_ids(folder, ids);
    Rows const half = choose_rows(world(), dataset, Rows::all(700), 1, 0, 350);
    EXPECT_EQ(list(choose_rows(world(), dataset, half, 2, 20, 120)),
              naive_choice(ids, list(half), 2, 20, 120));
}

TEST(CheckUniqueIds, NamesTheSmallestIdAndItsFirstRows) {
    SharedFolder const folder;
    Ids ids = random_ids(500);
    EXPECT_NO_THROW(check_unique_ids(world(), with_ids(folder, ids)));
    world().barrier();
    ids[499] = ids[20] = 9;
    ids[300] = ids[130] = ids[450] = 8;
    test::expect_in(test::error_of(Exit::data, [&] { check_unique_ids(world(), with_ids(folder, ids)); }),
                    {"d.h5", "/ids has 8 ", "rows 130 and 300"});
}

TEST(CheckUniqueIds, AFileWithoutIdsHasUniqueOnes) {
    SharedFolder const folder;
    if (world().is_root()) {
        DatasetWriter writer(folder / "bare.h5", {2, {1}, SampleType::uint8, "NC", false}, true);
        writer.append(std::vector<std::byte>(2), {});
        writer.finish();
    }
    world().barrier();
    EXPECT_NO_THROW(check_unique_ids(world(), Dataset(folder / "bare.h5")));
}

} // namespace
} // namespace assay::data
