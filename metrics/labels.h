// The values of the labels by which statements are counted, and their names in the metrics.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace meridian {

// What kind of statement: one per completed statement, whatever protocol it came by.
enum class QueryKind : uint8_t {
  kSelect,  // SELECT, VALUES, TABLE, SHOW, EXPLAIN, FETCH
  kInsert,
  kUpdate,
  kDelete,  // and MERGE, TRUNCATE
  kCopy,
  kDdl,
  kTransaction,  // BEGIN, COMMIT, ROLLBACK, SAVEPOINT, ...
  kOther,        // SET, CALL, LOCK, ...
};
inline constexpr std::array<std::string_view, 8> kQueryKindNames = {
    "select", "insert", "update", "delete", "copy", "ddl", "transaction", "other"};

enum class Outcome : uint8_t {
  kOk,
  kError,    // a node or the proxy answered with an error
  kRefused,  // the proxy does not support it (0A000)
};
inline constexpr std::array<std::string_view, 3> kOutcomeNames = {"ok", "error", "refused"};

// How a statement was routed. In the order of Route in router/decision.h, then what never gets one;
// proxy/session casts and asserts that they agree.
enum class RouteKind : uint8_t {
  kSession,    // answered by or for the session alone
  kAny,        // one shard, any
  kOne,        // one shard, the one that owns the key
  kConcat,     // a read of several shards
  kEvery,      // the same write on several shards, counted once
  kSum,        // the same write on several shards, counts added up
  kSplit,      // an INSERT split by key
  kCopySplit,  // a COPY split by key
  kMove,       // an UPDATE that moves rows to the shard of their new key
};
inline constexpr std::array<std::string_view, 9> kRouteKindNames = {
    "session", "any", "one", "concat", "every", "sum", "split", "copy_split", "move"};

// Why a session keeps its server connection. In the order of PinReason in router/statement.h.
enum class PinKind : uint8_t {
  kNone,  // never counted
  kTemporaryTable,
  kListen,
  kHoldCursor,
  kAdvisoryLock,
  kOpaqueSetting,
};
inline constexpr std::array<std::string_view, 6> kPinKindNames = {
    "none", "temporary_table", "listen", "hold_cursor", "advisory_lock", "opaque_setting"};

// Where a read went that a replica could answer; and if not to one, why.
enum class ReadPlace : uint8_t {
  kReplica,
  kStrong,       // meridian.read_consistency = strong
  kSession,      // the session keeps its server: a pin, or pool_mode session
  kTransaction,  // in a transaction that may write, or is serializable
  kReference,    // of a reference table, in monotonic
  kNone,         // the shard has no replica that could be used
  kBehind,       // none has what the session must find
  kFailed,       // none could be connected to
};
inline constexpr std::array<std::string_view, 8> kReadPlaceNames = {
    "replica", "strong", "session", "transaction", "reference", "no_replica", "behind", "failed"};

// Which way a cancel request ended.
enum class CancelOutcome : uint8_t {
  kSent,     // passed on to one or more nodes
  kIdle,     // the session had nothing running
  kUnknown,  // no session has this key
};
inline constexpr std::array<std::string_view, 3> kCancelOutcomeNames = {"sent", "idle", "unknown"};

}  // namespace meridian
