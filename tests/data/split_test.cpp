#include "assay/data/split.hpp"

#include "data/part_fixtures.hpp"

#include <algorithm>
#include <map>
#include <set>

using namespace assay;
using namespace assay::data;
using namespace assay::data::test;

namespace {

using Ids = std::vector<std::uint64_t>;

// Ids first, first + 3, ...; the label of an id is a function of the id
Ids some_ids(std::size_t count, std::uint64_t first = 1000) {
    Ids ids(count);
    for (std::size_t i = 0; i < count; ++i)
        ids[i] = first + 3 * i;
    return ids;
}

std::vector<std::int64_t> clean_labels(Ids const& ids) {
    std::vector<std::int64_t> labels;
    for (auto id : ids)
        labels.push_back(static_cast<std::int64_t>(id % 5));
    return labels;
}

void write(fs::path const& path, Ids const& ids) {
    write_part(path, ids, clean_labels(ids));
}

job::Job training_job(fs::path const& suspects, double usage_fraction = 0.5) {
    job::Job job;
    job.job.seed = 7;
    job.dataset.suspects = suspects.string();
    job.train.network = "mlp";
    job.train.usage_fraction = usage_fraction;
    return job;
}

// A job whose parts all come from one file
job::Job one_file_job(fs::path const& path) {
    job::Job job = training_job(path);
    job.dataset.held_out = job.train.filler = path.string();
    job.dataset.suspect_count = 40;
    job.dataset.held_out_count = 30;
    job.train.set_size = 45;
    return job;
}

std::set<std::uint64_t> as_set(View const& view) {
    Ids const ids = ids_of(view);
    return {ids.begin(), ids.end()};
}

bool contains(View const& large, View const& small) {
    return std::ranges::includes(as_set(large), as_set(small));
}

} // namespace

TEST(Split, PartsOfOneFileAreDisjoint) {
    TempDir const dir;
    write(dir / "d.h5", some_ids(100));
    fs::create_symlink(dir / "d.h5", dir / "link.h5");
    job::Job job = one_file_job(dir / "d.h5");
    job.dataset.held_out = (dir / "." / "d.h5").string(); // other names of the same file
    job.train.filler = (dir / "link.h5").string();
    Split const split = make_split({}, job);
    ASSERT_EQ(split.suspects.size(), 40U);
    ASSERT_EQ(split.held_out->size(), 30U);
    ASSERT_EQ(split.members.size(), 20U);
    ASSERT_EQ(split.filler.size(), 25U);
    std::set<std::uint64_t> all = as_set(split.suspects);
    all.merge(as_set(*split.held_out));
    all.merge(as_set(split.filler));
    EXPECT_EQ(all.size(), 40U + 30U + 25U);
    for (View const* view : {&split.suspects, &*split.held_out, &split.members, &split.filler})
        EXPECT_TRUE(std::ranges::is_sorted(view->rows().between(0, view->size())));
    EXPECT_EQ(split.classes, 5);
}

TEST(Split, MembersAreTheMarkedSuspects) {
    TempDir const dir;
    write(dir / "d.h5", some_ids(100));
    Split const split = make_split({}, one_file_job(dir / "d.h5"));
    std::vector<std::uint8_t> const member = membership(split, split.members, 0, split.suspects.size());
    ASSERT_EQ(member.size(), split.suspects.size());
    EXPECT_EQ(membership(split, split.members, 3, 9),
              std::vector<std::uint8_t>(member.begin() + 3, member.begin() + 9));
    Ids marked;
    for (std::size_t i = 0; i < member.size(); ++i)
        if (member[i])
            marked.push_back(ids_of(split.suspects)[i]);
    EXPECT_EQ(marked, ids_of(split.members));
}

TEST(Split, SmallerPartsLieInLargerOnes) {
    TempDir const dir;
    write(dir / "d.h5", some_ids(100));
    write(dir / "other.h5", some_ids(100, 5000));
    job::Job large = training_job(dir / "d.h5", 0.75);
    large.dataset.held_out = (dir / "other.h5").string();
    large.dataset.suspect_count = 60;
    large.dataset.held_out_count = 50;
    job::Job small = large;
    small.dataset.suspect_count = 20;
    small.dataset.held_out_count = 10;
    Split const many = make_split({}, large), few = make_split({}, small);
    EXPECT_TRUE(contains(many.suspects, few.suspects));
    EXPECT_TRUE(contains(*many.held_out, *few.held_out));
    small = large;
    small.train.usage_fraction = 0.25;
    EXPECT_TRUE(contains(many.members, make_split({}, small).members));
}

