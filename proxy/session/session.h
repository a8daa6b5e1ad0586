// One logged-in client: a transition function from the client's bytes and the servers' bytes to
// bytes for both.
//
// Pure: no sockets, no clock; everything outside is asked of SessionHost. One worker's thread only.
//
// How it works. Client messages are handled one after the other. A handler that cannot go on (it
// needs a server connection that is not there yet, or the answers to what was sent before) changes
// nothing and returns kBlocked; the message stays in the inbox and is handled again when something
// has happened. So no handler is ever half done.
//
// Servers that work for the session are its participants. All but the pinned ones are given back as
// soon as the session is outside of a transaction and owes its client nothing.
#pragma once

#include <absl/container/inlined_vector.h>
#include <absl/status/statusor.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "proxy/config/config.h"
#include "proxy/pool/server_pools.h"
#include "proxy/session/broadcast.h"
#include "proxy/session/fanout.h"
#include "proxy/session/pending.h"
#include "proxy/session/prepared_text.h"
#include "proxy/session/read_needs.h"
#include "proxy/session/session_host.h"
#include "proxy/session/snapshot_gate.h"
#include "proxy/session/transaction.h"
#include "proxy/session/transaction_end.h"
#include "proxy/wire/frontend_messages.h"
#include "proxy/wire/out_queue.h"
#include "router/router.h"

namespace meridian {

// Who the client is: constant after login.
struct SessionIdentity {
  uint64_t client_id = 0;  // of KILL CLIENT and SHOW CLIENTS
  uint32_t pid = 0;        // as told in BackendKeyData
  std::string user;
  std::string database;
  Ref<const Settings> defaults;  // PoolProfile::defaults of the server that it began with
  PoolMode pool_mode = PoolMode::kTransaction;
};

class Session final : public ServerOwner, public PoolClient {
 public:
  // `startup`: the settings of the start-up packet, to which RESET goes back.
  Session(SessionHost& host, SessionIdentity identity, Ref<const Settings> startup,
          MeridianSettings meridian);
  ~Session();
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  // Takes a server of the shard that nobody owns, to keep it (session mode).
  void Adopt(Server& server, ShardIndex shard);

  // Events. `bytes` are valid until the host's event ends.
  void OnClientBytes(std::string_view bytes);
  // The client is gone: running statements are cancelled, transactions rolled back.
  void OnClientClosed();
  void OnServerBytes(Server& server, std::string_view bytes) override;
  void OnServerClosed(Server& server, const SqlError& reason) override;
  void OnCancelDone(Server& server) override;
  void OnServer(Server& server) override;
  void OnServerFailed(const absl::Status& status) override;
  void OnSchemaRefreshed();
  void OnNodesMayHaveChanged();
  // The router plans with another map from now on: shards have other indexes.
  void OnMapChanged(const ShardMap& before, const ShardMap& after);
  // Whether what a pool's Acquire failed with may pass: the primary is down or being replaced.
  static bool IsPrimaryMissing(const absl::Status& status);
  // SET meridian.causality_token. 22023.
  absl::Status RequireToken(std::string_view token);
  // A CancelRequest with this session's key. True if something was running.
  bool OnCancel();
  // What the transaction waits for is cancelled, and fails with 40P01. False: it does not wait, or
  // it is another transaction than the one that began then.
  bool CancelDeadlocked(uint64_t began_us, std::string detail);
  // Ends the session with FATAL: at once where `now`, else when its transaction ends (drain).
  void Terminate(const SqlError& reason, bool now);

  // What was queued for the client and the servers has been written or copied.
  void OnFlushed();

  // The oldest map with which something began that is still under way; nullopt: nothing is.
  std::optional<Epoch> OldestMapInUse() const;
  // The ranges on the move that the open transaction uses, so that they cannot change owner.
  MovingSet MovingInUse() const;

  // Bytes for the client.
  wire::OutQueue out;

