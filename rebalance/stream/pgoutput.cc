#include "rebalance/stream/pgoutput.h"

#include <fmt/format.h>

#include "sharding/byte_reader.h"
#include "sharding/sql_status.h"

namespace meridian::pgoutput {
namespace {

absl::Status Malformed(char type) {
  return SqlStatus(sqlstate::kProtocolViolation,
                   fmt::format("malformed message of type 0x{:02x} in the stream of changes",
                               static_cast<unsigned char>(type)));
}

// What the parts of a message read, with one flag for all.
class Reader {
 public:
  explicit Reader(std::string_view bytes) : bytes_(bytes) {}

  ByteReader& bytes() { return bytes_; }
  bool AtEnd() const { return sound_ && bytes_.AtEnd(); }

  Tuple ReadTuple() {
    const uint16_t count = bytes_.U16();
    Tuple tuple;
    for (uint16_t i = 0; i < count && bytes_.ok(); ++i) tuple.push_back(ReadValue());
    return tuple;
  }

  // Whether the next byte is the mark.
  bool Takes(char mark) {
    if (bytes_.rest().empty() || bytes_.rest().front() != mark) return false;
    bytes_.Bytes(1);
    return true;
  }
  void Expect(char mark) { sound_ = Takes(mark) && sound_; }

 private:
  Value ReadValue() {
    switch (static_cast<char>(bytes_.U8())) {
      case 'n':
        return {};
      case 'u':
        return {Value::Kind::kUnchanged, {}};
      case 't': {
        const uint32_t size = bytes_.U32();
        return {Value::Kind::kText, bytes_.Bytes(size)};
      }
      default:  // binary values are never asked for
        sound_ = false;
        return {};
    }
  }

  ByteReader bytes_;
  bool sound_ = true;
};

Begin ReadBegin(ByteReader& bytes) {
  Begin begin{.commit_lsn = bytes.U64()};
  bytes.U64();  // when it was committed: comes again with the Commit
  bytes.U32();  // xid
  return begin;
}

Commit ReadCommit(ByteReader& bytes) {
  bytes.U8();  // flags, none so far
  Commit commit;
  commit.commit_lsn = bytes.U64();
  commit.end_lsn = bytes.U64();
  commit.commit_time_us = static_cast<int64_t>(bytes.U64());
  return commit;
}

Origin ReadOrigin(ByteReader& bytes) {
  bytes.U64();  // the position there
  return {.name = bytes.String()};
}

Relation ReadRelation(ByteReader& bytes) {
  Relation relation;
  relation.id = bytes.U32();
  relation.schema = bytes.String();
  relation.name = bytes.String();
  relation.identity = static_cast<char>(bytes.U8());
  const uint16_t count = bytes.U16();
  for (uint16_t i = 0; i < count && bytes.ok(); ++i) {
    Column column;
    column.in_identity = (bytes.U8() & 1) != 0;
    column.name = bytes.String();
    bytes.U32();  // type
    bytes.U32();  // type modifier
    relation.columns.push_back(column);
  }
  return relation;
}

Insert ReadInsert(Reader& reader) {
  Insert insert{.relation = reader.bytes().U32(), .row = {}};
  reader.Expect('N');
  insert.row = reader.ReadTuple();
  return insert;
}

Update ReadUpdate(Reader& reader) {
  Update update{.relation = reader.bytes().U32(), .old_row = {}, .row = {}};
  // 'K': the identity's columns, which have changed; 'O': the whole row (REPLICA IDENTITY FULL).
  if (reader.Takes('K') || reader.Takes('O')) update.old_row = reader.ReadTuple();
  reader.Expect('N');
  update.row = reader.ReadTuple();
  return update;
}

Delete ReadDelete(Reader& reader) {
  Delete deleted{.relation = reader.bytes().U32(), .old_row = {}};
  if (!reader.Takes('K')) reader.Expect('O');
  deleted.old_row = reader.ReadTuple();
  return deleted;
}

Truncate ReadTruncate(ByteReader& bytes) {
  const uint32_t count = bytes.U32();
  bytes.U8();  // CASCADE, RESTART IDENTITY
  Truncate truncate;
  for (uint32_t i = 0; i < count && bytes.ok(); ++i) truncate.relations.push_back(bytes.U32());
  return truncate;
}

Message ReadMessage(ByteReader& bytes) {
  Message message;
  message.transactional = (bytes.U8() & 1) != 0;
  message.lsn = bytes.U64();
  message.prefix = bytes.String();
  const uint32_t size = bytes.U32();
  message.content = bytes.Bytes(size);
  return message;
}

Event ReadBody(char type, Reader& reader, bool* known) {
  ByteReader& bytes = reader.bytes();
  switch (type) {
    case 'B':
      return ReadBegin(bytes);
    case 'C':
      return ReadCommit(bytes);
    case 'O':
      return ReadOrigin(bytes);
    case 'R':
      return ReadRelation(bytes);
    case 'I':
      return ReadInsert(reader);
    case 'U':
      return ReadUpdate(reader);
    case 'D':
      return ReadDelete(reader);
    case 'T':
      return ReadTruncate(bytes);
    case 'M':
      return ReadMessage(bytes);
    case 'Y':
      bytes.Bytes(bytes.rest().size());
      return Ignored{};
    default:
      *known = false;
      return Ignored{};
  }
}

}  // namespace

absl::StatusOr<Event> Read(std::string_view bytes) {
  if (bytes.empty()) return Malformed('\0');
  Reader reader(bytes.substr(1));
  bool known = true;
  Event event = ReadBody(bytes[0], reader, &known);
  if (!known || !reader.AtEnd()) return Malformed(bytes[0]);
  return event;
}

}  // namespace meridian::pgoutput
