#include "assay/data/split.hpp"

#include "assay/base/error.hpp"
#include "assay/base/random.hpp"
#include "assay/comm/agree.hpp"
#include "assay/comm/collectives.hpp"
#include "assay/data/choose.hpp"
#include "assay/data/selection.hpp"

#include <algorithm>
#include <cmath>
#include <map>

namespace assay::data {

namespace {

std::uint64_t to_count(std::int64_t count) {
    return static_cast<std::uint64_t>(count);
}

// Hands out disjoint random subsets of files, in the order asked
class Dealer {
  public:
    Dealer(comm::Communicator const& comm, std::uint64_t seed) : comm_(comm), seed_(seed) {}

    // Local
    std::shared_ptr<Dataset const> open(std::string const& path) {
        Deck& deck = decks_[std::filesystem::weakly_canonical(path)];
        if (!deck.dataset)
            deck.dataset = std::make_shared<Dataset const>(path);
        return deck.dataset;
    }

    // Collective. `count` rows; 0: all that are left
    View deal(std::string const& path, std::int64_t count, char const* key, LabelNoise const& noise) {
        Deck& deck = decks_.at(std::filesystem::weakly_canonical(path));
        std::uint64_t const size = deck.dataset->info().size, left = size - deck.dealt;
        comm::agree(comm_, [&] {
            if (left == 0)
                fail(Exit::usage,
                     "{}: nothing of {} is left (earlier parts take all its {} samples). Set "
                     "dataset.suspect_count, or name another file",
                     key, path, size);
            if (to_count(count) > left)
                fail(Exit::usage, "{} asks for {} samples of {} (only {} of its {} are left). Ask for fewer",
                     key, count, path, left, size);
        });
        std::uint64_t const begin = deck.dealt;
        deck.dealt += count ? to_count(count) : left;
        return {deck.dataset, choose_rows(comm_, *deck.dataset, Rows::all(size), seed_, begin, deck.dealt),
                noise};
    }

  private:
    struct Deck {
        std::shared_ptr<Dataset const> dataset;
        std::uint64_t dealt = 0;
    };
    comm::Communicator const& comm_;
    std::uint64_t seed_;
    std::map<std::filesystem::path, Deck> decks_;
};

// Local
void check_fits(Dataset const& dataset, Dataset const& suspects) {
    if (!dataset.info().has_labels)
        fail(Exit::data,
             "{}: no /labels (signals are computed under a sample's label). Add int64 labels, one per sample",
             dataset.path().string());
    check_alike(dataset, suspects);
}

// Collective. Of the suspects, round(fraction x n), chosen by their ids
View choose_members(comm::Communicator const& comm, View const& suspects, double fraction,
                    std::uint64_t seed) {
    auto const count =
        static_cast<std::uint64_t>(std::llround(fraction * static_cast<double>(suspects.size())));
    std::uint64_t const order = mix64(seed) ^ 0x6D656D62; // not the deal's
    return {suspects.shared_dataset(),
            choose_rows(comm, suspects.dataset(), suspects.rows(), order, 0, count), suspects.noise()};
}

// The same on every rank. How many samples the target is trained on; Error(usage) if it cannot be had
std::uint64_t training_size(job::Job const& job, Split const& split, bool has_filler) {
    std::uint64_t const members = split.members.size();
    std::uint64_t const wanted = job.train.set_size ? to_count(job.train.set_size) : split.suspects.size();
    if (wanted < members)
        fail(Exit::usage,
             "model.train.set_size={} (less than the {} members). Raise it or lower usage_fraction", wanted,
             members);
    if (!has_filler && job.train.set_size > 0 && wanted > members)
        fail(Exit::usage,
             "model.train.set_size={} (but there are {} members and no filler to top them up). Name a data "
             "set file in model.train.filler, or remove the key",
             wanted, members);
    if (!has_filler && members == 0)
        fail(Exit::usage,
             "model.train.usage_fraction={} of {} suspects leaves nothing to train on. Raise it, or name "
             "model.train.filler",
             job.train.usage_fraction, split.suspects.size());
    return wanted;
}

} // namespace

Split make_split(comm::Communicator const& comm, job::Job const& job) {
    auto const seed = static_cast<std::uint64_t>(job.job.seed);
    bool const has_filler = job.trains() && !job.train.filler.empty();
    Dealer dealer(comm, seed);
    std::vector<std::shared_ptr<Dataset const>> files;
    comm::agree(comm, [&] {
        for (std::string const& path :
             {job.dataset.suspects, job.dataset.held_out, has_filler ? job.train.filler : std::string()}) {
            if (path.empty())
                continue;
            files.push_back(dealer.open(path));
            check_fits(*files.back(), *files.front());
        }
    });
    Split split;
    split.classes = count_classes(comm, job.dataset.classes, files);
    LabelNoise const noise{job.dataset.label_noise, seed, split.classes};
    split.suspects =
        dealer.deal(job.dataset.suspects, job.dataset.suspect_count, "dataset.suspect_count", noise);
    if (!job.dataset.held_out.empty())
        split.held_out =
            dealer.deal(job.dataset.held_out, job.dataset.held_out_count, "dataset.held_out_count", noise);
    if (!job.trains())
        return split;

    split.members = choose_members(comm, split.suspects, job.train.usage_fraction, seed);
    std::uint64_t const wanted = comm::agree(comm, [&] { return training_size(job, split, has_filler); });
    if (has_filler && wanted > split.members.size())
        split.filler = dealer.deal(job.train.filler, static_cast<std::int64_t>(wanted - split.members.size()),
                                   "model.train.set_size", noise);
    return split;
}

std::vector<std::uint8_t> membership(Split const& split, std::uint64_t begin, std::uint64_t end) {
    std::vector<std::uint8_t> member;
    for (std::uint64_t row : split.suspects.rows().between(begin, end))
        member.push_back(split.members.rows().contains(row));
    return member;
}

} // namespace assay::data