  // Whether the driver should read from the client.
  bool WantsInput() const;
  bool closing() const { return closing_; }
  // Nothing is running and no transaction is open.
  bool idle() const;
  // A statement is running, or what the client has sent is not all done with.
  bool owes_answer() const;
  // Writes on several shards are being committed or rolled back: let it come to its end.
  bool settling() const { return ending_ != nullptr && ending_->settling(); }
  // COMMIT or ROLLBACK runs on several servers.
  bool ending() const { return ending_ != nullptr; }
  // Of the open transaction, from its first statement.
  uint64_t transaction_age_us(uint64_t now_us) const { return now_us - transaction_started_us_; }
  uint64_t transaction_began_us() const { return transaction_started_us_; }
  const Settings& settings() const { return *settings_; }
  bool waiting_for_server() const { return waiting_; }
  // How long it has waited for a server; 0: it does not wait.
  uint64_t waited_us(uint64_t now_us) const { return waiting_ ? now_us - waiting_since_us_ : 0; }
  const SessionIdentity& identity() const { return identity_; }
  const Transaction& transaction() const { return transaction_; }
  PinReason pin_reason() const { return pin_; }
  uint64_t statements_done() const { return statements_done_; }

  template <typename Visit>
  void ForEachServer(Visit visit) const {
    for (const Participant& participant : participants_) visit(*participant.server);
  }

  // visit(server, whether the transaction has written there). Those are meant, too, that join with
  // the statement that runs.
  template <typename Visit>
  void ForEachInTransaction(Visit visit) const {
    for (const Participant& participant : participants_) {
      if (participant.in_transaction || participant.server->transaction_status != wire::kIdle) {
        visit(*participant.server, participant.wrote);
      }
    }
  }

  // For the driver.
  void* handle = nullptr;
  bool dirty = false;

 private:
  enum class Progress : uint8_t { kDone, kBlocked };

  struct Participant {
    ShardIndex shard;
    Server* server = nullptr;
    bool in_transaction = false;
    bool wrote = false;   // in the current transaction
    bool locked = false;  // ... without writing: rows of several shards
    bool pinned = false;
    bool unclean = false;  // holds state of the session: reset it before anybody else gets it
    // What its sequences show (currval, lastval) was drawn in this transaction; where the session
    // keeps it, by this session.
    bool owns_sequence_values = false;
    bool used = false;                                     // something was sent
    bool has_written = false;                              // since it was noted in needs_
    std::shared_ptr<const NodeSamples> replica = nullptr;  // null: of the primary
    // The replica was found to have what the session must find; not asked in eventual.
    bool has_needs = false;
    // Has a setting that the others lack (Statement::sets_unknown).
    bool has_unknown_setting = false;
  };

  // Which servers may answer a statement.
  enum class Access : uint8_t { kPrimary, kReplica };

  // A portal: where it is bound, or that it is the session's own business.
  struct Portal {
    enum class Kind : uint8_t { kServer, kLocal, kFanout };
    Kind kind = Kind::kServer;
    ShardIndex shard{};  // kServer
    Ref<const PreparedText> prepared;
    std::string bind_rest;                            // kFanout: the Bind's body behind its names
    ClientEncoding encoding = ClientEncoding::kUtf8;  // kFanout: of bind_rest
    bool describe = false;              // kFanout: the client wants its RowDescription
    bool executed = false;              // kFanout
    Ref<const Statement> setting = {};  // kServer: set_config with the value of its Bind
  };

  // A message of the current batch that has no server yet.
  struct Unplaced {
    char request;
    Ref<const PreparedText> prepared;
    std::string name;   // the client's name
    std::string bytes;  // an answer of our own, if it is not null
    bool local = false;
  };

  // The statements of one Query that could not be sent in one piece.
  struct Script {
    Analysis analysis;
    size_t next = 0;
    bool aborted = false;
    uint64_t generation = 0;                          // of the router that made the analysis
    const SqlContext* context = nullptr;              // for which
    bool atomic = false;                              // wrapped in a transaction of our own
    ClientEncoding encoding = ClientEncoding::kUtf8;  // when the text came
  };

  // One statement about to be run.
  struct Unit {
    const Statement& statement;
    std::string_view text;  // of the statement
    Values values;          // ranges relative to values.text
    std::string_view
        message;        // the whole Query message, if it holds this statement alone; else empty
    bool final = true;  // ReadyForQuery follows
  };

  // A read on a replica, or a write to a range on the move, outside of a transaction, of which the
  // client has seen nothing yet.
  struct Retry {
    bool on_replica;                 // else it writes to a range on the move
    Epoch planned_at;                // of the map
    std::string input;               // the client's messages, from Query or Bind on
    std::vector<Unplaced> unplaced;  // what stood before the Bind
    std::string held;                // answers that the client will see with the first row
    bool failed = false;             // it is to run again
  };

