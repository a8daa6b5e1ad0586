// COPY FROM STDIN on several shards: rows go to the shard of their key, or all of them to every
// shard.

#include "proxy/session/fanout.h"
#include "proxy/wire/message_writer.h"

namespace meridian {
namespace {

void AppendCopyData(wire::OutQueue& out, std::string_view bytes) {
  if (bytes.empty()) return;
  wire::MessageBuilder(out.Own(), wire::kCopyData).Bytes(bytes);
}

}  // namespace

// The client may start when every shard has agreed.
void Fanout::OnCopyInResponse(const wire::MessageStream::Event& event, Branch& branch) {
  branch.copy_ready = true;
  if (error_) {
    wire::MessageBuilder(branch.server->out.Own(), wire::kCopyFail).String("another shard failed");
    return;
  }
  for (const Branch& other : branches_) {
    if (!other.copy_ready) return;
  }
  if (copy_announced_) return;
  copy_announced_ = copying_ = true;
  out_.Append(event.bytes);
}

void Fanout::OnCopyData(std::string_view bytes) {
  if (options_.splitter == nullptr) {
    for (Branch& branch : branches_) AppendCopyData(branch.server->out, bytes);
    return;
  }
  std::vector<CopySplitter::Piece> pieces;
  if (auto status = options_.splitter->Feed(bytes, &pieces); !status.ok()) {
    Fail(ToSqlError(status));
    return;
  }
  SendCopyPieces(pieces);
}

// One CopyData message per shard and piece of input, however the rows alternate.
void Fanout::SendCopyPieces(const std::vector<CopySplitter::Piece>& pieces) {
  for (const CopySplitter::Piece& piece : pieces) {
    if (options_.only_shard && *options_.only_shard != piece.shard) {
      Fail(ToSqlError(
          Refused("COPY has rows whose key belongs to another shard than meridian.shard",
                  "RESET meridian.shard, so that each row goes to the shard of its key.")));
      return;
    }
    for (Branch& branch : branches_) {
      if (branch.shard == piece.shard) branch.copy.append(piece.bytes);
    }
  }
  for (Branch& branch : branches_) {
    if (branch.copy.empty()) continue;
    if (!branch.header_sent) AppendCopyData(branch.server->out, options_.splitter->Header());
    branch.header_sent = true;
    AppendCopyData(branch.server->out, branch.copy);
    branch.copy.clear();
  }
}

void Fanout::OnCopyEnd(bool done, std::string_view reason) {
  copying_ = false;
  if (!done) {
    copy_ended_ = true;
    for (Branch& branch : branches_) {
      wire::MessageBuilder(branch.server->out.Own(), wire::kCopyFail).Bytes(reason);
    }
    return;
  }
  if (options_.splitter != nullptr) {
    std::vector<CopySplitter::Piece> pieces;
    if (auto status = options_.splitter->Finish(&pieces); !status.ok()) {
      Fail(ToSqlError(status));
      return;
    }
    SendCopyPieces(pieces);
    if (error_) return;
  }
  copy_ended_ = true;
  for (Branch& branch : branches_) {
    if (options_.splitter != nullptr) {
      if (!branch.header_sent) AppendCopyData(branch.server->out, options_.splitter->Header());
      AppendCopyData(branch.server->out, options_.splitter->Trailer());
    }
    wire::AppendEmptyMessage(branch.server->out.Own(), wire::kCopyDone);
  }
}

}  // namespace meridian
