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

// Collective. Two halves per pair of reference models
std::vector<View> choose_halves(comm::Communicator const& comm, View const& suspects, std::int64_t count,
                                std::uint64_t seed) {
    std::vector<View> halves;
    std::uint64_t const half = (suspects.size() + 1) / 2;
    for (std::uint64_t r = 0; r < to_count(count); ++r) {
        std::uint64_t const order = mix64(mix64(seed) ^ (0x68616C66 + r / 2)); // nor the members'
        halves.emplace_back(suspects.shared_dataset(),
                            choose_rows(comm, suspects.dataset(), suspects.rows(), order, r % 2 ? half : 0,
                                        r % 2 ? suspects.size() : half),
                            suspects.noise());
    }
    return halves;
}

// The same on every rank. How much filler joins `members` suspects; Error(usage) if it cannot be had
std::uint64_t filler_size(job::Network const& network, std::uint64_t members, std::uint64_t suspects) {
    std::uint64_t const wanted = network.set_size ? to_count(network.set_size) : suspects;
    bool const has_filler = !network.filler.empty();
    if (wanted < members)
        fail(Exit::usage, "{}.set_size={} (less than the {} suspects that are in it). Raise it{}",
             network.section, wanted, members,
             network.section == std::string_view("model.train") ? " or lower usage_fraction" : "");
    if (!has_filler && network.set_size > 0 && wanted > members)
        fail(Exit::usage,
             "{0}.set_size={1} (but there are {2} suspects in it and no filler to top them up). Name a data "
             "set file in {0}.filler, or remove the key",
             network.section, wanted, members);
    if (!has_filler && members == 0)
        fail(Exit::usage,
             "{0}: no suspects and no filler leave nothing to train on. Raise usage_fraction, or name "
             "{0}.filler",
             network.section);
    return has_filler ? wanted - members : 0;
}

} // namespace

Split make_split(comm::Communicator const& comm, job::Job const& job) {
    auto const seed = static_cast<std::uint64_t>(job.job.seed);
    Dealer dealer(comm, seed);
    std::vector<std::shared_ptr<Dataset const>> files;
    comm::agree(comm, [&] {
        for (std::string const& path :
             {job.dataset.suspects, job.dataset.held_out, job.trains() ? job.train.filler : std::string(),
              job.references.count > 0 ? job.references.filler : std::string()}) {
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
    auto const deal_filler = [&](job::Network const& network, std::uint64_t members) {
        std::uint64_t const count =
            comm::agree(comm, [&] { return filler_size(network, members, split.suspects.size()); });
        return count ? dealer.deal(network.filler, static_cast<std::int64_t>(count),
                                   fmt::format("{}.set_size", network.section).c_str(), noise)
                     : View();
    };
    if (job.trains()) {
        split.members = choose_members(comm, split.suspects, job.train.usage_fraction, seed);
        split.filler = deal_filler(job.train, split.members.size());
    }
    if (job.references.count > 0) {
        split.halves = choose_halves(comm, split.suspects, job.references.count, seed);
        split.reference_filler = deal_filler(job.references, split.halves.front().size());
    }
    return split;
}

std::vector<std::uint8_t> membership(Split const& split, View const& part, std::uint64_t begin,
                                     std::uint64_t end) {
    std::vector<std::uint8_t> member;
    for (std::uint64_t row : split.suspects.rows().between(begin, end))
        member.push_back(part.rows().contains(row));
    return member;
}

} // namespace assay::data