  // It was found to be in one, and its statement is being cancelled.
  struct Deadlock {
    uint64_t statement;  // statements_done_ before it
    SqlError error;
  };

  // --- session_cancel.cc
  bool CancelRunning();
  bool AwaitsPrelude();
  void CancelBehindPrelude();

  // --- session.cc: input, ends
  size_t Process(std::string_view input);
  void ProcessInbox();
  void CompactInbox();
  void ReserveInbox(std::string_view start, size_t more);
  size_t ProcessCopyData(std::string_view input);
  // Whether the client's CopyData is wanted now.
  bool Copying() const;
  bool Answering() const;
  Progress Handle(char type, std::string_view message);
  bool Blocked() const;
  void GoOn();
  void Violation(std::string message, std::string_view sqlstate = sqlstate::kProtocolViolation,
                 std::string_view hint = {});
  void Fatal(const SqlError& error);
  void CloseNow();
  void OnIdle();
  absl::StatusOr<RouteHints> Hints() const;
  const SqlContext& Context();

  // --- participants.cc
  void ReleaseParticipants(bool all);
  Participant* FindParticipant(ShardIndex shard);
  Participant* FindParticipant(const Server& server);
  // Whether a server that gets a message becomes a part of the open transaction.
  enum class Join : uint8_t { kTransaction, kNot };
  // The participant for the shard, made ready (settings, BEGIN); nullptr: blocked; an error: the
  // pool's.
  absl::StatusOr<Participant*> Enlist(ShardIndex shard, Join join = Join::kTransaction,
                                      Access access = Access::kPrimary);
  absl::StatusOr<Participant*> Acquire(ShardIndex shard);
  Participant& AddParticipant(ShardIndex shard, Server& server,
                              std::shared_ptr<const NodeSamples> replica = nullptr);
  void GiveBack(Participant& participant);
  void StartWait(ShardIndex shard, std::shared_ptr<const NodeSamples> replica = nullptr);
  void EndWait();
  void AwaitNodes(ShardIndex shard);
  bool AwaitPrimary(ShardIndex shard, const absl::Status& why);
  bool CheckIsPrimary(Participant& participant);
  void SendPrelude(Participant& participant, Join join = Join::kTransaction);
  void OwnSequenceValues(Participant& participant);
  // A statement was sent that may change data if `writes`.
  static void NoteWrite(Participant& participant, bool writes);
  void NoteWrite(Participant& participant, const Statement& statement);
  bool Keeps(const Participant& participant) const;
  ShardIndex AtHand() const;
  // Where the only participant is, or nothing.
  Participant* OnlyParticipant();
  size_t ParticipantsInTransaction() const;
  // Where a statement goes that names no shard.
  ShardIndex PreferredShard(const Statement& statement) const;
  // Whether a statement on these shards finds the same settings on all of them.
  absl::Status CheckUnknownSettings(const ShardSet& shards) const;
  // Whether the statement may run there now.
  absl::Status CheckRunnable(const Statement& statement, const Participant& participant);

  // --- session_reads.cc: reads from replicas
  Access AccessOf(const Statement& statement);
  void CountRead(ReadPlace place);
  bool ReadOnlyTransaction() const;
  size_t RestOfBatch() const;
  bool Qualifies(ShardIndex shard, const ShardNodes& nodes, const NodeSamples& replica,
                 uint64_t server, uint64_t connected);
  bool StillQualifies(const Participant& participant);
  absl::StatusOr<Participant*> AcquireForRead(ShardIndex shard);
  absl::StatusOr<Participant*> AcquireInstead(ShardIndex shard, ReadPlace why);
  bool AwaitReplica(ShardIndex shard);
  void NoteSeen(const Participant& participant);
  absl::Status CheckOnReplica(const Statement& statement, const Participant& participant);
  static bool DoesOtherwiseOnReplica(const Statement& statement);
  Progress ShowCausalityToken(absl::StatusOr<std::string>* tag);
  bool AwaitSample(ShardIndex shard);

  // --- session_moving.cc: key ranges on the move
  bool KeepsSnapshot() const;
  MovingSet MovingInSnapshot() const;
  Progress EnterMoving(const Decision& decision, bool writes, absl::Status* error);
  Progress EnterSnapshot(ShardIndex shard, absl::Status* error);
  Progress AwaitMap(ShardIndex shard, absl::Status* error);
  void NoteMap();
  bool OutlivesStatement() const;
  void TranslateMoving(const ShardMap& before, const ShardMap& after);