TEST(Split, FollowsTheSeed) {
    TempDir const dir;
    write(dir / "d.h5", some_ids(100));
    job::Job job = one_file_job(dir / "d.h5");
    Split const first = make_split({}, job), again = make_split({}, job);
    EXPECT_EQ(ids_of(first.suspects), ids_of(again.suspects));
    EXPECT_EQ(ids_of(*first.held_out), ids_of(*again.held_out));
    EXPECT_EQ(ids_of(first.members), ids_of(again.members));
    EXPECT_EQ(ids_of(first.filler), ids_of(again.filler));
    job.job.seed = 8;
    Split const other = make_split({}, job);
    EXPECT_NE(ids_of(first.suspects), ids_of(other.suspects));
    EXPECT_NE(ids_of(first.members), ids_of(other.members));
}

TEST(Split, SelectsByIdNotByRow) {
    TempDir const dir;
    Ids ids = some_ids(100);
    write(dir / "d.h5", ids);
    for (std::size_t i = 0; i < 50; ++i)
        std::swap(ids[i], ids[99 - (37 * i) % 50]);
    write(dir / "shuffled.h5", ids);
    job::Job job = one_file_job(dir / "d.h5"), shuffled = one_file_job(dir / "shuffled.h5");
    job.dataset.label_noise = shuffled.dataset.label_noise = 0.4;
    Split const a = make_split({}, job), b = make_split({}, shuffled);
    EXPECT_NE(ids_of(a.suspects), ids_of(b.suspects)); // the order of rows is another
    EXPECT_EQ(as_set(a.suspects), as_set(b.suspects));
    EXPECT_EQ(as_set(*a.held_out), as_set(*b.held_out));
    EXPECT_EQ(as_set(a.members), as_set(b.members));
    EXPECT_EQ(as_set(a.filler), as_set(b.filler));
    std::map<std::uint64_t, std::int64_t> label;
    for (std::size_t i = 0; i < a.suspects.size(); ++i)
        label[ids_of(a.suspects)[i]] = labels_of(a.suspects)[i];
    for (std::size_t i = 0; i < b.suspects.size(); ++i)
        EXPECT_EQ(label[ids_of(b.suspects)[i]], labels_of(b.suspects)[i]);
}

TEST(Split, UsesTheRoundedShareOfTheSuspects) {
    TempDir const dir;
    write(dir / "d.h5", some_ids(10));
    write(dir / "filler.h5", some_ids(20, 9000));
    struct Case {
        double fraction;
        std::size_t members;
    };
    for (auto const [fraction, members] : {Case{0, 0}, Case{0.04, 0}, Case{0.06, 1}, Case{0.24, 2},
                                           Case{0.25, 3}, Case{0.5, 5}, Case{1, 10}}) {
        job::Job job = training_job(dir / "d.h5", fraction);
        job.train.filler = (dir / "filler.h5").string();
        Split const split = make_split({}, job);
        EXPECT_EQ(split.members.size(), members) << fraction;
        EXPECT_EQ(std::ranges::count(membership(split, split.members, 0, 10), 1), static_cast<long>(members));
        EXPECT_EQ(split.filler.size(), 10 - members) << fraction; // as many as suspects altogether
    }
}

TEST(Split, MembershipIsUnrelatedToTheDeal) {
    TempDir const dir;
    write(dir / "d.h5", some_ids(400));
    job::Job job = training_job(dir / "d.h5");
    job.dataset.suspect_count = 200;
    std::set<std::uint64_t> const early = as_set(make_split({}, job).suspects);
    job.dataset.suspect_count = 400;
    Split const split = make_split({}, job);
    auto const both =
        std::ranges::count_if(ids_of(split.members), [&](auto id) { return early.contains(id); });
    EXPECT_NEAR(static_cast<double>(both), 100, 25); // 5 sd of the hypergeometric distribution
}

