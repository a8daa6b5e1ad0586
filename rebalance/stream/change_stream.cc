#include "rebalance/stream/change_stream.h"

#include <fmt/format.h>

#include <utility>

#include "sharding/byte_reader.h"
#include "sharding/catalog/plain_text.h"
#include "sharding/quote.h"
#include "sharding/sql_status.h"

namespace meridian {
namespace {

using Clock = std::chrono::steady_clock;

// Far below wal_sender_timeout, which is a minute unless configured.
constexpr std::chrono::seconds kStatusInterval{3};

absl::Status Malformed() {
  return SqlStatus(sqlstate::kProtocolViolation, "malformed message in a replication stream");
}

void AppendU64(std::string& out, uint64_t value) {
  for (int shift = 56; shift >= 0; shift -= 8) out.push_back(static_cast<char>(value >> shift));
}

}  // namespace

absl::StatusOr<ChangeStream> ChangeStream::Connect(PgTarget source) {
  source.parameters.emplace_back("replication", "database");
  source.parameters.emplace_back("options", PlainTextOptions());
  auto connection = PgConnection::Connect(source);
  if (!connection.ok()) return connection.status();
  return ChangeStream(*std::move(connection));
}

absl::StatusOr<ChangeStream::Slot> ChangeStream::CreateSlot(const std::string& slot) {
  auto made = connection_.Script(fmt::format(
      "CREATE_REPLICATION_SLOT {} LOGICAL pgoutput (SNAPSHOT 'export')", QuoteIdentifier(slot)));
  if (!made.ok()) return made.status();
  const auto start = made->columns() >= 3 ? ParseLsn(made->Text(0, 1)) : std::nullopt;
  if (!start) return Malformed();
  return Slot{*start, made->Text(0, 2)};
}

absl::Status ChangeStream::DropSlot(PgConnection& connection, const std::string& slot) {
  return connection
      .Query(
          "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots"
          " WHERE slot_name = $1",
          {{slot}})
      .status();
}

absl::Status ChangeStream::Start(const std::string& slot, const std::string& publication,
                                 Lsn from) {
  confirmed_ = from;
  status_sent_ = Clock::now();
  return connection_.CopyBothBegin(fmt::format(
      "START_REPLICATION SLOT {} LOGICAL {} (proto_version '1', publication_names {}, messages "
      "'true')",
      QuoteIdentifier(slot), LsnText(from), QuoteLiteral(QuoteIdentifier(publication))));
}

absl::StatusOr<bool> ChangeStream::Next(std::chrono::milliseconds timeout,
                                        absl::FunctionRef<absl::Status(std::string_view)> take) {
  const auto deadline = Clock::now() + timeout;
  for (bool taken = false;;) {
    if (Clock::now() - status_sent_ >= kStatusInterval) {
      if (absl::Status sent = SendStatus(); !sent.ok()) return sent;
    }
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now());
    const auto came = connection_.CopyReceive(
        std::clamp<std::chrono::milliseconds>(left, std::chrono::milliseconds(0), kStatusInterval),
        [&](std::string_view data) { return OnCopyData(data, take, &taken); });
    if (!came.ok()) return came.status();
    if (taken) return true;
    if (!*came && Clock::now() >= deadline) return false;
  }
}

absl::Status ChangeStream::OnCopyData(std::string_view data,
                                      absl::FunctionRef<absl::Status(std::string_view)> take,
                                      bool* taken) {
  ByteReader reader(data);
  switch (static_cast<char>(reader.U8())) {
    case 'w': {  // XLogData
      reader.U64();
      server_end_ = std::max(server_end_, Lsn{reader.U64()});
      reader.U64();
      if (!reader.ok()) return Malformed();
      *taken = true;
      return take(reader.rest());
    }
    case 'k': {  // primary keepalive message
      server_end_ = std::max(server_end_, Lsn{reader.U64()});
      reader.U64();
      const bool asks = reader.U8() != 0;
      if (!reader.AtEnd()) return Malformed();
      return asks ? SendStatus() : absl::OkStatus();
    }
    default:
      return Malformed();
  }
}

absl::Status ChangeStream::Confirm(Lsn position) {
  if (position <= confirmed_) return absl::OkStatus();
  confirmed_ = position;
  return SendStatus();
}

// Standby status update: written, flushed and applied up to the same position.
absl::Status ChangeStream::SendStatus() {
  status_sent_ = Clock::now();
  std::string message = "r";
  for (int i = 0; i < 3; ++i) AppendU64(message, confirmed_);
  AppendU64(message, 0);    // the clock: not looked at
  message.push_back('\0');  // asks for no answer
  return connection_.CopyData(message);
}

}  // namespace meridian
