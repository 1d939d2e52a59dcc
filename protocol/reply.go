package protocol

import "strconv"

// Mode is the form of what the server sends on one connection.
type Mode uint8

const (
	// ModeBare sends a group's messages as they are: the default.
	ModeBare Mode = iota
	// ModeEnvelope sends everything as JSON objects with a type: chosen by
	// the subprotocol SubprotocolV1.
	ModeEnvelope
)

// The functions below append the JSON text of one server message, without a
// frame header. They allocate only if dst has no room.

// AppendAck appends the answer to a command that was carried out. reqID is the
// JSON token to repeat, see Command.ReqID; without one the field is left out.
func AppendAck(dst []byte, mode Mode, reqID []byte) []byte {
	dst = appendReply(dst, mode, "ack", reqID)
	return append(dst, '}')
}

// AppendUncoveredAck appends the answer to a join of a group whose messages of other nodes may
// not reach this one yet. reqID is as for AppendAck.
func AppendUncoveredAck(dst []byte, mode Mode, reqID []byte) []byte {
	dst = appendReply(dst, mode, "ack", reqID)
	return append(dst, `,"cluster":false}`...)
}

// AppendError appends the answer to a command that was not carried out. reqID
// is as for AppendAck.
func AppendError(dst []byte, mode Mode, reqID []byte, code Code, reason string) []byte {
	dst = appendReply(dst, mode, "error", reqID)
	dst = append(dst, `,"code":`...)
	dst = appendQuoted(dst, string(code))
	dst = append(dst, `,"reason":`...)
	dst = appendQuoted(dst, reason)
	return append(dst, '}')
}

// appendReply appends the start of an ack or error object.
func appendReply(dst []byte, mode Mode, kind string, reqID []byte) []byte {
	if mode == ModeEnvelope {
		dst = append(dst, `{"type":"`...)
	} else {
		dst = append(dst, `{"cmd":"`...)
	}
	dst = append(dst, kind...)
	dst = append(dst, '"')
	if len(reqID) > 0 {
		dst = append(dst, `,"req_id":`...)
		dst = append(dst, reqID...)
	}
	return dst
}

// AppendExpiring appends the warning that a session's token is over in so many
// milliseconds. There is one in envelope mode only.
func AppendExpiring(dst []byte, inMillis int64) []byte {
	dst = append(dst, `{"type":"expiring","in_ms":`...)
	dst = strconv.AppendInt(dst, inMillis, 10)
	return append(dst, '}')
}

// AppendGap appends the notice that messages to a group may have been lost, nobody knows how
// many. There is one in envelope mode only.
func AppendGap(dst []byte, group string) []byte {
	dst = append(dst, `{"type":"gap","group_id":`...)
	dst = appendQuoted(dst, group)
	return append(dst, `,"missed":"unknown"}`...)
}

const (
	messageHead     = `{"type":"message","group_id":`
	messageMid      = `,"message":`
	userMessageHead = `{"type":"user_message","message":`
)

// AppendMessage appends a group's message in envelope mode. With isText,
// message is characters, which become a JSON string; else it is JSON text and
// is appended as it is. Both group and text must be UTF-8.
func AppendMessage(dst []byte, group string, message []byte, isText bool) []byte {
	dst = append(dst, messageHead...)
	dst = appendQuoted(dst, group)
	dst = append(dst, messageMid...)
	return appendValue(dst, message, isText)
}

// AppendUserMessage appends a message to a user in envelope mode; else it is AppendMessage.
func AppendUserMessage(dst, message []byte, isText bool) []byte {
	dst = append(dst, userMessageHead...)
	return appendValue(dst, message, isText)
}

// appendValue appends a message's value, and ends its object.
func appendValue(dst, message []byte, isText bool) []byte {
	if isText {
		dst = appendQuoted(dst, message)
	} else {
		dst = append(dst, message...)
	}
	return append(dst, '}')
}

// MessageLen returns exactly how many bytes AppendMessage appends, without
// building them.
func MessageLen(group string, message []byte, isText bool) int {
	return len(messageHead) + quotedLen(group) + len(messageMid) + valueLen(message, isText)
}

// UserMessageLen is likewise for AppendUserMessage.
func UserMessageLen(message []byte, isText bool) int {
	return len(userMessageHead) + valueLen(message, isText)
}

func valueLen(message []byte, isText bool) int {
	if isText {
		return quotedLen(message) + len("}")
	}
	return len(message) + len("}")
}