  // --- session_retry.cc: statements that run elsewhere after all
  void KeepStatement(const Participant& participant, MovingSet written, std::string_view message,
                     std::string_view rest);
  bool HoldAnswer(const wire::MessageStream::Event& event);
  void ReleaseAnswer();
  void Emit(std::string_view bytes);
  bool RunsElsewhere(std::string_view sqlstate) const;
  void OnFailedAttempt(Server& server);
  void OnReplicaClosed(const NodeSamples& replica);
  void RunElsewhere();
  bool RunFanoutOnPrimaries();

  // --- simple_query.cc
  Progress HandleQuery(std::string_view message);
  Progress RunSingle(std::string_view message, const Analysis& analysis);
  bool SendScriptWhole(std::string_view message, std::string_view text, const Analysis& analysis,
                       Progress* progress);
  bool BeginsOnOneServer(const Statement& begin) const;
  // Whether what follows may have another context: search_path, role, ...
  bool ChangesContext(const Statement& statement) const;
  Progress StartScript(std::string_view text);
  Progress ContinueScript(std::string_view text);
  Progress EndScript();
  // Ends the transaction that the proxy itself has opened, if it has.
  Progress EndImplicit(absl::Status* error);
  Progress RunUnit(const Unit& unit);
  Progress RunDecided(const Unit& unit, const Decision& decision);
  void ForwardUnit(const Unit& unit, Participant& participant);
  Progress RefuseUnit(const absl::Status& status, bool final);
  void FailUnit(const absl::Status& status, bool final);
  void FinishUnit(std::string_view tag, bool final);
  void FinishQuery();

  // --- sql_prepared.cc
  static TextRange NameIn(const Unit& unit);
  Progress RunSqlPrepared(const Unit& unit);
  Progress RunSqlPrepare(const Unit& unit);
  Progress RunSqlExecute(const Unit& unit);
  absl::StatusOr<Decision> DecideExecute(const PreparedText& prepared, const Unit& unit);
  static std::string ServerPrepareSql(const PreparedText& prepared);
  const std::vector<Oid>& TypesOf(const PreparedText& prepared);
  void InjectPrepare(Participant& participant, const PreparedText& prepared);
  void SendSqlExecute(const Unit& unit, Participant& participant, const PreparedText& prepared,
                      const Statement& body);

  // --- extended_query.cc
  Progress HandleParse(std::string_view body);
  Progress HandleBind(std::string_view message);
  Progress HandleDescribe(std::string_view message);
  Progress HandleExecute(std::string_view message);
  Progress HandleClose(std::string_view message);
  Progress HandleFlush();
  Progress HandleSync(std::string_view message);
  Progress HandleFunctionCall(std::string_view message);
  const Ref<const PreparedText>* FindPrepared(std::string_view name);
  static absl::Status NoSuchStatement(std::string_view name);
  // The one statement that was prepared; nullptr: the text has none, or several.
  const Statement* StatementOf(const PreparedText& prepared);
  // Where the prepared statement, that of `prepared`, goes with these parameters.
  absl::StatusOr<Decision> DecidePrepared(const PreparedText& prepared, const Statement& statement,
                                          absl::Span<const Parameter> parameters);
  absl::StatusOr<Decision> DecideBind(const PreparedText& prepared, const Statement& statement,
                                      const wire::BindView& bind);
  void RememberPortal(std::string_view name, const Ref<const PreparedText>& prepared,
                      ShardIndex shard);
  const Portal* FindPortal(std::string_view name) const;
  std::optional<ShardIndex> ShardOfPortal(std::string_view name) const;
  static std::string LocalRowDescription(const Statement& statement);
  Progress ForwardToPortal(std::string_view message, std::string_view name);
  Progress ExecuteLocal(const Portal& portal);

