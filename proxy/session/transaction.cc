#include "proxy/session/transaction.h"

#include <algorithm>

namespace meridian {

void Transaction::Begin(std::string_view begin_text, TransactionModes modes, bool implicit,
                        Ref<const Settings> settings, MeridianSettings meridian,
                        Ref<const Settings> no_settings) {
  open_ = true;
  failed_ = false;
  implicit_ = implicit;
  state_ = std::make_unique<State>();
  state_->begin_text = std::string(begin_text);
  state_->begin_modes = std::move(modes);
  state_->settings_before = std::move(settings);
  state_->meridian_before = std::move(meridian);
  state_->local = std::move(no_settings);
}

void Transaction::Chain(Ref<const Settings> settings, MeridianSettings meridian,
                        Ref<const Settings> no_settings) {
  std::string begin_text = state_->begin_text;
  for (const Replay& replay : state_->replay) {
    if (replay.modes) begin_text.append(";").append(replay.text);
  }
  Begin(begin_text, Modes(), false, std::move(settings), std::move(meridian),
        std::move(no_settings));
}

void Transaction::End() {
  open_ = failed_ = implicit_ = false;
  state_.reset();
}

void Transaction::AddSetTransaction(std::string_view text, TransactionModes modes) {
  state_->replay.push_back({std::string(text), std::move(modes)});
}

void Transaction::AddSetLocal(std::string_view text) {
  state_->replay.push_back({std::string(text)});
}

void Transaction::AddSavepoint(std::string_view text, std::string_view name,
                               Ref<const Settings> settings, MeridianSettings meridian) {
  state_->replay.push_back({std::string(text)});
  state_->savepoints.push_back({std::string(name), state_->replay.size(), std::move(settings),
                                state_->local, std::move(meridian), state_->local_meridian});
}

bool Transaction::HasSavepoint(std::string_view name) const {
  return std::any_of(state_->savepoints.begin(), state_->savepoints.end(),
                     [name](const Savepoint& savepoint) { return savepoint.name == name; });
}

void Transaction::ReleaseSavepoint(std::string_view name) {
  std::vector<Savepoint>& savepoints = state_->savepoints;
  while (!savepoints.empty()) {
    const Savepoint last = std::move(savepoints.back());
    savepoints.pop_back();
    // The settings made since stay; only the savepoint itself is forgotten.
    state_->replay.erase(state_->replay.begin() + static_cast<ptrdiff_t>(last.replay_size) - 1);
    if (last.name == name) return;
  }
}

std::optional<Transaction::Restored> Transaction::RollbackToSavepoint(std::string_view name) {
  if (!HasSavepoint(name)) return std::nullopt;
  while (state_->savepoints.back().name != name) state_->savepoints.pop_back();
  const Savepoint& savepoint = state_->savepoints.back();
  state_->replay.resize(savepoint.replay_size);
  state_->local = savepoint.local;
  state_->local_meridian = savepoint.local_meridian;
  failed_ = false;
  return Restored{savepoint.settings, savepoint.meridian};
}

TransactionModes Transaction::Modes() const {
  TransactionModes modes = state_->begin_modes;
  for (const Replay& replay : state_->replay) {
    if (replay.modes) modes.Add(*replay.modes);
  }
  return modes;
}

std::string Transaction::JoinText() const {
  std::string text = state_->begin_text;
  for (const Replay& replay : state_->replay) text.append(";").append(replay.text);
  return text;
}

}  // namespace meridian
