#include "proxy/session/transaction.h"

#include <algorithm>

namespace meridian {

void Transaction::Begin(std::string_view begin_text, bool implicit, Ref<const Settings> settings,
                        MeridianSettings meridian, Ref<const Settings> no_settings) {
  End();
  open_ = true;
  implicit_ = implicit;
  begin_text_ = std::string(begin_text);
  settings_before_ = std::move(settings);
  meridian_before_ = std::move(meridian);
  local = std::move(no_settings);
}

void Transaction::Chain(Ref<const Settings> settings, MeridianSettings meridian,
                        Ref<const Settings> no_settings) {
  const std::string begin_text = begin_text_;
  Begin(begin_text, false, std::move(settings), std::move(meridian), std::move(no_settings));
}

void Transaction::End() {
  open_ = failed_ = implicit_ = settings_changed = false;
  begin_text_.clear();
  replay_.clear();
  savepoints_.clear();
  local = {};
  local_meridian.reset();
  settings_before_ = {};
}

void Transaction::AddSavepoint(std::string_view text, std::string_view name,
                               Ref<const Settings> settings, MeridianSettings meridian) {
  replay_.push_back({std::string(text), std::string(name)});
  savepoints_.push_back(
      {std::string(name), replay_.size(), std::move(settings), local, std::move(meridian)});
}

bool Transaction::HasSavepoint(std::string_view name) const {
  return std::any_of(savepoints_.begin(), savepoints_.end(),
                     [name](const Savepoint& savepoint) { return savepoint.name == name; });
}

void Transaction::ReleaseSavepoint(std::string_view name) {
  while (!savepoints_.empty()) {
    const Savepoint last = std::move(savepoints_.back());
    savepoints_.pop_back();
    // The settings made since stay; only the savepoint itself is forgotten.
    replay_.erase(replay_.begin() + static_cast<ptrdiff_t>(last.replay_size) - 1);
    if (last.name == name) return;
  }
}

std::optional<Transaction::Restored> Transaction::RollbackToSavepoint(std::string_view name) {
  if (!HasSavepoint(name)) return std::nullopt;
  while (savepoints_.back().name != name) savepoints_.pop_back();
  const Savepoint& savepoint = savepoints_.back();
  replay_.resize(savepoint.replay_size);
  local = savepoint.local;
  failed_ = false;
  return Restored{savepoint.settings, savepoint.meridian};
}

std::string Transaction::JoinText() const {
  std::string text = begin_text_;
  for (const Replay& replay : replay_) {
    text.append(";").append(replay.text);
  }
  return text;
}

}  // namespace meridian