  // --- batch.cc
  Progress UseBatchServer(ShardIndex shard, Participant** participant, absl::Status* error,
                          Join join = Join::kTransaction, Access access = Access::kPrimary);
  Join ChooseForParse(const PreparedText& prepared, ShardIndex* shard);
  void EndServerBatch(Pending::Show show, Pending::Purpose purpose = Pending::Purpose::kSync,
                      std::string_view sync = wire::kSyncMessage);
  Progress PlaceUnplaced();
  void PlaceOn(Participant& participant);
  void SendParse(Participant& participant, const PreparedText& prepared, Pending::Show show);
  void EvictPrepared(Server& server);
  void EnsurePrepared(Participant& participant, const PreparedText& prepared);
  void SendBind(Server& server, const PreparedText& prepared, const wire::BindView& bind,
                std::string_view message);
  absl::Status OpenImplicit();
  void EndBatch();
  Progress EndBatchBeforeQuery();
  void FailBatch(const absl::Status& status);
  void ForgetUnconfirmed();
  // An answer of our own, in its place; `name`: of the statement whose ParseComplete it is.
  void EmitLocal(std::string bytes, std::string name = {});
  void Confirm(const std::string& name);

  // --- session_fanout.cc
  absl::Status CheckFanout(const Statement& statement, const Decision& decision);
  Progress EnlistAll(const ShardSet& shards, absl::Status* error, Access access = Access::kPrimary);
  Progress ReadyAll(const Statement& statement, const Decision& decision, absl::Status* error);
  // The texts for shards that may hold stray rows; the others get the statement's own.
  struct OwnedTexts {
    std::vector<std::pair<ShardIndex, std::string>> texts;
    std::string_view Of(ShardIndex shard, std::string_view text) const;
  };
  absl::Status FindOwnedTexts(const Decision& decision, std::string_view text,
                              const SqlContext& context, absl::Span<const Oid> parameter_types,
                              OwnedTexts* owned) const;
  Progress StartFanout(const Unit& unit, const Decision& decision);
  void MakeFanout(const Statement& statement, const Decision& decision, Fanout::Options options);
  void AddBranch(const Statement& statement, Route route, ShardIndex shard, std::string request);
  void OnFanoutDone();
  std::string FanoutReport() const;
  void FinishCopyFanout();
  Progress TakeFanoutResult(bool final);
  Progress BindFanout(const Ref<const PreparedText>& prepared, const wire::BindView& bind);
  Progress ExecuteFanout(Portal& portal, uint32_t max_rows);
  absl::Status StartPortal(const Portal& portal, const wire::BindView& bind,
                           const Statement& statement, const Decision& decision);
  Progress TakeExecuteResult();

  // --- session_commands.cc: statements that concern the session itself
  static bool HasEffect(const Statement& statement);
  // Whether the session answers the statement itself, sending to servers what it must.
  bool IsLocal(const Statement& statement) const;
  Progress RunLocal(const Statement& statement, std::string_view text,
                    absl::StatusOr<std::string>* tag);
  void Warn(std::string_view sqlstate, std::string message);
  Progress DiscardAll(absl::StatusOr<std::string>* tag);
  absl::StatusOr<std::string> Deallocate(const Statement& statement);
  void SetPin(PinReason reason);
  void ApplyEffect(const StatementEffect& effect, std::string_view tag, Participant* participant);

  // --- session_transaction.cc: the transaction on its servers
  bool FailedHereOnly() const;
  void OpenTransaction(std::string_view begin, bool implicit, TransactionModes modes = {});
  absl::StatusOr<std::string> BeginTransaction(const Statement& statement, std::string_view text);
  Progress BroadcastInTransaction(std::string_view sql, absl::StatusOr<std::string>* tag);
  Progress EndTransaction(std::string_view command, bool chain, absl::StatusOr<std::string>* tag);
  Progress CloseTransaction(bool commit, bool chain, absl::StatusOr<std::string>* tag);
  absl::StatusOr<std::string> TakeEnd(bool chain);
  std::string SqlBeforePrepare() const;
  SqlError EndOfLostSession() const;
  void FinishTransaction(bool committed, bool chain);
  void AbortOthers();
  void OnOthersAborted();
  Progress RunInTransaction(const Statement& statement, std::string_view text,
                            absl::StatusOr<std::string>* tag);
  std::string IsolationLevel() const;
  absl::Status CheckIsolation() const;
  bool WantsSnapshots() const;
  Progress TakeSnapshots(absl::Status* error);
  Progress TakeGateResult(absl::Status* error);

