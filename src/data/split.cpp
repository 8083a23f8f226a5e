#include "assay/data/split.hpp"

#include "assay/base/error.hpp"
#include "assay/base/random.hpp"

#include <algorithm>
#include <cmath>
#include <map>

namespace assay::data {

namespace {

// Hands out disjoint random subsets of files, in the order asked
class Dealer {
  public:
    explicit Dealer(std::uint64_t seed) : seed_(seed) {}

    std::shared_ptr<Dataset const> open(std::string const& path) {
        std::filesystem::path const unique = std::filesystem::weakly_canonical(path);
        Deck& deck = decks_[unique];
        if (!deck.dataset) {
            deck.dataset = std::make_shared<Dataset const>(path);
            deck.order = keyed_order(deck.dataset->ids(), seed_);
        }
        return deck.dataset;
    }

    // `count` rows, ascending; 0: all that are left
    std::vector<std::uint64_t> deal(std::string const& path, std::uint64_t count, char const* key) {
        Deck& deck = decks_.at(std::filesystem::weakly_canonical(path));
        std::uint64_t const left = deck.order.size() - deck.dealt;
        if (count > left || left == 0)
            fail(Exit::usage, "{} asks for {} samples of {} (only {} of its {} are left). Ask for fewer", key,
                 count ? std::to_string(count) : "the remaining", path, left, deck.order.size());
        auto const begin = deck.order.begin() + static_cast<std::ptrdiff_t>(deck.dealt);
        deck.dealt += count ? count : left;
        std::vector<std::uint64_t> rows(begin, deck.order.begin() + static_cast<std::ptrdiff_t>(deck.dealt));
        std::ranges::sort(rows);
        return rows;
    }

  private:
    struct Deck {
        std::shared_ptr<Dataset const> dataset;
        std::vector<std::size_t> order;
        std::uint64_t dealt = 0;
    };
    std::uint64_t seed_;
    std::map<std::filesystem::path, Deck> decks_;
};

std::string shape_text(store::Shape const& shape) {
    return fmt::format("{}", fmt::join(shape, "x"));
}

void check_fits(Dataset const& dataset, Dataset const& suspects) {
    if (dataset.info().sample_shape != suspects.info().sample_shape)
        fail(Exit::data,
             "{}: samples are {}, those of {} are {} (one model sees both). Bring them to one shape",
             dataset.path().string(), shape_text(dataset.info().sample_shape), suspects.path().string(),
             shape_text(suspects.info().sample_shape));
    if (dataset.info().type != suspects.info().type)
        fail(Exit::data,
             "{}: samples are stored in another type than those of {} (one model sees both). Convert one",
             dataset.path().string(), suspects.path().string());
}

std::int64_t largest_label(Dataset const& dataset) {
    std::vector<std::int64_t> const labels = dataset.labels();
    if (labels.empty())
        fail(Exit::data,
             "{}: no /labels (a classifier's signals need them). Add int64 labels, one per sample",
             dataset.path().string());
    return *std::ranges::max_element(labels);
}

void check_labels(Dataset const& dataset, std::int64_t classes) {
    std::vector<std::int64_t> const labels = dataset.labels();
    for (std::size_t row = 0; row < labels.size(); ++row)
        if (labels[row] < 0 || labels[row] >= classes)
            fail(Exit::data,
                 "{}: label {} at row {} (outside the {} classes). Correct the label or dataset.classes",
                 dataset.path().string(), labels[row], row, classes);
}

std::uint64_t to_count(std::int64_t count) {
    return static_cast<std::uint64_t>(count);
}

// Marks round(fraction x n) suspects as members, chosen by their ids
std::vector<std::uint8_t> choose_members(View const& suspects, double fraction, std::uint64_t seed) {
    auto const count =
        static_cast<std::size_t>(std::llround(fraction * static_cast<double>(suspects.size())));
    std::vector<std::size_t> const order =
        keyed_order(suspects.ids(), mix64(seed) ^ 0x6D656D62); // not the deal's
    std::vector<std::uint8_t> member(suspects.size(), 0);
    for (std::size_t i = 0; i < count; ++i)
        member[order[i]] = 1;
    return member;
}

} // namespace

Split make_split(job::Job const& job) {
    auto const seed = static_cast<std::uint64_t>(job.job.seed);
    Dealer dealer(seed);
    std::vector<std::shared_ptr<Dataset const>> files;
    bool const needs_filler = job.trains() && !job.train.filler.empty();
    files.push_back(dealer.open(job.dataset.suspects));
    for (std::string const& path : {job.dataset.held_out, needs_filler ? job.train.filler : std::string()})
        if (!path.empty())
            files.push_back(dealer.open(path));

    Split split;
    split.classes = job.dataset.classes;
    for (auto const& file : files) {
        check_fits(*file, *files.front());
        std::int64_t const largest = largest_label(*file);
        if (job.dataset.classes == 0)
            split.classes = std::max(split.classes, largest + 1);
    }
    for (auto const& file : files)
        check_labels(*file, split.classes);

    LabelNoise const noise{job.dataset.label_noise, seed, split.classes};
    auto const deal = [&](std::string const& path, std::uint64_t count, char const* key) {
        return View(dealer.open(path), dealer.deal(path, count, key), noise);
    };
    split.suspects = deal(job.dataset.suspects, to_count(job.dataset.suspect_count), "dataset.suspect_count");
    if (!job.dataset.held_out.empty())
        split.held_out =
            deal(job.dataset.held_out, to_count(job.dataset.held_out_count), "dataset.held_out_count");
    if (!job.trains())
        return split;

    split.member = choose_members(split.suspects, job.train.usage_fraction, seed);
    std::vector<std::uint64_t> positions;
    for (std::size_t i = 0; i < split.member.size(); ++i)
        if (split.member[i])
            positions.push_back(i);
    split.members = split.suspects.at(positions);
    std::uint64_t const wanted = job.train.set_size ? to_count(job.train.set_size) : split.suspects.size();
    if (wanted < split.members.size())
        fail(Exit::usage,
             "model.train.set_size={} (less than the {} members). Raise it or lower usage_fraction", wanted,
             split.members.size());
    if (!needs_filler && job.train.set_size > 0 && wanted > split.members.size())
        fail(Exit::usage,
             "model.train.set_size={} (but there are {} members and no filler to top them up). Name a data "
             "set file in model.train.filler, or remove the key",
             wanted, split.members.size());
    if (!needs_filler && split.members.size() == 0)
        fail(Exit::usage,
             "model.train.usage_fraction={} of {} suspects leaves nothing to train on. Raise it, or name "
             "model.train.filler",
             job.train.usage_fraction, split.suspects.size());
    if (needs_filler && wanted > split.members.size())
        split.filler = deal(job.train.filler, wanted - split.members.size(), "model.train.set_size");
    return split;
}

} // namespace assay::data
