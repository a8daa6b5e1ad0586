// One statement that runs on several shards at once: a read whose rows are concatenated, or a
// write.
//
// The session has made the servers ready (settings) and hands their bytes in. Writes are part of
// its transaction, which it ends (TransactionEnd). All rows come out in the order of the shards:
// whoever's turn it is not is read only as far as a small buffer holds.
//
// Writes of the same rows on every shard (reference tables, DDL) run on the first shard alone
// before the others start, so that two of them wait for each other in one order and cannot
// deadlock.
//
// An UPDATE that moves rows (kMove) runs where they are; what is taken from there is put on the
// shard of the new key when all shards have answered.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "proxy/pool/server.h"
#include "proxy/session/session_host.h"
#include "proxy/wire/message_stream.h"
#include "proxy/wire/out_queue.h"
#include "router/copy/copy_splitter.h"
#include "router/decision.h"

namespace meridian {

class Fanout {
 public:
  struct Options {
    Route route = Route::kConcat;
    bool copy_in = false;
    bool describe = true;  // the client sees the RowDescription
    std::vector<uint32_t>
        row_order;  // kSplit with rows: the branch of each row, in the client's order
    // The description comes with the first row. kSplit by the simple protocol: PostgreSQL, too,
    // describes the rows when all are there.
    bool describe_with_rows = false;
    std::unique_ptr<CopySplitter> splitter;  // kCopySplit
    std::optional<ShardIndex>
        only_shard;               // kCopySplit: rows of other shards are refused (meridian.shard)
    std::optional<KeyMove> move;  // kMove
  };
  // Rows of a split INSERT ... RETURNING, and of an UPDATE that moves rows, are held back until all
  // is done; more bytes than this of one shard are an error.
  static constexpr size_t kHeldRowsMaxBytes = 64 << 20;
  // The same for the rows that an UPDATE moves, of all shards.
  static constexpr size_t kMovedRowsMaxBytes = 64 << 20;

  Fanout(SessionHost& host, wire::OutQueue& out, Options options);
  ~Fanout();

  // `request` is sent as it is; its answer ends with one ReadyForQuery. `begin`: what must be run
  // before it, so that it is part of the transaction; or empty.
  void AddBranch(ShardIndex shard, Server& server, std::string request, std::string begin);
  void Start();

  bool Has(const Server& server) const;
  void OnEvent(Server& server, const wire::MessageStream::Event& event);
  void OnClosed(const Server& server, const SqlError& reason);
  void OnCancelDone() { EndIfAnswered(); }
  // Has the servers stop what they do.
  void Cancel();

  // COPY FROM STDIN: whether the client's CopyData is wanted now.
  bool TakesInput() const { return copying_; }
  void OnCopyData(std::string_view bytes);
  void OnCopyEnd(bool done, std::string_view reason);

  // Whether the client has seen a part of a row: nothing but the rest of it may follow.
  bool within_row() const {
    return !HoldsRows() && turn_ < branches_.size() && branches_[turn_].within_row;
  }
  // ... of which this server still has the rest.
  bool owes_row(const Server& server) const {
    return within_row() && branches_[turn_].server == &server;
  }

  // Whether the client has seen anything of the answer.
  bool shown() const { return shown_; }
  bool done() const { return done_; }
  const std::optional<SqlError>& error() const { return error_; }
  // visit(the shard's name, whether the statement has been completed there).
  template <typename Visit>
  void ForEachBranch(Visit visit) const {
    for (const Branch& branch : branches_) {
      visit(map_->shard(branch.shard).name, branch.completed);
    }
  }
  // The command tag for the client: counts added up, or that of one shard. Precondition: done and
  // no error.
  std::string Tag() const;

 private:
  // kMove: the statement, then the rows that leave the shard, then those that come to it.
  enum class Step : uint8_t { kStatement, kTake, kPut };

  struct Branch {
    ShardIndex shard;
    Server* server;  // nullptr: it is gone
    std::string begin;
    std::string request;
    bool started = false;
    bool joining = false;    // the answer to `begin` is still to come
    bool cancelled = false;  // meanwhile
    bool alone = false;      // `begin` has failed: the statement is not part of the transaction
    size_t ready_owed = 0;   // ReadyForQuery messages that are still to come
    bool completed = false;  // CommandComplete of the statement came
    bool failed = false;
    bool paused = false;
    bool header_sent = false;
    bool copy_ready = false;
    bool within_row = false;  // it has sent a part of a row
    std::string tag;
    std::string held;              // bytes whose turn has not come
    std::vector<size_t> row_ends;  // kSplit with rows: where each row ends in held
    std::string copy;              // rows for this shard from one piece of input
    Step step = Step::kStatement;
    std::string taken;         // DataRow messages of rows that move
    uint64_t taken_count = 0;  // as the shard's tag says
  };

  Branch* Find(const Server& server);
  void StartBranch(Branch& branch);
  bool RunsOneByOne() const;
  // Whether the client sees rows only when all is done.
  bool HoldsRows() const { return !options_.row_order.empty() || options_.move; }
  // Whether the shard's rows leave it.
  bool TakesFrom(const Branch& branch) const;
  void OnTakenRow(Branch& branch, std::string_view bytes);
  void PutRows();
  void OnMessage(Branch& branch, const wire::MessageStream::Event& event);
  void OnRow(Branch& branch, const wire::MessageStream::Event& event);
  void OnNotice(Branch& branch, std::string_view notice);
  void OnCopyInResponse(const wire::MessageStream::Event& event, Branch& branch);
  void OnCommandComplete(Branch& branch, std::string_view tag);
  void OnReady(Branch& branch, char status);
  void Fail(SqlError error);
  void StopOthers();
  void Cancel(Branch& branch);
  static void DropHeld(Branch& branch);
  void NextTurn();
  void ShowDescription();
  void EndIfAnswered();
  void ShowRowsInOrder();
  void ShowHeldRows();
  void SendCopyPieces(const std::vector<CopySplitter::Piece>& pieces);
  void CheckEqualTags();
  void TellWhatWasDoneAlone();

  SessionHost& host_;
  wire::OutQueue& out_;
  Options options_;
  const std::shared_ptr<const ShardMap> map_;  // when it began: another may come meanwhile
  std::vector<Branch> branches_;
  bool done_ = false;
  // kMove
  bool put_started_ = false;
  size_t taken_bytes_ = 0;
  uint64_t taken_count_ = 0;
  uint64_t put_count_ = 0;
  size_t turn_ = 0;
  bool described_ = false;
  bool shown_ = false;
  std::string description_;  // describe_with_rows: not shown yet
  bool copying_ = false;
  bool copy_announced_ = false;
  bool copy_ended_ = false;
  std::optional<SqlError> error_;
};

}  // namespace meridian