TEST(Split, TrainingSetHasTheSizeAskedFor) {
    TempDir const dir;
    write(dir / "d.h5", some_ids(20));
    write(dir / "filler.h5", some_ids(100, 9000));
    job::Job job = training_job(dir / "d.h5");
    EXPECT_EQ(make_split({}, job).filler.size(), 0U); // no filler is named
    job.train.filler = (dir / "filler.h5").string();
    job.train.set_size = 70;
    Split const split = make_split({}, job);
    EXPECT_EQ(split.members.size() + split.filler.size(), 70U);
    job.train.set_size = 10;
    EXPECT_EQ(make_split({}, job).filler.size(), 0U); // the members are enough
}

TEST(Split, WithoutTrainingHasNoTruth) {
    TempDir const dir;
    write(dir / "d.h5", some_ids(20));
    job::Job job;
    job.dataset.suspects = (dir / "d.h5").string();
    job.model.file = "model.pt";
    job.train.filler = (dir / "missing.h5").string(); // of no interest
    Split const split = make_split({}, job);
    EXPECT_EQ(split.suspects.size(), 20U);
    EXPECT_EQ(split.members.size() + split.filler.size(), 0U);
    EXPECT_FALSE(split.held_out.has_value());
}

TEST(Split, EveryViewSeesTheSameNoise) {
    TempDir const dir;
    write(dir / "d.h5", some_ids(2000));
    job::Job job = training_job(dir / "d.h5");
    job.dataset.label_noise = 0.3;
    Split const split = make_split({}, job);
    auto const ids = ids_of(split.suspects);
    auto const labels = labels_of(split.suspects), clean = clean_labels(ids);
    std::map<std::uint64_t, std::int64_t> noisy;
    double changed = 0;
    for (std::size_t i = 0; i < ids.size(); ++i) {
        noisy[ids[i]] = labels[i];
        changed += labels[i] != clean[i];
    }
    EXPECT_NEAR(changed / 2000, 0.3, 0.051); // 5 sd of a binomial share
    auto const expect_same_noise = [&](View const& view) {
        auto const view_ids = ids_of(view);
        auto const view_labels = labels_of(view);
        for (std::size_t i = 0; i < view_ids.size(); ++i)
            EXPECT_EQ(view_labels[i], noisy[view_ids[i]]);
    };
    expect_same_noise(split.members);
    job.dataset.held_out = job.dataset.suspects; // the same ids in another part
    job.dataset.suspect_count = 500;
    expect_same_noise(*make_split({}, job).held_out);
}

TEST(Split, RefusesToDealMoreThanThereIs) {
    TempDir const dir;
    write(dir / "d.h5", some_ids(50));
    auto const refused = [&](job::Job const& job) {
        return error_of(Exit::usage, [&] { make_split({}, job); });
    };
    job::Job job = training_job(dir / "d.h5");
    job.dataset.suspect_count = 51;
    expect_in(refused(job), {"dataset.suspect_count", "51", "d.h5", "50"});
    job = training_job(dir / "d.h5");
    job.dataset.held_out = job.dataset.suspects;
    expect_in(refused(job), {"dataset.held_out_count", "d.h5", "all its 50"}); // the suspects took all
    job.dataset.suspect_count = 30;
    job.dataset.held_out_count = 21;
    expect_in(refused(job), {"dataset.held_out_count", "21", "d.h5", "20"});
    job.dataset.held_out_count = 10;
    job.train.filler = job.dataset.suspects;
    job.train.set_size = 26; // 15 members, 11 of the remaining 10
    expect_in(refused(job), {"model.train.set_size", "11", "d.h5", "10"});
    job.train.set_size = 14;
    expect_in(refused(job), {"model.train.set_size=14", "15 suspects"});
}

