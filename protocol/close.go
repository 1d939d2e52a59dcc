package protocol

import (
	"encoding/binary"
	"errors"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/gobwas/ws"
)

// CloseError says why a connection must be closed and with which code. Its
// Reason is fixed text: it never repeats what the peer sent.
//
// The errors this package returns are preallocated and shared; treat them as
// read-only. Functions return *CloseError, not error, so that a nil result
// stays nil; do not assign one to a variable of type error unchecked.
type CloseError struct {
	Code   ws.StatusCode
	Reason string
}

// Error implements error.
func (e *CloseError) Error() string {
	return "close " + strconv.Itoa(int(e.Code)) + ": " + e.Reason
}

// Status codes that gobwas/ws does not name (IANA WebSocket close code registry).
const (
	StatusServiceRestart ws.StatusCode = 1012
	StatusTryAgainLater  ws.StatusCode = 1013
)

// maxCloseReason is what a control frame leaves for the reason, in bytes:
// 125 less the two of the code (RFC 6455, 5.5 and 5.5.1).
const maxCloseReason = ws.MaxControlFramePayloadSize - 2

var (
	errCloseLength = &CloseError{ws.StatusProtocolError, "close payload of one byte"}
	errCloseCode   = &CloseError{ws.StatusProtocolError, "invalid close code"}
	errCloseReason = &CloseError{ws.StatusInvalidFramePayloadData, "close reason is not UTF-8"}
)

// ParseClose reads the unmasked payload of a Close frame (RFC 6455, 5.5.1 and
// 7.4). An empty one means ws.StatusNoStatusRcvd (1005). On an error the code
// is 0. It does not allocate.
func ParseClose(payload []byte) (ws.StatusCode, *CloseError) {
	switch len(payload) {
	case 0:
		return ws.StatusNoStatusRcvd, nil
	case 1:
		return 0, errCloseLength
	}
	code := ws.StatusCode(binary.BigEndian.Uint16(payload))
	if !validCloseCode(code) {
		return 0, errCloseCode
	}
	if !utf8.Valid(payload[2:]) {
		return 0, errCloseReason
	}
	return code, nil
}

// ErrBadClose is the answer to a close that a caller asks for and that no close
// frame may carry.
var ErrBadClose = errors.New("a close has a code that may be sent, 1000 to 4999, and a reason of at most 123 " +
	"bytes of UTF-8")

// CheckClose returns ErrBadClose unless a close frame may carry code and reason.
func CheckClose(code ws.StatusCode, reason string) error {
	if !validCloseCode(code) || len(reason) > maxCloseReason || !utf8.ValidString(reason) {
		return ErrBadClose
	}
	return nil
}

// validCloseCode reports whether a peer may send code. ws.CheckCloseFrameData
// is not used: it refuses 1012 to 1014, registered since RFC 6455, and lets
// 5000 and above through.
func validCloseCode(code ws.StatusCode) bool {
	switch {
	case code < 1000, code >= 5000:
		return false
	case code < 3000:
		return code <= 1014 && code != 1004 && code != 1005 && code != 1006
	}
	return true
}

// AppendClose appends a whole, unmasked Close frame. The reason is cut to 123
// bytes at a rune boundary; what is not UTF-8 in it becomes U+FFFD. Code 1005
// stands for "no code": the frame has no payload then. Any other code is sent
// as it is, so it is the caller's to choose one that may be sent.
func AppendClose(dst []byte, code ws.StatusCode, reason string) []byte {
	if code == ws.StatusNoStatusRcvd {
		return AppendHeader(dst, ws.OpClose, 0)
	}
	if !utf8.ValidString(reason) {
		reason = strings.ToValidUTF8(reason, "\uFFFD")
	}
	if len(reason) > maxCloseReason {
		n := maxCloseReason
		for !utf8.RuneStart(reason[n]) {
			n--
		}
		reason = reason[:n]
	}
	dst = AppendHeader(dst, ws.OpClose, 2+len(reason))
	dst = binary.BigEndian.AppendUint16(dst, uint16(code))
	return append(dst, reason...)
}