  // --- session_settings.cc: what the client has set
  // SET of something that Meridian could not follow.
  // What the client has set beyond transactions, or else its default; nullptr: not known.
  const std::string* FindSetting(std::string_view name) const;
  // What the server must have set to do as the session expects.
  Ref<const Settings> SettingsFor(const Server& server) const;
  static absl::Status CheckSetting(const Statement& statement);
  // 0A000 for a text that came when client_encoding was `encoding`, and can't be sent now that it
  // is another one.
  absl::Status CheckEncoding(std::string_view text, ClientEncoding encoding);
  // The same for bytes that come while the batch may have changed it.
  absl::Status CheckBatchEncoding(std::string_view bytes) const;
  bool MayChangeEncoding(const Statement& statement) const;
  absl::StatusOr<std::string> SetMeridian(const Statement& statement);
  void KeepBeyondTransaction(const MeridianSetting& setting, const MeridianSettings& from);
  absl::StatusOr<std::string> ShowMeridian(const Statement& statement);
  std::string ShowRow(const std::string& name, std::string value);
  Progress ResetSettings(const Statement& statement, absl::StatusOr<std::string>* tag);
  void ApplySet(const Statement& statement, std::string_view text, Participant* participant);
  // SET, not LOCAL, of what SET LOCAL has set before: `where` has run it.
  void DistrustSettingOfOthers(const std::string& name, const Participant* than);
  static absl::StatusOr<Ref<const Statement>> BindSetting(const PreparedText& prepared,
                                                          const Statement& statement,
                                                          const wire::BindView& bind);
  void UndoLocal();
  void OverrideLocal(const std::string& name, std::string_view text, const Participant* where);
  // An error has undone what the Query or the batch has set; `server`: there, too.
  void UndoSettings(Server* server);
  // A rollback has undone settings on the server: which ones is not known.
  void DistrustSettings(Server& server);

  // --- server_responses.cc
  void OnPendingEvent(Server& server, const wire::MessageStream::Event& event);
  bool ReplaceError(const wire::MessageStream::Event& event, std::string* instead);
  void OnUnexpectedEvent(const wire::MessageStream::Event& event);
  void OnReady(Server& server, const wire::MessageStream::Event& event);
  void OnError(Server& server, const wire::MessageStream::Event& event);
  void OnInjectedError(SqlError error);
  void OnComplete(Server& server, const wire::MessageStream::Event& event);
  void OnParsed(const Server& server);
  void ForgetFailedParse();
  void PopPending();
  void Show(const wire::MessageStream::Event& event);
  void Pass(const wire::MessageStream::Event& event);
  void PassAsynchronous(const wire::MessageStream::Event& event);
  // Whether the client has seen a part of a row: nothing but the rest of it may follow.
  bool WithinRow() const;
  void NoteTransactionStatus(Participant& participant, char status);
  void StartClock();
  // Of some statements, notes the key that they use.
  void SampleKey(const Statement& statement, const Values& values);
  void CountStatement(Outcome outcome);
  void CountTransaction(uint64_t now_us);

  SessionHost& host_;
  const SessionIdentity identity_;
  const Ref<const Settings> startup_;
  const MeridianSettings startup_meridian_;

  // Input that could not be handled yet.
  std::string inbox_;
  size_t inbox_used_ = 0;
  uint64_t discard_left_ = 0;  // of a message that is thrown away as it comes
  uint64_t copy_left_ = 0;     // of a CopyData message that is passed on as it comes
  // Where its start went: the rest must follow, even if the COPY has failed since. nullptr: to the
  // fan-out.
  Server* copy_to_ = nullptr;
  bool stalled_ = false;     // what is in the inbox waits for something other than bytes
  std::string_view behind_;  // the message at hand, in the same bytes

  absl::InlinedVector<Participant, 1> participants_;
  PendingQueue pending_;
  Server* active_ = nullptr;  // the one that pending_ is about
  bool waiting_ = false;      // for Acquire
  ShardIndex waiting_for_{};
  std::shared_ptr<const NodeSamples> waiting_replica_;  // null: for the primary
  bool awaiting_nodes_ = false;                         // waiting_ is for that
  uint64_t replica_missing_since_us_ = 0;               // for the statement at hand; 0: it was not
  uint64_t primary_missing_since_us_ = 0;               // 0: it was not
  uint64_t held_since_us_ = 0;  // the range that the statement at hand needs; 0: it was not
  MovingSet moving_used_ = 0;   // what the open transaction has changed or locked
  Epoch fenced_at_;   // of the map by which the statement at hand was refused; 0: it was not
  Epoch map_in_use_;  // see OldestMapInUse; 0: none
  bool avoid_replicas_ = false;   // one gave the statement at hand no connection
  bool read_counted_ = false;     // the statement at hand, in reads
  std::unique_ptr<Retry> retry_;  // null: none
  bool fanout_reads_replicas_ = false;
  std::unique_ptr<ReadNeeds> needs_;  // null: none
  absl::Status acquire_error_;

