// The client's transaction, which is open before any server knows of it.
//
// BEGIN is answered by the proxy; a server gets it, with the savepoints and local settings made
// since, together with the first statement for its shard. Pure bookkeeping: nothing here sends.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "proxy/pool/settings.h"
#include "proxy/session/meridian_settings.h"
#include "proxy/session/transaction_modes.h"

namespace meridian {

class Transaction {
 public:
  bool open() const { return open_; }
  bool failed() const { return failed_; }
  // Opened by the proxy, not by the client: around the statements of one Query, or those between
  // two Syncs.
  bool implicit() const { return implicit_; }
  char status() const { return failed_ ? 'E' : open_ && !implicit_ ? 'T' : 'I'; }

  // `modes`: what begin_text says.
  void Begin(std::string_view begin_text, TransactionModes modes, bool implicit,
             Ref<const Settings> settings, MeridianSettings meridian,
             Ref<const Settings> no_settings);
  void Fail() { failed_ = open_; }
  void MakeExplicit() { implicit_ = false; }
  // COMMIT AND CHAIN and ROLLBACK AND CHAIN: a new one with the same characteristics.
  void Chain(Ref<const Settings> settings, MeridianSettings meridian,
             Ref<const Settings> no_settings);
  void End();

  // The rest: only while it is open.

  // Statements that a server which joins later must be told.
  void AddSetTransaction(std::string_view text, TransactionModes modes);
  void AddSetLocal(std::string_view text);
  void AddSavepoint(std::string_view text, std::string_view name, Ref<const Settings> settings,
                    MeridianSettings meridian);
  bool HasSavepoint(std::string_view name) const;
  bool has_savepoints() const { return !state_->savepoints.empty(); }
  void ReleaseSavepoint(std::string_view name);

  struct Restored {
    Ref<const Settings> settings;
    MeridianSettings meridian;
  };
  // Back to the savepoint, which stays; nullopt: there is none of this name.
  std::optional<Restored> RollbackToSavepoint(std::string_view name);

  // Whether there is more to tell than BEGIN.
  bool replays() const { return !state_->replay.empty(); }
  TransactionModes Modes() const;
  // BEGIN and the replay, as the text of one Query.
  std::string JoinText() const;
  // What the settings were when it began.
  const Ref<const Settings>& settings_before() const { return state_->settings_before; }
  const MeridianSettings& meridian_before() const { return state_->meridian_before; }

  // SET LOCAL values. Never null.
  Ref<const Settings>& local() { return state_->local; }
  const Ref<const Settings>& local() const { return state_->local; }
  // What SET LOCAL meridian.* has replaced.
  std::optional<MeridianSettings>& local_meridian() { return state_->local_meridian; }
  // Whether all shards have joined it with snapshots that belong together.
  bool& snapshots_taken() { return state_->snapshots_taken; }
  bool snapshots_taken() const { return state_->snapshots_taken; }
  // Whether a SET has run inside it: what a rollback leaves on the servers must be established
  // anew.
  bool& settings_changed() { return state_->settings_changed; }
  bool settings_changed() const { return state_->settings_changed; }

 private:
  struct Replay {
    std::string text;
    std::optional<TransactionModes> modes = std::nullopt;  // SET TRANSACTION
  };
  struct Savepoint {
    std::string name;
    size_t replay_size;  // with its own SAVEPOINT
    Ref<const Settings> settings;
    Ref<const Settings> local;
    MeridianSettings meridian;
    std::optional<MeridianSettings> local_meridian;
  };
  struct State {
    std::string begin_text;
    TransactionModes begin_modes;
    std::vector<Replay> replay;
    std::vector<Savepoint> savepoints;
    Ref<const Settings> settings_before;
    MeridianSettings meridian_before;
    Ref<const Settings> local;
    std::optional<MeridianSettings> local_meridian;
    bool settings_changed = false;
    bool snapshots_taken = false;
  };

  bool open_ = false;
  bool failed_ = false;
  bool implicit_ = false;
  std::unique_ptr<State> state_;  // null: not open
};

}  // namespace meridian