TEST(Split, RefusesFilesThatDoNotFitTogether) {
    TempDir const dir;
    Ids const ids = some_ids(20);
    write(dir / "d.h5", ids);
    auto const refused = [&](char const* held_out, char const* filler) {
        job::Job job = training_job(dir / "d.h5");
        job.dataset.held_out = *held_out ? (dir / held_out).string() : "";
        job.train.filler = *filler ? (dir / filler).string() : "";
        return error_of(Exit::data, [&] { make_split({}, job); });
    };
    DatasetInfo wide = kPartInfo, bytes = kPartInfo;
    wide.sample_shape = {1, 2, 3};
    bytes.type = SampleType::uint8;
    write_part(dir / "wide.h5", ids, clean_labels(ids), wide);
    write_part(dir / "bytes.h5", ids, clean_labels(ids), bytes);
    write_part(dir / "bare.h5", ids, {});
    expect_in(refused("wide.h5", ""), {"wide.h5", "1x2x3", "d.h5", "1x2x2"});
    expect_in(refused("", "wide.h5"), {"wide.h5", "1x2x3"});
    expect_in(refused("bytes.h5", ""), {"bytes.h5", "d.h5", "type"});
    expect_in(refused("bare.h5", ""), {"bare.h5", "/labels"});
    expect_in(refused("missing.h5", ""), {"missing.h5"});
}

// A held-out set imported without one of the classes has the others under other numbers
TEST(Split, RefusesClassesOfOtherNames) {
    TempDir const dir;
    auto const write_named = [&](char const* name, std::vector<std::string> const& classes) {
        DatasetInfo info = kPartInfo;
        info.size = 3;
        DatasetWriter writer(dir / name, info, true);
        writer.append(std::vector<std::byte>(3 * info.sample_bytes()), std::vector<std::int64_t>{0, 1, 0});
        writer.write_classes(classes);
        writer.finish();
        return (dir / name).string();
    };
    auto const refused = [&](std::string const& held_out) {
        job::Job job;
        job.model.file = "model.pt";
        job.dataset.suspects = (dir / "suspects.h5").string();
        job.dataset.held_out = held_out;
        return error_of(Exit::data, [&] { make_split({}, job); });
    };
    write_named("suspects.h5", {"bag", "boot", "coat"});
    expect_in(refused(write_named("no_bag.h5", {"boot", "coat"})),
              {"no_bag.h5: class 0 is 'boot'", "suspects.h5 it is 'bag'", "CSV manifest"});
    expect_in(refused(write_named("fewer.h5", {"bag", "boot"})),
              {"fewer.h5: class 2 is 'missing'", "'coat'"});
    job::Job fine;
    fine.model.file = "model.pt";
    fine.dataset.suspects = (dir / "suspects.h5").string();
    fine.dataset.held_out = write_named("same.h5", {"bag", "boot", "coat"});
    EXPECT_EQ(make_split({}, fine).held_out->size(), 3U);
    write_part(dir / "unnamed.h5", some_ids(3), {0, 1, 2});
    fine.dataset.held_out = (dir / "unnamed.h5").string();
    EXPECT_EQ(make_split({}, fine).held_out->size(), 3U); // no names, nothing to compare
}

TEST(Split, RefusesLabelsOutsideTheClasses) {
    TempDir const dir;
    Ids const ids = some_ids(10);
    std::vector<std::int64_t> labels(10, 2);
    labels[6] = 4;
    write_part(dir / "d.h5", ids, labels);
    job::Job job = training_job(dir / "d.h5");
    EXPECT_EQ(make_split({}, job).classes, 5); // the largest label + 1
    job.dataset.classes = 10;
    EXPECT_EQ(make_split({}, job).classes, 10);
    job.dataset.classes = 4;
    expect_in(error_of(Exit::data, [&] { make_split({}, job); }), {"d.h5", "label 4", "row 6", "4 classes"});
    labels[6] = -1;
    write_part(dir / "d.h5", ids, labels);
    job.dataset.classes = 0;
    expect_in(error_of(Exit::data, [&] { make_split({}, job); }), {"d.h5", "label -1", "row 6"});
}

TEST(Split, CountsClassesOverAllFiles) {
    TempDir const dir;
    write_part(dir / "d.h5", some_ids(10), std::vector<std::int64_t>(10, 1));
    write_part(dir / "held-out.h5", some_ids(10), std::vector<std::int64_t>(10, 6));
    job::Job job = training_job(dir / "d.h5");
    job.dataset.held_out = (dir / "held-out.h5").string();
    EXPECT_EQ(make_split({}, job).classes, 7);
}