  Ref<const Settings> settings_;
  MeridianSettings meridian_;
  // Before the first SET of a Query or a batch that PostgreSQL itself makes one transaction; null:
  // it has none.
  Ref<const Settings> settings_undo_;
  const SqlContext* context_ = nullptr;
  Transaction transaction_;
  PinReason pin_ = PinReason::kNone;

  StringMap<Ref<const PreparedText>> prepared_;
  Ref<const PreparedText> unnamed_;
  StringMap<Portal> portals_;
  Ref<const PreparedText> unnamed_portal_;  // unless portals_ has one of the name ""
  ShardIndex unnamed_portal_shard_{};
  bool local_row_description_ = true;  // SHOW by the simple protocol describes its row
  StringMap<ShardIndex> cursors_;

  // The batch of extended messages since the last Sync.
  bool batch_open_ = false;
  Server* batch_server_ = nullptr;
  std::vector<Unplaced> unplaced_;
  std::vector<std::string> unconfirmed_;  // names that this batch prepared
  bool batch_executed_ = false;
  bool batch_wrote_ = false;
  bool flushed_ = false;  // the message at hand has had the server's answers asked for
  // What the batch has executed may change client_encoding; its effect is not known before Sync.
  bool batch_changes_encoding_ = false;
  bool batch_changes_session_ = false;  // it has executed what has an effect (HasEffect)
  bool skip_until_sync_ = false;
  bool query_failed_ = false;  // by the end of the batch that stood before it

  std::unique_ptr<Script> script_;
  std::unique_ptr<Fanout> fanout_;
  std::optional<absl::StatusOr<std::string>> fanout_result_;  // the tag
  // A fan-out of COPY FROM STDIN: the message that started it is done with, so that the data behind
  // it can be read, and its result is told as soon as it is there.
  enum class CopyFanout : uint8_t { kNone, kSimple, kExtended };
  CopyFanout copy_fanout_ = CopyFanout::kNone;
  std::unique_ptr<Broadcast> broadcast_;
  std::unique_ptr<SnapshotGate> gate_;
  std::unique_ptr<Broadcast> aborts_;  // ROLLBACK to the others, after an error on one
  std::unique_ptr<TransactionEnd> ending_;
  bool end_told_ = false;  // the client knows how ending_ ends, though it goes on

  Server* copy_in_ = nullptr;    // COPY FROM STDIN runs there
  bool expect_copy_in_ = false;  // one was sent, its CopyInResponse did not come yet
  bool schema_wait_ = false;
  bool schema_changed_ = false;  // by the running statement
  bool closing_ = false;
  bool cancel_behind_prelude_ = false;
  bool within_row_ = false;  // of the active server
  // From whose parts of sequences the session has drawn (Statement::draws) since it kept a server:
  // what others show by lastval() is older.
  ShardSet drew_on_;
  std::optional<UsedKey> used_key_;  // of the statement that runs
  bool clock_runs_ = false;          // statement_started_us_ is of a statement that has not ended
  // Null but in rare moments; idle clients are many.
  std::unique_ptr<const SqlError> drain_;
  std::unique_ptr<const SqlError> prelude_error_;
  std::unique_ptr<const Deadlock> deadlock_;
  std::unique_ptr<const SqlError> dying_words_;  // what a server said before it closed
  std::unique_ptr<const SqlError> lost_pin_;     // a pinned server is gone while ending_ goes on
  std::unique_ptr<std::string> after_row_;       // asynchronous messages

  uint64_t statement_started_us_ = 0;
  uint64_t transaction_started_us_ = 0;
  Ref<const Statement> running_;   // or the last one
  uint64_t waiting_since_us_ = 0;  // while waiting_
  uint64_t statements_done_ = 0;
};

}  // namespace meridian
